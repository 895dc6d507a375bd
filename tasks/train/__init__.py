"""Students for the proof: small models trained on a dataset, and measured."""
