"""Every break that is tried on the laws: `python -m tests.mutants` tries them."""

from __future__ import annotations

from tests.mutants.mutant import Mutant
from tests.mutants.of_runs import OF_RUNS
from tests.mutants.of_techniques import OF_TECHNIQUES
from tests.mutants.of_the_engine import OF_THE_ENGINE

__all__ = ["MUTANTS", "Mutant"]

MUTANTS = (*OF_THE_ENGINE, *OF_RUNS, *OF_TECHNIQUES)
