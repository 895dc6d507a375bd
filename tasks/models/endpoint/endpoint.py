"""A model behind a server, whatever its API: vLLM, SGLang, llama.cpp, TGI, Ollama, transformers serve, a hosted one.

    stillroom sft --seeds seeds.jsonl --model Qwen/Qwen3-8B@http://127.0.0.1:8000/v1

Polite (an adaptive window a server, `window.py`), stubborn (faults are tried again, `faults.py`) and thin
(`connection.py`). What it says and how it reads an answer is its provider's (`provider.py`).
"""

from __future__ import annotations

import asyncio
import hashlib
import weakref
from collections.abc import Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import orjson
from yarl import URL

from tasks.errors import ConfigError, PermanentError, RequestRefused
from tasks.models.answers.derive import derive
from tasks.models.answers.families import KNOWN
from tasks.models.answers.format import AnswerFormat
from tasks.models.base import ChatTemplate, Completion, Request, Reshaped
from tasks.models.batching import BatchMode
from tasks.models.config import ModelConfig
from tasks.models.embed.gathering import Gathering, texts_of
from tasks.models.endpoint.address import address_of, key_in
from tasks.models.endpoint.batches.endpoint_batches import EndpointBatches
from tasks.models.endpoint.batches.exchanges import Exchanges
from tasks.models.endpoint.beginnings import Beginnings
from tasks.models.endpoint.connection import Connection
from tasks.models.endpoint.faults import Busy, Fault, Patience, Server, error_message, raw_text
from tasks.models.endpoint.learnt import LEAVABLE, LEFT_OUT_AS, LOGPROBS, RESPONSE_FORMAT, Learnt, Reworded
from tasks.models.endpoint.limits import rest_s
from tasks.models.endpoint.provider import FEATURES, BadAnswer, Embedder, ErrorInAnswer, Served
from tasks.models.endpoint.providers.named import Named, provider_of
from tasks.models.endpoint.refusals import Refusals
from tasks.models.endpoint.window import Window

FIRST_CONTACTS, FIRST_CONTACT_S = 4, 2.0  # tries of a server that has never been there: it is not waited for
CHARS_A_TOKEN = 4
ADDRESS = ("name", "provider", "api_key_env")
WORDS = {"raw": "continuation of raw text"}

_windows: weakref.WeakValueDictionary[tuple[str, str, str | None], Window] = weakref.WeakValueDictionary()


def open_endpoint(config: ModelConfig) -> EndpointModel:
    """The model that `model@http(s)://host:port/v1` names. Connects to nothing yet.

    Raises ConfigError for an address that cannot be one, and where the key's environment variable is not set.
    """
    named, key_env = provider_of(config), config.key_env
    model, url = address_of(config.name)
    server = Server(str(url), model, key_env, key_in(key_env))
    place = (server.url, model, key_env)
    window = _windows.get(place)
    if window is None:
        window = _windows[place] = Window(config.max_in_flight)
    window.share(config.max_in_flight, config.requests_per_minute, config.tokens_per_minute)
    return EndpointModel(config, server, window, named)


class EndpointModel:
    """Implements `Model`. Used from one event loop; the window is shared with all models of the same endpoint."""

    def __init__(self, config: ModelConfig, server: Server, window: Window, named: Named) -> None:
        self.name, self.max_in_flight = server.model, config.max_in_flight
        self.identity = _identity(config, server, named)
        self.window = window
        self.patience = partial(Patience, tries=config.max_tries, whole_s=config.patience_s)
        self._config, self._server, self._named, self._provider = config, server, named, named.provider
        self._lacks = FEATURES - named.provider.offers
        place = f"{server.model}@{server.url}"
        self._learnt, self._refusals = Learnt(place, bos_unasked=config.bos == "server"), Refusals(place)
        self._learnt.left_out = frozenset(LEFT_OUT_AS.get(name, name) for name in self._lacks) & frozenset(LEAVABLE)
        tokenizer = None if config.tokenizer is None else lambda: self.template
        extra: dict[str, Any] = orjson.loads(config.extra_body or "{}")
        beginnings = Beginnings() if config.marks_beginnings else None
        self._served = Served(server.model, self._learnt, extra, tokenizer=tokenizer, beginnings=beginnings)
        self._connection = Connection(
            server, named.provider.headers(server.key), config.max_in_flight, config.timeout_s
        )
        self._urls: dict[str, URL] = {}
        self._gathering, self._dimensions = Gathering(config.embeddings_in_one, lambda: window.limit, self._answers), 0
        self._deriving: asyncio.Future[AnswerFormat] | None = None

    @property
    def batch_mode(self) -> BatchMode | None:
        """Whether its requests go in batches, and how."""
        return self._config.batch

    def batches(self) -> EndpointBatches:
        """Its batches. Raises ConfigError where its provider has none."""
        return self._batches

    @cached_property
    def _batches(self) -> EndpointBatches:
        exchanges = Exchanges(self._server, self._connection, self.patience, self._provider.fault)
        config, mode = self._config, self._config.batch or BatchMode()
        address = orjson.dumps({name: getattr(config, name) for name in ADDRESS}).decode()
        return EndpointBatches(
            mode, address, self._provider, self._served, exchanges, self._judged_in_batch, self._get_ready
        )

    def _judged_in_batch(self, status: int, content: bytes, sent: bytes) -> Exception:
        try:
            return self._judged(status, {}, content, sent)
        except (Reworded, Reshaped) as learnt:
            self._learnt.tell_the_rest()
            return learnt

    @property
    def left_out(self) -> frozenset[str]:
        """The parameters that this server turned out not to take."""
        return self._learnt.left_out

    @left_out.setter
    def left_out(self, names: frozenset[str]) -> None:
        for name in sorted(names):
            self._learnt.leave_out(name)

    @cached_property
    def template(self) -> ChatTemplate:
        """The chat template of `config.tokenizer`. Raises ConfigError where none is named or none can be loaded."""
        if "raw" in self._lacks:
            what = f"this technique has raw text continued, which provider {self._named.name} does not offer"
            raise ConfigError(what, self.name, "name another model, or another recipe")
        if self._config.tokenizer is None:
            what = "this technique needs the chat template, which the server keeps to itself"
            raise ConfigError(what, self.name, "name the model's tokenizer, a Hub name or a folder: tokenizer")
        from tasks.models.local.checkpoint import Checkpoint, find_checkpoint, load_tokenizer

        folder = Path(self._config.tokenizer).expanduser()
        checkpoint = Checkpoint(str(folder), None, "") if folder.is_dir() else find_checkpoint(self._config.tokenizer)
        template: ChatTemplate = load_tokenizer(checkpoint)
        return template

    async def complete(self, request: Request) -> Completion:
        """Answer one request, however often it takes.

        Raises RequestRefused when the server refuses it for good or the tries are used up, PermanentError when the
        endpoint cannot be used as configured or has refused everybody for `patience_s`.
        """
        await self._get_ready(request)
        if request.embed is not None:
            return await self._gathering.ask(request)
        return (await self._answers((request,)))[0]

    async def _get_ready(self, request: Request) -> None:
        """Learn how this kind of request is answered. Raises PermanentError for what the API does not offer."""
        if self._lacks:
            self._refuse_what_is_not_offered(request)
        chats = request.messages is not None and request.scored_by is None
        if chats and self._config.tokenizer is not None and self._served.answer_format is KNOWN:
            await self._learn_the_format()

    def _refuse_what_is_not_offered(self, request: Request) -> None:
        asked_for = {
            "raw": request.prompt is not None,
            "embeddings": request.embed is not None,
            "scores": request.scored_by is not None,
            LOGPROBS: request.sampling.logprobs > 0 and LOGPROBS not in (request.left_out or ()),
            "tools": request.tools is not None,
            "thinking": request.sampling.thinking != "model",
        }
        for name, asked in asked_for.items():
            if asked and name in self._lacks:
                raise PermanentError(
                    f"provider {self._named.name} offers no {WORDS.get(name, name)}", self.name, "name another model"
                )

    async def _learn_the_format(self) -> None:
        """Have the format of the answers read from the named tokenizer, once, outside of the event loop."""
        if self._deriving is None:
            self._deriving = asyncio.ensure_future(asyncio.to_thread(lambda: derive(self.template)))
        self._served.answer_format = await asyncio.shield(self._deriving)

    async def _answers(self, requests: Sequence[Request]) -> list[Completion]:
        """The completions of requests that go out as one: several embeddings, or one of anything else."""
        patience: Patience | None = None
        while True:
            try:
                return await self._attempt(requests)
            except Reworded:
                continue
            except (Busy, Fault) as trouble:
                patience = patience or self.patience()
                try:
                    delay_s = self._delay_s(patience, trouble)
                except (RequestRefused, PermanentError) as error:
                    raise self._ending(requests, error) from None
            await asyncio.sleep(delay_s)

    def _ending(self, requests: Sequence[Request], error: RequestRefused | PermanentError) -> Exception:
        """The error that a request ends with. Where it is the run's, nobody who waits is sent any more."""
        if isinstance(error, RequestRefused):
            if len(requests) > 1:
                return error  # one of several embeddings: each is going to be asked for alone
            self._refusals.add(error)
            if not self._refusals.are_the_runs:
                return error
            error = self._refusals.verdict()
        self.window.fail(error)
        return error

    async def close(self) -> None:
        """Close the connections. Safe to call twice."""
        await self._gathering.close()
        await self._connection.close()

    def _url(self, request: Request) -> URL:
        url = self._provider.url(self._server.url, request)
        return self._urls.get(url) or self._urls.setdefault(url, URL(url))

    def _body(self, requests: Sequence[Request]) -> bytes:
        if requests[0].embed is None:
            return self._provider.body(requests[0], self._served)
        return self._embedder.embeddings_body(texts_of(requests), self._served)

    def _read(self, requests: Sequence[Request], content: bytes) -> list[Completion]:
        if requests[0].embed is None:
            return [self._provider.answer(content, requests[0], self._served)]
        completions = self._embedder.embeddings(content, texts_of(requests), self._dimensions)
        self._dimensions = len(completions[0].embedding or b"") // 4
        return completions

    @property
    def _embedder(self) -> Embedder:
        assert isinstance(self._provider, Embedder)
        return self._provider

    async def _attempt(self, requests: Sequence[Request]) -> list[Completion]:
        """One exchange in a slot of the window."""
        window = self.window
        tokens = sum(map(_tokens, requests)) if window.counts_tokens else 0.0
        entered = await window.enter(requests[0].order, tokens)
        used = 0.0
        try:
            for request in requests:
                if request.left_out not in (None, self.left_out):
                    raise Reshaped  # learnt while it waited: it would be sent under the key of another request
                request.admit()
            completions = await self._exchange(requests)
            window.accepted()
            used = sum(c.prompt_tokens + c.completion_tokens for c in completions) or tokens
            return completions
        except Busy as busy:
            window.refused(entered, busy.wait_s, connected=busy.connected)
            raise
        except Fault:
            used = tokens
            raise
        except (RequestRefused, PermanentError) as error:
            if isinstance(error, RequestRefused):
                window.accepted()
            raise self._ending(requests, error) from None  # before the slot goes to the next one
        except (Reworded, Reshaped):
            window.accepted()
            raise
        finally:
            window.settle(tokens, used)
            window.leave()

    async def _exchange(self, requests: Sequence[Request]) -> list[Completion]:
        body = self._body(requests)
        status, headers, content = await self._connection.post(self._url(requests[0]), body)
        if status != 200:
            raise self._judged(status, headers, content, body)
        try:
            completions = self._read(requests, content)
        except BadAnswer as error:
            raise self._no_completion(error, content) from None
        except ErrorInAnswer as error:
            raise self._judged(error.status, headers, content, body) from None
        self._refusals.answer()
        self._learnt.tell_the_rest()
        if wait_s := rest_s(headers):
            self.window.rest(wait_s)
        return completions

    def _judged(self, status: int, headers: Any, content: bytes, sent: bytes) -> Exception:
        """What an error means. Raises Reworded or Reshaped where the request can be said in another way."""
        content = self._server.without_key(content)
        said = self._provider.fault(status, headers, content)
        error = self._server.judge(said, headers, answered=self.window.answered)
        if RESPONSE_FORMAT not in self._served.extra:  # else the user has it sent, whatever is learnt
            self._learnt.learn_of_the_schema(error, sent)
        if isinstance(error, RequestRefused):
            self._learnt.learn(error, raw_text(content), sent)
        return error

    def _no_completion(self, error: BadAnswer, content: bytes) -> Exception:
        """What an answer means that cannot be read. A server of which nothing else was seen is none."""
        if not self._refusals.answered and content.lstrip()[:1] == b"<":
            fix = "check that the URL ends where /chat/completions or /embeddings begins, mostly in /v1"
            said = self._server.scrub(error_message(content))
            return PermanentError("there is a web page at this URL", f"{self._server.url}: {said}", fix)
        return Fault("bad_answer", f"the answer is no completion ({self._server.scrub(str(error))})")

    def _delay_s(self, patience: Patience, trouble: Busy | Fault) -> float:
        """Seconds until the next try. Raises RequestRefused, or PermanentError when nobody gets through."""
        if isinstance(trouble, Fault):
            return patience.after_fault(trouble)
        window, refusing_s = self.window, self.window.refusing_s()
        tried_enough = window.in_a_row >= FIRST_CONTACTS or refusing_s > FIRST_CONTACT_S
        if not trouble.connected and not window.answered and tried_enough:
            fix = "check the URL, and that the server is running; the same command goes on"
            raise PermanentError("nobody answers there", f"{self._server.url}: {trouble}", fix)
        fix = "what is paid for is kept: the same command goes on later"
        if refusing_s > self._config.patience_s:
            what = f"the server has refused everything for {refusing_s:.0f} s"
            raise PermanentError(what, f"{self._server.url}: {trouble}", fix)
        if trouble.wait_s is not None and trouble.wait_s > self._config.patience_s:
            what = f"the server asks to be left alone for {trouble.wait_s:.0f} s"
            raise PermanentError(what, f"{self._server.url}: {trouble}", fix)
        return patience.after_refusal(trouble)


def _tokens(request: Request) -> float:
    """About how many tokens a request may cost."""
    if request.embed is not None:
        return len(request.embed) / CHARS_A_TOKEN
    texts = [request.prompt or ""] if request.messages is None else [m["content"] for m in request.messages]
    return sum(map(len, texts)) / CHARS_A_TOKEN + request.sampling.most_tokens


def _identity(config: ModelConfig, server: Server, named: Named) -> str:
    """What shapes the answers (law 3): the model's name, where it is (or a name that survives a move), its revision.

    The provider is part of it where it is another than the one that there was first.
    """
    parts: list[Any] = [server.model, config.identity or server.url, config.revision, config.bos]
    if config.extra_body is not None:
        parts.append(config.extra_body)
    if named.identity is not None:
        parts.append({"provider": named.identity})
    return hashlib.blake2b(orjson.dumps(parts), digest_size=16).hexdigest()
