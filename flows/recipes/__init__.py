"""Which techniques a row goes through, and in which order."""
