import asyncio
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tasks.curate.filters import CHECKS, Filters, check_needs, filters, refuse_bad
from tasks.errors import ConfigError, Filtered, Unusable
from tests.docs.printed import ROOT, blocks
from tests.rows import a_row, models_of

ALL_OFF: dict[str, Any] = dict.fromkeys(Filters.model_fields)
GOOD, BAD = "Iron is a metal.", "Iron is a metal.<|im_end|>"
REFUSES = "I'm sorry, but I can't assist with that."
LOOPS = "It goes on and on. " * 9


def turns(*said: str, **last: Any) -> list[dict[str, Any]]:
    roles = ("user", "assistant")
    made: list[dict[str, Any]] = [{"role": roles[at % 2], "content": text} for at, text in enumerate(said)]
    made[-1] |= last
    return made


def refusal_of(params: Filters | None = None, /, **columns: Any) -> str | None:
    try:
        refuse_bad(columns, params or Filters())
    except Filtered as refusal:
        return str(refusal)
    return None


def test_a_row_that_passes_is_the_same_row() -> None:
    row = a_row(instruction="Name a metal.", response=GOOD)
    [kept] = asyncio.run(filters(row, models_of([]), Filters()))
    assert (kept.row_id, dict(kept)) == (row.row_id, dict(row))


def test_a_row_that_does_not_pass_is_filtered_with_its_figure_and_its_limit() -> None:
    row = a_row(instruction="Name a metal.", response=GOOD)
    with pytest.raises(Filtered, match=r"too_long: 4 words, at most 3") as refusal:
        asyncio.run(filters(row, models_of([]), Filters(length={"max_words": 3})))
    assert (refusal.value.kind, refusal.value.raw) == ("filtered", GOOD)


@pytest.mark.parametrize(
    ("name", "row"),
    {
        "length": {"response": GOOD},
        "instruction_length": {"response": GOOD},
        "refusals": {"response": REFUSES},
        "unfinished": {"response": "It is made of iron, of coal from the mine, and"},
        "repetition": {"response": LOOPS},
        "copying": {"response": "Tell me what a metal is."},
        "leaking": {"response": "@leak"},
        "markup": {"response": BAD},
        "scripts": {"response": "Iron is a 金属 that rusts."},
        "languages": {"response": "Le fer est un métal dur et gris qui rouille quand il est mouillé."},
        "patterns": {"response": GOOD},
        "own": {"response": GOOD},
    }.items(),
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_check_works_alone_and_null_switches_it_off(name: str, row: dict[str, str], tmp_path: Path) -> None:
    if name == "languages":
        pytest.importorskip("py3langid")
    from tasks.text.prompts import FULL, Prompts

    (tmp_path / "mine.py").write_text(
        "def no_iron(row):\n    return 'iron: found' if 'Iron' in row['response'] else None\n"
    )
    given = {
        "length": {"max_words": 3},
        "instruction_length": {"min_words": 9},
        "languages": {"codes": ["en", "vi"]},
        "patterns": {"forbidden": ["(?i)METAL"]},
        "own": f"{tmp_path}/mine.py:no_iron",
    }
    if row["response"] == "@leak":
        row = {"response": " ".join(Prompts(FULL, "en").fixed_texts("evol_instruct/deepen"))}
    row = {"instruction": "Tell me what a metal is.", **row}
    alone = getattr(Filters(), name) or given[name]
    assert refusal_of(Filters(**{**ALL_OFF, name: alone}), **row)
    assert refusal_of(Filters(**ALL_OFF), **row) is None


def test_every_setting_has_its_check() -> None:
    assert set(CHECKS) | {"own"} == set(Filters.model_fields)


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"messages": turns("A metal?", BAD, "Another?", GOOD)}, "control_token: answer 1 of 2: <|im_end|>"),
        (
            {"messages": turns("A metal?", GOOD, "Another?"), "response": BAD},
            "control_token: answer 2 of 2: <|im_end|>",
        ),
        ({"messages": [*turns("A metal?", BAD, train=False), *turns("Another?", GOOD)]}, None),
        (
            {"prompt": turns("A metal?"), "chosen": turns("", BAD)[1:], "rejected": turns("", GOOD)[1:]},
            "control_token: <|im_end|>",
        ),
        (
            {"prompt": turns("A metal?"), "chosen": turns("", GOOD)[1:], "rejected": turns("", BAD)[1:]},
            "control_token: rejected: <|im_end|>",
        ),
        ({"prompt": turns("A metal?"), "chosen": turns("", GOOD)[1:], "rejected": turns("", REFUSES)[1:]}, None),
        (
            {
                "prompt": turns("Do you know one?", REFUSES, "A metal?"),
                "chosen": turns("", GOOD)[1:],
                "rejected": turns("", GOOD)[1:],
            },
            None,
        ),
        ({"prompt": "A metal?", "chosen": GOOD, "rejected": BAD}, "control_token: rejected: <|im_end|>"),
        ({"prompt": "A metal?", "completion": BAD}, "control_token: <|im_end|>"),
        ({"instruction": "What does <|im_end|> do?", "response": "<|im_end|> ends a turn."}, None),
        ({"instruction": "A token?", "system": "Answer with <|im_end|>.", "response": "<|im_end|>"}, None),
        ({"instruction": "A metal?"}, None),
        (
            {
                "messages": [
                    {"role": "user", "content": "The weather?"},
                    {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "weather"}}]},
                    {"role": "tool", "content": "погода: 12 <|im_end|>"},
                    {"role": "assistant", "content": "The service says погода and <|im_end|>."},
                ]
            },
            None,
        ),
    ],
    ids=[
        "a first answer",
        "a last answer",
        "a turn that is not trained on",
        "chosen",
        "noise in rejected",
        "a worse answer in rejected",
        "an answer in the prompt",
        "texts",
        "prompt and completion",
        "the question says so",
        "the system says so",
        "no answer",
        "a tool says so",
    ],
)
def test_which_answers_of_a_row_are_looked_at(columns: dict[str, Any], reason: str | None) -> None:
    assert refusal_of(**columns) == reason


def test_a_refusal_is_the_same_in_any_order_of_rows_and_of_other_columns() -> None:
    row = {"instruction": "A metal?", "response": BAD, "note": LOOPS}
    assert refusal_of(**row) == refusal_of(**dict(reversed(row.items())))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"length": {"min_words": 9, "max_words": 3}}, "min_words 9 is above max_words 3"),
        ({"length": {"max_tokens": 9}}, "tokens of which model"),
        ({"patterns": {"forbidden": ["(a"]}}, "not a regular expression"),
        ({"own": "mine.py"}, "FILE.py:NAME"),
        ({"repetition": {"repeats": 1}}, "greater than or equal to 2"),
        ({"refusal": None}, "Extra inputs"),
    ],
)
def test_bad_settings_are_told(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Filters(**given)


def test_tokens_are_those_of_a_tokenizer(tmp_path: Path) -> None:
    assert refusal_of(Filters(length={"max_tokens": 3, "tokenizer": "demo"}), instruction="?", response=GOOD)
    with pytest.raises(ConfigError, match="no tokenizer"):
        refusal_of(Filters(length={"max_tokens": 3, "tokenizer": str(tmp_path)}), instruction="?", response=GOOD)


def test_a_pattern_that_does_not_end_is_a_failed_row() -> None:
    params = Filters(patterns={"required": [r"^(a|aa)+$"]})
    with pytest.raises(Unusable, match="pattern_timeout"):
        refuse_bad({"instruction": "?", "response": "a" * 60 + "!"}, params)


def test_what_is_needed_is_looked_for_at_the_door(tmp_path: Path) -> None:
    check_needs(Filters())
    with pytest.raises(ConfigError, match="cannot read a filter"):
        check_needs(Filters(own=f"{tmp_path}/mine.py:check"))
    with pytest.raises(ConfigError, match="no tokenizer"):
        check_needs(Filters(instruction_length={"max_tokens": 9, "tokenizer": str(tmp_path)}))


def test_a_changed_function_makes_other_rows(tmp_path: Path) -> None:
    mine = Filters(own=f"{tmp_path}/mine.py:check")
    digests = set()
    for verdict in ("None", "'no'"):
        (tmp_path / "mine.py").write_text(f"def check(row):\n    return {verdict}\n")
        digests.add(mine.files_digest)
    assert len(digests | {Filters().files_digest, Filters(leaking=None).files_digest}) == 4


def test_the_function_that_the_page_shows_works(tmp_path: Path) -> None:
    [code] = blocks(ROOT / "docs/curation.md", "python")
    (tmp_path / "my_filters.py").write_text(code)
    mine = Filters(own=f"{tmp_path}/my_filters.py:too_easy")
    assert refusal_of(mine, instruction="?", response="One.\nTwo.") == "too_easy: 1 steps"
    assert refusal_of(mine, instruction="?", response="One.\nTwo.\nThree.") is None


@pytest.mark.parametrize("verdict", ["'Too Easy'", "True", "''", "0.5"])
def test_a_verdict_that_is_no_reason_is_told(verdict: str, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(f"def check(row):\n    return {verdict}\n")
    with pytest.raises(ConfigError, match="no reason"):
        refusal_of(Filters(**{**ALL_OFF, "own": f"{tmp_path}/mine.py:check"}), instruction="?", response=GOOD)
