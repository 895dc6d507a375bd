"""What each trainer makes of a row, a file a trainer."""
