"""Techniques that choose among rows."""
