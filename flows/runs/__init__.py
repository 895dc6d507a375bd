"""One run: its plan, and what can be seen of it before it begins."""
