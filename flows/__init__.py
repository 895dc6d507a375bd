"""What a person starts. Importing this package settles where Prefect keeps its things, before Prefect is imported."""

from tasks.engine.home import prepare_environment

prepare_environment()
