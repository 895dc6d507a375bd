"""Requests that are in batches at a provider: written down, submitted, followed and fetched."""
