"""What a run leaves behind: dataset, card, rejects, provenance."""
