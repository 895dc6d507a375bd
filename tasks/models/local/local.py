"""A model that runs here, on transformers: one worker thread that writes for all callers at once.

Whatever is being asked is written in one batch, techniques mixed: a draft is answered when its own text ends, and its
place goes to the oldest request that waits. Weights are loaded at the first request, in the worker.

    model = load_local(ModelConfig(name="HuggingFaceTB/SmolLM2-135M-Instruct"))
    completion = await model.complete(Request(Sampling(max_new_tokens=64), seed=1, prompt="Once upon a time"))
"""

from __future__ import annotations

import asyncio
import itertools
import weakref
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Any

from tasks.errors import PermanentError, RequestRefused
from tasks.models.base import ChatTemplate, Completion, Request
from tasks.models.config import ModelConfig
from tasks.models.local.checkpoint import Checkpoint, find_checkpoint, load_tokenizer, load_weights, out_of_memory
from tasks.models.local.cores import choose_cores
from tasks.models.local.draft import Codec, Draft
from tasks.models.local.encoder import local_embedder
from tasks.models.local.queue import Queue, Queued, may_begin
from tasks.models.local.reward import score_all

if TYPE_CHECKING:
    from tasks.models.local.batch import Batch

PATIENCE = 4  # steps that a few requests may wait for more, so that prompts are read several at a time


def load_local(config: ModelConfig, *, name: str | None = None) -> LocalModel:
    """The local model that `config.name` (a folder or a Hub name) stands for, called `name`. Loads no weights yet.

    Raises ConfigError for a folder or name that no model can be loaded from.
    """
    return LocalModel(config, find_checkpoint(config.name, config.revision), name or config.name)


class LocalModel:
    """Implements `Model`. Can be asked from any event loop of the process."""

    def __init__(self, config: ModelConfig, checkpoint: Checkpoint, name: str) -> None:
        self.name, self.max_in_flight = name, config.max_in_flight
        self.identity = checkpoint.identity if config.today is None else f"{checkpoint.identity} on {config.today}"
        self.left_out: frozenset[str] = frozenset()
        self._arrivals = itertools.count()
        self._embedder = local_embedder(config, checkpoint, name)
        self._tokenizer = LazyTokenizer(checkpoint)
        self._queue = Queue(name, partial(run_worker, config, self._tokenizer))
        self._scoring = Queue(name, partial(score_all, config, self._tokenizer.load, checkpoint))
        self._end = weakref.finalize(
            self, _close, self._queue, self._scoring
        )  # at exit too: a thread cut off inside torch aborts

    @property
    def template(self) -> ChatTemplate:
        """The tokenizer, for its chat template. Raises PermanentError where there is none."""
        template: ChatTemplate = self._tokenizer.load()
        return template

    async def complete(self, request: Request) -> Completion:
        """Answer one request. Raises RequestRefused for this row, PermanentError where the model cannot be run."""
        if request.embed is not None:
            return await self._embedder.complete(request)
        if request.schema is not None:
            raise _not_here(self.name)
        future = asyncio.get_running_loop().create_future()
        asked = Queued((request.order, next(self._arrivals)), request, future)
        (self._scoring if request.scored_by else self._queue).put(asked)
        try:
            return await asked.future
        finally:
            asked.abandoned = True  # a caller that was cancelled leaves its place to others

    async def close(self) -> None:
        """End the worker and give its memory back; whoever still waits is told so."""
        await self._embedder.close()
        await asyncio.to_thread(self._end)


def _close(*queues: Queue) -> None:
    for queue in queues:
        queue.close()


def _not_here(name: str) -> PermanentError:
    fix = "`structured: parse` has its answers checked instead, and asked for again where they do not fit; `verdicts: prefill` begins a judge's answers"
    return PermanentError("a local model cannot be held to a JSON schema", name, fix)


class LazyTokenizer:
    """The tokenizer, loaded once, by whichever thread needs it first."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.checkpoint = checkpoint
        self._lock = Lock()
        self._loaded: Any = None

    def load(self) -> Any:
        """The tokenizer. Raises PermanentError where it cannot be loaded or has no chat template."""
        with self._lock:
            if self._loaded is None:
                self._loaded = load_tokenizer(self.checkpoint)
            return self._loaded


def run_worker(config: ModelConfig, tokenizer: LazyTokenizer, queue: Queue) -> None:
    """The thread: load the model and write for everyone in the queue, until it is closed.

    Whatever goes wrong reaches everyone who waits, and ends this thread; the next request starts another.
    """
    Worker(config, tokenizer, queue).run()


class Worker:
    """What a thread holds while it serves a queue."""

    def __init__(self, config: ModelConfig, tokenizer: LazyTokenizer, queue: Queue) -> None:
        self._config, self._tokenizer, self._queue = config, tokenizer, queue
        self._writing: dict[Draft, Queued] = {}
        self._entering: list[Queued] = []  # taken from the queue, and not in the batch yet
        self._held = 0  # steps since there were both a free place and a request

    def run(self) -> None:
        """Serve until the end, and tell whoever is left why it came."""
        outcome: BaseException = self._queue.closed_error()
        try:
            codec, batch = self._load()
            while self._queue.open(idle=not self._writing):
                self._turn(codec, batch)
        except BaseException as error:  # noqa: BLE001  # nobody is above this thread: the callers must hear of it
            outcome = error
        for asked in (*self._entering, *self._writing.values(), *self._queue.leave()):
            asked.answer(outcome)

    def _load(self) -> tuple[Codec, Batch]:
        from tasks.models.local.batch import Batch
        from tasks.models.local.packed import pack_weights

        tokenizer = self._tokenizer.load()
        model = load_weights(self._tokenizer.checkpoint, self._config.device, self._config.dtype)
        choose_cores(model)
        batch = Batch(model, self._config.max_in_flight)
        pack_weights(model, self._config.max_in_flight)
        batch.check()
        context = getattr(model.config.get_text_config(), "max_position_embeddings", None)
        ends = model.generation_config.eos_token_id
        turn_ends = frozenset([ends] if isinstance(ends, int) else ends or ())
        return Codec(tokenizer, context, turn_ends, self._config.today), batch

    def _turn(self, codec: Codec, batch: Batch) -> None:
        """Let those who left go, let others in, write one token each, answer those whose text has ended."""
        self._leave(batch, [draft for draft, asked in self._writing.items() if asked.abandoned])
        try:
            self._admit(codec, batch)
            self._write(codec, batch)
            return
        except RuntimeError as error:
            if not out_of_memory(error):
                raise
        self._make_do(batch)  # outside of the handler, whose traceback holds tensors

    def _admit(self, codec: Codec, batch: Batch) -> None:
        self._entering = self._queue.take(self._places(batch))
        joining: list[Draft] = []
        for number, asked in enumerate(self._entering):
            asked.draft = asked.draft or _begin(codec, asked)
            if asked.draft is None:
                continue
            if not batch.has_room(joining, asked.draft):
                self._queue.put_back(self._entering[number:])
                break
            if not may_begin(asked):
                continue
            joining.append(asked.draft)
            self._writing[asked.draft] = asked
        if joining:
            batch.admit(joining)
        self._entering = []

    def _places(self, batch: Batch) -> int:
        """How many requests to let in now. Few wait a few steps for more: each admission costs a forward pass."""
        free = batch.max_drafts - len(self._writing)
        ready = min(free, len(self._queue))
        self._held = self._held + 1 if ready > 0 else 0
        if self._writing and ready < max(1, batch.max_drafts // 8) and self._held <= PATIENCE:
            return 0
        self._held = 0
        return free

    def _write(self, codec: Codec, batch: Batch) -> None:
        self._queue.put_back(self._writing.pop(draft) for draft in batch.shed())
        if not batch.drafts:
            return
        tokens, likely = batch.step()
        ended: list[Draft] = []
        for index, (draft, token) in enumerate(zip(batch.drafts, tokens, strict=True)):
            completion = codec.extend(draft, token, likely.get(index))
            if completion is not None:
                self._writing[draft].answer(completion)
                ended.append(draft)
        self._leave(batch, ended)

    def _leave(self, batch: Batch, drafts: list[Draft]) -> None:
        for draft in drafts:
            del self._writing[draft]
        if drafts:
            batch.drop(drafts)

    def _make_do(self, batch: Batch) -> None:
        """After an out-of-memory error: half the batch, and everyone goes on where they were. One alone is refused."""
        everyone, self._writing = list(self._writing.values()), {}
        batch.halve(len(everyone))
        if len(everyone) > 1:
            self._queue.put_back(everyone)
            return
        for asked in everyone:
            tokens = len(asked.draft.tokens) if asked.draft else 0
            asked.answer(RequestRefused("out_of_memory", f"{tokens} tokens do not fit, alone in the batch"))


def _begin(codec: Codec, asked: Queued) -> Draft | None:
    """The draft of a request; what stands against it goes to its caller alone."""
    try:
        return codec.begin(asked.request, asked.age)
    except Exception as error:  # noqa: BLE001  # it is raised again where the caller waits
        asked.answer(error)
        return None
