"""Starts this project's code, with the packages that lie beside this file, whatever else is called `flows` or `tasks`.

    stillroom sft                             # the command
    python -P stillroom.py prefect.engine     # as `python -m prefect.engine`

Many a project that uses Prefect has folders of these names, and they come first on Python's path where it is run in one of
them (`python -m`) or PYTHONPATH names one.
"""

from __future__ import annotations

import runpy
import sys
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).resolve().parent
MISTAKE = 2


def main() -> None:
    """Entry point of the command."""
    settle_packages()
    from flows.command.main import main as run_command

    run_command()


def run_module() -> None:
    """Run the module that the first argument names, with the others."""
    settle_packages()
    from flows.command.streams import outlive_readers

    outlive_readers()
    runpy.run_module(sys.argv.pop(1), run_name="__main__", alter_sys=True)


def settle_packages() -> None:
    """Import both packages from beside this file. Ends the process where others of these names are imported already."""
    sys.path.insert(0, str(ROOT))
    try:
        for name in ("tasks", "flows"):
            package = import_module(name)
            where = package.__file__ or next(iter(package.__path__))
            if Path(where).resolve() != ROOT / name / "__init__.py":
                print(f"stillroom: another package of the name `{name}` is imported already: {where}", file=sys.stderr)
                sys.exit(MISTAKE)
    finally:
        sys.path.remove(str(ROOT))


if __name__ == "__main__":
    run_module()
