"""What documents are made of, and how they are cut into chunks that a model can be shown."""
