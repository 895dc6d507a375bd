"""How a server is spoken to: the seam between the connection, which knows no dialect, and the words of one API.

    class Mine:
        offers = frozenset({"temperature"})
        def url(self, base, request): return f"{base}/ask"
        ...                                             # the whole of one: docs/servers.md

A provider says where a request goes, with which headers and body, and reads what comes back. Windows, retries,
deadlines, budgets and the ledger are not its business. It keeps nothing of a request: it is asked from many at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Protocol, runtime_checkable

import orjson
from pydantic import ValidationError

from tasks.errors import first_fault
from tasks.models.answers.ended import finish_of
from tasks.models.answers.families import KNOWN
from tasks.models.answers.format import AnswerFormat
from tasks.models.base import ChatTemplate, Completion, Request
from tasks.models.endpoint.beginnings import Beginnings
from tasks.models.endpoint.faults import ServerError
from tasks.models.endpoint.learnt import MAY_BE_LEFT_OUT, Learnt

NOTHING: Mapping[str, Any] = MappingProxyType({})
MOST_TOKENS = 2**31
FEATURES = frozenset({"raw", "embeddings", "logprobs", "tools", "schema", "thinking", "scores", *MAY_BE_LEFT_OUT})
"""What an API may offer beside plain chats: raw text continued, embeddings, and so on, to the parameters of sampling."""


class BadAnswer(Exception):
    """HTTP 200, but no completion."""


class ErrorInAnswer(Exception):
    """HTTP 200, but the body is an error object. `status` is the HTTP status it stands for."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


@dataclass(slots=True)
class Served:
    """The model that a request is for, and what is known of it and its server.

    `learnt`: what the server turned out not to take. `extra`: the user's own fields, laid over every body.
    `tokenizer`: loads the tokenizer that the user has named, if one is. `beginnings`: where requests are to be marked for
    the provider's cache, what they have in common.
    """

    model: str
    learnt: Learnt
    extra: Mapping[str, Any] = field(default_factory=dict)
    answer_format: AnswerFormat = KNOWN
    tokenizer: Callable[[], ChatTemplate] | None = None
    beginnings: Beginnings | None = None


@runtime_checkable
class Provider(Protocol):
    """The words of one API. `offers`: those of `FEATURES` that it has; what it has not is never sent to it."""

    offers: frozenset[str]

    def url(self, base: str, request: Request, /) -> str:
        """Where a request goes. `base`: the URL that the user gave, without a slash at its end."""
        ...

    def headers(self, key: str | None, /) -> Mapping[str, str]:
        """The headers of every request, beside those of HTTP; `key` is the user's."""
        ...

    def body(self, request: Request, served: Served, /) -> bytes:
        """What is sent: JSON."""
        ...

    def answer(self, body: bytes, request: Request, served: Served, /) -> Completion:
        """The completion in the body of an HTTP 200. Raises BadAnswer, or ErrorInAnswer for an error with HTTP 200."""
        ...

    def fault(self, status: int, headers: Mapping[str, str], body: bytes, /) -> ServerError:
        """What any other status, or an error with HTTP 200, means in the words of HTTP. `server_error` reads most."""
        ...


@runtime_checkable
class Embedder(Protocol):
    """A provider that offers embeddings has these as well."""

    def embeddings_body(self, texts: Sequence[str], served: Served) -> bytes:
        """What is sent to have several texts embedded."""
        ...

    def embeddings(self, body: bytes, texts: Sequence[str], dimensions: int) -> list[Completion]:
        """The embeddings in an answer, in the order of the texts, of `dimensions` numbers each where that is not 0."""
        ...


def completed(
    request: Request,
    served: Served,
    text: str,
    finish_word: str | None,
    *,
    reasoning: str = "",
    tokens: tuple[int, int] = (0, 0),
) -> Completion:
    """A completion of an answer's parts: reasoning taken out of the text, and the text ended at a stop text.

    `finish_word`: why it stopped, as the server says; only a word that is known to mean an end is one (law 10).
    `tokens`: of prompt and answer, 0 where they are not counted.
    """
    parsed = None
    if request.messages is not None:
        parsed = served.answer_format.parse_served(text, request, reasoned=bool(reasoning))
    if parsed is not None:
        text = parsed.text
        reasoning = "\n\n".join(filter(None, (reasoning, parsed.reasoning)))
    finish = finish_of(finish_word) or "cut_off"
    if (cut := cut_at(text, request.sampling.stop)) != text:
        text, finish = cut, "stop"
    word = (finish_word or "no word for its end") if finish in ("cut_off", "content_filter") else None
    return Completion(text, finish, *tokens, reasoning=reasoning or None, finish_word=word)


def json_object(body: bytes) -> dict[str, Any]:
    """The JSON object in a body. Raises BadAnswer where it is none."""
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadAnswer(str(error)) from None
    if not isinstance(found, dict):
        raise BadAnswer("no JSON object")
    return found


def misfit(error: ValidationError) -> BadAnswer:
    """What to raise for a body that has not the form of an answer."""
    where, fault = first_fault(error)
    return BadAnswer(f"{where}: {fault['msg']}" if where else fault["msg"])


def merged_bodies(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Two bodies, the second laid over the first, and the objects in them too."""
    return dict(one) | {
        name: merged_bodies(one[name], value) if isinstance(value, dict) and isinstance(one.get(name), dict) else value
        for name, value in other.items()
    }


def count_of(value: Any) -> int:
    """A count of tokens in whatever form a server gives it; 0 where it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < MOST_TOKENS:
        return 0
    return round(value)


def is_another(served: str, asked: str) -> bool:
    """Whether a server's name of a model means another one: not where one holds the other, as with a date or an owner."""
    served, asked = served.lower(), asked.lower()
    return bool(served and asked) and not (served.split("/")[-1] in asked or asked.split("/")[-1] in served)


def cut_at(text: str, stop: Sequence[str]) -> str:
    """The text before the first stop text, for servers that leave it in or do not know it."""
    return text[: min((at for s in stop if (at := text.find(s)) >= 0), default=len(text))]
