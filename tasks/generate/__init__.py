"""Techniques that write text, one a file, named as its paper names it."""
