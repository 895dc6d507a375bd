import unicodedata

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tasks.errors import Unusable
from tasks.text.prompts import FULL, PROMPTS, Prompts, languages_of
from tasks.text.templates import render
from tasks.text.verdicts.rubric import KINDS, EntryCheck, RubricEntry, checks_of, rubric_lines, rubric_of

ENTRIES = (RubricEntry("essential", "It names three fruits."), RubricEntry("pitfall", "It names a grape."))
RUBRICS = {
    "as asked": "1. [essential] It names three fruits.\n2. [pitfall] It names a grape.",
    "a preamble": "Here is the checklist:\n\n1. [essential] It names three fruits.\n2. [pitfall] It names a grape.\n\nThat is all.",
    "bullets": "- [Essential] It names three fruits.\n- [Pitfall] It names a grape.",
    "bold": "1. **[essential]** It names three fruits.\n2. **[pitfall]** It names a grape.",
    "labels": "Essential: It names three fruits.\nPitfall: It names a grape.",
    "bold labels": "1. **Essential:** It names three fruits.\n2. **Pitfall:** It names a grape.",
    "twice": "1. [essential] It names three fruits.\n2. [pitfall] It names a grape.\n3. [pitfall] It names a grape.",
    "JSON": '{"criteria": [{"kind": "essential", "text": "It names three fruits."}, {"kind": "pitfall", "text": "It names a grape."}]}',
    "JSON, a list": '[{"type": "Essential", "criterion": "It names three fruits."}, {"type": "pitfall", "criterion": "It names a grape."}]',
    "a fence": '```json\n[{"kind": "essential", "text": "It names three fruits."}, {"kind": "pitfall", "text": "It names a grape."}]\n```',
    "with a weight": '[{"weight": 5, "kind": "essential", "text": "It names three fruits."}, {"weight": 3, "kind": "pitfall", "text": "It names a grape."}]',
    "thought": "<think>\n1. [optional] no\n</think>\n1. [essential] It names three fruits.\n2. [pitfall] It names a grape.",
    "vi": "1. [thiết yếu] It names three fruits.\n2. [sai lầm] It names a grape.",
    "zh": "1. 【必须】It names three fruits.\n2. 【失误】It names a grape.",
    "zh, both": "1. [essential（必须）] It names three fruits.\n2. [pitfall（失误）] It names a grape.",
    "ja": "1. 【必須】It names three fruits.\n2. 【誤り】It names a grape.",
}
NO_RUBRICS = {
    "nothing": ("", "rubric_empty"),
    "talk": ("I cannot write one.", "rubric_empty"),
    "pitfalls alone": ("1. [pitfall] It names a grape.", "rubric_empty"),
    "no kind": ("1. [essential] It names three.\n2. It is short.", "rubric_unclear"),
    "another kind": ("1. [essential] It names three.\n2. [vital] It is short.", "rubric_unclear"),
    "no end": ("\n".join(f"{n}. [optional] Thing {n}." for n in range(1, 40)), "rubric_long"),
}
MET = [EntryCheck(True, "it does"), EntryCheck(False, "none is named")]
CHECKS = {
    "as asked": "Criterion 1\nReason: it does\nMet: yes\n\nCriterion 2\nReason: none is named\nMet: no",
    "bold": "**Criterion 1: three fruits**\n**Reason:** it does\n**Met:** **Yes**\n\n**Criterion 2**\n**Reason:** none is named\n**Met:** No.",
    "headings": "### Criterion 1\n\nReason: it does.\nMet: yes\n\n### Criterion 2\n\nReason: none is named.\nMet: no",
    "another word": "Criterion 1\nReason: it does\nVerdict: yes\nCriterion 2\nReason: none is named\nVerdict: no",
    "verdict in the head": "Criterion 1: yes\nReason: it does\nCriterion 2: no\nReason: none is named",
    "JSON": '{"Criterion 1": {"reason": "it does", "met": "yes"}, "Criterion 2": {"reason": "none is named", "met": "no"}}',
    "JSON, booleans": '[{"criterion": 1, "met": true, "reason": "it does"}, {"criterion": 2, "met": false, "reason": "none is named"}]',
    "out of order": "Criterion 2\nReason: none is named\nMet: no\nCriterion 1\nReason: it does\nMet: yes",
    "vi": "Tiêu chí 1\nLý do: it does\nĐạt: có\n\nTiêu chí 2\nLý do: none is named\nĐạt: không",
    "zh": "标准1\n理由：it does\n是否满足：是\n标准2\n理由：none is named\n是否满足：否",
    "ja": "基準1\n理由：it does\n判定：はい\n基準2\n理由：none is named\n判定：いいえ",
}
NO_CHECKS = {
    "nothing": ("", "index_missing"),
    "one missing": ("Criterion 1\nMet: yes", "index_missing"),
    "one too many": ("Criterion 1\nMet: yes\nCriterion 2\nMet: no\nCriterion 3\nMet: no", "index_unknown"),
    "one twice": ("Criterion 1\nMet: yes\nCriterion 1\nMet: no", "index_repeated"),
    "no verdict": ("Criterion 1\nReason: it does\nCriterion 2\nMet: no", "check_missing"),
    "partly": ("Criterion 1\nMet: partly\nCriterion 2\nMet: no", "check_unclear"),
    "both": ("Criterion 1\nMet: yes\nMet: no\nCriterion 2\nMet: no", "check_unclear"),
    "yes or no, as the form has it": ("Criterion 1\nMet: yes or no\nCriterion 2\nMet: no", "check_unclear"),
}


def both_ways(text: str) -> list[str]:
    return [text, unicodedata.normalize("NFD", text), text.replace("\n", "\r\n")]


@pytest.mark.parametrize("text", RUBRICS.values(), ids=RUBRICS.keys())
def test_a_rubric_is_read_in_every_form(text: str) -> None:
    for written in both_ways(text):
        assert rubric_of(written) == ENTRIES


@pytest.mark.parametrize(("text", "reason"), NO_RUBRICS.values(), ids=NO_RUBRICS.keys())
def test_what_is_no_rubric_is_unusable(text: str, reason: str) -> None:
    with pytest.raises(Unusable) as refused:
        rubric_of(text)
    assert refused.value.reason == reason


@pytest.mark.parametrize("text", CHECKS.values(), ids=CHECKS.keys())
def test_verdicts_are_read_by_their_numbers(text: str) -> None:
    for written in both_ways(text):
        assert checks_of(written, 2) == MET


@pytest.mark.parametrize(("text", "reason"), NO_CHECKS.values(), ids=NO_CHECKS.keys())
def test_what_is_no_verdict_on_each_is_unusable(text: str, reason: str) -> None:
    with pytest.raises(Unusable) as refused:
        checks_of(text, 2)
    assert refused.value.reason == reason


@given(st.lists(st.booleans(), min_size=1, max_size=20))
def test_as_many_verdicts_come_out_as_went_in_each_in_its_place(met: list[bool]) -> None:
    text = "\n\n".join(f"Criterion {n}\nReason: so\nMet: {'yes' if one else 'no'}" for n, one in enumerate(met, 1))
    assert [check.met for check in checks_of(text, len(met))] == met


@pytest.mark.parametrize("language", languages_of(FULL))
def test_the_forms_that_the_prompts_ask_for_are_read(language: str) -> None:
    prompts = Prompts(FULL, language)
    examples = yaml.safe_load((PROMPTS / FULL / language / "rubrics" / "example.yaml").read_text(encoding="utf-8"))
    write = render(prompts.template("rubrics/write"), examples["write"])
    form = write[-1]["content"].rpartition("\n\n")[2]
    assert [entry.kind for entry in rubric_of(form)] == ["essential", "pitfall"]
    assert all(kind in write[0]["content"] for kind in KINDS)
    check = render(prompts.template("rubrics/check"), examples["check"])[-1]["content"].rpartition("\n\n")[2]
    label, reason, met = (line.partition(":")[0] for line in check.splitlines())
    answer = "\n".join(f"{label[:-1]}{n}\n{reason}: r\n{met}: {word}" for n, word in ((1, "yes"), (2, "no")))
    assert checks_of(answer, 2) == [EntryCheck(True, "r"), EntryCheck(False, "r")]


def test_what_was_found_is_told_a_line_each() -> None:
    lines = rubric_lines(ENTRIES, [MET[0], EntryCheck(False, "")])
    assert lines == "yes - [essential] It names three fruits.: it does\nno - [pitfall] It names a grape."
