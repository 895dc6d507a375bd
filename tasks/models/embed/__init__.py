"""Models that turn texts into vectors in this process."""
