"""What a model wrote, read in whatever form it came: a list, and a text with something around it."""
