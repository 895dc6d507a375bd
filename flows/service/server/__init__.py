"""Prefect's own server: found, started, laid out, ended."""
