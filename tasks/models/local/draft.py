"""A completion while it is being written: from a request to token ids, and from token ids to text.

Knows the tokenizer and no model; needs no torch.

    codec = Codec(tokenizer, context=2048)
    draft = codec.begin(request)
    completion = codec.extend(draft, token_id)     # None while the text goes on
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from typing import Any

from jinja2 import TemplateError

from tasks.errors import RequestRefused
from tasks.models.answers.derive import derive
from tasks.models.answers.format import AnswerFormat
from tasks.models.answers.rendering import CLOCK, frozen_clock
from tasks.models.answers.thinking import variables_of
from tasks.models.base import Completion, FinishReason, Message, Request, Sampling, Thinking, TokenLogprobs
from tasks.models.control_tokens import REASONING_TAGS, ControlTokens

NAMED_TOKENS = ("eos_token", "bos_token", "pad_token", "unk_token", "sep_token", "cls_token")  # no text, anywhere
MARK_TOKENS = 32  # at most, that a mark takes, each byte a token
BROKEN = "\ufffd"  # how a decoder shows a character whose bytes are not all there


@dataclass(slots=True, eq=False)
class Draft:
    """One completion under way: the prompt's token ids, and those written so far, `limit` of them at most.

    `room`: tokens that the context has left for them. `thinks`: the reasoning goes on, and has a limit of its own.

    `asked`: the text of a chat's prompt, None where raw text is continued.
    """

    request: Request
    prompt: list[int]
    limit: int
    age: tuple[int, int] = (0, 0)
    asked: str | None = None
    room: int | None = None
    thinks: bool = False
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
    """Token ids of one tokenizer. `context` is the number of tokens that the model can attend to, None without end.

    `today`: the date that a chat template is told.
    """

    def __init__(
        self,
        tokenizer: Any,
        context: int | None = None,
        ends: frozenset[int] = frozenset(),
        today: date | None = None,
    ) -> None:
        self._tokenizer, self._context, self._today = tokenizer, context, today or CLOCK
        self._format = derive(tokenizer)
        self._ends = turn_tokens(tokenizer, self._format, ends)
        self._switches: dict[Thinking, dict[str, Any]] = {}
        self._raw_ends = TurnTokens(ends | special_tokens(tokenizer))
        self._control = ControlTokens(tokenizer)

    def begin(self, request: Request, age: tuple[int, int] = (0, 0)) -> Draft:
        """The draft of a request. Raises RequestRefused where the model cannot take this prompt."""
        text, prompt = self._prompt(request)
        if not prompt:
            raise RequestRefused("empty_prompt", "the prompt has no tokens")
        if self._context is not None and len(prompt) >= self._context:
            raise RequestRefused("context_too_long", f"{len(prompt)} tokens in a context of {self._context}")
        room = None if self._context is None else self._context - len(prompt)
        sampling, chat = request.sampling, request.messages is not None
        thinks = chat and sampling.thinking == "on"
        limit = sampling.max_reasoning_tokens if thinks else sampling.max_new_tokens
        return Draft(request, prompt, _within(limit, room), age, text if chat else None, room, thinks)

    def extend(self, draft: Draft, token: int, likely: Likely | None = None) -> Completion | None:
        """Write one more token. The completion, if the text ends with it: at an end of turn, a stop text or the limit.

        `completion_tokens` counts all that the model wrote, the token that ended it too; `logprobs` leave out an
        ending token, which is no part of the text.
        """
        if self._is_end(draft, token):
            return self._completion(draft, self._decode(draft.written), "stop", len(draft.written) + 1)
        draft.written.append(token)
        if likely is not None:
            draft.logprobs.append(self._logprobs(token, likely))
        if draft.sampling.stop and (text := self._stopped(draft)) is not None:
            return self._completion(draft, text, "stop", len(draft.written))
        if draft.thinks and self._answers(draft):
            draft.thinks = False
            draft.limit = _within(len(draft.written) + draft.sampling.max_new_tokens, draft.room)
        if len(draft.written) >= draft.limit:
            return self._completion(draft, self._decode(draft.written), "length", len(draft.written))
        return None

    def _is_end(self, draft: Draft, token: int) -> bool:
        """Whether a token ends the turn. One that may also stand inside does so once the answer has begun."""
        if draft.asked is None:
            return token in self._raw_ends.sure
        if token not in self._ends.after_answer:
            return token in self._ends.sure
        return self._format.parse(self._decode(draft.written), draft.asked).begun

    def _answers(self, draft: Draft) -> bool:
        """Whether the answer has begun. Once the reasoning is long, only the end of its block is looked for."""
        tail = self._decode(draft.written[-MARK_TOKENS:])
        if len(draft.written) > MARK_TOKENS and not any(block.closing in tail for block in self._format.blocks):
            return False
        text = tail if len(draft.written) <= MARK_TOKENS else self._decode(draft.written)
        said = text.lstrip()
        opening = not said or any(block.opening.startswith(said) for block in self._format.blocks)
        return not opening and self._format.parse(text, draft.asked).begun

    def _variables(self, thinking: Thinking) -> dict[str, Any]:
        if thinking not in self._switches:
            self._switches[thinking] = variables_of(self._tokenizer, thinking)
        return self._switches[thinking]

    def _prompt(self, request: Request) -> tuple[str, list[int]]:
        """The prompt as text and as token ids. Only raw text may hold control tokens besides the template's."""
        if request.messages is None:
            text = request.prompt or ""
        else:
            said = [_with_arguments(message) for message in request.messages], json.loads(request.tools or "[]")
            if self._control.spelled_in(said):
                text = self._rendered(*self._control.hidden(said), request.sampling.thinking) + (request.prefill or "")
                return self._control.shown(text), self._control.tokens(text)
            text = self._rendered(*said, request.sampling.thinking) + (request.prefill or "")
        return text, list(self._tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])

    def _rendered(self, messages: Sequence[Mapping[str, Any]], tools: Sequence[Any], thinking: Thinking) -> str:
        options = self._variables(thinking) | frozen_clock(self._tokenizer, self._today, tools=bool(tools))
        if tools:
            options |= {"tools": list(tools)}
        try:
            text: str = self._tokenizer.apply_chat_template(
                list(messages),
                add_generation_prompt=True,
                tokenize=False,
                **options,
            )
        except TemplateError as error:
            raise RequestRefused("chat_template", str(error)) from error
        return text

    def _decode(self, tokens: list[int]) -> str:
        """The text of tokens that the model wrote, with the special ones that stand inside its turn."""
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
        if draft.asked is not None:  # raw text is continued as it is
            parsed = self._format.parse(text, draft.asked)
            text, reasoning = parsed.text, parsed.reasoning
        return Completion(text, reason, len(draft.prompt), tokens, logprobs, reasoning)

    def _logprobs(self, token: int, likely: Likely) -> TokenLogprobs:
        top: dict[str, float] = {}
        for other, logprob in zip(likely.tokens, likely.logprobs, strict=True):
            top.setdefault(self._piece(other), logprob)  # pieces of a character look alike: the likeliest stands
        return TokenLogprobs(self._piece(token), likely.chosen, top)

    def _piece(self, token: int) -> str:
        return str(self._tokenizer.decode([token], clean_up_tokenization_spaces=False))


@dataclass(frozen=True, slots=True)
class TurnTokens:
    """Ids that end a turn: always, or only once the answer has begun, since they stand inside a turn too."""

    sure: frozenset[int]
    after_answer: frozenset[int] = frozenset()


def turn_tokens(tokenizer: Any, answer_format: AnswerFormat, ends: frozenset[int] = frozenset()) -> TurnTokens:
    """What ends an assistant's turn: the checkpoint's `ends`, and what its chat template shows.

    A template that shows nothing leaves every special token, but for those that are known to stand inside a turn.
    """
    if not answer_format.ends:
        return TurnTokens(ends | special_tokens(tokenizer))
    added = {token.content: number for number, token in tokenizer.added_tokens_decoder.items()}
    named = {getattr(tokenizer, name, None) for name in NAMED_TOKENS}
    found = ends | {added[mark] for mark in (*answer_format.ends, *named) if mark in added}
    inside = frozenset(number for mark, number in added.items() if mark in answer_format.inside)
    return TurnTokens(found - inside, found & inside)


def special_tokens(tokenizer: Any) -> frozenset[int]:
    """Every token that is flagged as special, but for those that are known to stand around reasoning."""
    added = tokenizer.added_tokens_decoder.items()
    flagged = {number for number, token in added if token.special} | set(tokenizer.all_special_ids)
    return frozenset(flagged - {number for number, token in added if token.content in REASONING_TAGS})


def _within(limit: int, room: int | None) -> int:
    return limit if room is None else min(limit, room)


def _with_arguments(message: Message) -> dict[str, Any]:
    """A message as chat templates take it: the arguments of a call are an object, where their text is one as JSON."""
    made: dict[str, Any] = dict(message)
    if calls := message.get("tool_calls"):
        made["tool_calls"] = [
            {**call, "function": {**call["function"], "arguments": _object(call["function"]["arguments"])}}
            for call in calls
        ]
    return made


def _object(text: str) -> Any:
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, dict) else text


@lru_cache(maxsize=256)
def _bytes(stops: tuple[str, ...]) -> int:
    return max(len(stop.encode()) for stop in stops)
