"""Turns "one row in, rows out" into a cached, retryable Prefect task over a table. Knows no technique."""
