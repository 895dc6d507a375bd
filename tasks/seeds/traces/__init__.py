"""Logs of agents as seeds: conversations with their calls of tools and what these gave back."""
