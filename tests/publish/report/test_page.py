"""What the report of a dataset shows, of datasets that no run has made."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks.errors import ConfigError
from tasks.models.embed.ngrams import ngram_vectors
from tasks.publish.describe.fits import fits_of, keep_fit
from tasks.publish.describe.proofs import keep_proof, revision_here
from tasks.publish.report.differences import MOST_WORDS, marked
from tasks.publish.report.measures import SAMPLED_ROWS, is_sampled, measures_of_rows
from tasks.publish.report.page import write_report
from tasks.publish.report.spread import SHOWN_BINS, Spread
from tasks.publish.report.variety import variety_of
from tasks.publish.report.verbs import verb_and_noun, verb_nouns_of
from tests.publish.report.made import FIGURES, many_talks, pair, publish_rows, talk
from tests.publish.report.test_report import Page

MOST_BYTES = 2_000_000
FIT = {
    "dataset": "out",
    "table": "home/tables/fit",
    "model": "tiny",
    "trainer": "trl",
    "loss": "default",
    "pairs": "dpo",
    "split": None,
    "max_length": 64,
    "rows": 60,
    "unfit": 3,
    "unfit_fraction": 0.05,
    "kept_tokens": 1_000,
    "loss_tokens": 400,
    "lengths": [{"share": 0.99, "max_length": 128, "logits_mb": 1.5}],
    "findings": [
        {
            "name": "dropped",
            "kind": "row",
            "count": 3,
            "share": 0.05,
            "rows": ["7: abc"],
            "what": "they go",
            "fix": "raise it",
            "why": "",
        }
    ],
}


def read(folder: Path) -> Page:
    page = Page()
    page.feed(write_report(folder).read_text())
    assert page.stack == []
    return page


def test_each_section_says_what_the_folder_knows(tmp_path: Path) -> None:
    rejects = [
        {"row_id": "a", "kind": "failed", "reason": "truncated", "technique": "text_generation", "raw": "And then"},
        {
            "row_id": "b",
            "kind": "filtered",
            "reason": "contaminated",
            "technique": "decontaminate",
            "detail": "gsm8k 17, share 0.81",
        },
    ]
    out = publish_rows(tmp_path / "out", many_talks(64), rejects=rejects, figures=FIGURES)
    text = read(out).text
    for said in (
        "text_generation: truncated",
        "And then",
        "Krippendorff",
        "0.71",
        "90 %",  # of the pairs the longer one is preferred
        "Rows left out, by benchmark",
        "gsm8k",
        "10 answers were in the ledger already",
        "at a cost of 0.25",
        "Words of the question, by how often it was made harder",
        "“book” 32, “web” 32",
        "0 to 15.75, mean 7.875",
        "“false” 51, “true” 13",
        "Map of the rows",
        "it found both in 64 of 64 instructions",
    ):
        assert said in text, said


def test_the_same_folder_gives_the_same_bytes(tmp_path: Path) -> None:
    out = publish_rows(tmp_path / "out", many_talks(300), figures=FIGURES)
    first = write_report(out).read_bytes()
    assert write_report(out).read_bytes() == first
    assert len(first) < MOST_BYTES


def test_history_leads_back_to_the_seed(tmp_path: Path) -> None:
    row = talk("a harder question", "an answer")
    lines = [
        {
            "row_id": row["row_id"],
            "parents": ["evolved"],
            "technique": "text_generation",
            "template": "text_generation",
        },
        {"row_id": "evolved", "parents": ["seed"], "technique": "evol_instruct", "template": "evol_instruct/deepen"},
        {"row_id": "elsewhere", "parents": ["seed"], "technique": "evol_instruct", "template": "evol_instruct/breadth"},
    ]
    figures = FIGURES.model_copy(update={"instructions": {"seed": "an easy one", "evolved": "a harder question"}})
    text = read(publish_rows(tmp_path / "out", [row], lines=lines, figures=figures)).text
    assert text.count("an easy one") == 1
    assert text.count("a harder question") == 1, "in the row, and not as what was before it"
    assert "2 lines of provenance" in text
    assert "evol_instruct/breadth" not in text
    assert text.index("evol_instruct/deepen") < text.index("text_generation", text.index("lines of provenance"))


def test_pairs_have_their_differences_marked_and_their_scores_shown(tmp_path: Path) -> None:
    rows = [
        pair(
            f"question {at}",
            f"a good answer {'indeed ' * at}",
            "a bad answer",
            score_chosen=4.5,
            score_rejected=2.0,
            chosen_model="m",
        )
        for at in range(30)
    ]
    page = read(publish_rows(tmp_path / "out", rows, kind="dpo"))
    assert {"ins", "del"} <= {tag for tag, _ in page.tags}
    assert "chosen, score 4.5, m" in page.text
    assert "score_chosen: mean 4.5" in page.text
    assert "Margins" in page.text and "2.5 to 3" in page.text


@pytest.mark.parametrize("rows", [0, 1, 2, 19], ids="{} rows".format)
def test_few_rows_have_a_report_too(rows: int, tmp_path: Path) -> None:
    some = many_talks(rows) or [{"row_id": "a", "messages": None}]
    assert f"{max(rows, 1)} rows, evenly spaced" in read(publish_rows(tmp_path / "out", some)).text


def test_a_curated_dataset_in_a_form_of_its_own_has_a_report(tmp_path: Path) -> None:
    rows = [{"row_id": f"{at:032x}", "ask": f"What is {at}?", "tags": ["x"], "level": at % 3} for at in range(25)]
    text = read(publish_rows(tmp_path / "out", rows, kind="curate")).text
    assert "What is 24?" in text
    assert "0 to 2, mean 0.96" in text


def test_instructions_in_other_languages_have_topics_and_no_verbs(tmp_path: Path) -> None:
    rows = [talk(f"请写一个关于{'海港' if at % 2 else '图书馆'}的故事，编号{at}。", "好的，" * 9) for at in range(40)]
    text = read(publish_rows(tmp_path / "out", rows)).text
    assert "Topics, and those within them" in text
    assert "海港" in text and "Verbs and their objects" not in text


scalars = st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=True) | st.text(max_size=9)
turns = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "assistant", ""]), "content": st.none() | st.text(max_size=9)}
    ),
    max_size=3,
)


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=60)
@given(
    st.lists(
        st.fixed_dictionaries(
            {},
            optional={
                "messages": turns,
                "chosen": turns | st.text(max_size=4),
                "rejected": st.text(max_size=4),
                "score": scalars,
                "operations": st.none() | st.lists(st.text(max_size=2)),
                "margin": scalars,
                "own": scalars,
            },
        ),
        max_size=8,
    )
)
def test_no_row_is_too_odd_to_be_measured(rows: list[dict[str, Any]]) -> None:
    measures = measures_of_rows(rows, len(rows))
    assert len(measures.samples) == len(rows)
    assert all(column.told is not None for _, column in measures.columns.told())


@given(st.integers(1, 30_000), st.integers(1, SAMPLED_ROWS))
@settings(max_examples=25)
def test_a_sample_has_the_size_it_says_and_is_even(count: int, wanted: int) -> None:
    chosen = [at for at in range(count) if is_sampled(at, count, wanted)]
    assert len(chosen) == min(count, wanted)
    gaps = [after - before for before, after in pairwise(chosen)]
    assert not gaps or max(gaps) - min(gaps) <= 1


def test_long_texts_without_spaces_are_compared_in_part() -> None:
    left, right = marked("好" * 5_000, "坏" * 10)
    assert left == [("del", "好" * MOST_WORDS), ("rest", f"... ({5_000 - MOST_WORDS:,} more characters)")]
    assert right == [("ins", "坏" * 10)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Write me a short story about a cat.", ("write", "story")),
        ("Given a set of numbers, find all possible subsets that sum to it.", ("find", "subsets")),
        ("Please, could you translate the following sentence into French?", ("translate", "sentence")),
        ("What is the relation between the given pairs?", None),
        ("Hãy viết một bài thơ về biển.", None),
        ("", None),
    ],
)
def test_verbs_and_their_objects_are_read_by_rule(text: str, found: tuple[str, str] | None) -> None:
    assert verb_and_noun(text) == found


@given(st.lists(st.floats(-1e11, 1e11), min_size=1, max_size=300))
@settings(max_examples=30)
def test_bins_are_few_however_far_apart_values_lie(values: list[float]) -> None:
    spread = Spread(0.5)
    spread.add(values)
    shown = spread.filled()
    assert len(shown) <= SHOWN_BINS + 2
    assert sum(count for *_, count in shown) == len(values)


def test_the_axes_of_the_map_are_those_of_a_full_decomposition(tmp_path: Path) -> None:
    sampled = measures_of_rows(rows := many_talks(200), len(rows)).sampled
    vectors = ngram_vectors([row.text for row in sampled])[0].astype(float)
    centred = vectors - vectors.mean(0)
    _, lengths, axes = np.linalg.svd(centred, full_matrices=False)
    found = variety_of(sampled)
    assert found.shown == pytest.approx((lengths[:2] ** 2).sum() / (lengths**2).sum(), abs=0.01)
    of_map, of_svd = np.array(found.places), centred @ axes[:2].T
    assert all(abs(np.corrcoef(of_map[:, axis], of_svd[:, axis])[0, 1]) > 0.99 for axis in (0, 1))


def test_where_few_instructions_have_a_verb_nothing_is_told() -> None:
    assert verb_nouns_of(["Hãy viết một bài thơ.", *["Write a poem."] * 1, *["什么？"] * 8]) is None


def test_what_fit_has_found_stands_in_report_and_card_until_rows_change(tmp_path: Path) -> None:
    out = publish_rows(tmp_path / "out", many_talks(60))
    card = (out / "README.md").read_text()
    assert keep_fit(out, FIT) and keep_fit(out, {**FIT, "unfit": 2})
    assert [one["unfit"] for one in fits_of(out)] == [2], "the same question has one answer"
    assert "home/tables" not in (out / "fit.json").read_text()
    text = (out / "README.md").read_text()
    assert text.count("## Fit") == 1 and "| they go | 3 | 5.0% | raise it |" in text
    assert text.index("## Fit") < text.index("## Limits")
    page = read(out).text
    assert "40% of them with loss; 2 rows are unfit" in page and "raise it" in page
    publish_rows(out, many_talks(61))
    assert not (out / "fit.json").exists()
    assert "## Fit" not in (out / "README.md").read_text() and "## Fit" not in card


PROOF = {
    "base": "smol",
    "items": 40,
    "measures": [
        {
            "measure": "loss",
            "better": "lower",
            "items": 40,
            "means": {"base": 2.0, "dataset": 1.5},
            "versus": {"base": {"mean": -0.5, "low": -0.6, "high": -0.4}},
            "findings": ["loss: better than the base by -0.500"],
        }
    ],
    "notes": ["2 items stand in what is taught"],
}


def test_a_proof_stands_in_report_and_card_until_rows_change(tmp_path: Path) -> None:
    out = publish_rows(tmp_path / "out", many_talks(60))
    assert keep_fit(out, FIT) and keep_proof(out, PROOF, 1) and keep_proof(out, PROOF, 1)
    text = (out / "README.md").read_text()
    assert text.count("## Proof") == text.count("## Fit") == 1
    assert text.index("better than the base by -0.500") < text.index("## Limits")
    page = read(out).text
    assert "better than the base by -0.500" in page and "-0.600 to -0.400" in page
    publish_rows(out, many_talks(61))
    assert "## Proof" not in (out / "README.md").read_text() and "better than the base" not in read(out).text


def test_a_proof_of_rows_that_were_changed_meanwhile_is_none_of_the_new_ones(tmp_path: Path) -> None:
    out = publish_rows(tmp_path / "out", many_talks(60))
    read_at = revision_here(out)
    publish_rows(out, many_talks(61))
    assert not keep_proof(out, PROOF, read_at)
    assert "## Proof" not in (out / "README.md").read_text() and "better than the base" not in read(out).text


def test_what_is_no_dataset_of_ours_is_left_alone(tmp_path: Path) -> None:
    assert not keep_fit(tmp_path / "nowhere", FIT)
    assert list(tmp_path.iterdir()) == []


def test_figures_that_no_run_has_written_are_a_clear_mistake(tmp_path: Path) -> None:
    out = publish_rows(tmp_path / "out", many_talks(3))
    (out / "run.json").write_text(json.dumps({"run": 1}))
    with pytest.raises(ConfigError, match="not what a run writes"):
        write_report(out)


@pytest.mark.parametrize(
    ("name", "record"),
    [
        ("talks.jsonl", {"messages": [{"role": "user", "content": "why?"}, {"role": "assistant", "content": "so."}]}),
        ("alpaca.jsonl", {"instruction": "why?", "input": "", "output": "so."}),
        ("sharegpt.jsonl", {"conversations": [{"from": "human", "value": "why?"}, {"from": "gpt", "value": "so."}]}),
        ("pairs.parquet", {"prompt": "why?", "chosen": "so.", "rejected": "no."}),
    ],
    ids=lambda told: told if isinstance(told, str) else "",
)
def test_a_dataset_of_others_has_a_report_too(name: str, record: dict[str, Any], tmp_path: Path) -> None:
    file, rows = tmp_path / name, pl.DataFrame([record] * 30)
    rows.write_parquet(file) if file.suffix == ".parquet" else rows.write_ndjson(file)
    place = write_report(file)
    page = place.read_text()
    assert place == file.with_name(f"{file.stem}.report.html")
    assert "Not made by Stillroom" in page and "why?" in page and "so." in page
    assert (">30<" in page) and write_report(tmp_path, tmp_path / "folder.html").exists()


def test_a_dataset_of_others_in_no_form_that_is_known_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "odd.jsonl"
    file.write_text('{"x": 1}\n')
    with pytest.raises(ConfigError, match=r"no column that we know.*stillroom curate"):
        write_report(file)
    assert [one.name for one in tmp_path.iterdir()] == ["odd.jsonl"]
