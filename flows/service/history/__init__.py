"""Prefect's own history of runs: how what is old is removed, from a database of ours or a server of somebody's."""
