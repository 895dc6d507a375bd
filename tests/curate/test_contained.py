"""A prompt that stands within a longer one is found, whichever of the two comes first, and nothing else is taken for one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tasks.curate.deduplicate import Deduplicate
from tasks.curate.near_index import NearIndex
from tasks.curate.selection.pool import SelectionPool
from tasks.curate.selection.too_similar import too_similar
from tasks.storage.arrays import GrowingTexts
from tasks.text.near.fingerprints import SHARED, fingerprints
from tasks.text.near.hashed import hashed
from tests.benchmarks.curation import seed_texts
from tests.benchmarks.seeded import copies_of
from tests.curate.test_duplicates import frame_of, reasons

MOON = "Tell me in two sentences why the moon shows us the same side all year"
ROUND = f"Here is something that came up at work. {MOON}. Thank you, and tell me which sources you have used."
SHORT = "Name a town in Spain"
ZH = "请用两句话告诉我为什么月亮总是以同一面朝向地球并且从来不会改变"
TEXTS = {
    "the longer one later": ([MOON, ROUND], [1]),
    "the longer one first": ([ROUND, MOON], [1]),
    "far apart": ([MOON, *(f"Explain the word number {at} to me" for at in range(4000)), ROUND], [4001]),
    "other figures": ([MOON, ROUND.replace("work", "work at 7")], []),
    "too short": ([SHORT, f"{SHORT} and say what can be seen there by somebody who has a day to spend"], []),
    "seven words": (["Tell me why the moon is round", "Now tell me why the moon is round and not flat at all"], []),
    "another order": ([MOON, " ".join(reversed(ROUND.split()))], []),
    "Chinese": ([ZH, f"昨天有人在工作中问了我这个问题。{ZH}。谢谢你的帮助,请告诉我你用了哪些资料。"], [1]),
}


@pytest.mark.parametrize("case", TEXTS)
def test_a_prompt_within_another_is_found(case: str, tmp_path: Path) -> None:
    texts, gone = TEXTS[case]
    index = NearIndex(tmp_path, 0.7, same_figures=True, contained=True)
    matches = index.add((str(at), text) for at, text in enumerate(texts))
    assert [at for at, match in enumerate(matches) if match and match.contained is not None] == gone
    assert all(match is None or match.row_id == "0" for match in matches)


def test_it_is_off_unless_asked_for_and_told_with_the_share(tmp_path: Path) -> None:
    rows = frame_of(MOON, ROUND)
    for params, found in (
        (Deduplicate(), []),
        (Deduplicate(contained=True), [(1, "contained", f"{0:032x}, share 1.00")]),
    ):
        sieve = params.open(tmp_path)
        assert reasons(sieve, rows) == found
        sieve.close()
    sieve = Deduplicate(contained=True).open(tmp_path)
    sieve.hold(rows)
    assert reasons(sieve, frame_of(f"{MOON}, please, and tell me more of it than that", first=4)) == [
        (4, "contained", f"{0:032x}, share 1.00")
    ]
    sieve.close()


def test_nearly_all_texts_of_people_are_found_within_others_and_none_is_taken_for_one(tmp_path: Path) -> None:
    texts = list(dict.fromkeys(seed_texts()))
    index = NearIndex(tmp_path, 0.7, contained=True)
    assert not any(index.add((str(at), text) for at, text in enumerate(texts)))
    copies = [copy for copy in copies_of(texts) if copy.kind == "embedded"]
    found = index.add((f"copy {at}", copy.text) for at, copy in enumerate(copies))
    assert sum(match is not None for match in found) >= 0.9 * len(copies)
    right = [match.row_id == str(copy.of) for match, copy in zip(found, copies, strict=True) if match]
    assert sum(right) >= 0.95 * len(right)


def test_texts_that_share_enough_words_in_a_row_share_a_fingerprint() -> None:
    draw = np.random.default_rng(0)
    names = [f"w{at}" for at in range(300)]
    for _ in range(200):
        common = list(draw.choice(names, SHARED))
        one, other = (
            " ".join([*draw.choice(names, draw.integers(0, 20)), *common, *draw.choice(names, draw.integers(0, 20))])
            for _ in range(2)
        )
        owners, keys = fingerprints(hashed([one, other, " ".join(common[1:])]))
        assert {*keys[owners == 0].tolist()} & {*keys[owners == 1].tolist()}
        assert not (owners == 2).any()
    assert [len(part) for part in fingerprints(hashed(["", "!"]))] == [0, 0]


def test_prompts_of_other_figures_are_not_compared_and_a_better_row_stays() -> None:
    vectors = np.array([[1, 0], [1, 0.01], [1, 0.02], [0, 1], [0, 0], [np.nan, 0]], np.float32)
    ids = [f"row {at}" for at in range(6)]
    pool = SelectionPool.of(ids, np.array([1.0, 3, 2, 0, 0, 0]), vectors)
    gone = too_similar(pool, 0.99, ["", "", "2", "", "", ""])
    assert {row_id: loss.reason for row_id, loss in gone.items()} == {
        "row 0": "too_similar",
        "row 4": "embedding_zero",
        "row 5": "embedding_not_finite",
    }
    assert gone["row 0"].detail == "row 1, similarity 1.000"
    held = SelectionPool.of(["kept"], None, np.array([[0, 2]], np.float32))
    beside = too_similar(pool, 0.99, [""] * 6, held, [""])
    assert (beside["row 3"].detail, beside["row 2"].reason) == ("kept, similarity 1.000", "too_similar")
    assert "row 3" not in too_similar(pool, 0.99, [""] * 6, held, ["2"])


def test_texts_on_disk_are_found_by_their_places(tmp_path: Path) -> None:
    texts = GrowingTexts(tmp_path, "texts")
    texts.append(["a", "", "zwölf \ud800"])
    texts.append([])
    texts.append(["月"])
    assert [texts.at(place) for place in range(len(texts))] == ["a", "", "zwölf \ud800", "月"]
