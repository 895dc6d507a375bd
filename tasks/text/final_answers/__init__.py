"""The final answer of a solution: where it stands, what it says, and whether it is the right one."""
