"""A run that a worker has started: whose it is, and how it ends."""
