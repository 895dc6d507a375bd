"""Datasets of the Hub by words, for those who do not know a name: asked for by a click alone, and not waited for for long."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import NamedTuple

from tasks.errors import ConfigError, first_line

ANSWER_S = 8.0
MOST_FOUND = 20
LONGEST_WORDS = 200
TASK = "task_categories:"


class HubDataset(NamedTuple):
    """A dataset of the Hub: OWNER/NAME, how often it was downloaded and liked, what its card says that it is for."""

    name: str
    downloads: int
    likes: int
    tasks: tuple[str, ...]


def search_hub(words: str, answer_s: float = ANSWER_S) -> list[HubDataset]:
    """The datasets that these words find, the most downloaded first.

    Raises ConfigError where the Hub is not asked (HF_HUB_OFFLINE), or does not answer in time.
    """
    answer = Future[list[HubDataset]]()
    # a thread that may be left alone: `huggingface_hub` tries again for longer than anybody looks at an empty page
    threading.Thread(target=_ask, args=(words.strip()[:LONGEST_WORDS], answer), name="hub-search", daemon=True).start()
    fix = "type the name of the dataset, or take a file"
    try:
        return answer.result(timeout=answer_s)
    except TimeoutError:
        raise ConfigError("the Hub does not answer", f"nothing in {answer_s:g} s", fix) from None
    except Exception as error:  # the client lets through whatever its network library raises
        raise ConfigError("the Hub cannot be asked", first_line(error)[:200], fix) from error


def _ask(words: str, answer: Future[list[HubDataset]]) -> None:
    from huggingface_hub import HfApi

    try:
        listed = HfApi().list_datasets(search=words, sort="downloads", limit=MOST_FOUND)
        answer.set_result([_found(one.id, one.downloads, one.likes, one.tags or []) for one in listed])
    except Exception as error:  # noqa: BLE001 - told where it is waited for
        answer.set_exception(error)


def _found(name: str, downloads: int | None, likes: int | None, tags: list[str]) -> HubDataset:
    return HubDataset(name, downloads or 0, likes or 0, tuple(tag[len(TASK) :] for tag in tags if tag.startswith(TASK)))
