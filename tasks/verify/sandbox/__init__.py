"""Where programs that a model wrote are run: in a process of their own, cut off from all else."""
