"""Items to measure by that stand in what was taught: a student that has seen them shows nothing by them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tasks.text.near.overlap import Passages
from tasks.train.lessons import Lesson

AT_ONCE = 4096  # texts


def unseen(items: Sequence[Lesson], taught: Iterable[Sequence[Lesson]]) -> list[Lesson]:
    """The items whose last question stands in no text that any student is taught, in their order."""
    asked = sorted({item.last_asked for item in items})
    passages, seen = Passages(asked), set[str]()
    texts = [text for lessons in taught for lesson in lessons for text in _texts(lesson)]
    for start in range(0, len(texts), AT_ONCE):
        found = passages.found_in(texts[start : start + AT_ONCE])
        seen.update(asked[one.passage] for one in found if one is not None)
    return [item for item in items if item.last_asked not in seen]


def _texts(lesson: Lesson) -> list[str]:
    return [str(turn.get("content") or "") for turn in lesson.prompt] + list(lesson.answers)
