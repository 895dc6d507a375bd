"""The words of each API that a model may be asked in: a file a provider."""
