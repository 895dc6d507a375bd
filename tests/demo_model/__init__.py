"""Trains the built-in model: a corpus of everyday sums and texts, made here, and the training itself."""
