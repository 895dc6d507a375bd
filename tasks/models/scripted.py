"""A model that answers by rule and remembers what it was asked: the whole test suite runs on it.

ScriptedModel(lambda request: "hello")                    # a rule
ScriptedModel(["first", "second"])                        # a list, in the order of asking
ScriptedModel(lambda request: [0.6, 0.8])                 # an embedding, where `request.embed` is asked for
ModelConfig(name="scripted:my_rules.py:answer")           # the rule in a file, for the command and the flows
"""

from __future__ import annotations

import hashlib
import inspect
import struct
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from tasks.errors import ConfigError, PermanentError
from tasks.models.base import Completion, Message, Request
from tasks.models.endpoint.window import Window
from tasks.own_code import is_own, load

Answer = str | Completion | Sequence[float]
Rule = Callable[[Request], Answer | Awaitable[Answer]]


class PlainTemplate:
    """The smallest chat template: ChatML without a default system block."""

    eos_token: str | None = "<|im_end|>"

    def apply_chat_template(
        self, conversation: Sequence[Message], *, add_generation_prompt: bool = False, **_options: Any
    ) -> str:
        """Render a conversation as text."""
        text = "".join(f"<|im_start|>{m['role']}\n{m['content']}<|im_end|>\n" for m in conversation)
        return text + ("<|im_start|>assistant\n" if add_generation_prompt else "")


class ScriptedModel:
    """Answers each request by a rule (a function of the request) or from a list; `requests` holds what was asked, if it `remembers`.

    An answer that is a string counts one token a word and stops by itself; one that is a list of numbers is an
    embedding. A rule may be async, and may raise.
    """

    def __init__(
        self,
        answers: Rule | Sequence[Answer],
        *,
        name: str = "scripted",
        identity: str = "",
        max_in_flight: int = 256,
        remembers: bool = True,
    ) -> None:
        self._answers = answers
        self._window = Window(max_in_flight, start=max_in_flight)
        self.name, self.identity, self.max_in_flight = name, identity or name, max_in_flight
        self.requests: list[Request] = []
        self._remembers, self._asked = remembers, 0
        self.template = PlainTemplate()
        self.left_out: frozenset[str] = frozenset()

    async def complete(self, request: Request) -> Completion:
        """Answer by the rule. Raises whatever the rule raises."""
        await self._window.enter(request.order)
        try:
            request.admit()
            position, self._asked = self._asked, self._asked + 1
            if self._remembers:
                self.requests.append(request)
            if callable(self._answers):
                answer = self._answers(request)
                if inspect.isawaitable(answer):
                    answer = await answer
            elif position < len(self._answers):
                answer = self._answers[position]
            else:
                raise PermanentError("the scripted model has no answer left", f"request {position + 1}")
            return answer if isinstance(answer, Completion) else _completion(request, answer)
        finally:
            self._window.leave()

    async def close(self) -> None:
        """Do nothing: no connection is open."""


def _completion(request: Request, answer: str | Sequence[float]) -> Completion:
    said = [m["content"] for m in request.messages or ()]
    asked = " ".join([*said, request.prompt or "", request.embed or ""])
    if isinstance(answer, str):
        return Completion(answer, prompt_tokens=len(asked.split()), completion_tokens=len(answer.split()))
    vector = struct.pack(f"<{len(answer)}f", *answer)
    return Completion("", prompt_tokens=len(asked.split()), embedding=vector)


def load_rule(name: str, max_in_flight: int) -> ScriptedModel:
    """A scripted model from `scripted:FILE.py:FUNCTION`. Its identity is the digest of the file's text."""
    spec = name.removeprefix("scripted:")
    if not is_own(spec):
        raise ConfigError("not a scripted model", name, "write scripted:FILE.py:FUNCTION")
    rule, function = load(spec, "a scripted model's rule"), spec.rpartition(":")[2]
    if not callable(rule):
        raise ConfigError("the scripted model's rule is no function", name, f"define {function}(request)")
    text = Path(spec.rpartition(":")[0]).read_bytes()
    identity = hashlib.blake2b(text + function.encode(), digest_size=16).hexdigest()
    return ScriptedModel(
        rule, name=f"scripted:{function}", identity=identity, max_in_flight=max_in_flight, remembers=False
    )
