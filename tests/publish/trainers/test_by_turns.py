"""The rules of trainers that put loss on the assistant's turns: which turns, which end, and what they drop."""

from __future__ import annotations

import pytest

from tasks.errors import ConfigError
from tasks.publish.trainers.choose import Fit, rule_of
from tasks.publish.trainers.example import example_of
from tasks.publish.trainers.facts import Facts
from tasks.publish.trainers.seen import Seen
from tests.models.tiny import CHATML
from tests.publish.trainers.test_facts import ASKED, SAID, target

SYSTEM = {"role": "system", "content": "SYS"}


def seen(trainer: str, *turns: dict[str, object], length: int = 1000) -> Seen:
    rule = rule_of(Fit.model_validate({"trainer": trainer, "max_length": length}), target())
    (made,) = rule.see([example_of("0", {"messages": list(turns)}, "messages")])
    return made


def trained(made: Seen) -> str:
    ids = [label for label in made.labels if label is not None]
    text: str = target().tokenizer.decode(ids)
    return text


def test_every_answer_carries_loss_with_its_end_and_nothing_else() -> None:
    talk = (SYSTEM, ASKED, SAID, ASKED, SAID | {"content": "BBB"})
    for trainer in ("axolotl", "unsloth"):
        assert trained(seen(trainer, *talk)) == "AAA<|im_end|>BBB<|im_end|>"
    assert trained(seen("llamafactory", *talk)) == "AAA<|im_end|>\nBBB<|im_end|>\n"


def test_axolotl_alone_reads_marks() -> None:
    talk = (ASKED, SAID | {"train": False}, ASKED, SAID | {"content": "BBB", "train": True})
    assert trained(seen("axolotl", *talk)) == "BBB<|im_end|>"
    assert trained(seen("unsloth", *talk)) == "AAA<|im_end|>BBB<|im_end|>"


@pytest.mark.parametrize(
    ("turns", "why"),
    [
        ((ASKED, SAID, ASKED), "it ends with the user"),
        ((ASKED, ASKED, SAID), "two turns of one side in a row"),
        ((SAID, ASKED, SAID), "it begins with the assistant"),
        ((ASKED, SAID, SYSTEM, ASKED, SAID), "a system turn in the middle"),
    ],
)
def test_llamafactory_skips_four_shapes(turns: tuple[dict[str, object], ...], why: str) -> None:
    made = seen("llamafactory", *turns)
    assert (made.fate, made.why, made.ids) == ("dropped", why, [])
    assert seen("unsloth", *turns).fate == "whole"


def test_what_is_too_long_is_dropped_by_one_and_cut_by_others() -> None:
    fates = {trainer: seen(trainer, ASKED, SAID, length=12) for trainer in ("axolotl", "llamafactory", "unsloth")}
    assert {name: made.fate for name, made in fates.items()} == {
        "axolotl": "dropped",
        "llamafactory": "cut",
        "unsloth": "cut",
    }
    assert len(fates["unsloth"].ids) == 12


def test_llamafactory_shortens_a_question_and_its_answer_in_proportion() -> None:
    made = seen("llamafactory", ASKED | {"content": "Q" * 300}, SAID | {"content": "A" * 100}, length=50)
    assert (made.fate, len(made.ids)) == ("cut", 50)
    assert 5 < len([label for label in made.labels if label is not None]) < 25
    assert "answer_cut" in Facts(target()).of_row([made]).faults
    later = seen("llamafactory", ASKED, SAID | {"content": "A" * 40}, ASKED, SAID | {"content": "BBB"}, length=40)
    assert "B" not in trained(later)


@pytest.mark.parametrize("trainer", ["axolotl", "llamafactory"])
def test_pairs_are_refused_in_one_line(trainer: str) -> None:
    with pytest.raises(ConfigError, match="not the shape that this trainer's rule is known for"):
        rule_of(Fit.model_validate({"trainer": trainer}), target()).check("preference")


def test_a_template_that_llamafactory_cannot_take_apart_is_one_line() -> None:
    refuses = "{% if messages[0].role == 'system' %}{{ raise_exception('no system role') }}{% endif %}" + CHATML
    with pytest.raises(ConfigError, match="cannot take the chat template apart: no system role"):
        rule_of(Fit(trainer="llamafactory"), target(refuses)).check("messages")
