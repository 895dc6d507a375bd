"""What a model can do and what it has to be told, found out by asking it ten times.

    stillroom doctor --model Qwen/Qwen3-8B@http://127.0.0.1:8000/v1

None of the answers is kept in the ledger. The first question has to be answered; what a model cannot do beyond that is
told with the setting that helps.
"""

# ruff: noqa: T201 - what the command says

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import Literal

from tasks.errors import ConfigError, PermanentError, RequestRefused, Unusable
from tasks.models.base import Completion, Message, Model, Request, Reshaped, Sampling
from tasks.models.config import ModelConfig
from tasks.models.endpoint.learnt import schema_without
from tasks.models.open import open_model
from tasks.text.pre_query import pre_query, stop_strings

ROOM = 1024  # tokens: enough for a model that reasons first
SHOWN = 60  # characters of an answer
STOPS = ("\n\n", "###", "<|a|>", "<|b|>", "<|c|>", "<|d|>", "seven")
LONG = "one two three four five six seven eight nine ten\n" * 600  # 6,000 words: more than Ollama's default context
FIELDS = {"city": {"type": "string"}, "rivers": {"type": "integer"}}
SCHEMA = {"type": "object", "properties": FIELDS, "required": list(FIELDS), "additionalProperties": False}
CAPITAL = "Which city is the capital of France? Answer in one word."
CheckOutcome = Literal["ok", "no", "note"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What came of one question. `advice`: the setting that helps, "" where nothing has to be done."""

    question: str
    verdict: CheckOutcome
    said: str
    advice: str = ""


class Doctor:
    """Asks one model. Each public method is one question."""

    def __init__(self, model: Model, config: ModelConfig) -> None:
        self._model, self._config = model, config
        self._first: Completion | None = None

    async def answers(self) -> Finding:
        """A plain chat answer that ends by itself, with its tokens counted."""
        found = self._first = await self._chat(CAPITAL)
        counted = f"{found.prompt_tokens} + {found.completion_tokens} tokens"
        said = f"{_short(found.text)} ({found.finish_reason}, {counted})"
        if found.finish_reason == "length":
            return Finding("answers", "note", said, f"{ROOM} tokens were not enough: raise model.max_new_tokens")
        if found.reasoning:
            said += f", after {len(found.reasoning)} characters of reasoning"
        if not found.completion_tokens:
            return Finding("answers", "note", said, "it counts no tokens: budgets in tokens and money are estimates")
        return Finding("answers", "ok", said)

    async def repeats(self) -> Finding:
        """Sends the first request a second time, and compares the two texts."""
        found = await self._chat(CAPITAL)
        same = self._first is not None and found.text == self._first.text
        said = "the same request brings the same text" if same else f"another text: {_short(found.text)}"
        return Finding("repeats", "ok" if same else "note", said, "" if same else "the ledger keeps the first one")

    async def samples(self) -> Finding:
        """Two seeds at temperature 1, for a text that has many forms: two requests."""
        question = "Write one surprising sentence about the sea."
        warm = Sampling(temperature=1.0, max_new_tokens=ROOM)
        one, other = await self._chat(question, warm, seed=1), await self._chat(question, warm, seed=2)
        if one.text != other.text:
            return Finding("samples", "ok", "another seed brings another text")
        advice = (
            "transformers serve samples only where generation_config.json says `do_sample: true`, and with "
            "--continuous-batching only if the first request since its start did"
        )
        return Finding("samples", "no", "two seeds bring the same text, so a pool of responses is one", advice)

    async def tells_its_end(self) -> Finding:
        """Four tokens at most: the answer has to say that it was cut."""
        found = await self._chat("Count from one to fifty in words.", Sampling(temperature=0, max_new_tokens=4))
        if found.finish_reason == "length":
            return Finding("tells its end", "ok", "an answer that was cut says so")
        return Finding(
            "tells its end",
            "no",
            f"a cut answer says {found.finish_reason}: {_short(found.text)}",
            "half answers cannot be told from whole ones: use another server",
        )

    async def stops(self) -> Finding:
        """Seven stop texts, which are more than some servers take."""
        sampling = Sampling(temperature=0, max_new_tokens=ROOM, stop=STOPS)
        found = await self._chat("Count from one to ten in words, a word a line.", sampling)
        kept = "seven" not in found.text
        said = "seven stop texts are kept to" if kept else f"it writes on: {_short(found.text)}"
        return Finding("stops", "ok" if kept else "no", said)

    async def takes_a_system_prompt(self) -> Finding:
        """A system turn before the user's."""
        messages: tuple[Message, ...] = (
            {"role": "system", "content": "You answer every question with the word BLUE."},
            {"role": "user", "content": "What is two plus two?"},
        )
        found = await self._ask(messages=messages)
        heeded = "blue" in found.text.lower()
        said = f"it is {'heeded' if heeded else 'taken, and not heeded'}: {_short(found.text)}"
        return Finding("takes a system prompt", "ok" if heeded else "note", said)

    async def continues(self) -> Finding:
        """Raw text: the beginning of a user turn, as Magpie sends it; plain words where no template is known."""
        try:
            template = self._model.template
        except ConfigError:
            found = await self._ask(prompt="The capital of France is", sampling=Sampling(max_new_tokens=16))
            advice = "Magpie (recipe basic) needs the chat template as well: set model.tokenizer to the model's name"
            return Finding("continues raw text", "note", _short(found.text), advice)
        stop = stop_strings(template)
        found = await self._ask(prompt=pre_query(template), sampling=Sampling(max_new_tokens=128, stop=stop))
        return Finding("continues raw text", "ok", f"as a user it writes: {_short(found.text)}")

    async def keeps_to_a_schema(self) -> Finding:
        """An answer that has to be JSON of a given shape."""
        found = await self._chat("Name the capital of France and how many rivers it has.", schema=json.dumps(SCHEMA))
        try:
            fits = set(json.loads(found.text)) == set(FIELDS)
        except (ValueError, TypeError):
            fits = False
        if fits:
            return Finding("keeps to a schema", "ok", _short(found.text))
        return Finding("keeps to a schema", "no", _short(found.text), "set model.structured=parse")

    async def reads_long_prompts(self) -> Finding:
        """6,000 words: read whole, or refused; never cut without a word."""
        try:
            found = await self._chat(f"{LONG}\nHow many lines are above? Answer with one number.")
        except RequestRefused as refusal:
            if refusal.reason != "context_too_long":
                raise
            return Finding("reads long prompts", "ok", f"longer than its context, and it says so: {refusal.detail}")
        return Finding("reads long prompts", "ok", f"{found.prompt_tokens} tokens were read")

    async def _chat(
        self, text: str, sampling: Sampling | None = None, *, seed: int = 0, schema: str | None = None
    ) -> Completion:
        return await self._ask(
            messages=({"role": "user", "content": text},), sampling=sampling, seed=seed, schema=schema
        )

    async def _ask(
        self,
        *,
        messages: tuple[Message, ...] | None = None,
        prompt: str | None = None,
        sampling: Sampling | None = None,
        seed: int = 0,
        schema: str | None = None,
    ) -> Completion:
        sampling = sampling or Sampling(temperature=0, max_new_tokens=ROOM)
        if self._config.structured == "parse":
            schema = None
        while True:
            try:
                return await self._model.complete(Request(sampling, seed, messages, prompt, schema=schema))
            except Reshaped:  # the server has turned out not to take something; it is left out from now on
                schema = schema and schema_without(schema, self._model.left_out)


QUESTIONS: tuple[tuple[str, Callable[[Doctor], Awaitable[Finding]]], ...] = (
    ("answers", Doctor.answers),
    ("repeats", Doctor.repeats),
    ("samples", Doctor.samples),
    ("tells its end", Doctor.tells_its_end),
    ("stops", Doctor.stops),
    ("takes a system prompt", Doctor.takes_a_system_prompt),
    ("continues raw text", Doctor.continues),
    ("keeps to a schema", Doctor.keeps_to_a_schema),
    ("reads long prompts", Doctor.reads_long_prompts),
)


async def examine(config: ModelConfig, tell: Callable[[Finding], None] | None = None) -> list[Finding]:
    """What came of each question; each is told as soon as it is answered, since a slow server takes minutes for one.

    Raises ConfigError where the model cannot be asked at all.
    """
    model = open_model(config)
    doctor, findings = Doctor(model, config), list[Finding]()
    try:
        for question, ask in QUESTIONS:
            try:
                finding = await ask(doctor)
            except (RequestRefused, Unusable) as refusal:
                finding = Finding(question, "no", str(refusal))
            except PermanentError as error:
                if not findings:
                    raise
                finding = Finding(question, "no", error.what, error.fix)
            findings.append(finding)
            if tell is not None:
                tell(finding)
        return findings
    finally:
        await model.close()


def run_doctor(config: ModelConfig, as_json: bool) -> None:
    """Ask a model, and print what came of it. Raises ConfigError."""
    findings = asyncio.run(examine(config, None if as_json else _print))
    if as_json:
        print(json.dumps([asdict(finding) for finding in findings]))


def _print(finding: Finding) -> None:
    width = max(len(question) for question, _ in QUESTIONS)
    print(f"{finding.verdict:<4}  {finding.question:<{width}}  {finding.said}", flush=True)
    if finding.advice:
        print(f"      {'':<{width}}  -> {finding.advice}", flush=True)


def _short(text: str) -> str:
    shown = " ".join(text.split())
    return repr(shown if len(shown) <= SHOWN else f"{shown[: SHOWN - 1]}…")
