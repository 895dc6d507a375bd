"""A mistake on the command line is one line on stderr, and exit code 2."""

from __future__ import annotations

import sys

import pytest

from flows.command.main import app
from flows.command.mistakes import run_app

MISTAKES = {
    "sft --sedes F": ("no such option: --sedes", "did you mean --seeds?"),
    "clean --older 3d": ("no such option: --older", "did you mean --older-than?"),
    "sft --zzz": ("no such option: --zzz", "`stillroom sft --help`"),
    "sftt": ("no such command: sftt", "did you mean sft?"),
    "ledger chek": ("no such command: chek", "did you mean check?"),
    "zzz": ("no such command: zzz", "`stillroom --help`"),
    "sft --rows many": ("--rows", ": many (", "`stillroom sft --help`"),
    "sft --rows=many": ("--rows", ": many ("),
    "sft --rows": ("--rows", "requires an argument"),
    "retry": ("missing argument 'run'", "`stillroom retry --help`"),
    "runs more": ("more", "`stillroom runs --help`"),
}


def told(line: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["stillroom", *line.split()])
    with pytest.raises(SystemExit) as ended:
        run_app(app)
    said = capsys.readouterr()
    return int(ended.value.code or 0), said.out, said.err


@pytest.mark.parametrize(("line", "words"), MISTAKES.items(), ids=list(MISTAKES))
def test_a_mistake_is_one_line_with_the_value_and_the_fix(
    line: str, words: tuple[str, ...], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, err = told(line, capsys, monkeypatch)
    assert (code, out, err.count("\n")) == (2, "", 1), err
    assert [word for word in words if word not in err] == [], err


@pytest.mark.parametrize(("line", "code"), [("sft --help", 0), ("", 2), ("ledger", 2)])
def test_help_is_still_help(
    line: str, code: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ended, out, err = told(line, capsys, monkeypatch)
    assert (ended, "Usage" in out + err) == (code, True)
