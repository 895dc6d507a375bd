"""Where text comes from: local (transformers), scripted (tests), demo (built-in weights)."""
