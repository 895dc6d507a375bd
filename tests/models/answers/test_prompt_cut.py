"""A prompt that the server cut without a word: told by its own count, and never where that may be right."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tasks.models.answers.counted import about_tokens, least_tokens
from tasks.models.answers.prompt_cut import is_cut
from tasks.models.base import Request, Sampling
from tests.engine.served import run_served
from tests.models.server import cutting, serving

WORDS = ["river", "of", "the", "and", "cathedral", "it", "an", "understanding", "quiet", "2026,", "(see", "below)."]
ENGLISH = " ".join(random.Random(1).choices(WORDS, k=8000))
CHINESE = "".join(random.Random(1).choices("卢瓦尔河是法国最长的一条河流它在南特附近入海", k=14000))
JAPANESE = "".join(random.Random(1).choices("ロワール川はフランスで最も長い川です", k=14000))
CODE = "def f(x):\n    return x + 1\n\n" * 1500


def asked(text: str) -> Request:
    return Request(Sampling(), 1, ({"role": "user", "content": text},))


@pytest.mark.parametrize("text", [ENGLISH, CHINESE, JAPANESE, CODE], ids=["en", "zh", "ja", "code"])
def test_a_count_far_below_what_the_text_can_have_tells_a_cut_prompt(text: str) -> None:
    assert is_cut(asked(text), 2048)
    assert not is_cut(asked(text), about_tokens([text]))


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("short", 1),
        ("a b " * 200, 20),
        (ENGLISH, 0),
        ("-" * 100_000, 900),
        (" " * 100_000 + "x", 40),
        ("=\n" * 400, 30),
    ],
    ids=["short", "not long", "not counted", "a rule", "blanks", "lines"],
)
def test_where_the_count_may_be_right_nothing_is_refused(text: str, tokens: int) -> None:
    assert is_cut(asked(text), tokens) == ""


def test_the_least_is_below_what_real_tokenizers_count() -> None:
    """The demo model's tokenizer is the only one here; its vocabulary is small, and the others count fewer."""
    samples = Path(__file__).parents[2] / "data"
    texts = [path.read_text(errors="replace") for path in sorted(samples.rglob("*.md"))]
    assert all(least_tokens([text]) <= 1.4 * about_tokens([text]) for text in texts)


def test_the_tokenizers_count_decides_where_it_is_known() -> None:
    assert is_cut(asked(ENGLISH), 7000, count=lambda text: 2 * len(text.split()))
    assert not is_cut(asked(ENGLISH), 7000, count=lambda text: len(text.split()))


def test_a_cut_prompt_is_a_reject_with_the_way_to_more_context(tmp_path: Path) -> None:
    with serving(cutting(4096)) as server:
        run = run_served(server.name, tmp_path, [ENGLISH, "What is it?", ENGLISH + " more"])
        assert len(server.bodies) == 3  # not asked again
    assert (run.reasons, run.responses) == (["prompt_cut", "prompt_cut"], ["hello"])
    assert len(run.told) == 1
    assert "num_ctx" in run.told[0]
    assert "OLLAMA_CONTEXT_LENGTH" in run.told[0]
    assert "the server read 4096 tokens" in run.told[0]


def test_what_lies_in_the_servers_cache_counts_as_read(tmp_path: Path) -> None:
    from aiohttp import web

    from tests.models.server import answer

    async def behave(_request: web.Request) -> web.StreamResponse:
        usage = {"prompt_tokens": 64, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 9000}}
        return web.json_response(answer("hello", usage=usage))

    with serving(behave) as server:
        assert run_served(server.name, tmp_path, [ENGLISH]).responses == ["hello"]


def test_a_server_with_more_context_heals_what_is_on_record(tmp_path: Path) -> None:
    with serving(cutting(4096)) as server:
        run_served(server.name, tmp_path, [ENGLISH])
        server.behaviours = [cutting(32768)]
        again = run_served(server.name, tmp_path, [ENGLISH])
        assert len(server.bodies) == 2
    assert again.responses == ["hello"]
