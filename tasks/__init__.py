"""What a flow is made of: techniques, the engine that runs them, and the models that they ask."""
