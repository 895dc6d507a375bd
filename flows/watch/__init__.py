"""What the Prefect UI and the reports show of a run."""
