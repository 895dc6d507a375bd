"""Embeddings by a transformers model here: equal to what its hidden states give by hand, alone or among others."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoTokenizer, BertConfig, BertModel

from tasks.errors import ConfigError
from tasks.models.base import Request, Sampling
from tasks.models.config import ModelConfig
from tasks.models.local.local import load_local
from tests.models.tiny import one_thread, save_tiny_model, tiny_tokenizer

TEXTS = [
    "The still-room is cold.",
    "Zucker",
    "a house distilled its preserves and its scents 🍓",
    "The still-room is cold.",
]


def save_encoder(folder: Path) -> Path:
    """A tiny random BERT, without a chat template."""
    tokenizer = tiny_tokenizer()
    tokenizer.chat_template = None
    torch.manual_seed(0)
    shape = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    model = BertModel(BertConfig(vocab_size=len(tokenizer), max_position_embeddings=64, initializer_range=0.3, **shape))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def vectors(folder: Path, *texts: str, **config: Any) -> np.ndarray:
    async def run() -> np.ndarray:
        model = load_local(ModelConfig(name=str(folder), device="cpu", **config))
        done = await asyncio.gather(*(model.complete(Request(Sampling(), 0, embed=text)) for text in texts))
        await model.close()
        return np.stack([np.frombuffer(one.embedding or b"", "<f4") for one in done])

    with one_thread():
        return asyncio.run(run())


def by_hand(folder: Path, text: str, pooling: str) -> np.ndarray:
    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    model: Any = AutoModel.from_pretrained(folder)
    with torch.no_grad():
        tokens = torch.tensor([tokenizer(text, truncation=True, max_length=64)["input_ids"]])
        states = model.float().eval()(input_ids=tokens).last_hidden_state[0].double().numpy()
    count = len(states)
    weights = {
        "mean": np.ones(count),
        "weighted": np.arange(1, count + 1),
        "cls": np.eye(count)[0],
        "last": np.eye(count)[count - 1],
    }[pooling]
    vector = (weights[:, None] * states).sum(axis=0)
    return vector / np.linalg.norm(vector)


@pytest.mark.parametrize("pooling", ["mean", "weighted", "cls", "last"])
def test_vectors_are_those_of_the_hidden_states_and_do_not_depend_on_the_batch(pooling: str, tmp_path: Path) -> None:
    folder = save_encoder(tmp_path)
    found = vectors(folder, *TEXTS, pooling=pooling)
    for text, vector in zip(TEXTS, found, strict=True):
        assert vector == pytest.approx(by_hand(folder, text, pooling), abs=1e-5)
        assert vector == pytest.approx(vectors(folder, text, pooling=pooling)[0], abs=1e-5)
    assert found[0] == pytest.approx(found[3], abs=1e-6)


def test_the_model_s_own_files_say_how_it_pools_and_the_mean_is_taken_else(tmp_path: Path) -> None:
    folder = save_encoder(tmp_path)
    assert vectors(folder, TEXTS[0])[0] == pytest.approx(by_hand(folder, TEXTS[0], "mean"), abs=1e-5)
    plain = load_local(ModelConfig(name=str(folder))).identity
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode_cls_token": True}))
    assert vectors(folder, TEXTS[0])[0] == pytest.approx(by_hand(folder, TEXTS[0], "cls"), abs=1e-5)
    assert load_local(ModelConfig(name=str(folder))).identity != plain


def test_a_text_longer_than_the_model_reads_is_cut(tmp_path: Path) -> None:
    folder = save_encoder(tmp_path)
    assert np.isfinite(vectors(folder, "still-room " * 400)).all()


def test_a_model_that_writes_embeds_too(tmp_path: Path) -> None:
    folder = save_tiny_model(tmp_path)
    assert vectors(folder, TEXTS[0], pooling="weighted")[0] == pytest.approx(
        by_hand(folder, TEXTS[0], "weighted"), abs=1e-5
    )


def test_an_encoder_needs_no_chat_template_and_a_model_that_writes_does(tmp_path: Path) -> None:
    load_local(ModelConfig(name=str(save_encoder(tmp_path / "encoder"))))
    writes = save_tiny_model(tmp_path / "writes")
    (writes / "chat_template.jinja").unlink()
    with pytest.raises(ConfigError, match="no chat template"):
        load_local(ModelConfig(name=str(writes)))
