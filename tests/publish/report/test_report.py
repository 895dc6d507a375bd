"""The report of a dataset, and two datasets side by side."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from flows.command.main import app
from tasks.publish.report.comparison import comparison_of
from tasks.publish.report.differences import marked
from tasks.publish.report.measures import measures_of
from tasks.publish.report.said import texts_of_row
from tasks.publish.report.spread import Spread, interval_of_share
from tests.flows.test_instruction_sft import Scripted, rule, sft
from tests.flows.test_preference_dpo import dpo, judged
from tests.publish.report.made import publish_rows, talk

VOID = {"meta", "br"}


class Page(HTMLParser):
    """Tags that are closed in order, what they hold, and whether anything is fetched from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.stack: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.stack += [tag] if tag not in VOID else []

    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def page_of(folder: str) -> Page:
    result = CliRunner().invoke(app, ["report", folder])
    assert result.exit_code == 0, result.stderr
    page = Page()
    page.feed(Path(result.stdout.strip()).read_text())
    assert page.stack == []
    return page


def test_a_report_is_one_page_that_needs_nothing_else_and_shows_what_there_is(scripted: Scripted) -> None:
    scripted(lambda request: "" if "3" in (request.messages or ())[-1]["content"] else rule(request))
    sft(
        recipe="respond",
        seeds=[f"question {at}" for at in range(20)],
        max_attempts=1,
        splits={"train": 0.6, "test": 0.4},
    )
    published = Path("out/report.html").read_bytes()
    page = page_of("out")
    assert Path("out/report.html").read_bytes() == published, "a run writes what the command does"
    assert not [a for _, a in page.tags if a.get("src") or (a.get("href") or "").startswith("http")]
    assert {"script", "link", "img"}.isdisjoint(tag for tag, _ in page.tags)
    assert ("html", {"lang": "en"}) in page.tags
    assert "text_generation: empty" in page.text
    assert "20 requests were made, 0 answers were in the ledger already" in page.text
    rows = sum(pl.read_parquet(file).height for file in Path("out/data").glob("*.parquet"))
    assert page.text.count("The answer is") == rows == 18
    assert all(attributes.get("scope") for tag, attributes in page.tags if tag == "th")


def test_what_models_write_is_no_markup(scripted: Scripted) -> None:
    scripted(lambda _: "<script>alert(1)</script> & <b>bold</b>")
    sft(recipe="respond", seeds=["a <i>question</i>"])
    page = page_of("out")
    assert {"script", "b", "i"}.isdisjoint(tag for tag, _ in page.tags)
    assert "<script>alert(1)</script> & <b>bold</b>" in page.text


@pytest.mark.parametrize("shape", ["dpo", "kto", "reward", "binarized"])
def test_pairs_are_shown_in_each_format(shape: str, scripted: Scripted) -> None:
    scripted(judged)
    dpo(recipe="basic", instructions=[f"question {at}" for at in range(8)], format=shape)
    page = page_of("pairs")
    assert page.text.count("question ") >= 2
    if shape != "kto":
        assert "the chosen answer is the longer one" in page.text
        assert {"ins", "del"} & {tag for tag, _ in page.tags}


def test_figures_are_those_of_the_rows(scripted: Scripted) -> None:
    scripted(judged)
    dpo(recipe="basic", instructions=[f"question {at}" for at in range(12)])
    frame, measures = pl.read_parquet("pairs/data/train.parquet"), measures_of(Path("pairs"))
    margins = (frame["score_chosen"] - frame["score_rejected"]).drop_nulls()
    assert measures.rows == measures.pairs == frame.height
    assert (measures.margins.count, measures.margins.mean) == (len(margins), pytest.approx(margins.mean()))
    assert measures.asked.mean == frame["prompt"].list.last().struct.field("content").str.len_chars().mean()


@given(st.lists(st.floats(0, 1000), min_size=2, max_size=50))
def test_a_spread_has_the_mean_and_the_error_of_its_values(values: list[float]) -> None:
    spread = Spread(10)
    spread.add(values)
    series = pl.Series(values)
    assert spread.mean == pytest.approx(series.mean(), abs=1e-6)
    assert spread.error == pytest.approx(1.96 * (series.std() or 0.0) / len(values) ** 0.5, abs=1e-3)
    assert sum(spread.bins.values()) == len(values)


def test_an_interval_of_a_share_is_wilsons() -> None:
    assert interval_of_share(10, 20) == pytest.approx((0.299, 0.701), abs=1e-3)
    assert interval_of_share(0, 10)[0] == 0.0 and interval_of_share(10, 10)[1] == 1.0


@given(st.text("ab c", max_size=40), st.text("ab c", max_size=40))
def test_what_is_marked_is_the_text_itself_and_what_is_not_stands_in_both(one: str, other: str) -> None:
    left, right = marked(one, other)
    assert "".join(text for _, text in left).rstrip(" ") == one.rstrip(" ")
    assert "".join(text for _, text in right).rstrip(" ") == other.rstrip(" ")
    assert [text for kind, text in left if kind == "same"] == [text for kind, text in right if kind == "same"]


def sorted_questions(first: int, end: int) -> list[str]:
    """The questions of the added rows in the order of their ids."""
    rows = pl.read_parquet("other/data/train.parquet").sort("row_id")
    asked = [texts_of_row(row).question for row in rows.iter_rows(named=True)]
    return [one for one in asked if one in {f"question {at}" for at in range(first, end)}]


def test_what_changed_is_shown_with_both_answers(tmp_path: Path) -> None:
    before = publish_rows(
        tmp_path / "before", [{**talk("q", "yes"), "row_id": "a"}, {**talk("p", "no"), "row_id": "b"}]
    )
    after = publish_rows(tmp_path / "after", [{**talk("q", "no"), "row_id": "a"}, {**talk("r", "no"), "row_id": "c"}])
    told = comparison_of(before, after)
    assert told["examples"] == {
        "added": [{"row_id": "c", "question": "r", "after": "no"}],
        "changed": [{"row_id": "a", "question": "q", "before": "yes", "after": "no"}],
        "gone": [{"row_id": "b", "question": "p", "before": "no"}],
    }
    assert told["changes"] == {"added": 1, "changed": 1, "gone": 1}


def test_the_share_of_different_n_grams_is_compared_between_as_many_answers(tmp_path: Path) -> None:
    """The more answers of one kind, the smaller the share of different n-grams: sizes must not tell two such apart."""
    few, many = (
        publish_rows(tmp_path / str(count), [talk(f"q {at}", f"one two three {at % 7}") for at in range(count)])
        for count in (60, 600)
    )
    figures = comparison_of(few, many)["figures"]
    one, other = (float(figure.split(" ")[0]) for figure in figures["distinct 1-grams, %"])
    assert one == pytest.approx(other, abs=5) and all("±" in figure for figure in figures["distinct 1-grams, %"])
    shares = [measures_of(folder).distinct[1] for folder in (few, many)]
    assert shares[0] > 5 * shares[1]


def test_two_datasets_stand_side_by_side(scripted: Scripted) -> None:
    scripted(rule)
    for stop, out in ((6, "one"), (9, "other")):
        sft(recipe="respond", seeds=[f"question {at}" for at in range(stop)], out=out)
    told: dict[str, Any] = json.loads(CliRunner().invoke(app, ["compare", "one", "other", "--json"]).stdout)
    assert told["changes"] == {"added": 3, "changed": 0, "gone": 0}
    assert told["figures"]["rows"] == ["6", "9"]
    assert "±" in told["figures"]["answer, characters"][0]
    assert [row["question"] for row in told["examples"]["added"]] == sorted_questions(6, 9)
    printed = CliRunner().invoke(app, ["compare", "one", "other"]).stdout
    assert "3 added" in printed and '"question 7"' in printed
    result = CliRunner().invoke(app, ["compare", "one", "nowhere"])
    assert (result.exit_code, result.stderr) == (
        2,
        "stillroom: no dataset there: nowhere (give the folder of a dataset, as a run has written it)\n",
    )
