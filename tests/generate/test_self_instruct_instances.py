import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.engine.row import Row
from tasks.errors import Filtered, Unusable
from tasks.generate.self_instruct_instances import (
    Instance,
    SelfInstructInstances,
    instances_of,
    is_yes,
    self_instruct_instances,
    sifted,
)
from tasks.models.scripted import ScriptedModel
from tests.rows import a_row, models_of

SPAM = "Label: spam\nInput: Win a car now!\nLabel: not spam\nInput: See you at six."


def run(row: Row, answers: Any, **params: Any) -> list[Row]:
    return asyncio.run(self_instruct_instances(row, models_of(answers), SelfInstructInstances(**params)))


def prompts(model: ScriptedModel) -> list[str]:
    return [(request.messages or ())[0]["content"] for request in model.requests]


def test_a_classification_is_given_its_labels_first() -> None:
    model = ScriptedModel(["Yes", SPAM])
    rows = run(a_row(instruction="Is it spam?"), model)
    assert [(row["is_classification"], row["input"], row["output"]) for row in rows] == [
        (True, "Win a car now!", "spam"),
        (True, "See you at six.", "not spam"),
    ]
    assert "Label:" in prompts(model)[1]
    assert model.requests[0].sampling.temperature == 0


def test_another_task_is_given_its_input_first() -> None:
    model = ScriptedModel(["no", "Input: Noon.\nOutput: Midi."])
    [row] = run(a_row(instruction="Translate into French."), model)
    assert (row["is_classification"], row["input"], row["output"]) == (False, "Noon.", "Midi.")
    assert "Output:" in prompts(model)[1]


@pytest.mark.parametrize("text", ["yes", "Yes.", "**No**", "No, it is not.", "YES!"])
def test_yes_and_no(text: str) -> None:
    assert is_yes(text) is text.strip("*").lower().startswith("yes")


@pytest.mark.parametrize("text", ["", "Maybe", "It is. Yes", "True"])
def test_neither_yes_nor_no_is_asked_for_again(text: str) -> None:
    assert run(a_row(instruction="Is it spam?"), [text, "yes", SPAM])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("Input: a\nOutput: b", [("a", "b")], id="plain"),
        pytest.param("**Input:** a\n**Output:** b", [("a", "b")], id="bold"),
        pytest.param("### Input:\na\n\n### Output:\nb", [("a", "b")], id="headings"),
        pytest.param("- Input: a\n- Output: b", [("a", "b")], id="bullets"),
        pytest.param("input : a\noutput : b", [("a", "b")], id="lower case, spaced"),
        pytest.param("Sure!\n\nInput: a\nOutput: b", [("a", "b")], id="preamble"),
        pytest.param(
            "Example 1:\nInput: a\nOutput: b\nExample 2:\nInput: c\nOutput: d", [("a", "b"), ("c", "d")], id="two"
        ),
        pytest.param("Input 1: a\nOutput 1: b\nInput 2: c\nOutput 2: d", [("a", "b"), ("c", "d")], id="numbered"),
        pytest.param("Input: none\nOutput: b", [("", "b")], id="none"),
        pytest.param("Input: N/A\nOutput: b", [("", "b")], id="N/A"),
        pytest.param("Input: (no input)\nOutput: b", [("", "b")], id="no input"),
        pytest.param("Output: b", [("", "b")], id="no input at all"),
        pytest.param("Task: t\nInput: a\nOutput: b", [("a", "b")], id="repeats the task"),
        pytest.param("Input: a\nb\n\nc\nOutput: d\ne", [("a\nb\n\nc", "d\ne")], id="several lines"),
        pytest.param("Input: a\nOutput:", [("a", "")], id="empty output"),
        pytest.param("Label: x\nInput: a\nLabel: y\nInput: b", [("a", "x"), ("b", "y")], id="labels first"),
        pytest.param("Label: x\n\nInput: a\n\nLabel: y", [("a", "x")], id="a label without input"),
        pytest.param("Input： a\nOutput： b", [("a", "b")], id="full-width colons"),
    ],
)
def test_examples_are_read_however_they_are_written(text: str, expected: list[tuple[str, str]]) -> None:
    assert instances_of(text) == [Instance(*one) for one in expected]


@pytest.mark.parametrize("text", ["", "I have none.", "Input: a", "Label: x", "The output is b"])
def test_no_example_is_unusable(text: str) -> None:
    with pytest.raises(Unusable, match="no_instance"):
        instances_of(text)


@given(st.text(alphabet="Input:Output Label\n*ab", max_size=80))
def test_no_text_breaks_the_reader(text: str) -> None:
    try:
        assert instances_of(text)
    except Unusable as loss:
        assert loss.reason == "no_instance"


@pytest.mark.parametrize(
    ("instances", "kept", "reasons"),
    [
        pytest.param([("a", "a")], 0, ["output_is_input"], id="output is the input"),
        pytest.param([("a", "")], 0, ["empty_output"], id="empty"),
        pytest.param([("a", "Here:")], 0, ["ends_with_colon"], id="output ends with a colon"),
        pytest.param([("a:", "b")], 0, ["ends_with_colon"], id="input ends with a colon"),
        pytest.param([("a", "b"), ("a", "c"), ("d", "e")], 0, ["contradiction"] * 3, id="one input, two outputs"),
        pytest.param([("a", "b"), ("a", "b")], 1, [], id="the same twice"),
        pytest.param([("a", "b"), ("c", "b"), ("d", "b")], 2, ["surplus"], id="more than wanted"),
        pytest.param([("", "b")], 1, [], id="no input"),
    ],
)
def test_bad_examples_are_dropped(instances: list[tuple[str, str]], kept: int, reasons: list[str]) -> None:
    good, dropped = sifted([Instance(*one) for one in instances], limit=2)
    assert (len(good), [refusal.reason for refusal in dropped]) == (kept, reasons)


def test_dropped_examples_are_losses_and_a_row_without_any_left_is_filtered() -> None:
    row = a_row(instruction="Translate.")
    assert len(run(row, ["no", "Input: a\nOutput: b\nInput: c\nOutput: c"])) == 1
    assert [loss.reason for loss in row.losses] == ["output_is_input"]
    row = a_row(instruction="Translate.")
    with pytest.raises(Filtered, match="output_is_input"):
        run(row, ["no", "Input: c\nOutput: c"])
    assert row.losses == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param("Input: a" + "\n" * 300_000 + "Output: b", [("a", "b")], id="blank lines"),
        pytest.param("Input: a" + " \n" * 150_000 + "Output: b", [("a", "b")], id="lines of spaces"),
        pytest.param("Input: a\n" + " " * 300_000 + "Output: b", [("a", "b")], id="spaces before a label"),
        pytest.param("Input: a\nOutput" + " " * 300_000 + ": b", [("a", "b")], id="spaces behind a label"),
        pytest.param("Input: a\nOutput" + "*" * 300_000 + ": b", [("a", "b")], id="marks behind a label"),
        pytest.param("入力：a" + "\n" * 300_000 + "出力：b", [("a", "b")], id="blank lines in Japanese"),
        pytest.param("入力：a\n出力" + " " * 300_000 + "：b", [("a", "b")], id="spaces in Japanese"),
        pytest.param("Input" + " " * 300_000 + "x\nOutput: b", [("", "b")], id="spaces and no colon"),
    ],
)
def test_a_long_run_of_blanks_is_read_in_one_go(text: str, found: list[tuple[str, str]]) -> None:
    """Were every line to look through all blank ones behind it, the first would take 45 thousand million steps."""
    assert instances_of(text) == [Instance(*one) for one in found]
