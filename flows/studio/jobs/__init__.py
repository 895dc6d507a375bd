"""Jobs: commands of `stillroom` that the studio starts, each a process that goes on without it."""
