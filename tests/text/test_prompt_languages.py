"""The full prompts in every language that there are: the same elements and the same forms of answer as the English ones.

`data/usual/<language>.txt`: what people usually ask, a line each. `data/passages/<language>.jsonl`: course texts, as seeds.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tasks.generate.constitutional_revision import FOLDER as CONSTITUTION
from tasks.generate.evol_instruct import OPERATIONS
from tasks.generate.self_instruct import SelfInstruct, queries_of
from tasks.generate.self_instruct_instances import instances_of
from tasks.generate.talks.small_talk import PERSONA
from tasks.judge.critique import critique_of
from tasks.models.base import Message
from tasks.text.catalogue.facts import facts_of
from tasks.text.evolution import evolution_of, is_equal
from tasks.text.leaks import own_runs, runs_of
from tasks.text.prompts import FULL, PROMPTS, Prompts, languages_of
from tasks.text.reading.revision import revised_of
from tasks.text.templates import render
from tasks.text.verdicts.broken import broken_of
from tasks.text.words import word_count

DATA = Path(__file__).parents[1] / "data"
ENGLISH = Prompts(FULL, "en")
LANGUAGES = languages_of(FULL)
NAMES = ENGLISH.names()
OTHERS = [language for language in LANGUAGES if language != "en"]
USUAL = sorted(path.stem for path in (DATA / "usual").glob("*.txt"))
PASSAGES = sorted(path.stem for path in (DATA / "passages").glob("*.jsonl"))
READ = r"^(Response \d+|(?:Rating|Reason|Errors|Merits|Input|Output|Label|Task|Classification):)"
WORDS_OF_ENGLISH = r"\b(?:the|of|and|is|are|with|which|what|from|that|it|by)\b"
VERDICTS = ("evol_instruct/equal", "self_instruct_instances/classification")

in_each_language = pytest.mark.parametrize("language", LANGUAGES)


def said(language: str, name: str) -> list[Message]:
    """A prompt, rendered with the example of its own language."""
    technique, _, short = name.partition("/")
    examples = yaml.safe_load((PROMPTS / FULL / language / technique / "example.yaml").read_text(encoding="utf-8"))
    return render(Prompts(FULL, language).template(name), examples[short])


def shown(language: str, name: str) -> str:
    return "\n".join(message["content"] for message in said(language, name))


def marked(message: Message, mark: str) -> str:
    """What stands between the marks of a message."""
    return message["content"].partition(f"<{mark}>\n")[2].partition(f"\n</{mark}>")[0]


def form_of(language: str, name: str) -> dict[str, Any]:
    """What a prompt has whatever its language: its messages, grades, and the marks and labels that are read."""
    text = shown(language, name)
    return {
        "roles": [message["role"] for message in said(language, name)],
        "blocks": list(Prompts(FULL, language).template(name).blocks),
        "variables": Prompts(FULL, language).variables_of(name),
        "parts": Prompts(FULL, language).parts_of(name),
        "grades": re.findall(r"^(?:\d+|N/A)(?= - )", text, re.MULTILINE),
        "kinds": re.findall(r"^[a-z]+(?= - )", text, re.MULTILINE),
        "marks": set(re.findall(r"</?[a-z]+(?: \d)?>", text)),
        "labels": set(re.findall(READ, text, re.MULTILINE)),
    }


def rules(language: str, name: str) -> int:
    return shown(language, name).count("\n- ")


def prose(text: str) -> str:
    """Without code, which is of no language: between backticks, or indented."""
    return re.sub(r"```[\s\S]*?```|`[^`\n]*`|^(?: |def ).*$", "", text, flags=re.MULTILINE)


def english_lines(text: str) -> list[str]:
    """The lines with two or more of the commonest English words."""
    return [line for line in prose(text).splitlines() if len(re.findall(WORDS_OF_ENGLISH, line, re.IGNORECASE)) > 1]


@in_each_language
def test_a_language_has_every_prompt_and_as_many_words_to_draw_from(language: str) -> None:
    prompts = Prompts(FULL, language)
    assert prompts.names() == NAMES
    lists, english = prompts.lists("basic_prompting"), ENGLISH.lists("basic_prompting")
    assert {name: len(set(lists[name])) for name in english} == {name: len(english[name]) for name in english}
    for technique in {name.split("/")[0] for name in NAMES}:
        told, in_english = facts_of(prompts, technique), facts_of(ENGLISH, technique)
        assert told and in_english
        assert (told.purpose, told.prompts) == (in_english.purpose, in_english.prompts), technique


@pytest.mark.parametrize("name", NAMES)
@in_each_language
def test_a_prompt_has_the_elements_and_the_form_of_the_english_one(language: str, name: str) -> None:
    assert form_of(language, name) == form_of("en", name)
    assert rules(language, name) >= rules("en", name)
    assert not [mark for mark in ("{{", "{%", "{#", "Undefined") if mark in shown(language, name)]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("language", OTHERS)
def test_no_english_sentence_is_left_over(language: str, name: str) -> None:
    assert english_lines(shown("en", name)), "English is known where it stands"
    assert english_lines(shown(language, name)) == []
    assert not set(runs_of(prose(shown("en", name)))) & set(runs_of(prose(shown(language, name))))


@pytest.mark.parametrize("operation", [one for one in OPERATIONS if one not in ("breadth", "complicate")])
@in_each_language
def test_the_example_of_an_operation_adds_no_more_than_its_rule_allows(language: str, operation: str) -> None:
    system, asked, answered, _ = said(language, f"evol_instruct/{operation}")
    limits = re.search(r"(\d+)\D{1,6}(\d+)", system["content"])
    assert limits is not None
    added = word_count(answered["content"]) - word_count(marked(asked, "instruction"))
    assert int(limits[1]) <= added <= int(limits[2])
    assert language != "en" or limits.groups() == ("10", "20"), "of the paper"


@in_each_language
def test_the_classification_check_shows_as_many_tasks_as_the_paper(language: str) -> None:
    text = said(language, "self_instruct_instances/classification")[0]["content"]
    assert (text.count("Classification: yes"), text.count("Classification: no")) == (12, 19)


@pytest.mark.parametrize("operation", [one for one in OPERATIONS if one != "complicate"])
@in_each_language
def test_an_evolved_example_is_read_as_it_stands(language: str, operation: str) -> None:
    _, asked, answered, _ = said(language, f"evol_instruct/{operation}")
    assert evolution_of(marked(asked, "instruction"), answered["content"]) == answered["content"]


@in_each_language
def test_example_answers_are_what_the_parsers_read(language: str) -> None:
    requests = [message["content"] for message in said(language, "self_instruct/queries") if message["role"] != "user"]
    read = [queries_of(text, context="", params=SelfInstruct()) for text in requests[1:]]
    assert [[refusal for _, refusal in queries] for queries in read] == [[None] * 3, [None] * 4]
    verdicts = [message["content"] for message in said(language, "evol_instruct/equal")[2:-1:2]]
    assert list(map(is_equal, verdicts)) == [True, False]
    critic, reviser = said(language, "critique/critique"), said(language, "critique/rewrite")
    assert critique_of(critic[2]["content"]) == critic[2]["content"]
    assert revised_of(marked(reviser[1], "response"), reviser[2]["content"]) == reviser[2]["content"]
    critic, reviser = said(language, f"{CONSTITUTION}/critique"), said(language, f"{CONSTITUTION}/revise")
    assert broken_of(critic[2]["content"]) == (True, marked(reviser[1], "critique"))
    assert revised_of(marked(reviser[1], "response"), reviser[2]["content"]) == reviser[2]["content"]


@pytest.mark.parametrize("technique", [CONSTITUTION, "small_talk"])
@in_each_language
def test_there_are_as_many_words_to_draw_from_in_each_language(language: str, technique: str) -> None:
    ours, english = Prompts(FULL, language).lists(technique), ENGLISH.lists(technique)
    assert {name: len(set(ours[name])) for name in english} == {name: len(english[name]) for name in english}
    assert language == "en" or not {*sum(ours.values(), ())} & {*sum(english.values(), ())}
    assert technique == CONSTITUTION or PERSONA in ours["speaking_as"][0]


@pytest.mark.parametrize("name", ["input_first", "output_first"])
@in_each_language
def test_worked_examples_are_read_with_an_input_and_an_output_each(language: str, name: str) -> None:
    tasks = said(language, f"self_instruct_instances/{name}")[0]["content"].split("\n\nTask: ")[1:]
    read = [instances_of(f"Task: {task}") for task in tasks]
    assert len(tasks) >= 4 and all(one.output for instances in read for one in instances)
    assert any(not one.input for instances in read for one in instances) is (name == "input_first")


@pytest.mark.parametrize("name", [one for one in NAMES if not one.startswith("ultrafeedback/") and one not in VERDICTS])
@pytest.mark.parametrize("language", USUAL)
def test_what_people_usually_ask_and_read_is_no_leak(language: str, name: str) -> None:
    usual = (DATA / "usual" / f"{language}.txt").read_text(encoding="utf-8").splitlines()
    own = own_runs(name, Prompts(FULL, language))
    assert len(usual) >= 20 and own
    assert not [run for text in (*usual, *passages(language)) for run in runs_of(text) if run in own]


def passages(language: str) -> list[str]:
    path = DATA / "passages" / f"{language}.jsonl"
    return [json.loads(line)["context"] for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("language", PASSAGES)
def test_there_are_three_passages_in_a_language_that_has_prompts(language: str) -> None:
    texts = passages(language)
    assert language in LANGUAGES and len(set(texts)) == 3
    assert all(word_count(text) >= 100 and (language == "en" or not english_lines(text)) for text in texts)
