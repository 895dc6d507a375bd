"""Batch endpoints: the words of each API, and the exchanges with them."""
