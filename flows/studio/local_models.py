"""The models of servers that answer on this machine, on the ports that vLLM, llama.cpp, Ollama, SGLang and LM Studio take."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

PORTS = (8000, 8001, 8080, 11434, 30000, 1234)
ANSWER_S = 0.5
MOST_ANSWER_BYTES = 200_000


def answering_models(ports: Iterable[int] = PORTS) -> list[str]:
    """`model@http://127.0.0.1:PORT/v1` for each model that a server here lists."""
    ports = list(ports)
    with ThreadPoolExecutor(len(ports)) as pool:
        return [model for models in pool.map(_models_at, ports) for model in models]


def _models_at(port: int) -> list[str]:
    url = f"http://127.0.0.1:{port}/v1"
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with suppress(OSError, ValueError, KeyError, TypeError):
        with opener.open(f"{url}/models", timeout=ANSWER_S) as answer:
            told = json.loads(answer.read(MOST_ANSWER_BYTES))
        return [f"{one['id']}@{url}" for one in told["data"] if isinstance(one["id"], str)]
    return []
