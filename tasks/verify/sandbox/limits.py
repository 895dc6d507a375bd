"""What a program that a model wrote may use."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SandboxLimits:
    """Of one run. `wall_s` is above `cpu_s`, so that a machine with much else to do changes no verdict.

    `memory_mb`: address space of each process; `processes`: with threads; `file_mb`: of each file, `folder_mb`: of all
    files in its folder, which is in memory; `output_kb`: what is read of its output before it is ended.
    """

    wall_s: float = 30.0
    cpu_s: int = 10
    memory_mb: int = 512
    processes: int = 16
    file_mb: int = 16
    folder_mb: int = 64
    open_files: int = 64
    output_kb: int = 256


USUAL_LIMITS = SandboxLimits()
