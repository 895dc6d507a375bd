"""Law 8: nothing good is replaced by nothing. A run without a row publishes none, and says why."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tasks.errors import ConfigError
from tasks.models.base import Request
from tests.flows.command.in_process import run_command
from tests.flows.runs.test_healing import run_again
from tests.flows.runs.test_lineage import QUESTIONS, asked, failing, night, publications, retry
from tests.flows.test_instruction_sft import Scripted, rule, sft
from tests.flows.test_preference_dpo import dpo, judged

Make = Callable[..., dict[str, Any]]
NO_MARGIN = {"recipe": "basic", "out": "out", "instructions": QUESTIONS[:6], "pair": {"min_margin": 4.5}}


def nothing(_: Request) -> str:
    return ""


def state_of(tmp_path: Path) -> dict[str, tuple[int, bytes]]:
    """Every file of the dataset: when it was written, and what is in it."""
    files = (path for path in (tmp_path / "out").rglob("*") if path.is_file())
    return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


def refused(make: Make, **options: Any) -> str:
    """What a run says that is left without a row."""
    from flows.runs.verdict import NoRows

    with pytest.raises(NoRows) as told:
        make(**options)
    return str(told.value)


@pytest.mark.parametrize(
    ("make", "good", "bad", "reasons"),
    [
        pytest.param(
            dpo,
            (judged, {"recipe": "basic", "out": "out", "instructions": QUESTIONS[:6]}),
            (judged, NO_MARGIN),
            ["pair: 6 rows in, 0 out; rejected: margin 6"],
            id="all filtered",
        ),
        pytest.param(
            sft,
            (rule, {"recipe": "respond", "seeds": QUESTIONS[:6]}),
            (nothing, {"recipe": "respond", "seeds": QUESTIONS[6:12], "rows": 4}),
            ["empty 6"],
            id="all failed",
        ),
    ],
)
def test_a_dataset_is_not_replaced_by_nothing(
    make: Make, good: Any, bad: Any, reasons: list[str], scripted: Scripted, tmp_path: Path
) -> None:
    scripted(good[0])
    made = make(**good[1])
    before = state_of(tmp_path)
    scripted(bad[0])
    said = refused(make, **bad[1])
    assert state_of(tmp_path) == before
    assert said.splitlines()[0] == "no row is left, so nothing is published: out stays as it is, at r1"
    assert all(reason in said for reason in reasons)
    scripted(good[0])
    assert make(**good[1])["rows"] == made["rows"]


def test_a_first_run_without_a_row_writes_the_rejects_and_nothing_else(scripted: Scripted, tmp_path: Path) -> None:
    scripted(judged)
    said = refused(dpo, **NO_MARGIN)
    assert [str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*")] == ["rejects.parquet"]
    assert "out is not made" in said
    assert set(pl.read_parquet("out/rejects.parquet")["reason"]) == {"margin"}
    made = dpo(**NO_MARGIN | {"pair": {}})  # the folder is as good as empty
    assert made["rows"] > 0 and publications()[0]["revision"] == 1


def test_a_folder_with_rejects_of_others_is_not_ours(tmp_path: Path) -> None:
    from tasks.publish.dataset import check_folder

    pl.DataFrame({"mine": [1]}).write_parquet(tmp_path / "rejects.parquet")
    with pytest.raises(ConfigError, match="not a dataset of ours"):
        check_folder(tmp_path)


@pytest.mark.parametrize("there", [True, False], ids=["over a dataset", "the first run"])
def test_a_retry_publishes_what_a_run_without_a_row_could_not(there: bool, scripted: Scripted) -> None:
    if there:
        scripted(rule)
        sft(recipe="respond", seeds=QUESTIONS[30:])
    scripted(nothing)
    said = refused(sft, recipe="respond", seeds=QUESTIONS[:20], max_attempts=1)
    [run] = [word.strip("`") for word in said.split() if word.startswith("sft-")][:1]
    said = refused(retry, run=run)
    assert "empty 20" in said
    model = scripted(rule)
    healed = retry(run)
    assert (healed["rows"], healed["requests"]) == (20, 20)
    assert asked() == QUESTIONS[:20]
    assert [line["replaces"] for line in publications()] == [True] * (1 + there)
    assert sft(recipe="respond", seeds=QUESTIONS[:20], max_attempts=1)["requests"] == 0
    assert len(model.requests) == 20


def test_prefects_retry_of_a_run_without_a_row_heals_it(scripted: Scripted) -> None:
    from flows.config import InstructionSFT
    from flows.instruction_sft import instruction_sft

    scripted(nothing)
    config = InstructionSFT(recipe="respond", seeds=QUESTIONS[:6], max_attempts=1, model="test", out="out")
    state = instruction_sft(config, return_state=True)
    assert state.is_failed()
    scripted(rule)
    summary = run_again(instruction_sft, state.state_details.flow_run_id, {"config": config})
    assert (summary["rows"], summary["requests"], summary["revision"]) == (6, 6, 1)


def test_blank_rows_that_a_retry_has_published_are_used_up(scripted: Scripted) -> None:
    scripted(nothing)
    options = {"recipe": "basic", "rows": 5, "start_from": "prompting", "max_attempts": 1}
    said = refused(night, seeds=None, **options)
    scripted(lambda request: f"What is {request.seed} plus two?")
    healed = retry(next(word.strip("`") for word in said.split() if word.startswith("sft-")))
    assert healed["rows"] == 5
    assert publications()[-1]["blank_rows"] >= 5
    more = night(None, **options)
    assert (more["rows"], more["changes"]["added"]) == (10, 5)
    assert pl.read_parquet("out/data/train.parquet")["row_id"].n_unique() == 10


def test_a_run_without_a_row_is_healed_by_the_night_unless_another_has_published_since(scripted: Scripted) -> None:
    from flows.runs.manifests import runs_to_heal

    scripted(nothing)
    refused(sft, recipe="respond", seeds=QUESTIONS[:4], max_attempts=1)
    [run] = runs_to_heal(3)
    scripted(rule)
    sft(recipe="respond", seeds=QUESTIONS[4:8])
    assert runs_to_heal(3) == []
    with pytest.raises(ConfigError, match="does not hold the rows of this run any more"):
        retry(run)


def test_a_night_whose_rows_are_all_refused_leaves_the_rows_of_the_others(scripted: Scripted, tmp_path: Path) -> None:
    scripted(rule)
    night(QUESTIONS[:10])
    scripted(failing(rule, lambda text: text in QUESTIONS[10:12]))
    summary = night(QUESTIONS[:12], max_attempts=1, max_reject_fraction=1)
    assert (summary["rows"], summary["rejects"], summary["published"]) == (10, 2, True)
    assert summary["changes"] == {"added": 0, "changed": 0, "gone": 0}


def test_a_retry_of_a_night_whose_rows_all_fail_again_leaves_the_dataset_as_it_is(
    scripted: Scripted, tmp_path: Path
) -> None:
    scripted(nothing)
    said = refused(night, seeds=QUESTIONS[:4], max_attempts=1)
    run = next(word.strip("`") for word in said.split() if word.startswith("sft-"))
    said = refused(retry, run=run)
    assert "out is not made" in said
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["rejects.parquet"]
    scripted(judged)
    said = refused(dpo, **NO_MARGIN | {"out": "pairs", "incremental": True})
    assert "pairs is not made" in said and "margin 6" in said


def test_a_first_night_without_a_row_is_made_anew_by_the_next(scripted: Scripted) -> None:
    scripted(nothing)
    refused(night, seeds=QUESTIONS[:10], max_attempts=1)
    scripted(rule)
    assert night(QUESTIONS[:10], max_attempts=2)["rows"] == 10
    scripted(rule)
    assert night(QUESTIONS[:12], max_attempts=2)["changes"]["added"] == 2


@pytest.mark.parametrize("there", [True, False], ids=["over a dataset", "the first run"])
def test_a_budget_that_ends_a_run_before_its_first_row_is_no_fault_and_replaces_nothing(
    there: bool, scripted: Scripted, tmp_path: Path
) -> None:
    from flows.runs.run import about_pending

    scripted(rule)
    if there:
        sft(recipe="respond", seeds=QUESTIONS[:5])
    before = state_of(tmp_path)
    summary = sft(recipe="respond", seeds=QUESTIONS[5:9], max_requests=0)
    after = state_of(tmp_path)
    assert after == before if there else [Path(path).name for path in after] == ["rejects.parquet"]
    assert (summary["ended"], summary["pending"], summary["published"]) == ("budget reached", 4, False)
    assert (summary["rows"], summary["revision"]) == ((5, 1) if there else (0, 0))
    assert "4 rows are pending, none is finished, so nothing is published yet" in about_pending(summary)
    assert sft(recipe="respond", seeds=QUESTIONS[5:9])["rows"] == 4


def test_an_empty_dataset_is_published_where_it_is_wanted_and_opens(scripted: Scripted, tmp_path: Path) -> None:
    from datasets import load_dataset

    scripted(judged)
    summary = dpo(**NO_MARGIN, allow_empty=True)
    assert (summary["rows"], summary["revision"], summary["published"]) == (0, 1, True)
    rows = load_dataset(str(tmp_path / "out"), split="train", streaming=True, cache_dir=str(tmp_path / "cache"))
    assert list(rows) == []
    assert {"prompt", "chosen", "rejected", "score_chosen"} <= set(rows.features)
    assert 'split="train", streaming=True' in Path("out/README.md").read_text()
    grown = dpo(**NO_MARGIN | {"pair": {}}, incremental=True, columns={}, seed=1)
    assert grown["revision"] == 1, "its seeds are done with"
    more = dpo(**NO_MARGIN | {"instructions": QUESTIONS[:7]}, incremental=True, allow_empty=True)
    assert (more["rows"], more["revision"]) == (0, 1)
    assert "chosen" in pl.read_parquet("out/data/train.parquet").columns
    grown = dpo(**NO_MARGIN | {"pair": {}, "instructions": QUESTIONS[:12]}, incremental=True)
    assert grown["rows"] == grown["changes"]["added"] > 0
    assert "streaming" not in Path("out/README.md").read_text()


def test_nothing_from_a_bootstrap_without_a_budget_is_an_empty_dataset_with_its_columns(scripted: Scripted) -> None:
    scripted(rule)
    seeds = [f"Write {word} about cats and dogs" for word in ("poems", "plans")]
    summary = sft(recipe="seeded", mode="bootstrap", seeds=seeds, max_requests=0, allow_empty=True)
    assert (summary["rows"], summary["published"], summary["ended"]) == (0, True, "budget reached")
    assert pl.read_parquet("out/data/train.parquet").columns == ["row_id", "messages", "response_model"]


def test_prefect_has_the_run_failed_with_the_reasons_and_starts_nothing_after_it(scripted: Scripted) -> None:
    from tests.flows.watch.test_hooks import Shown

    scripted(judged)
    refused(dpo, **NO_MARGIN)
    shown = Shown()
    assert shown.run.state is not None and shown.run.state.is_failed()
    message = str(shown.run.state.message)
    assert "no row is left, so nothing is published" in message and "pair: " in message
    [report] = [str(artifact.data) for key, artifact in shown.artifacts.items() if key.startswith("report")]
    assert "Nothing was published" in report and "stillroom rejects dpo-" in report


def test_runs_lists_a_run_without_a_row(scripted: Scripted, capsys: pytest.CaptureFixture[str]) -> None:
    from flows.command.main import runs

    scripted(judged)
    refused(dpo, **NO_MARGIN)
    runs()
    assert "basic  0 rows" in (said := capsys.readouterr().out) and "nothing published" in said


def test_the_command_ends_with_3_and_the_reasons(connected: Path) -> None:
    (connected / "rules.py").write_text("def answer(request):\n    return ''\n")
    (connected / "questions.txt").write_text("What is it?\nWho is there?\n")
    arguments = [
        "sft",
        "--recipe",
        "respond",
        "--seeds",
        "questions.txt",
        "--out",
        "out",
        "--model",
        f"scripted:{connected}/rules.py:answer",
    ]
    failed = run_command(*arguments, "--json")
    assert failed.returncode == 3
    assert (told := json.loads(failed.stdout))["published"] is False and told["rows"] == 0 and told["requests"] == 6
    lines = failed.stderr.strip().splitlines()[-4:]
    assert lines[0] == "stillroom: no row is left, so nothing is published: out is not made"
    assert lines[1].strip() == "text_generation: 2 rows in, 0 out; rejected: empty 2"
    assert "stillroom retry sft-" in lines[2] and "--allow-empty" in lines[3]
    assert "is written" not in failed.stderr and "Traceback" not in failed.stderr
    assert [path.name for path in (connected / "out").iterdir()] == ["rejects.parquet"]
    empty = run_command(*arguments, "--allow-empty", "--json", "--set", "max_reject_fraction=1")
    assert (empty.returncode, json.loads(empty.stdout)["rows"]) == (0, 0), empty.stderr
