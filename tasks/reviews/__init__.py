"""What people decide about the rows of a dataset: a journal, a table, and what comes of it for the next revision."""
