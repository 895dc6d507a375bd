"""`models.ask`: render, look into the ledger, generate, parse; ask again while the answer is unusable. `models.embed`.

A technique sees `Models` as roles: `ask(..., by="judge")`. Everything that a technique must not care about (seeds,
keys, attempts, truncation, provenance) is here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from pydantic import BaseModel

from tasks.engine.attempts import Ask, sampled_key, words_of
from tasks.engine.bill import Bill
from tasks.engine.digest import digest, number
from tasks.engine.leaks import refuse_leak
from tasks.engine.remembered import recall, remember
from tasks.engine.row import Call, Row
from tasks.engine.structured import Schema, structure_of
from tasks.engine.templates import render, template
from tasks.engine.trace import Asked
from tasks.errors import Filtered, PermanentError, RequestRefused, Unusable
from tasks.models.answers.accept import OF_TODAY, Accepted, accept, is_final
from tasks.models.answers.control import Neutral, control_tokens_in, neutralised
from tasks.models.base import Completion, Message, Model, Request, Reshaped, Sampling
from tasks.models.config import ModelConfig

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tasks.engine.context import Context

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)
Parse = Callable[[str], T]
Check = Callable[[Any, str], None]  # of what was made of a completion, and its text; raises Unusable
Truncated = Literal["refuse", "keep"]
NOT_SAMPLED = Sampling()


@dataclass(frozen=True, slots=True)
class Member:
    """A model in a role, with the user's settings for it."""

    model: Model
    config: ModelConfig


@dataclass(frozen=True, slots=True)
class Made:
    """A completion, and under which names it was asked for: the digest of what, how it was sampled, its seed."""

    completion: Completion
    asked: str
    sampled: str
    seed: int


class Models:
    """The models of a run, by role, bound to the row that asks.

    A role that has no model of its own is played by `generator`. A role may hold several (a pool, a panel of judges):
    `by="pool"` asks its first member, `by="pool[2]"` its third.
    """

    def __init__(self, roles: Mapping[str, Sequence[Member]], context: Context, row: Row | None = None) -> None:
        self._roles, self._context, self._row = roles, context, row

    def at(self, row: Row) -> Models:
        """The same models, asked on behalf of `row`."""
        return Models(self._roles, self._context, row)

    def of(self, role: str) -> Sequence[Member]:
        """The members of a role, the generator's where the role has none."""
        return self._roles.get(role) or self._roles["generator"]

    @overload
    async def ask(self, name: str, *, sampling: Sampling, by: str = ..., sample: int = ..., truncated: Truncated = ...,
                  quoting: bool = ..., parse: None = None, **variables: Any) -> str: ...  # fmt: skip
    @overload
    async def ask(self, name: str, *, sampling: Sampling, by: str = ..., sample: int = ..., truncated: Truncated = ...,
                  quoting: bool = ..., parse: Parse[T], **variables: Any) -> T: ...  # fmt: skip
    @overload
    async def ask(self, name: str, *, sampling: Sampling, by: str = ..., sample: int = ..., truncated: Truncated = ...,
                  quoting: bool = ..., schema: type[M], **variables: Any) -> M: ...  # fmt: skip
    @overload
    async def ask(self, name: str, *, sampling: Sampling, by: str = ..., sample: int = ..., truncated: Truncated = ...,
                  quoting: bool = ..., schema: Mapping[str, Any], **variables: Any) -> Any: ...  # fmt: skip
    async def ask(self, name: str, *, sampling: Sampling, by: str = "generator", sample: int = 0,
                  truncated: Truncated = "refuse", quoting: bool = False, parse: Parse[Any] | None = None,
                  schema: Schema | None = None, **variables: Any) -> Any:  # fmt: skip
        """Ask with the prompt `prompts/<language>/<name>.j2` and parse the answer.

        `sample` tells repeated asks of one row with one template apart. `parse` raises `Unusable` to have the model
        asked again; after the last attempt `ask` raises it. `truncated="keep"` parses what came before the length
        limit (for lists that can be salvaged). An answer that repeats six words of the template itself is unusable
        (prompt_leak), unless `quoting` says that this is right; it may repeat the variables.

        `schema`, a pydantic model or a JSON schema, in place of `parse`: the model is held to it, and what it makes of
        the answer comes back. The words have to say what is wanted all the same. Where the model's config says
        `structured: parse`, the answer is only checked; a model that cannot be held to a schema raises ConfigError.
        """
        language = self._context.language
        messages = render(template(name, language), variables)
        checked = None if quoting else partial(refuse_leak, name=name, language=language, variables=variables)
        return await self._answer(name, sampling, by, sample, truncated, parse, schema, messages=tuple(messages),
                                  check=checked)  # fmt: skip

    async def chat(self, messages: Sequence[Message], *, name: str, sampling: Sampling, by: str = "generator",
                   sample: int = 0, truncated: Truncated = "refuse", parse: Parse[Any] | None = None,
                   schema: Schema | None = None, tools: str | None = None) -> Any:  # fmt: skip
        """Ask with these messages as they stand. `name` stands for the template in keys and provenance.

        `tools` is a JSON list of the tools that they may call.
        """
        asked = tuple(messages)
        return await self._answer(name, sampling, by, sample, truncated, parse, schema, messages=asked, tools=tools)

    async def complete(self, prompt: str, *, name: str, sampling: Sampling, by: str = "generator", sample: int = 0,
                       truncated: Truncated = "refuse", parse: Parse[Any] | None = None) -> Any:  # fmt: skip
        """Have `prompt` continued as raw text: no chat template, no special tokens added."""
        return await self._answer(name, sampling, by, sample, truncated, parse, None, prompt=prompt)

    async def embed(self, text: str, *, by: str = "embedder", sample: int = 0) -> NDArray[np.float32]:
        """The embedding of a text, as the model gives it (not normalised): a vector of float32.

        `sample` tells the texts of one row apart in provenance. Raises RequestRefused where the model refuses the
        text, ConfigError where this role has no model that embeds.
        """
        row, member = self._bound(), self._member(by)
        asked = digest(text, "embedding")
        bill = Bill(self._context, row, member.config)
        request = Request(NOT_SAMPLED, 0, order=row.order, embed=text, admit=bill.admit)
        completion = await self._pay(member, digest(member.model.identity, asked), request, bill)
        tokens = completion.prompt_tokens
        row.calls.append(Call(by, "embedding", sample, asked, member.model.name, "", 0, 1, tokens, 0))
        return _vector_of(completion, member.model, self._context.dimensions)

    async def _answer(self, name: str, technique: Sampling, by: str, sample: int, truncated: Truncated,
                      parse: Parse[Any] | None, schema: Schema | None, *, messages: tuple[Message, ...] | None = None,
                      prompt: str | None = None, tools: str | None = None, check: Check | None = None) -> Any:  # fmt: skip
        """One ask: attempts until an answer parses and passes the check, then a line of provenance on the row."""
        row, context, member = self._bound(), self._context, self._member(by)
        held_to = None
        if schema is not None:
            structure = structure_of(schema)
            parse = structure.parse
            held_to = structure.schema if member.config.structured == "schema" else None
        neutral = None if messages is None else self._neutral(messages, member)
        messages = None if neutral is None else neutral.messages
        sampling, seed = member.config.sampled(technique), number(context.run_seed, row.row_id, name, by, sample)
        ask = Ask(words_of(messages, prompt, tools), sampling, seed, row.order, messages, prompt, held_to, tools)
        limit = (row.epoch + 1) * context.max_attempts
        for attempt in range(limit):
            trace = self._traced(by, name, sample, ask, attempt, member)
            try:
                made = await self._made(ask, attempt, member, trace)
                completion = made.completion
                said = self._read(completion, trace, member, truncated, neutral)
                answer = said.text if parse is None else parse(said.text)
                if check is not None:
                    check(answer, said.text)
            except Unusable as loss:
                loss.attempts = attempt + 1
                loss.raw = completion.text if loss.raw is None else loss.raw
                trace.refused = str(loss)
                self._tell_of(loss, member, on_record=not trace.is_paid)
                if attempt + 1 == limit or is_final(loss, trace.is_paid, attempt < row.epoch * context.max_attempts):
                    raise
                continue
            except RequestRefused as refusal:
                refusal.attempts = attempt + 1
                trace.refused = str(refusal)
                raise
            if said.loss is not None:
                row.lose(said.loss)
            row.calls.append(Call(by, name, sample, made.asked, _named(member, completion), made.sampled, made.seed, attempt + 1,
                                  completion.prompt_tokens, completion.completion_tokens, completion.reasoning))  # fmt: skip
            return answer
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _traced(self, by: str, name: str, sample: int, ask: Ask, attempt: int, member: Member) -> Asked:
        """A trace of an attempt that begins, kept where somebody looks."""
        row, context = self._bound(), self._context
        bill = Bill(context, row, member.config)
        request = ask.request(attempt, bill.admit)
        trace = Asked(row.technique, row.row_id, by, name, sample, attempt + 1, member.model.name, request, bill)
        if context.asked is not None:
            context.asked.append(trace)
        return trace

    def _read(self, completion: Completion, trace: Asked, member: Member, truncated: Truncated,
              neutral: Neutral | None) -> Accepted:  # fmt: skip
        """The answer in a completion, in the user's own words where it repeats them. Raises Unusable where there is none."""
        if served := completion.served:
            self._context.served[member.model.name] = served
            line = f"{member.model.name}: the server says that {served} has answered; provenance says so too"
            self._context.tell_once(line, f"{member.model.name} as {served}")
        said = accept(trace.request, completion, truncated_too=truncated == "keep", count=_counter(member))
        return said if neutral is None else replace(said, text=neutral.restored(said.text))

    def _neutral(self, messages: tuple[Message, ...], member: Member) -> Neutral:
        """What is sent to a model of what a user says. Raises Filtered where control tokens are to be rejected."""
        config = member.config
        if not config.is_endpoint or config.control_tokens == "keep":
            return Neutral(messages)
        found = control_tokens_in(messages, None if config.tokenizer is None else partial(_special_tokens, member))
        if not found:
            return Neutral(messages)
        if config.control_tokens == "reject":
            raise Filtered("control_tokens", f"the text holds {min(found)}, which ends or opens a turn")
        line = (
            f"{member.model.name}: texts hold control tokens ({min(found)}): they are sent with a word joiner in them"
        )
        self._context.tell_once(line, "control_tokens")
        return neutralised(messages, found)

    def _tell_of(self, loss: Unusable, member: Member, *, on_record: bool) -> None:
        """Tell the user, once a run, of what is no fault of an answer's words."""
        if loss.reason == "prompt_cut":
            self._context.tell_once(f"{member.model.name}: prompts are cut: {loss.detail}", "prompt_cut")
        elif on_record and loss.reason in OF_TODAY and not self._bound().epoch:
            line = f"answers on record are none by today's rules ({loss.reason}): they count as attempts, and are asked for again"
            self._context.tell_once(line, loss.reason)

    async def _made(self, ask: Ask, attempt: int, member: Member, trace: Asked) -> Made:
        """The completion of one attempt; made anew where the model has just learnt what it has to leave out."""
        model, bill = member.model, trace.bill
        if member.config.is_endpoint:
            await recall(self._context, model)
        while True:
            left_out = model.left_out
            taken = ask.without(left_out)
            request = trace.request = taken.request(attempt, bill.admit, left_out)
            sampled = sampled_key(request.sampling, left_out)
            try:
                key = taken.key(model.identity, attempt, sampled)
                completion = trace.completion = await self._pay(member, key, request, bill)
            except Reshaped:
                await remember(self._context, model)
                continue
            return Made(completion, taken.digest, sampled, request.seed)

    async def _pay(self, member: Member, key: str, request: Request, bill: Bill) -> Completion:
        """The completion of this request: from the ledger, or made now and committed before it is used."""
        model = member.model
        refusals = self._context.refusals_of(model)
        bill.of(request, _counter(member))
        try:
            if self._context.ledger is None:
                completion = await model.complete(request)
            else:
                with bill:
                    completion = await self._context.ledger.answer(key, model, request, bill)
        except RequestRefused as refusal:
            refusals.add(refusal)
            raise
        except PermanentError as error:
            self._context.failed = error
            raise
        refusals.answer()
        return completion

    def _bound(self) -> Row:
        if self._row is None:
            raise RuntimeError("these models are not bound to a row: use models.at(row)")
        return self._row

    def _member(self, by: str) -> Member:
        role, _, rest = by.partition("[")
        members = self.of(role)
        return members[int(rest.rstrip("]")) if rest else 0]


def _vector_of(completion: Completion, model: Model, dimensions: dict[str, int]) -> NDArray[np.float32]:
    """The vector of an embedding. Raises PermanentError where there is none, or the earlier ones have another length."""
    import numpy as np

    if completion.embedding is None:
        raise PermanentError("the model gives no embedding", model.name, "name one that does, in the role that embeds")
    vector = np.frombuffer(completion.embedding, dtype="<f4")
    known = dimensions.setdefault(model.identity, len(vector))
    if len(vector) != known:
        what = "the embeddings of one model have two lengths, so it has changed under its name"
        raise PermanentError(what, f"{model.name}: {known} and {len(vector)}", "give it a `revision`")
    return vector


def _named(member: Member, completion: Completion) -> str:
    """Who has answered, for provenance."""
    return f"{member.model.name} (served: {completion.served})" if completion.served else member.model.name


def _special_tokens(member: Member) -> list[str]:
    """The control tokens of a model whose tokenizer is known."""
    tokenizer: Any = member.model.template
    return sorted(
        {token.content for token in tokenizer.added_tokens_decoder.values() if token.special}, key=len, reverse=True
    )


def _counter(member: Member) -> Callable[[str], int] | None:
    """What counts the tokens of a text as an endpoint's model does; None where its tokenizer is not known."""
    if not member.config.is_endpoint or member.config.tokenizer is None:
        return None

    def count(text: str) -> int:
        tokenizer: Any = member.model.template
        return len(tokenizer(text, add_special_tokens=False)["input_ids"])

    return count
