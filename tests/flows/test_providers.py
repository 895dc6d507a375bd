"""Whole runs through the providers: the Messages API by the command, and the provider of docs/servers.md in its three ways."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from aiohttp import web

from flows.config import InstructionSFT, PreferenceDPO
from flows.config_file import load_config
from tasks.errors import ConfigError
from tasks.models.base import Completion
from tasks.models.open import open_model
from tests.flows.command.in_process import run_command
from tests.flows.command.test_main import stillroom
from tests.flows.test_instruction_sft import sft
from tests.models.asking import ask
from tests.models.messages_api import checked, message, overloaded, refused
from tests.models.server import Behaviour, answer, serving

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs" / "servers.md"
TALKS = [
    {
        "messages": [
            {"role": "system", "content": "Be short."},
            {"role": "user", "content": f"Which number is {n}?"},
            {"role": "assistant", "content": "A small one."},
            {"role": "user", "content": f"And {n} more?"},
        ]
    }
    for n in range(5)
]
SENT = ["The first.", "The second.", "The third.", "The fourth.", "The fifth."]


def talking(asked: list[dict[str, Any]]) -> Behaviour:
    """Overloaded at first; then of five questions the third is refused by the model, and the fourth by the server."""

    async def behave(request: web.Request) -> web.StreamResponse:
        sent = await request.json()
        asked.append(sent)
        if len(asked) == 1:
            return await overloaded()(request)
        number = int(re.findall(r"\d+", sent["messages"][-1]["content"])[0])
        if number == 2:
            return await message("I cannot", "refusal")(request)
        if number == 3:
            return await refused("messages.0: this one is not for me")(request)
        thinking = {"type": "thinking", "thinking": f"It is {number}.", "signature": "x"}
        return await message([thinking, {"type": "text", "text": SENT[number]}])(request)

    return checked(behave)


@pytest.mark.slow
def test_conversations_go_through_the_messages_api_and_a_budget_counts_them(
    tmp_path: Path, prefect_server: str
) -> None:
    asked: list[dict[str, Any]] = []
    (tmp_path / "talks.jsonl").write_text("".join(json.dumps(talk) + "\n" for talk in TALKS))
    with serving(talking(asked)) as server:
        name = server.name.removesuffix("/v1")
        arguments = [
            "sft",
            "--recipe",
            "respond",
            "--seeds",
            "talks.jsonl",
            "--model",
            name,
            "--out",
            "out",
            "--json",
            "--set",
            "model.provider=anthropic",
            "--set",
            "model.max_in_flight=1",
            "--set",
            "max_reject_fraction=1",
        ]
        cut = stillroom(tmp_path, *arguments, "--set", "max_requests=2", server=prefect_server)
        assert cut.returncode == 0, cut.stderr
        first = json.loads(cut.stdout.splitlines()[-1])
        assert (first["rows"], first["requests"]) == (2, 2)
        assert (first["prompt_tokens"], first["completion_tokens"]) == (14, 6)
        before = len(asked)
        whole = stillroom(tmp_path, *arguments, server=prefect_server)
        assert whole.returncode == 0, whole.stderr
    assert answers_in(tmp_path / "out") == [SENT[0], SENT[1], SENT[4]]
    assert all(sent["system"] == "Be short." and len(sent["messages"]) == 3 for sent in asked)
    assert [sent["messages"][-1]["content"][:5] for sent in asked[before:]] == ["And 2", "And 3", "And 4"]
    reasons = pl.read_parquet(tmp_path / "out/rejects.parquet")["reason"].to_list()
    assert sorted(reasons) == ["bad_request", "content_filter"]


def answers_in(dataset: Path) -> list[str]:
    turns = pl.read_parquet(dataset / "data/train.parquet")["messages"].to_list()
    return [row[-1]["content"] for row in turns]


def test_a_technique_that_needs_raw_text_is_refused_before_anything_is_sent(connected: Path) -> None:
    with serving(message()) as server:
        arguments = [
            "sft",
            "--recipe",
            "basic",
            "--rows",
            "2",
            "--model",
            server.name,
            "--set",
            "model.provider=anthropic",
        ]
        ended = run_command(*arguments)
        assert server.bodies == []
    assert ended.returncode == 2
    assert "raw text continued, which provider anthropic does not offer" in ended.stderr


# The user's own.


async def ollama(request: web.Request) -> web.StreamResponse:
    """Ollama's own API."""
    sent = await request.json()
    assert request.path == "/api/chat" and sent["options"]["num_ctx"] == 16384
    said = {
        "model": sent["model"],
        "message": {"role": "assistant", "content": f"Of {sent['messages'][-1]['content']}: four."},
        "done": True,
        "done_reason": "stop",
        "prompt_eval_count": 9,
        "eval_count": 4,
    }
    return web.json_response(said)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the provider of the docs."""
    section = DOCS.read_text().split("## Providers\n")[1].split("\n## ")[0]
    [code] = re.findall(r"^```python\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)
    (tmp_path / "my_provider.py").write_text(code)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_docs_provider_answers(folder: Path, prefect_server: str, home: Path) -> None:
    with serving(ollama) as server:
        model = {"name": server.name.removesuffix("/v1"), "provider": "my_provider.py:Ollama"}
        assert sft(recipe="respond", seeds=["one?"], model=model)["rows"] == 1


@pytest.mark.slow
def test_the_docs_provider_answers_in_command_yaml_and_form(folder: Path, prefect_server: str, home: Path) -> None:
    with serving(ollama) as server:
        name, seeds = server.name.removesuffix("/v1"), ["one?", "two?"]
        (folder / "seeds.jsonl").write_text("".join(json.dumps({"instruction": seed}) + "\n" for seed in seeds))
        (folder / "apart").mkdir()
        model = json.dumps({"name": name, "provider": "my_provider.py:Ollama"})
        (folder / "run.yaml").write_text(f"recipe: respond\nseeds: {folder}/seeds.jsonl\nmodel: {model}\nout: out\n")
        by_command = ["--recipe", "respond", "--seeds", "seeds.jsonl", "--model", name, "--out", "out"]
        told = stillroom(
            folder, "sft", *by_command, "--json", "--set", "model.provider=my_provider.py:Ollama", server=prefect_server
        )
        assert told.returncode == 0, told.stderr
        assert json.loads(told.stdout.splitlines()[-1])["rows"] == 2
        assert answers_in(folder / "out") == ["Of one?: four.", "Of two?: four."]
        by_yaml = load_config(InstructionSFT, folder / "run.yaml", {})
        form = sft(recipe="respond", seeds=seeds, model={"name": name, "provider": "my_provider.py:Ollama"})
        assert (form["rows"], form["requests"]) == (2, 0)  # what the command has paid for
    assert by_yaml.model.provider == f"{folder}/my_provider.py:Ollama"


def test_a_worker_in_another_folder_opens_the_same_model(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (folder / "run.yaml").write_text("model: {name: 'm@http://127.0.0.1:9', provider: 'my_provider.py:Ollama'}\n")
    at_the_door = load_config(InstructionSFT, Path("run.yaml"), {}).model
    code = (
        "import sys; from tasks.models.config import ModelConfig; from tasks.models.open import open_model; "
        "print(open_model(ModelConfig.model_validate_json(sys.argv[1])).identity)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, at_the_door.model_dump_json()], cwd=elsewhere, capture_output=True, text=True
    )
    identity = open_model(at_the_door).identity
    assert ran.stdout.strip() == identity, ran.stderr
    with (folder / "my_provider.py").open("a") as file:
        file.write("# changed\n")
    assert open_model(at_the_door).identity != identity


def test_a_provider_beside_its_config_is_found_from_elsewhere(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "run.yaml").write_text(
        "roles: {judge: [{name: 'm@http://127.0.0.1:9', provider: 'my_provider.py:Ollama'}]}\n"
    )
    (folder / "elsewhere").mkdir()
    monkeypatch.chdir(folder / "elsewhere")
    config = load_config(PreferenceDPO, folder / "run.yaml", {})
    assert config.roles["judge"][0].provider == f"{folder}/my_provider.py:Ollama"


def test_an_answer_that_does_not_say_that_it_ended_is_cut_off(folder: Path) -> None:
    async def ends_nowhere(_request: web.Request) -> web.StreamResponse:
        return web.json_response({"message": {"content": "half an"}, "done": False})

    async def speaks_openai(_request: web.Request) -> web.StreamResponse:
        return web.json_response([answer()])

    provider = f"{folder}/my_provider.py:Ollama"
    with serving(ends_nowhere) as server:
        (completion,) = ask(server, provider=provider)
    assert completion == Completion("half an", "cut_off", finish_word="no word for its end")
    with serving(speaks_openai) as server:
        (error,) = ask(server, provider=provider)
    assert "bad_answer: the answer is no completion (no JSON object)" in str(error)


MISTAKES = {
    "no such name": ("my_provider.py:Olama", {}, "the file has no provider of this name: .*my_provider.py:Olama"),
    "no such file": ("mine.py:Ollama", {}, "cannot read a provider: .*mine.py"),
    "half a provider": ("half.py:Half", {}, "the provider has no headers, body, answer, fault: .*half.py:Half"),
    "an unknown offer": ("odd.py:Odd", {}, "the provider offers what nobody knows: sampling"),
    "a setting that it has not": ("my_provider.py:Ollama", {"top_k": 4}, "provider Ollama offers no top_k: top_k=4"),
}


@pytest.mark.parametrize(("provider", "more", "said"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_in_a_provider_is_one_line(folder: Path, provider: str, more: dict[str, Any], said: str) -> None:
    (folder / "half.py").write_text(
        "class Half:\n    offers = frozenset()\n    def url(self, base, request): return base\n"
    )
    docs = (folder / "my_provider.py").read_text()
    (folder / "odd.py").write_text(docs.replace("class Ollama", "class Odd").replace('"seed"})', '"sampling"})'))
    config = load_config(InstructionSFT, None, {"model": {"name": "m@http://127.0.0.1:9", "provider": provider} | more})
    with pytest.raises(ConfigError, match=said) as caught:
        open_model(config.model)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ({"name": "m@http://127.0.0.1:9", "provider": "antropic"}, "write openai, anthropic or FILE.py:NAME"),
        ({"name": "demo", "provider": "anthropic"}, "a provider is for a model behind a URL"),
    ],
)
def test_a_provider_that_cannot_be_one_is_refused_with_the_config(model: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        load_config(InstructionSFT, None, {"model": model})
