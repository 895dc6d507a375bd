"""The user's own prompts lie over ours, file by file; what is not there is told in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.errors import ConfigError
from tasks.text.catalogue.own_folder import check_own, misspelt
from tasks.text.prompts import Prompts
from tasks.text.templates import render

DEEPEN = "evol_instruct/deepen"


def put(folder: Path, name: str, text: str) -> None:
    path = folder / f"{name}.j2"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def said(prompts: Prompts, name: str = DEEPEN) -> str:
    return render(prompts.template(name), {"instruction": "Why?"})[0]["content"]


def test_a_file_of_the_users_own_is_taken_and_all_others_are_ours(tmp_path: Path) -> None:
    ours = Prompts()
    put(tmp_path, DEEPEN, "Deeper, please: {{ instruction }}")
    own = Prompts(own=str(tmp_path)).resolved()
    assert said(own) == "Deeper, please: Why?"
    assert said(own, "evol_instruct/breadth") == said(ours, "evol_instruct/breadth")
    assert own.fixed_texts(DEEPEN) == ("Deeper, please: ",)


def test_a_changed_prompt_changes_the_digest_of_its_technique_and_of_no_other(tmp_path: Path) -> None:
    ours = Prompts()
    put(tmp_path, DEEPEN, "Deeper, please: {{ instruction }}")
    own = Prompts(own=str(tmp_path)).resolved()
    assert own.digest_of("evol_instruct") != ours.digest_of("evol_instruct")
    assert own.digest_of("self_instruct") == ours.digest_of("self_instruct")
    before = own.digest_of("evol_instruct")
    put(tmp_path, DEEPEN, "Much deeper: {{ instruction }}")
    again = Prompts(own=str(tmp_path)).resolved()
    assert again.digest_of("evol_instruct") != before
    assert said(again) == "Much deeper: Why?"


def test_words_of_one_language_go_before_those_of_all(tmp_path: Path) -> None:
    put(tmp_path, DEEPEN, "All: {{ instruction }}")
    put(tmp_path, f"en/{DEEPEN}", "English: {{ instruction }}")
    put(tmp_path, f"tlh/{DEEPEN}", "Klingon: {{ instruction }}")
    assert said(Prompts(own=str(tmp_path)).resolved()) == "English: Why?"
    assert said(Prompts(language="tlh", own=str(tmp_path)).resolved()) == "Klingon: Why?"


@pytest.mark.parametrize(
    ("prompts", "what"),
    [
        (Prompts(set="demi"), r"no such set of prompts: demi \(known: demo"),
        (Prompts(language="tlh"), r"no prompts in this language: tlh \(known: en"),
        (Prompts(own="nowhere"), r"no folder of prompts: nowhere \(give a folder"),
    ],
    ids=["set", "language", "folder"],
)
def test_what_is_not_there_is_told_with_what_is(prompts: Prompts, what: str) -> None:
    with pytest.raises(ConfigError, match=what):
        prompts.resolved()


def test_a_prompt_that_does_not_parse_is_told_with_its_line(tmp_path: Path) -> None:
    put(tmp_path, DEEPEN, "fine\n{% if %}")
    with pytest.raises(ConfigError, match=rf"a prompt does not parse: {tmp_path}/{DEEPEN}.j2:2"):
        Prompts(own=str(tmp_path)).template(DEEPEN)


def test_a_folder_without_prompts_for_the_language_is_a_mistake_that_is_told(tmp_path: Path) -> None:
    own = str(tmp_path)
    with pytest.raises(ConfigError, match=r"no prompts for the language en: .*put TECHNIQUE/NAME.j2 into it"):
        check_own(Prompts(own=own))
    put(tmp_path, f"ja/{DEEPEN}", "日本語で：{{ instruction }}")
    with pytest.raises(ConfigError, match=r"no prompts for the language en: .*it has ja: --set language=ja"):
        check_own(Prompts(own=own))
    check_own(Prompts(set="full", language="ja", own=own))
    check_own(Prompts())
    put(tmp_path, "shorten/shorten", "Shorter: {{ text }}")
    check_own(Prompts(own=own))


def test_a_misspelt_prompt_is_found_and_one_of_the_users_own_technique_is_none(tmp_path: Path) -> None:
    for name in (DEEPEN, "shorten/shorten", "evol_instruct/_rules", "en/evol_instruct/depen", "ja/evol_instruct/depen"):
        put(tmp_path, name, "{{ instruction }}")
    assert misspelt(Prompts(own=str(tmp_path))) == [(tmp_path / "en/evol_instruct/depen.j2", DEEPEN)]
    assert misspelt(Prompts()) == []
