"""What a plan is made of: what a config says that only one kind of run is told."""
