"""LLaMA-Factory's own converter takes what is exported, row by row, with nothing skipped. It pins much, so it is put apart."""

from __future__ import annotations

import json
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from tasks.publish.derive import Derived
from tasks.publish.export import export
from tests.flows.test_instruction_sft import Scripted
from tests.flows.test_preference_dpo import dpo, judged
from tests.publish.test_export import CASES, SEEDS, TOOLS, loaded, sft_in
from tests.publish.trainers.apart import apart

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]
PACKAGES = ("llamafactory==0.9.5", "peft==0.21.2")
NAMES = (
    "images",
    "videos",
    "audios",
    "kto_tag",
    "query",
    "response",
    "history",
    "system",
    "tools",
    "chosen",
    "rejected",
)
TAGS = {
    "role_tag": "from",
    "content_tag": "value",
    "user_tag": "human",
    "assistant_tag": "gpt",
    "observation_tag": "observation",
    "function_tag": "function_call",
    "system_tag": "system",
}


def converted(kind: str, rows: Any, ranking: bool = False, **columns: str) -> list[dict[str, Any]]:
    """The rows through a converter, told of these columns as `dataset_info.json` tells it."""
    package = apart(*PACKAGES)
    if str(package) not in sys.path:
        sys.path.append(str(package))  # behind ours
    folder = ModuleType("llamafactory.data")  # of the folder only what is asked for: the rest wants torchaudio
    folder.__path__ = [str(package / "llamafactory" / "data")]
    sys.modules.setdefault(folder.__name__, folder)
    converter = import_module("llamafactory.data.converter")
    told = {"load_from": "file", "ranking": ranking, **dict.fromkeys(NAMES), **TAGS, **columns}
    convert = getattr(converter, f"{kind}DatasetConverter")(SimpleNamespace(**told), SimpleNamespace(media_dir=""))
    return [convert(row) for row in rows.to_list()]


def test_it_takes_every_turn_of_sharegpt(scripted: Scripted, tmp_path: Path) -> None:
    talks = [json.loads(line) for line in (CASES / "tool_turns.jsonl").read_text().splitlines()]
    sft_in(scripted, seeds=[*SEEDS, talks[0] | {"tools": TOOLS}])
    export(Path("out"), Derived("sft", ("sharegpt",)), "exported")
    columns = {"messages": "conversations", "system": "system", "tools": "tools"}
    long, short, called = converted("Sharegpt", loaded("exported", tmp_path), **columns)
    assert [turn["role"] for turn in long["_prompt"]] == ["user", "assistant", "user"]
    assert (long["_system"], long["_response"]) == ("Be brief.", [{"role": "assistant", "content": "to c"}])
    assert short["_prompt"] == [{"role": "user", "content": "d"}]
    assert [turn["role"] for turn in called["_prompt"]] == ["user", "function", "observation"]
    assert json.loads(called["_tools"])[0]["function"]["name"] == "weather"


def test_it_takes_alpaca_with_its_history(scripted: Scripted, tmp_path: Path) -> None:
    sft_in(scripted)
    export(Path("out"), Derived("sft", ("alpaca",)), "exported")
    columns = {
        "prompt": "instruction",
        "query": "input",
        "response": "output",
        "system": "system",
        "history": "history",
    }
    long, short = converted("Alpaca", loaded("exported", tmp_path), **columns)
    assert [turn["content"] for turn in long["_prompt"]] == ["a", "b", "c"]
    assert (long["_system"], long["_response"][0]["content"]) == ("Be brief.", "to c")
    assert [turn["content"] for turn in short["_prompt"]] == ["d"]


@pytest.mark.parametrize(
    ("shape", "kind", "columns"),
    [
        ("sharegpt", "Sharegpt", {"messages": "conversations", "system": "system"}),
        ("alpaca", "Alpaca", {"prompt": "instruction", "query": "input", "system": "system", "history": "history"}),
    ],
)
def test_it_takes_every_pair(
    shape: str, kind: str, columns: dict[str, str], scripted: Scripted, tmp_path: Path
) -> None:
    scripted(judged)
    dpo(recipe="basic", instructions=[f"question {at}" for at in range(8)])
    export(Path("pairs"), Derived("dpo", (shape,)), "exported")
    rows = loaded("exported", tmp_path)
    made = converted(kind, rows, ranking=True, chosen="chosen", rejected="rejected", **columns)
    assert len(made) == len(rows) > 2
    assert all(row["_prompt"][-1]["role"] == "user" and len(row["_response"]) == 2 for row in made)
    assert all(row["_response"][0]["content"] != row["_response"][1]["content"] for row in made)
