"""What the second built-in model, `demo-2`, learns: to answer under constraints, to solve, and to hold a conversation."""
