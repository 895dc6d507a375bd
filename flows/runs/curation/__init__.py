"""What only curation needs: the records of a dataset that is there, rows chosen out of a pool, a dry run."""
