"""The processes of a group, as Linux lists them."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows.service import children


def test_a_process_whose_name_is_cut_within_a_sign_is_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Linux keeps 15 bytes of a name, whatever they are the half of; it may hold spaces and brackets, too."""
    processes = {"self": b"7 (python) R 1 7 7", "7": b"7 (python) R 1 7 7", "9": b"9 (a) nine caf\xc3) S 7 7 7"}
    for name, stat in processes.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "stat").write_bytes(stat)
    monkeypatch.setattr(children, "PROC", tmp_path)
    assert children._members(7) == [9]
