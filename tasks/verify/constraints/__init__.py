"""Constraints on an answer that a program can check: their kinds, how they are drawn, and whether an answer keeps them."""
