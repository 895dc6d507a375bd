"""One request after another: its attempts, the wait for its answer, what a model has learnt to leave out."""
