"""Techniques that make conversations of several turns, with a simulated user."""
