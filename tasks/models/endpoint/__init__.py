"""A model behind a server."""
