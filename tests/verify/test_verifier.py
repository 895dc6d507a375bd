"""How a verifier is named, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.errors import ConfigError
from tasks.verify.verifier import VERIFIERS, Verification, check_verifier_name, load_verifier

OWN = """
from tasks.verify.verifier import Verification


def ends_as_known(row, answer):
    return Verification(answer.endswith(row["ground_truth"]), answer[-5:], "wrong_end")


no_function = 3
"""


def test_a_verifier_of_the_users_own_says_what_passes(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(OWN)
    verify = load_verifier(f"{tmp_path}/own.py:ends_as_known")
    assert verify({"ground_truth": "42"}, "It is 42") == Verification(True, "is 42", "wrong_end")
    assert not verify({"ground_truth": "42"}, "It is 41").passed


@pytest.mark.parametrize("name", sorted(VERIFIERS))
def test_each_of_ours_is_where_its_name_says(name: str) -> None:
    assert callable(load_verifier(name))


def test_a_name_that_no_verifier_has_is_refused() -> None:
    with pytest.raises(ConfigError, match="no such verifier: nope"):
        check_verifier_name("nope")


def test_what_is_no_function_is_refused(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(OWN)
    with pytest.raises(ConfigError, match="this is no verifier"):
        load_verifier(f"{tmp_path}/own.py:no_function")
