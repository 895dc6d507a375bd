import pytest

from tasks.curate.filters import Filters, refuse_bad
from tasks.errors import Filtered
from tests.text.filters.answers import FAULTS, Case, by_hand, real


def reason_of(row: dict[str, str]) -> str | None:
    try:
        refuse_bad(row, Filters())
    except Filtered as refusal:
        return refusal.reason
    return None


def shown(case: Case) -> str:
    return f"{case.language}: {case.name}: {case.asked[:30]}"


@pytest.mark.parametrize("case", by_hand("bad"), ids=shown)
def test_an_answer_that_is_no_good_goes_for_its_reason(case: Case) -> None:
    assert reason_of(case.row) == case.name


@pytest.mark.parametrize("case", by_hand("good"), ids=shown)
def test_a_good_answer_that_looks_bad_stays(case: Case) -> None:
    assert reason_of(case.row) is None


@pytest.mark.parametrize("source", ["human", "passages"])
def test_no_human_answer_goes(source: str) -> None:
    assert [(reason, case) for case in real()[source] if (reason := reason_of(case.row))] == []


def test_of_what_good_models_wrote_only_bad_answers_go() -> None:
    gone = {reason for source in ("pairs", "evolved") for case in real()[source] if (reason := reason_of(case.row))}
    assert gone <= {"refusal", "as_an_ai", "unfinished"}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_a_human_answer_is_found(fault: str) -> None:
    cases = [*real()["passages"], *(one for one in real()["human"] if len(one.asked) > 40 and len(one.answer) > 40)]
    cases = [case for case in cases if fault != "copies_instruction" or len(case.asked) > 40]
    found = [reason_of({"instruction": case.asked, "response": FAULTS[fault](case)}) == fault for case in cases]
    assert len(found) > 20
    assert sum(found) >= 0.9 * len(found), [case for case, one in zip(cases, found, strict=True) if not one][:5]
