"""The prompts as files: what is told of them, and what a user does with them."""
