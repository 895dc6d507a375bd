"""What recipes `seeded` and `evolved` begin with: instructions by Self-Instruct."""

from __future__ import annotations

from flows.recipes.recipe import Steps, Tables
from tasks.generate.bootstrap import bootstrap
from tasks.generate.self_instruct import self_instruct


def self_instructed(run: Steps, seeds: Tables) -> Tables:
    """Instructions: from each seed's text (`mode: context`), or in rounds from a growing pool (`mode: bootstrap`)."""
    if run.options.get("mode") == "bootstrap":
        return run.whole(bootstrap, seeds)
    return run.through(self_instruct, seeds)
