"""What techniques and engine share about text."""
