"""The shapes that trainers take rows in: one family a file, all by name in `all_formats.py`."""
