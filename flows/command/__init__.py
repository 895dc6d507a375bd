"""The `stillroom` command, and what the terminal shows."""
