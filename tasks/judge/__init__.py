"""Techniques that judge text."""
