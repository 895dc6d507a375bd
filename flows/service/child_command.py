"""The command line of a child process that runs a Python module, as `python -m` does, but with our packages.

`-m` puts the folder where the user is before everything else, and Prefect and uvicorn do so, too: a `tasks/` there would
be taken for ours.
"""

from __future__ import annotations

import sys
from pathlib import Path

STARTER = Path(__file__).parents[2] / "stillroom.py"


def child_command(module: str, *arguments: str) -> list[str]:
    """Runs the module with these arguments."""
    return [sys.executable, "-P", str(STARTER), module, *arguments]
