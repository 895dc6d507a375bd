"""Tries: a few rows, or a plan from a description, in a process that keeps its models open between them."""
