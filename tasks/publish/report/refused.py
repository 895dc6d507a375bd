"""What was rejected of a dataset, by step and reason, with examples. Memory is that of the examples."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from tasks.publish.revisions import REJECTS_FILE
from tasks.storage.tables import read_stream

EXAMPLES = 2
MOST_CHARS = 1_000
"""Of a text in an example."""
CONTAMINATED = "contaminated"


class RejectExample(NamedTuple):
    """A reject: why in detail, what the step was given, and what the model had said."""

    row_id: str
    detail: str
    given: str
    raw: str


@dataclass(slots=True)
class RejectsOfReason:
    """The rejects of one step for one reason."""

    technique: str
    kind: str
    reason: str
    count: int = 0
    examples: list[RejectExample] = field(default_factory=list)


@dataclass(slots=True)
class Rejected:
    """All rejects of a dataset. `benchmarks`: how many of them hold what which benchmark asks."""

    by_reason: list[RejectsOfReason] = field(default_factory=list)
    benchmarks: Counter[str] = field(default_factory=Counter)

    @property
    def count(self) -> int:
        """How many there are."""
        return sum(one.count for one in self.by_reason)


def rejected_of(folder: Path) -> Rejected:
    """What was rejected, the most frequent first."""
    found: dict[tuple[str, str, str], RejectsOfReason] = {}
    rejected = Rejected()
    path = folder / REJECTS_FILE
    for frame in read_stream(path) if path.exists() else ():
        counted = frame.group_by("technique", "kind", "reason", maintain_order=True).len()
        for technique, kind, reason, count in counted.iter_rows():
            one = found.setdefault((technique, kind, reason), RejectsOfReason(technique, kind, reason))
            one.count += count
            if (missing := EXAMPLES - len(one.examples)) > 0:
                which = {"technique": technique, "kind": kind, "reason": reason}
                some = frame.filter(**which).head(missing).select("row_id", "detail", "input", "raw")
                one.examples += [_example(*texts) for texts in some.iter_rows()]
        details = frame.filter(reason=CONTAMINATED)["detail"]
        rejected.benchmarks.update(_benchmark(detail or "") for detail in details)
    rejected.by_reason = sorted(found.values(), key=lambda one: (-one.count, one.technique, one.reason, one.kind))
    return rejected


def _example(row_id: str, detail: str | None, given: str | None, raw: str | None) -> RejectExample:
    return RejectExample(row_id, *(_cut(text or "") for text in (detail, given, raw)))


def _cut(text: str) -> str:
    return text if len(text) <= MOST_CHARS else f"{text[:MOST_CHARS]}... ({len(text):,} characters)"


def _benchmark(detail: str) -> str:
    """The benchmark that is named in `benchmark id, share 0.87`."""
    return detail.rpartition(", share ")[0].rpartition(" ")[0] or detail
