"""Recipes of instruction datasets (SFT)."""
