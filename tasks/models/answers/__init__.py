"""How models answer: where reasoning and answer stand in what a model writes, what ends its turn, and what is no answer."""
