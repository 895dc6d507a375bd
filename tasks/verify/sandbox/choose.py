"""Which sandbox there is on this machine: bubblewrap, else namespaces of the kernel, else none unless the user says so.

    STILLROOM_SANDBOX=limits stillroom sft --recipe code ...      # no wall around programs, limits only

Each is tried with a program that says its name before it is relied on, once a process.
"""

from __future__ import annotations

import os
import shutil
import sys
from functools import cache
from typing import Literal, cast, get_args

from tasks.errors import ConfigError, did_you_mean
from tasks.verify.sandbox.limits import SandboxLimits
from tasks.verify.sandbox.run import SandboxKind, run_program

VARIABLE = "STILLROOM_SANDBOX"
SandboxTold = Literal["auto", "bubblewrap", "namespaces", "limits"]
WALLS: tuple[SandboxKind, ...] = ("bubblewrap", "namespaces")
TRIAL = SandboxLimits(wall_s=60.0)


def sandbox() -> SandboxKind:
    """The sandbox that programs are run in here. Raises ConfigError where there is none, or the one named does not work."""
    told = os.environ.get(VARIABLE, "auto")
    if told not in get_args(SandboxTold):
        raise ConfigError("no such sandbox", f"{VARIABLE}={told}", did_you_mean(told, get_args(SandboxTold)))
    faults: list[str] = []
    kinds = WALLS if told == "auto" else (cast(SandboxKind, told),)
    for kind in kinds:
        fault = sandbox_fault(kind)
        if not fault:
            return kind
        faults.append(f"{kind}: {fault}")
    fix = f"install bubblewrap, or say {VARIABLE}=limits: programs of models then see your files and the network"
    raise ConfigError("there is no sandbox to run programs of models in", "; ".join(faults), fix)


@cache
def sandbox_fault(kind: SandboxKind) -> str:
    """Why a sandbox does not work here, in a few words; "" where it does."""
    if kind == "bubblewrap" and shutil.which("bwrap") is None:
        return "bwrap is not installed"
    if kind == "namespaces" and sys.platform != "linux":
        return "only Linux has them"
    ran = run_program("print(sum(map(int, input().split())))", "2 3", kind, TRIAL)
    return "" if ran.output.strip() == "5" else (ran.said.strip().splitlines() or ["it does not start"])[-1][:120]
