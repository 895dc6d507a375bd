"""A Prefect server that goes away during a run."""
