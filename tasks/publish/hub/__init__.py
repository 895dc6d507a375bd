"""A dataset as a repository of the Hub."""
