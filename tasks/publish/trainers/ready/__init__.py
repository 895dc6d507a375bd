"""The file that each trainer is started with, a file a trainer."""
