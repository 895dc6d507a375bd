"""A model behind an OpenAI-compatible server: vLLM, SGLang, llama.cpp, TGI, Ollama, transformers serve, a hosted API.

    stillroom sft --seeds seeds.jsonl --model Qwen/Qwen3-8B@http://127.0.0.1:8000/v1

Polite (an adaptive window a server, `window.py`), stubborn (faults are tried again, `faults.py`) and thin: about
200 µs of CPU a request on aiohttp.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
import re
import weakref
from collections.abc import Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any, cast

import aiohttp
import orjson
from yarl import URL

from tasks.errors import ConfigError, PermanentError, RequestRefused
from tasks.models.answers.derive import derive
from tasks.models.answers.families import KNOWN
from tasks.models.answers.format import AnswerFormat
from tasks.models.answers.thinking import served_as, variables_of
from tasks.models.base import ChatTemplate, Completion, Request, Reshaped, Thinking
from tasks.models.config import ModelConfig
from tasks.models.deadlines import Deadlines
from tasks.models.embeddings import Gathering, embeddings_body, embeddings_of, texts_of
from tasks.models.faults import Busy, Fault, Patience, Server, message_of, raw_text
from tasks.models.learnt import Learnt, Reworded
from tasks.models.limits import rest_s
from tasks.models.refusals import Refusals
from tasks.models.window import Window
from tasks.models.wire import BadAnswer, ErrorInAnswer, chat_body, completion_of, merged, raw_body

LONGEST_ANSWER = 64 * 1024 * 1024  # bytes, after decompression
LONGEST_ERROR = 64 * 1024  # bytes that are read of an error's body
CONNECT_S = 10.0
FIRST_CONTACTS, FIRST_CONTACT_S = 4, 2.0  # tries of a server that has never been there: it is not waited for
KEEP_ALIVE_S = 4.0  # shorter than uvicorn's 5, so that no request meets a connection that is being closed
IN_ONE_PIECE = 1024 * 1024  # bytes of a request above which aiohttp wants a stream
CHARS_A_TOKEN = 4

_windows: weakref.WeakValueDictionary[tuple[str, str, str | None], Window] = weakref.WeakValueDictionary()


def open_endpoint(config: ModelConfig) -> EndpointModel:
    """The model that `model@http(s)://host:port/v1` names. Connects to nothing yet.

    Raises ConfigError for an address that cannot be one, and where the key's environment variable is not set.
    """
    model, url = _address(config.name)
    server = Server(str(url), model, config.api_key_env, _key(config.api_key_env))
    place = (server.url, model, config.api_key_env)
    window = _windows.get(place)
    if window is None:
        window = _windows[place] = Window(config.max_in_flight)
    window.share(config.max_in_flight, config.requests_per_minute, config.tokens_per_minute)
    return EndpointModel(config, server, window)


class EndpointModel:
    """Implements `Model`. Used from one event loop; the window is shared with all models of the same endpoint."""

    def __init__(self, config: ModelConfig, server: Server, window: Window) -> None:
        self.name, self.max_in_flight = server.model, config.max_in_flight
        self.identity = _identity(config, server)
        self.window = window
        self.patience = partial(Patience, tries=config.max_tries, whole_s=config.patience_s)
        self._config, self._server = config, server
        place = f"{server.model}@{server.url}"
        self._learnt, self._refusals = Learnt(place, bos_unasked=config.bos == "server"), Refusals(place)
        self._chat, self._raw = URL(f"{server.url}/chat/completions"), URL(f"{server.url}/completions")
        self._embeddings, self._dimensions = URL(f"{server.url}/embeddings"), 0
        self._gathering = Gathering(config.embeddings_in_one, lambda: window.limit, self._answers)
        self._deadlines = Deadlines(config.timeout_s)
        self._session: aiohttp.ClientSession | None = None
        self._format, self._deriving = KNOWN, cast("asyncio.Future[AnswerFormat] | None", None)
        self._extra: dict[str, Any] = orjson.loads(config.extra_body or "{}")

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
        if self._config.tokenizer is None:
            what = "this technique needs the chat template, which the server keeps to itself"
            raise ConfigError(what, self.name, "name the model's tokenizer, a Hub name or a folder: tokenizer")
        from tasks.models.checkpoint import Checkpoint, find_checkpoint, load_tokenizer

        folder = Path(self._config.tokenizer).expanduser()
        checkpoint = Checkpoint(str(folder), None, "") if folder.is_dir() else find_checkpoint(self._config.tokenizer)
        template: ChatTemplate = load_tokenizer(checkpoint)
        return template

    async def complete(self, request: Request) -> Completion:
        """Answer one request, however often it takes.

        Raises RequestRefused when the server refuses it for good or the tries are used up, PermanentError when the
        endpoint cannot be used as configured or has refused everybody for `patience_s`.
        """
        if request.embed is not None:
            return await self._gathering.ask(request)
        if request.messages is not None and self._config.tokenizer is not None and self._format is KNOWN:
            await self._learn_the_format()
        return (await self._answers((request,)))[0]

    async def _learn_the_format(self) -> None:
        """Have the format of the answers read from the named tokenizer, once, outside of the event loop."""
        if self._deriving is None:
            self._deriving = asyncio.ensure_future(asyncio.to_thread(lambda: derive(self.template)))
        self._format = await asyncio.shield(self._deriving)

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
        self._deadlines.close()
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _asked(self, requests: Sequence[Request]) -> tuple[URL, bytes]:
        request = requests[0]
        if request.embed is not None:
            return self._embeddings, embeddings_body(self.name, texts_of(requests))
        if request.messages is not None:
            extra = self._thinking(request.sampling.thinking)
            return self._chat, chat_body(self.name, request, self._learnt, self._stop_ids(request), extra)
        ids = self._stop_ids(request)
        return self._raw, raw_body(self.name, request, self._learnt, ids, self._extra, bos=self._bos)

    def _thinking(self, thinking: Thinking) -> dict[str, Any]:
        """What a chat request says beside the protocol: whether to think, and the user's own fields."""
        known = self._config.tokenizer is not None and thinking != "model"
        variables = variables_of(self.template, thinking) if known else None
        return merged(served_as(thinking, self._learnt.thinks_by, variables), self._extra)

    def _stop_ids(self, request: Request) -> Sequence[int]:
        """The tokens of stop texts, for a server that does not take all texts; only where the tokenizer is known."""
        learnt, stop = self._learnt, request.sampling.stop
        if (
            learnt.stops is None
            or len(stop) <= learnt.stops
            or not learnt.takes_stop_ids
            or self._config.tokenizer is None
        ):
            return ()
        tokenizer: Any = self.template
        vocabulary: dict[str, int] = tokenizer.get_added_vocab()
        return [vocabulary[text] for text in stop if text in vocabulary]

    @property
    def _bos(self) -> str | None:
        """The text that the server puts before a raw prompt by itself; None: it is told not to."""
        if not self._learnt.bos_unasked:
            return None
        return "" if self._config.tokenizer is None else getattr(self.template, "bos_token", None) or ""

    def _read(self, requests: Sequence[Request], content: bytes) -> list[Completion]:
        if requests[0].embed is None:
            return [completion_of(content, requests[0], self.name, self._format)]
        completions = embeddings_of(content, texts_of(requests), self._dimensions)
        self._dimensions = len(completions[0].embedding or b"") // 4
        return completions

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
        url, body = self._asked(requests)
        status, headers, content = await self._post(url, body)
        if status != 200:
            raise self._judged(status, headers, content, body)
        try:
            completions = self._read(requests, content)
        except BadAnswer as error:
            raise self._no_completion(error, content) from None
        except ErrorInAnswer as error:
            raise self._judged(error.status, headers, content, body) from None
        self._refusals.answer()
        if wait_s := rest_s(headers):
            self.window.rest(wait_s)
        return completions

    def _judged(self, status: int, headers: Any, content: bytes, sent: bytes) -> Exception:
        """What an error means. Raises Reworded or Reshaped where the request can be said in another way."""
        error = self._server.judge(status, headers, content, answered=self.window.answered)
        self._learnt.learn_of_the_schema(error, sent)
        if isinstance(error, RequestRefused):
            self._learnt.learn(error, raw_text(content), sent)
        return error

    def _no_completion(self, error: BadAnswer, content: bytes) -> Exception:
        """What an answer means that cannot be read. A server of which nothing else was seen is none."""
        if not self._refusals.answered and content.lstrip()[:1] == b"<":
            fix = "check that the URL ends where /chat/completions or /embeddings begins, mostly in /v1"
            said = self._server.scrub(message_of(content))
            return PermanentError("there is a web page at this URL", f"{self._server.url}: {said}", fix)
        return Fault("bad_answer", f"the answer is no completion ({self._server.scrub(str(error))})")

    async def _post(self, url: URL, body: bytes) -> tuple[int, Any, bytes]:
        """Status, headers and body. Raises Busy without a connection, Fault where the exchange breaks off."""
        session = self._session or self._open_session()
        data = body if len(body) < IN_ONE_PIECE else io.BytesIO(body)
        task = self._deadlines.begin()
        try:
            async with session.post(url, data=data, allow_redirects=False) as response:
                if response.status == 200:
                    return 200, response.headers, await _body_of(response, LONGEST_ANSWER)
                return response.status, response.headers, await _body_of(response, LONGEST_ERROR)
        except (aiohttp.ClientConnectorCertificateError, aiohttp.ClientConnectorSSLError) as error:
            what = "the connection cannot be made secure"
            said = f"{self._server.url}: {self._said(error)}"
            raise PermanentError(what, said, "check the URL and its certificate") from error
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise Busy(f"no connection ({self._said(getattr(error, 'os_error', error))})", connected=False) from error
        except asyncio.CancelledError as error:
            if not self._deadlines.passed(task):
                raise
            raise Fault("timeout", f"no answer in {self._config.timeout_s:g} s") from error
        except (aiohttp.ClientResponseError, aiohttp.ContentTypeError) as error:
            raise Fault("bad_answer", f"not HTTP ({self._said(error)})") from error
        except (aiohttp.ClientError, OSError) as error:
            raise Fault("transport", f"the connection broke ({self._said(error)})") from error
        finally:
            self._deadlines.end(task)

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

    def _open_session(self) -> aiohttp.ClientSession:
        headers = {"Content-Type": "application/json", "User-Agent": "stillroom"}
        if self._server.key is not None:
            headers["Authorization"] = f"Bearer {self._server.key}"
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self.max_in_flight, keepalive_timeout=KEEP_ALIVE_S, ttl_dns_cache=60),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=headers,
        )
        return self._session

    def _said(self, error: BaseException) -> str:
        return self._server.scrub(str(error)) or type(error).__name__


def _tokens(request: Request) -> float:
    """About how many tokens a request may cost."""
    if request.embed is not None:
        return len(request.embed) / CHARS_A_TOKEN
    texts = [request.prompt or ""] if request.messages is None else [m["content"] for m in request.messages]
    return sum(map(len, texts)) / CHARS_A_TOKEN + request.sampling.most_tokens


async def _body_of(response: aiohttp.ClientResponse, most: int) -> bytes:
    """A body of at most so many bytes; of an error's the start. Raises RequestRefused for a longer answer."""
    content = response.content
    read = await content.readany()
    if content.at_eof():
        return read
    pieces, size = [read], len(read)
    while not content.at_eof():
        pieces.append(piece := await content.readany())
        size += len(piece)
        if size > most:
            response.close()
            if response.status == 200:
                raise RequestRefused("bad_answer", f"the answer is longer than {most // 2**20} MB")
            break
    return b"".join(pieces)[:most]


def _address(name: str) -> tuple[str, URL]:
    """Model and base URL of `model@http://host:port/v1`. Never shows a password that somebody has put in."""
    found = re.fullmatch(r"(.+)@(https?://\S+)", name)
    fix = "write model@http://host:port/v1"
    if found is None:
        raise ConfigError("not the name of an endpoint", name, fix)
    try:
        url = URL(found[2])
    except ValueError as error:
        raise ConfigError("the endpoint's URL cannot be read", found[1], fix) from error
    if url.user or url.password or url.query_string or url.fragment:
        raise ConfigError("an endpoint's URL holds no password, key or query", f"{found[1]}@{url.origin()}",
                          "keys come from the environment variable that api_key_env names")  # fmt: skip
    if not url.host:
        raise ConfigError("the endpoint's URL has no host", name, fix)
    path = url.path.rstrip("/").removesuffix("/chat/completions").removesuffix("/completions")
    return found[1], url.with_path(path)


def _key(variable: str | None) -> str | None:
    if variable is None:
        return None
    key = os.environ.get(variable, "").strip()
    if not key:
        what = "the environment variable for the endpoint's key is not set"
        shown = variable if variable.isupper() else None  # who has written the key itself there sees no more of it
        raise ConfigError(what, shown, f"export {shown or 'NAME'}=..., and name it in api_key_env")
    if not (key.isascii() and key.isprintable()):
        raise ConfigError("the endpoint's key has characters that no key has", variable, "copy it again")
    return key


def _identity(config: ModelConfig, server: Server) -> str:
    """What shapes the answers (law 3): the model's name, where it is (or a name that survives a move), its revision."""
    parts = [server.model, config.identity or server.url, config.revision, config.bos]
    if config.extra_body is not None:
        parts.append(config.extra_body)
    return hashlib.blake2b(orjson.dumps(parts), digest_size=16).hexdigest()
