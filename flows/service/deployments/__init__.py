"""What stands on a Prefect server for Stillroom: work pool, deployments, automations, and the runs that were left there."""
