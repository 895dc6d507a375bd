"""What of a run outlives its tables: it lies beside the manifest."""
