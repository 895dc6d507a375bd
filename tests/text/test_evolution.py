import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.errors import Unusable
from tasks.text.evolution import evolution_of, is_equal, response_refusal

DATA = Path(__file__).parents[1] / "data" / "evol_instruct" / "samples.jsonl"
SAMPLES = {row["index"]: row for row in map(json.loads, DATA.read_text(encoding="utf-8").strip().split("\n"))}
FRUIT = "Name three fruits that float in water."


def verdict(text: str, current: str = FRUIT) -> str | None:
    try:
        evolution_of(current, text)
    except Unusable as loss:
        return loss.reason
    return None


@pytest.mark.parametrize(
    ("text", "evolved"),
    [
        pytest.param(" Name five fruits.\n", "Name five fruits.", id="plain"),
        pytest.param("Instruction: Name five fruits.", "Name five fruits.", id="label"),
        pytest.param("Rewritten instruction: Name five fruits.", "Name five fruits.", id="label of ours"),
        pytest.param("**New Instruction:**\nName five fruits.", "Name five fruits.", id="bold label on its own line"),
        pytest.param("### Instruction:\n\nName five fruits.", "Name five fruits.", id="heading label"),
        pytest.param('"Name five fruits."', "Name five fruits.", id="quotes"),
        pytest.param("**Name five fruits.**", "Name five fruits.", id="bold"),
        pytest.param(
            "Sort it:\n| a | b |\n|---|---|\n| 1 | 2 |", "Sort it:\n| a | b |\n|---|---|\n| 1 | 2 |", id="table"
        ),
        pytest.param("Fix it:\n```\nx = 1\n```", "Fix it:\n```\nx = 1\n```", id="code"),
        pytest.param(
            "Do all:\n1. Name one.\n2. Say why.", "Do all:\n1. Name one.\n2. Say why.", id="a list of its own"
        ),
    ],
)
def test_the_evolution_is_cut_out_of_a_completion(text: str, evolved: str) -> None:
    assert evolution_of(FRUIT, text) == evolved


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("", "empty", id="empty"),
        pytest.param("...", "empty", id="dots"),
        pytest.param("Instruction:", "empty", id="only the label"),
        pytest.param(FRUIT, "unchanged", id="unchanged"),
        pytest.param("name three fruits, that float in water", "unchanged", id="unchanged but for case and commas"),
        pytest.param("Instruction: " + FRUIT, "unchanged", id="unchanged after a label"),
        pytest.param("Name five fruits.\n\nThat is the rewritten instruction.", "leaked_prompt", id="talk about it"),
        pytest.param("Rewrite the given prompt so that it is harder.", "leaked_prompt", id="given prompt"),
        pytest.param("The #Rewritten Prompt# is: name five.", "leaked_prompt", id="the paper's own mark"),
        pytest.param("Name five fruits, with at most 20 words.", "leaked_prompt", id="our limit"),
        pytest.param("Name five, adding one more constraint or requirement.", "leaked_prompt", id="our operation"),
        pytest.param("Name five fruits. This needs multi-step reasoning.", "leaked_prompt", id="reasoning"),
        pytest.param("As an AI language model, name five fruits.", "as_an_ai", id="as an AI"),
        pytest.param("Act as a language model and name fruits.", "as_an_ai", id="as a language model"),
        pytest.param("I'm sorry, but I cannot do that.", "apology", id="sorry"),
        pytest.param("I’m really sorry, I can’t.", "apology", id="sorry with a curly apostrophe"),
        pytest.param("I cannot assist with this request.", "apology", id="cannot"),
        pytest.param("Unfortunately, I do not know this.", "apology", id="unfortunately"),
        pytest.param("Assistant, please name five fruits.", "addresses_model", id="assistant"),
        pytest.param("Hi ChatGPT, which five fruits float?", "addresses_model", id="by name"),
        pytest.param("Create a prompt about floating fruits.", "asks_for_prompt", id="a prompt"),
    ],
)
def test_a_failed_evolution_is_refused(text: str, reason: str) -> None:
    assert verdict(text) == reason


@pytest.mark.parametrize(
    ("text", "current"),
    [
        pytest.param("Say as an aid worker would which fruits float.", FRUIT, id="an aid is no AI"),
        pytest.param("Name a firm that was an AI firm first.", FRUIT, id="was an AI"),
        pytest.param("Write a letter that says sorry for lost fruit.", FRUIT, id="sorry inside"),
        pytest.param("Give a prompt reply: which five fruits float?", FRUIT, id="prompt means quick"),
        pytest.param(
            "Write a prompt for five pictures.", "Write a prompt for a picture.", id="prompts are its subject"
        ),
        pytest.param("Explain the given prompt twice.", "Explain the given prompt.", id="current says it itself"),
        pytest.param("Which assistant coach won five cups?", FRUIT, id="another assistant"),
        pytest.param("说出五种能浮在水上的水果。", "说出三种水果。", id="Chinese"),
    ],
)
def test_an_evolution_is_not_refused_for_what_it_does_not_say(text: str, current: str) -> None:
    assert verdict(text, current) is None


@pytest.mark.parametrize(
    ("index", "reason"),
    [
        (9, "leaked_prompt"),
        (13, "addresses_model"),
        (17, "leaked_prompt"),
        (39, "leaked_prompt"),
        (52, "as_an_ai"),
        (58, "as_an_ai"),
        (59, "leaked_prompt"),
        (1, None),
        (8, None),
        (10, None),
        (25, None),
        (34, None),
        (38, None),
        (60, None),
    ],
)
def test_real_evolutions(index: int, reason: str | None) -> None:
    assert verdict(SAMPLES[index]["input"], "A seed.") == reason


def test_real_empty_outputs_are_refused_and_full_ones_are_not() -> None:
    assert [i for i, row in SAMPLES.items() if not row["output"]] == [0, 3, 5, 44, 48, 51]
    refused = [i for i, row in SAMPLES.items() if response_refusal(row["output"])]
    assert refused == [0, 3, 5, 44, 48, 51]


@given(st.text(max_size=100))
def test_no_text_breaks_the_checks(text: str) -> None:
    assert verdict(text) is None or isinstance(verdict(text), str)
    response_refusal(text)


@pytest.mark.parametrize(
    ("text", "equal"),
    [
        ("equal", True),
        ("Equal.", True),
        ("**Equal**", True),
        ("Answer: equal", True),
        ("different", False),
        ("Different!", False),
        ("Not equal", False),
        ("They are not equal.", False),
        ("unequal", False),
        ("Verdict: **Different**", False),
        ("**Final answer:** Equal", True),
        ("### Verdict\nequal", True),
        ("equal\n\nBoth ask for the same; the second is not different in any way.", True),
        ("Different. The second one asks for more, so they are not equal.", False),
        ("Not equal.\n\nThe second one adds a limit.", False),
        ("The second one adds a limit, which the first has not.\n\n**Verdict:** different", False),
    ],
)
def test_the_verdict_of_the_judge(text: str, equal: bool) -> None:
    assert is_equal(text) is equal


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Yes.",
        "equal or different",
        "Not different",
        "First: equal. Second: different.",
        "equally good",
        "First: equal.\nSecond: different.",
        "同じか",
    ],
)
def test_anything_but_one_verdict_is_asked_for_again(text: str) -> None:
    with pytest.raises(Unusable, match="no_verdict"):
        is_equal(text)


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        pytest.param("Sorry, I do not know.", "sorry_response", id="sorry and short"),
        pytest.param("I'm SORRY.", "sorry_response", id="in capitals"),
        pytest.param("sorry " + "word " * 78, "sorry_response", id="79 words"),
        pytest.param("sorry " + "word " * 79, None, id="80 words"),
        pytest.param("A sorrywort is a plant.", None, id="another word"),
        pytest.param("", "empty_response", id="empty"),
        pytest.param("... !", "empty_response", id="punctuation"),
        pytest.param("It is the, and so on; we can't.", "empty_response", id="stop words"),
        pytest.param("It is Paris.", None, id="one real word"),
        pytest.param("是的。", None, id="Chinese"),
        pytest.param("42", None, id="a number"),
    ],
)
def test_a_response_that_shows_a_bad_instruction(response: str, reason: str | None) -> None:
    assert response_refusal(response) == reason
