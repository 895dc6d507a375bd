"""Prefect's server, started and stopped."""
