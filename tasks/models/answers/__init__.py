"""How models answer: where reasoning and answer stand in what a model writes, and what ends its turn."""
