"""What a person starts, from Python too: `flows.sft(...)`, `flows.dpo(...)`, `flows.at(DIR)`. Importing this package settles which `tasks` is ours, and where Prefect keeps its things.

Both come before anything else is imported. Another package called `tasks` may come first on Python's path: in the folder
where `python -m` is run, on PYTHONPATH, or because Prefect and Ray put the folder of a run on the path of its processes.
"""

import sys
from pathlib import Path
from typing import Any


def _settle_tasks() -> None:
    """Import the `tasks` that lies beside this package. Raises ImportError where another has been imported already."""
    root = Path(__file__).parents[1]
    sys.path.insert(0, str(root))
    try:
        import tasks
    finally:
        sys.path.remove(str(root))
    where = tasks.__file__ or next(iter(tasks.__path__))
    if Path(where).resolve() != (root / "tasks" / "__init__.py").resolve():
        raise ImportError(f"another package of the name `tasks` is imported already: {where}")


_settle_tasks()

from tasks.storage.home import prepare_environment  # noqa: E402 - of the package that has just been settled

prepare_environment()


def sft(**options: Any) -> Any:
    """Make an instruction dataset; see `flows.notebook.sft`."""
    from flows.notebook import sft as made

    return made(**options)


def dpo(**options: Any) -> Any:
    """Make a preference dataset; see `flows.notebook.dpo`."""
    from flows.notebook import dpo as made

    return made(**options)


def at(folder: str | Path) -> Any:
    """A dataset that is there; see `flows.notebook.Distilled`."""
    from flows.notebook import Distilled

    return Distilled.at(folder)
