"""`stillroom prompts`: listed, shown with a row, copied to be edited; a mistake is one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tasks.text.prompts import Prompts, languages_of, sets
from tasks.text.templates import render
from tests.flows.command.test_mistakes import told

CSV = "question\nWhy is the sky blue?\nWhy is grass green?\n"
ROWS = {
    "rows.jsonl": '{"prompt": "Why is the sky blue?", "n": 3}\n{"prompt": "no"}\n',
    "rows.csv": CSV,
    "rows.yaml": "- instruction: Why is the sky blue?\n",
}


class Ran:
    """The command, run in a folder of its own."""

    def __init__(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self._fixtures = capsys, monkeypatch

    def __call__(self, line: str) -> tuple[int, str, str]:
        return told(f"prompts {line}", *self._fixtures)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Ran:
    monkeypatch.chdir(tmp_path)
    return Ran(capsys, monkeypatch)


def test_the_list_has_every_prompt_of_every_set_with_its_version(run: Ran) -> None:
    code, out, err = run("--json")
    assert (code, err) == (0, "")
    found = {(one["set"], one["language"], one["name"]): one for one in json.loads(out)}
    there = [(name, language) for name in sets() for language in languages_of(name)]
    assert set(found) == {(name, language, one) for name, language in there for one in Prompts(name, language).names()}
    assert all(one["version"] >= 1 and one["purpose"] and Path(one["file"]).is_file() for one in found.values())
    lines = run("--prompt-set full --language en")[1].splitlines()
    assert len(lines) == len(Prompts("full").names()) and all(line.endswith("(full en)") for line in lines)


def test_the_list_has_a_line_for_each_prompt_and_says_which_sets_and_languages_have_it(run: Ran) -> None:
    lines = run("")[1].splitlines()
    names = [line.split()[0] for line in lines]
    assert list(dict.fromkeys(names)) == Prompts("full").names()
    assert [name for name in names if names.count(name) > 1] == ["rate/response"] * 2, "of the demo set for another end"
    [deepen] = [line for line in lines if line.startswith("evol_instruct/deepen ")]
    assert deepen.endswith(f"(demo en; full {' '.join(languages_of('full'))})")
    run("copy evol_instruct/deepen --language ja --to mine")
    lines = run("--prompts mine")[1].splitlines()
    [ours, own] = [line for line in lines if line.startswith("evol_instruct/deepen ")]
    assert "mine/ja/evol_instruct/deepen.j2" in ours + own and {ours.count("ja"), own.count("ja")} == {0, 2}


def test_a_copy_in_another_language_is_told_with_the_language_to_run_in(run: Ran) -> None:
    assert (
        "run with --set prompts=mine --set language=vi;" in run("copy evol_instruct/deepen --language vi --to mine")[2]
    )


@pytest.mark.parametrize("file", ROWS)
def test_a_prompt_is_shown_with_the_first_row_of_a_file(file: str, run: Ran) -> None:
    Path(file).write_text(ROWS[file])
    code, out, _ = run(f"show evol_instruct/deepen --row {file} --json")
    question = {"instruction": "Why is the sky blue?"}
    assert (code, json.loads(out)) == (0, render(Prompts("full").template("evol_instruct/deepen"), question))
    assert run(f"show evol_instruct/deepen --row {file} --prompt-set demo")[1].startswith("--- user\nRewrite this")


def test_what_a_row_does_not_say_comes_from_the_example_and_is_told(run: Ran) -> None:
    Path("rows.jsonl").write_text(ROWS["rows.jsonl"])
    code, out, err = run("show evol_quality/depth --row rows.jsonl")
    assert code == 0 and "Why is the sky blue?" in out and "Apples" in out
    assert err == "stillroom: rows.jsonl does not say response: shown with the prompt's example\n"


def test_a_copy_is_edited_and_takes_the_place_of_ours(run: Ran) -> None:
    code, out, err = run("copy evol_instruct/deepen")
    copy = Path("my_prompts/en/evol_instruct/deepen.j2")
    assert (code, out) == (0, f"{copy}\n") and copy.is_file()
    assert "--set prompts=my_prompts" in err and "prompts copy evol_instruct/_rules --to my_prompts" in err
    assert run("copy evol_instruct/_rules")[0] == 0
    copy.write_text("Deeper: {{ instruction }}")
    assert (
        run("show evol_instruct/deepen --prompts my_prompts")[1]
        == "--- user\nDeeper: Name three fruits that float in water.\n"
    )
    listed = {
        one["name"]: one for one in json.loads(run("--prompts my_prompts --prompt-set full --language en --json")[1])
    }
    assert [name for name, one in listed.items() if one["own"]] == ["evol_instruct/deepen"]


def test_a_copy_that_is_not_edited_changes_no_prompt(run: Ran) -> None:
    assert run("copy evol_instruct --to mine")[0] == 0
    own = Prompts("full", own="mine").resolved()
    assert own.digest_of("evol_instruct") == Prompts("full").digest_of("evol_instruct")


def test_a_file_that_is_there_is_not_written_over(run: Ran) -> None:
    mine = Path("my_prompts/en/evol_instruct/reasoning.j2")
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    code, out, err = run("copy evol_instruct")
    assert (code, out, mine.read_text()) == (2, "", "mine") and f"nothing was copied: {mine}" in err
    assert list(mine.parent.iterdir()) == [mine]


MISTAKES = {
    "show evol_instruct/deeper": "no such prompt: evol_instruct/deeper (did you mean evol_instruct/deepen?)",
    "copy evol_instrukt/deepen": "no such prompt: evol_instrukt/deepen (did you mean evol_instruct/deepen?)",
    "show evol_instruct": "a technique, and not one of its prompts: evol_instruct (it has evol_instruct/breadth, ",
    "copy zzz": "no such prompt: zzz (`stillroom prompts` lists them)",
    "copy evol_instruct/_zzz": "no such prompt: evol_instruct/_zzz",
    "show evol_instruct/deepen --row none.jsonl": "no such file: none.jsonl",
    "show evol_instruct/equal --prompts mine": "no folder of prompts: mine",
    "show own/one --prompts own": "the row lacks a variable of the prompt: b (own/one needs a, b)",
    "--prompt-set demi": "no such set of prompts: demi (known: demo, full)",
    "--language tlh": "no prompts in this language: tlh (known: en",
}


@pytest.mark.parametrize(("line", "words"), MISTAKES.items(), ids=list(MISTAKES))
def test_a_mistake_is_one_line(line: str, words: str, run: Ran) -> None:
    for name, text in {"one.j2": "{{ a }} {{ b }}", "example.yaml": "one: {a: 1}"}.items():
        path = Path("own/own") / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    code, out, err = run(line)
    assert (code, out, err.count("\n")) == (2, "", 1), err
    assert words in err
