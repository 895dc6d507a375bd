"""Prefect's server, started and stopped, and what talks to it."""
