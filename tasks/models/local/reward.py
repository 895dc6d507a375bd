"""Scores by a reward model that runs here: a sequence-classification model of transformers with one logit.

The conversation goes through the model's chat template, as its authors score it, and the logit is the score. Conversations
are read in batches of like length, padded at the end. A score is rounded to four digits behind the point: what a batch
changes in a logit (in fp32 the sixth) is not a difference.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tasks.errors import ConfigError, PermanentError, RequestRefused
from tasks.models.answers.rendering import CLOCK, rendered
from tasks.models.base import Completion, Request
from tasks.models.config import ModelConfig
from tasks.models.control_tokens import ControlTokens
from tasks.models.local.checkpoint import Checkpoint, load_weights, out_of_memory
from tasks.models.local.cores import choose_cores
from tasks.models.local.queue import Queue, Queued, may_begin

DIGITS = 4
MOST_TOKENS = 16_384  # of a batch, its padding counted


def score_all(config: ModelConfig, load_tokenizer: Callable[[], Any], checkpoint: Checkpoint, queue: Queue) -> None:
    """The thread: load the model and score for everyone in the queue, until it is closed.

    Whatever goes wrong reaches everyone who waits, and ends this thread; the next request starts another.
    """
    outcome: BaseException = queue.closed_error()
    taken: list[Queued] = []
    try:
        model = load_weights(checkpoint, config.device, config.dtype, scores=True)
        choose_cores(model)
        scorer = Scorer(config, load_tokenizer(), model)
        while queue.open(idle=True):
            taken = [asked for asked in queue.take(config.max_in_flight) if may_begin(asked)]
            scorer.serve(taken)
            taken = []
    except BaseException as error:  # noqa: BLE001  # nobody is above this thread: the callers must hear of it
        outcome = error
    for asked in (*taken, *queue.leave()):
        asked.answer(outcome)


class Scorer:
    """A loaded model with its tokenizer. Raises PermanentError for one that has more than one logit."""

    def __init__(self, config: ModelConfig, tokenizer: Any, model: Any) -> None:
        if model.config.num_labels != 1:
            what = "a reward model has one logit, and this one tells several classes apart"
            raise PermanentError(what, f"{config.name}: {model.config.num_labels}", "name another model")
        self._tokenizer, self._model, self._today = tokenizer, model, config.today or CLOCK
        self._control = ControlTokens(tokenizer)
        self._context = getattr(model.config.get_text_config(), "max_position_embeddings", None)
        self._padding = model.config.get_text_config().pad_token_id

    def serve(self, asked: Sequence[Queued]) -> None:
        """Answer all of them; what stands against one goes to its caller alone."""
        read: list[tuple[list[int], Queued]] = []
        for one in asked:
            try:
                read.append((self.tokens_of(one.request), one))
            except RequestRefused as error:
                one.answer(error)
        for batch in in_batches(sorted(read, key=lambda pair: len(pair[0])), alone=self._padding is None):
            self._answer(batch)

    def tokens_of(self, request: Request) -> list[int]:
        """A conversation as tokens; what spells a control token in it is text. Raises RequestRefused."""
        said: Any = list(request.messages or ())
        spells = self._control.spelled_in(said)
        try:
            text = rendered(
                self._tokenizer,
                self._control.hidden(said) if spells else said,
                add_generation_prompt=False,
                today=self._today,
            )
        except ConfigError as error:
            raise RequestRefused("bad_request", str(error)) from error
        plain = self._tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"] if not spells else []
        tokens = self._control.tokens(text) if spells else list(plain)
        if self._context is not None and len(tokens) > self._context:
            raise RequestRefused("context_too_long", f"{len(tokens)} tokens, at most {self._context}")
        return tokens

    def _answer(self, batch: Sequence[tuple[list[int], Queued]]) -> None:
        try:
            scores = self.scores([tokens for tokens, _ in batch])
        except RuntimeError as error:
            if not out_of_memory(error):
                raise
            scores = None
        if scores is not None:
            for (tokens, one), score in zip(batch, scores, strict=True):
                one.answer(Completion(repr(score), prompt_tokens=len(tokens)))
        elif len(batch) > 1:
            for half in (batch[: len(batch) // 2], batch[len(batch) // 2 :]):
                self._answer(half)
        else:
            told = f"{len(batch[0][0])} tokens do not fit, alone in the batch"
            batch[0][1].answer(RequestRefused("out_of_memory", told))

    def scores(self, several: Sequence[Sequence[int]]) -> list[float]:
        """The logits of conversations, as tokens."""
        import torch

        longest = max(map(len, several))
        padded = [[*tokens, *[self._padding or 0] * (longest - len(tokens))] for tokens in several]
        mask = [[1] * len(tokens) + [0] * (longest - len(tokens)) for tokens in several]
        with torch.inference_mode():
            device = self._model.device
            logits = self._model(
                input_ids=torch.tensor(padded, device=device), attention_mask=torch.tensor(mask, device=device)
            ).logits
        found = [round(float(value), DIGITS) for value in logits[:, 0].float().cpu()]
        if not all(abs(value) < float("inf") for value in found):
            raise PermanentError(
                "the reward model gives a score that is no number", str(found[0]), "try dtype: float32"
            )
        return [value + 0.0 for value in found]  # no -0.0


def in_batches(
    read: Sequence[tuple[list[int], Queued]], *, alone: bool = False
) -> list[list[tuple[list[int], Queued]]]:
    """Conversations, the shortest first, in batches of at most MOST_TOKENS with their padding; `alone`: each by itself."""
    found: list[list[tuple[list[int], Queued]]] = []
    for pair in read:
        if not found or alone or len(pair[0]) * (len(found[-1]) + 1) > MOST_TOKENS:
            found.append([])
        found[-1].append(pair)
    return found
