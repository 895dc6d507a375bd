"""How a completion is sampled: what a request key holds of it, and where the values come from."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from tasks.engine.process import Process
from tasks.engine.requests.attempts import sampled_key
from tasks.errors import ConfigError
from tasks.models.base import Sampling
from tasks.models.config import ModelConfig
from tasks.models.local.recommended import with_recommended
from tests.models.asking import ask, opened, question
from tests.models.server import chat, serving

OLD = '{"logprobs": 0, "max_new_tokens": 512, "presence_penalty": 0.0, "stop": [], "temperature": 1.0, "top_p": 1.0}'


def test_the_key_of_a_sampling_is_what_it_always_was() -> None:
    assert Sampling().key == OLD
    assert sampled_key(Sampling(), frozenset({"seed"})) == OLD[:1] + '"left_out": ["seed"], ' + OLD[1:]


@pytest.mark.parametrize(
    ("changes", "more"),
    [
        ({"top_k": 20}, {"top_k": 20}),
        ({"min_p": 0.1}, {"min_p": 0.1}),
        ({"repetition_penalty": 1.1}, {"repetition_penalty": 1.1}),
        ({"thinking": "off"}, {"thinking": "off"}),
        ({"thinking": "on"}, {"thinking": "on", "max_reasoning_tokens": 4096}),
        ({"thinking": "model", "top_k": 0}, {}),
    ],
)
def test_a_newer_field_is_in_the_key_only_where_it_is_set(changes: dict[str, Any], more: dict[str, Any]) -> None:
    assert json.loads(Sampling(**changes).key) == json.loads(OLD) | more


def test_a_model_has_its_own_values_for_the_newer_fields() -> None:
    config = ModelConfig(name="m", top_k=20, min_p=0.1, repetition_penalty=1.1, thinking="on", max_reasoning_tokens=9)
    sampling = config.sampled(Sampling(temperature=0.7))
    assert sampling == Sampling(
        temperature=0.7, top_k=20, min_p=0.1, repetition_penalty=1.1, thinking="on", max_reasoning_tokens=9
    )


@pytest.mark.parametrize("said", ["on", "off"])
def test_thinking_is_on_or_off_as_yaml_reads_it(said: str) -> None:
    value = yaml.safe_load(f"thinking: {said}")["thinking"]
    assert isinstance(value, bool)
    assert ModelConfig(name="m", thinking=value).thinking == Sampling(thinking=value).thinking == said


def test_a_server_is_sent_what_is_set_and_nothing_else() -> None:
    with serving(chat()) as server:
        ask(server, question(0, Sampling(top_k=20, min_p=0.1, repetition_penalty=1.1)), question(1, Sampling()))
        sent, plain = sorted(server.bodies, key=lambda body: "top_k" not in body)
    assert (sent["top_k"], sent["min_p"], sent["repetition_penalty"]) == (20, 0.1, 1.1)
    assert not {"top_k", "min_p", "repetition_penalty", "chat_template_kwargs"} & set(plain)


# extra_body


def test_what_only_one_server_knows_is_laid_over_every_request() -> None:
    extra = {"chat_template_kwargs": {"language": "en"}, "min_tokens": 3, "top_k": 7}
    with serving(chat()) as server:
        ask(server, question(0, Sampling(top_k=20, thinking="off")), extra_body=extra)
        sent = server.bodies[0]
    assert sent["chat_template_kwargs"] == {"enable_thinking": False, "thinking": False, "language": "en"}
    assert (sent["min_tokens"], sent["top_k"]) == (3, 7)


def test_it_shapes_the_identity_of_the_model_only_where_it_is_set() -> None:
    def identity(**config: Any) -> str:
        model = opened("m@http://127.0.0.1:9/v1", **config)
        asyncio.run(model.close())
        return model.identity

    assert identity() == identity(extra_body={}) == "b5c94f80d77aa1df406ac5c1208ae965"
    assert identity(extra_body={"a": 1, "b": 2}) == identity(extra_body='{"b": 2, "a": 1}') != identity()


@pytest.mark.parametrize("value", ["[1]", "nonsense", 3])
def test_it_is_a_json_object(value: Any) -> None:
    with pytest.raises(ValidationError, match="extra_body"):
        ModelConfig(name="m", extra_body=value)


# sampling: model


def checkpoint(folder: Path, recommended: dict[str, Any] | None) -> str:
    folder.mkdir(exist_ok=True)
    if recommended is not None:
        (folder / "generation_config.json").write_text(json.dumps(recommended))
    return str(folder)


QWEN = {"do_sample": True, "temperature": 0.6, "top_k": 20, "top_p": 0.95, "eos_token_id": [1, 2]}


@pytest.mark.parametrize("remote", [False, True], ids=["local", "endpoint"])
def test_a_checkpoints_recommended_values_take_the_place_of_the_techniques(tmp_path: Path, remote: bool) -> None:
    name = checkpoint(tmp_path / "model", QWEN)
    named = {"name": "m@http://127.0.0.1:9/v1", "tokenizer": name} if remote else {"name": name}
    config = with_recommended(ModelConfig(**named, sampling="model", top_p=0.5))
    assert config.sampled(Sampling(temperature=0)) == Sampling(temperature=0.6, top_k=20, top_p=0.5)
    untouched = ModelConfig(**named)
    assert with_recommended(untouched) is untouched


def test_a_checkpoint_that_does_not_sample_is_greedy(tmp_path: Path) -> None:
    name = checkpoint(tmp_path / "model", {"do_sample": False})
    assert with_recommended(ModelConfig(name=name, sampling="model")).temperature == 0


@pytest.mark.parametrize(
    ("recommended", "name", "said"),
    [
        (None, None, "recommends no sampling"),
        ({"eos_token_id": 2}, None, "recommends no sampling"),
        (None, "m@http://127.0.0.1:9/v1", "needs the model's checkpoint"),
    ],
    ids=["no file", "nothing in it", "an endpoint without a tokenizer"],
)
def test_where_nothing_is_recommended_the_user_is_told(
    recommended: dict[str, Any] | None, name: str | None, said: str, tmp_path: Path
) -> None:
    folder = checkpoint(tmp_path / "model", recommended)
    with pytest.raises(ConfigError, match=said):
        with_recommended(ModelConfig(name=name or folder, sampling="model"))


def test_the_members_of_a_run_have_the_recommended_values(tmp_path: Path) -> None:
    process = Process()
    name = checkpoint(tmp_path / "model", QWEN)
    config = ModelConfig(name="m@http://127.0.0.1:9/v1", tokenizer=name, sampling="model")
    try:
        assert process.member(config).config.top_k == 20
    finally:
        process.close()
