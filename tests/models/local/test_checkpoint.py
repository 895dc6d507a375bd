"""What a model folder or a Hub name stands for: its identity, and one clear line for what is no model."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tasks.errors import ConfigError, PermanentError
from tasks.models.local.checkpoint import find_checkpoint, free_ram
from tests.models.tiny import (
    ask,
    opened,
    raw,
    run_python,
    save_tiny_model,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_model(tmp_path_factory.mktemp("tiny"))


@pytest.mark.parametrize(("limit", "free"), [("max", 8 << 20), (str(3 << 20), 2 << 20), (str(1 << 10), 0)])
def test_free_memory_is_what_the_container_leaves(tmp_path: Path, limit: str, free: int) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc" / "meminfo").write_text("MemTotal: 99999 kB\nMemFree: 12 kB\nMemAvailable:    8192 kB\n")
    group = tmp_path / "sys" / "fs" / "cgroup"
    group.mkdir(parents=True)
    (group / "memory.max").write_text(f"{limit}\n")
    (group / "memory.current").write_text(f"{1 << 20}\n")
    assert free_ram(tmp_path) == free


def test_opening_a_model_imports_neither_torch_nor_transformers(folder: Path) -> None:
    code = f"""
import sys
from tasks.models.config import ModelConfig
from tasks.models.local.local import load_local
print(load_local(ModelConfig(name={str(folder)!r})).identity)
print(sorted({{"torch", "transformers"}} & set(sys.modules)))
"""
    assert run_python(code).stdout == f"{opened(folder).identity}\n[]\n"


def test_the_identity_is_that_of_the_contents(folder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    (copy / "README.md").write_text("a card says nothing about the answers")
    assert find_checkpoint(str(copy)).identity == find_checkpoint(str(folder)).identity


@pytest.mark.parametrize(
    "file", ["model.safetensors", "config.json", "tokenizer.json", "chat_template.jinja", "generation_config.json"]
)
def test_the_identity_changes_with_every_file_that_shapes_an_answer(folder: Path, tmp_path: Path, file: str) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    changed = bytearray((copy / file).read_bytes())
    changed[-2] ^= 1
    (copy / file).write_bytes(changed)
    assert find_checkpoint(str(copy)).identity != find_checkpoint(str(folder)).identity


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-100])


BROKEN_FOLDERS: dict[str, tuple[Callable[[Path], Any], str]] = {
    "gone": (shutil.rmtree, "there is no such model folder"),
    "no config": (lambda f: (f / "config.json").unlink(), "has no config.json"),
    "no weights": (lambda f: (f / "model.safetensors").unlink(), "has no weights"),
    "no chat template": (lambda f: (f / "chat_template.jinja").unlink(), "has no chat template"),
    "cut short": (lambda f: cut(f / "model.safetensors"), "the weights are not complete"),
    "a Git LFS pointer": (
        lambda f: (f / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\n"),
        "the weights are broken",
    ),
}


@pytest.mark.parametrize("fault", BROKEN_FOLDERS)
def test_a_broken_folder_is_refused_in_one_line_with_the_fix(folder: Path, tmp_path: Path, fault: str) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    break_it, what = BROKEN_FOLDERS[fault]
    break_it(copy)
    with pytest.raises(ConfigError, match=what) as refusal:
        opened(copy)
    assert str(copy) in str(refusal.value) and refusal.value.fix and "\n" not in str(refusal.value)


@pytest.mark.parametrize("name", ["./nowhere", "/nowhere/at/all", "a/b/c"])
def test_a_path_is_not_looked_for_on_the_hub(name: str) -> None:
    with pytest.raises(ConfigError, match="there is no such model folder"):
        find_checkpoint(name)


def test_weights_that_lack_a_tensor_are_refused_and_not_made_up(folder: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    tensors = load_file(copy / "model.safetensors")
    del tensors["model.layers.1.mlp.up_proj.weight"]
    save_file(tensors, copy / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(PermanentError, match=r"not complete.*layers\.1\.mlp\.up_proj"):
        ask(copy, [raw("a")])


def test_a_hub_that_cannot_be_reached_is_said_in_one_line(tmp_path: Path) -> None:
    code = """
from tasks.models.local.checkpoint import find_checkpoint, free_ram
try:
    find_checkpoint("nobody/nothing")
except ValueError as error:
    print(error)
"""
    ended = run_python(code, HF_ENDPOINT="http://127.0.0.1:9", HF_HOME=str(tmp_path))
    assert ended.stdout == (
        "the model cannot be reached on the Hub: nobody/nothing (check the name and the network, or name a folder)\n"
    )


def test_a_hub_model_fetched_before_is_known_by_its_commit_without_a_network(tmp_path: Path, folder: Path) -> None:
    commit = "0123456789abcdef0123456789abcdef01234567"
    cache = tmp_path / "hub" / "models--some--model"
    shutil.copytree(folder, cache / "snapshots" / commit)
    (cache / "refs").mkdir()
    (cache / "refs" / "main").write_text(commit)
    code = "from tasks.models.local.checkpoint import find_checkpoint as f\nprint(f('some/model').identity)"
    assert run_python(code, HF_HUB_OFFLINE="1", HF_HOME=str(tmp_path)).stdout == f"some/model@{commit}\n"
