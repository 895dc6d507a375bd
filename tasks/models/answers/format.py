"""How one model writes: where its reasoning and its answer begin and end, and what ends its turn.

    answer_format = derive(tokenizer)
    answer_format.parse("<think>\\n2 + 2\\n</think>\\n\\nfour").text        # "four"

A turn is any number of blocks of reasoning, then the answer. White space around marks means nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tasks.models.base import Request

ParseResponse = Callable[[str, str], Mapping[str, Any]]
REASONING_FIELDS = ("reasoning_content", "reasoning", "thinking", "thinking_content")
CONTROL_TOKEN = re.compile(r"<\|?[^<>\s]{1,40}\|>|<\|[^<>\s]{1,40}>")  # <|channel|>  <channel|>  <|channel>


@dataclass(frozen=True, slots=True)
class Block:
    """Marks around reasoning.

    `bare`: a prompt may have opened it, so that only the end is in what the model writes. `sure`: what opens it
    means reasoning even where no end follows.
    """

    opening: str
    closing: str
    bare: bool = True
    sure: bool = True


@dataclass(frozen=True, slots=True)
class Parsed:
    """Answer and reasoning apart. `begun`: some of the answer is there, be it empty."""

    text: str
    reasoning: str | None = None
    begun: bool = True


@dataclass(frozen=True, slots=True)
class AnswerFormat:
    """The marks of one model, or of all known ones.

    `restarts` may stand between a block and what follows it, `openings` before the answer, and `closings` end it. `tags`
    stand around an answer where the prompt asks for them, since people write them too.
    `ends`: the tokens that end the turn, the surest first. `inside`: tokens that belong inside a turn. One that is in
    both ends the turn only after the answer has begun. `prompt`: what the chat template writes before the model's
    first token. `source`: where the blocks are known from. `own`: the checkpoint's own parser of (text, prompt).
    """

    blocks: tuple[Block, ...]
    openings: tuple[str, ...] = ()
    closings: tuple[str, ...] = ()
    tags: tuple[tuple[str, str], ...] = ()
    restarts: tuple[str, ...] = ()
    ends: tuple[str, ...] = ()
    inside: frozenset[str] = frozenset()
    prompt: str = ""
    source: str = "table"
    own: ParseResponse | None = None
    _marks: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        around = [mark for block in self.blocks for mark in (block.opening, block.closing)]
        around += [tag for pair in self.tags for tag in pair]
        marks = filter(None, {*around, *self.openings, *self.closings, *self.restarts})
        object.__setattr__(self, "_marks", re.compile("|".join(map(re.escape, sorted(marks))) or r"(?!)"))

    def parse(self, text: str, prompt: str | None = None) -> Parsed:
        """Answer and reasoning of what a model wrote after `prompt`, None where that is not known.

        An answer without any mark comes back as it is.
        """
        if self.own is not None and prompt is not None and (parsed := _own(self.own, text, prompt)) is not None:
            return parsed
        reasoning: list[str] = []
        rest, block = text, self._opened_by(prompt)
        if block is None:
            rest, block = self._opened(text)
        if block is None:
            block = self._closed_alone(text)
        while block is not None:
            thought, closed, after = rest.partition(block.closing)
            reasoning.append(thought.strip().removeprefix(block.opening).strip())
            if not closed:
                return Parsed("", _joined(reasoning), begun=False)
            rest, block = self._opened(_without_first(after.lstrip(), self.restarts).lstrip())
        answer, marked = self._answer(rest if reasoning else text, prompt or "")
        return Parsed(answer, _joined(reasoning), marked or _has_begun(answer))

    def parse_served(self, text: str, request: Request | None = None, *, reasoned: bool = False) -> Parsed:
        """As `parse`, for what a server sent for `request`: it may have taken the reasoning out of the text, or left it in.

        `reasoned`: it has sent reasoning beside the text.
        """
        if not self._marks.search(text):  # most answers: nothing is to be told apart
            return Parsed(text, begun=_has_begun(text))
        marked = any(block.closing in text or text.lstrip().startswith(block.opening) for block in self.blocks)
        parsed = self.parse(text, self.prompt if self.own is not None and marked else None)
        return self._without_tags(parsed, request, reasoned=reasoned or parsed.reasoning is not None)

    def _without_tags(self, parsed: Parsed, request: Request | None, *, reasoned: bool) -> Parsed:
        """The answer without the tags that a template on the server has asked for: with reasoning, as it was told to think.

        The template is not known here, so tags that the messages themselves speak of stay.
        """
        said = parsed.text.strip()
        if request is None or not (reasoned or request.sampling.thinking == "on"):
            return parsed
        for opening, closing in self.tags:
            around = said.startswith(opening) and said.endswith(closing)
            if around and not any(opening in message["content"] for message in request.messages or ()):
                return replace(parsed, text=said[len(opening) : -len(closing)].strip())
        return parsed

    def _opened_by(self, prompt: str | None) -> Block | None:
        """The block that the prompt's end has opened."""
        end = prompt[-200:].rstrip() if prompt else ""
        return next((b for b in self.blocks if (b.sure or b.bare) and end.endswith(b.opening)), None)

    def _opened(self, text: str) -> tuple[str, Block | None]:
        """The text after the mark of a block that it begins with, and that block; the text itself without one."""
        start = text.lstrip()
        for block in self.blocks:
            if start.startswith(block.opening) and (block.sure or block.closing in start):
                return start[len(block.opening) :], block
        return text, None

    def _closed_alone(self, text: str) -> Block | None:
        """The block whose end comes without a beginning."""
        for block in self.blocks:
            before, closed, _ = text.partition(block.closing)
            if block.bare and closed and block.opening not in before:
                return block
        return None

    def _answer(self, text: str, prompt: str) -> tuple[str, bool]:
        """The answer without the marks around it, and whether there was one before it."""
        asked_for = [pair for pair in self.tags if "".join(pair) in prompt]
        start = _without_first(text.lstrip(), self.restarts)
        opened = _without_first(start, (*self.openings, *(opening for opening, _ in asked_for)))
        marked = opened is not start
        answer = opened.lstrip() if marked else text
        closings = (*self.closings, *(closing for _, closing in asked_for))
        ends = [at for mark in closings if (at := answer.find(mark)) >= 0]
        return answer[: min(ends, default=None)], marked


def _has_begun(answer: str) -> bool:
    """Whether there is text, and no mark of another model's format before it."""
    start = answer.lstrip()
    return bool(start) and not CONTROL_TOKEN.match(start)


def _own(parse_response: ParseResponse, text: str, prompt: str) -> Parsed | None:
    """What the checkpoint's own parser makes of a text; None where it finds tool calls, or nothing that fits."""
    try:
        message = parse_response(text, prompt)
    except (ValueError, LookupError):  # as it says that a text does not fit
        return None
    if message.get("tool_calls"):
        return None
    reasoning = next((str(message[field]) for field in REASONING_FIELDS if message.get(field)), "")
    content = message.get("content")
    return Parsed(str(content or ""), reasoning.strip() or None, bool(content))


def _without_first(text: str, marks: Sequence[str]) -> str:
    """The text after the mark that it begins with; the same object without one."""
    mark = max((mark for mark in marks if text.startswith(mark)), key=len, default="")
    return text[len(mark) :] if mark else text


def _joined(reasoning: Sequence[str]) -> str | None:
    return "\n\n".join(filter(None, reasoning)) or None
