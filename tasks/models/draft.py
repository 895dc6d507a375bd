"""A completion while it is being written: from a request to token ids, and from token ids to text.

Knows the tokenizer and no model; needs no torch.

    codec = Codec(tokenizer, context=2048)
    draft = codec.begin(request)
    completion = codec.extend(draft, token_id)     # None while the text goes on
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from jinja2 import TemplateError

from tasks.errors import RequestRefused
from tasks.models.base import Completion, FinishReason, Request, Sampling, TokenLogprobs
from tasks.models.thoughts import is_tag, opened_by, without_thoughts

BROKEN = "\ufffd"  # how a decoder shows a character whose bytes are not all there


@dataclass(slots=True, eq=False)
class Draft:
    """One completion under way: the prompt's token ids, and those written so far, `limit` of them at most.

    `opened`: the tag of a block of thoughts that the chat template has begun.
    """

    request: Request
    prompt: list[int]
    limit: int
    age: tuple[int, int] = (0, 0)
    opened: str = ""
    written: list[int] = field(default_factory=list)
    logprobs: list[TokenLogprobs] = field(default_factory=list)

    @property
    def sampling(self) -> Sampling:
        """The request's."""
        return self.request.sampling

    @property
    def seed(self) -> int:
        """The request's."""
        return self.request.seed

    @property
    def tokens(self) -> list[int]:
        """The prompt and what has been written."""
        return self.prompt + self.written

    @property
    def last(self) -> int:
        """The token that the model reads next."""
        return self.written[-1] if self.written else self.prompt[-1]

    @property
    def position(self) -> int:
        """Where that token stands; everything before it is in the cache."""
        return len(self.prompt) + len(self.written) - 1


@dataclass(frozen=True, slots=True)
class Likely:
    """Raw log-probabilities at one position: of the chosen token, and of the likeliest ids, best first."""

    chosen: float
    tokens: list[int]
    logprobs: list[float]


class Codec:
    """Token ids of one tokenizer. `context` is the number of tokens that the model can attend to, None without end."""

    def __init__(self, tokenizer: Any, context: int | None = None, ends: frozenset[int] = frozenset()) -> None:
        self._tokenizer, self._context = tokenizer, context
        self.ends = ends | turn_tokens(tokenizer)

    def begin(self, request: Request, age: tuple[int, int] = (0, 0)) -> Draft:
        """The draft of a request. Raises RequestRefused where the model cannot take this prompt."""
        text = self._text(request)
        prompt = list(self._tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])
        if not prompt:
            raise RequestRefused("empty_prompt", "the prompt has no tokens")
        room = request.sampling.max_new_tokens
        if self._context is not None:
            if len(prompt) >= self._context:
                raise RequestRefused("context_too_long", f"{len(prompt)} tokens in a context of {self._context}")
            room = min(room, self._context - len(prompt))
        return Draft(request, prompt, room, age, "" if request.messages is None else opened_by(text))

    def extend(self, draft: Draft, token: int, likely: Likely | None = None) -> Completion | None:
        """Write one more token. The completion, if the text ends with it: at a special token, a stop text or the limit.

        `completion_tokens` counts all that the model wrote, the token that ended it too; `logprobs` leave out an
        ending special token, which is no part of the text.
        """
        if token in self.ends:
            return self._completion(draft, self._decode(draft.written), "stop", len(draft.written) + 1)
        draft.written.append(token)
        if likely is not None:
            draft.logprobs.append(self._logprobs(token, likely))
        if draft.sampling.stop and (text := self._stopped(draft)) is not None:
            return self._completion(draft, text, "stop", len(draft.written))
        if len(draft.written) >= draft.limit:
            return self._completion(draft, self._decode(draft.written), "length", len(draft.written))
        return None

    def _text(self, request: Request) -> str:
        if request.messages is None:
            return request.prompt or ""
        try:
            text: str = self._tokenizer.apply_chat_template(
                list(request.messages), add_generation_prompt=True, tokenize=False
            )
        except TemplateError as error:
            raise RequestRefused("chat_template", str(error)) from error
        return text

    def _decode(self, tokens: list[int]) -> str:
        """The text of tokens that the model wrote; none of them ends a turn."""
        return str(self._tokenizer.decode(tokens, skip_special_tokens=False, clean_up_tokenization_spaces=False))

    def _stopped(self, draft: Draft) -> str | None:
        """The text before the first stop text, once there is one.

        A stop text of n bytes ends in the newest token and spans n tokens at most, so only a tail is decoded, one
        token longer because decoders treat the first one specially. Where the tail cuts a character, all is.
        """
        stops = draft.sampling.stop
        tail = self._decode(draft.written[-(_bytes(stops) + 1) :])
        if BROKEN not in tail and not any(stop in tail for stop in stops):
            return None
        text = self._decode(draft.written)
        found = [at for stop in stops if (at := text.find(stop)) >= 0]
        return text[: min(found)] if found else None

    def _completion(self, draft: Draft, text: str, reason: FinishReason, tokens: int) -> Completion:
        logprobs = tuple(draft.logprobs) if draft.sampling.logprobs else None
        reasoning = None
        if draft.request.messages is not None:  # raw text is continued as it is
            text, reasoning = without_thoughts(draft.opened + text)
        return Completion(text, reason, len(draft.prompt), tokens, logprobs, reasoning)

    def _logprobs(self, token: int, likely: Likely) -> TokenLogprobs:
        top: dict[str, float] = {}
        for other, logprob in zip(likely.tokens, likely.logprobs, strict=True):
            top.setdefault(self._piece(other), logprob)  # pieces of a character look alike: the likeliest stands
        return TokenLogprobs(self._piece(token), likely.chosen, top)

    def _piece(self, token: int) -> str:
        return str(self._tokenizer.decode([token], clean_up_tokenization_spaces=False))


def turn_tokens(tokenizer: Any) -> frozenset[int]:
    """Every token that ends a turn: a model that writes a special token has nothing more to say, unless it only thinks."""
    added = tokenizer.added_tokens_decoder.items()
    flagged = {number for number, token in added if token.special} | set(tokenizer.all_special_ids)
    return frozenset(flagged - {number for number, token in added if is_tag(token.content)})


@lru_cache(maxsize=256)
def _bytes(stops: tuple[str, ...]) -> int:
    return max(len(stop.encode()) for stop in stops)
