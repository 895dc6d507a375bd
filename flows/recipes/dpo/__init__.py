"""Recipes of preference datasets (DPO)."""
