"""Where the shards of a run go: threads of this process, or a Ray cluster."""
