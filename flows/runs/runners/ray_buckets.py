"""What is held of prompts to tell duplicates by, in buckets on the machines of a Ray cluster.

stillroom sft --recipe seeded --runner ray --set ray.buckets=8

Each bucket is an actor that holds its part on the disk of its machine, below the home there. What is found is the same as on
one machine (`tasks/curate/held_texts.py`), whatever the number of buckets.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tasks.curate.held_texts import TextsHere
from tasks.errors import PermanentError
from tasks.storage.home import home


class IndexBucket(TextsHere):
    """One bucket, in a process of its own."""

    def __init__(self) -> None:
        home().mkdir(parents=True, exist_ok=True)
        self._folder = Path(tempfile.mkdtemp(prefix="near-", dir=home()))
        super().__init__(self._folder)

    def clear(self) -> None:
        """Delete what is held."""
        shutil.rmtree(self._folder)


class RayBuckets:
    """Implements `Buckets` with actors, spread over the cluster. They end with the process that starts the run."""

    def __init__(self, count: int) -> None:
        import ray

        actor: Any = ray.remote(IndexBucket)
        self.count = count
        self._actors = [actor.options(num_cpus=0, scheduling_strategy="SPREAD").remote() for _ in range(count)]

    def ask(self, method: str, questions: Sequence[tuple[Any, ...]]) -> list[Any]:
        """What each bucket answers to the question for it. Raises PermanentError where one is lost."""
        import ray

        asked = [getattr(actor, method).remote(*one) for actor, one in zip(self._actors, questions, strict=True)]
        try:
            answers: list[Any] = ray.get(asked)
        except ray.exceptions.RayActorError as error:
            what, fix = "a bucket of what duplicates are told by is lost", "run the same command again"
            raise PermanentError(what, str(error).splitlines()[0], fix) from error
        return answers

    def close(self) -> None:
        """Delete what the buckets hold, and end them."""
        import ray

        ends = [actor.clear.remote() for actor in self._actors]
        ray.wait(ends, num_returns=len(ends), timeout=60)
        for actor in self._actors:
            ray.kill(actor)
