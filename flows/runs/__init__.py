"""One run: what can be seen of it before it begins, and what stands against it at its end."""
