"""`models.ask`: render, look into the ledger, generate, parse; ask again while the answer is unusable. `models.embed`.

A technique sees `Models` as roles: `ask(..., by="judge")`. Everything that a technique must not care about (seeds,
keys, attempts, truncation, provenance) is here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, overload

from pydantic import BaseModel

from tasks.columns import LANGUAGE
from tasks.engine.requests.asking import (
    Attempted,
    Member,
    Parse,
    Prepared,
    Truncated,
    Wanted,
    counter_of,
    formed,
    provenance_of,
    read_answer,
    score_in,
    vector_of,
)
from tasks.engine.requests.attempts import Ask, sampled_key, words_digest
from tasks.engine.requests.neutral import neutral_of
from tasks.engine.requests.pending import PendingRequest
from tasks.engine.requests.remembered import recall, remember
from tasks.engine.requests.trace import Asked
from tasks.engine.row import Call, Row, language_for
from tasks.errors import PermanentError, RequestRefused, RowLoss, Unusable
from tasks.models.answers.accept import OF_TODAY, accept, is_final
from tasks.models.base import Completion, Message, Request, Reshaped, Sampling
from tasks.storage.digest import digest, number
from tasks.text.leaks import without_leaks
from tasks.text.templates import render
from tasks.text.verdicts.structured import AnswerSchema
from tasks.text.wrong_language import parsed_in_language, wrong_answer, wrong_instruction

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tasks.engine.context import Context
    from tasks.text.prompts import Prompts

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)
NOT_SAMPLED = Sampling()


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

    @property
    def language(self) -> str:
        """The language of the row's prompts: its own where the run has several, else the run's."""
        prompts = self._context.prompts
        if not prompts.languages:
            return prompts.language
        row = self._bound()
        own = row.get(LANGUAGE)
        return own if own in prompts.languages else language_for(row.run_seed, row.row_id, prompts.languages)

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages of a run that has several; empty where it has one."""
        return self._context.prompts.languages

    @property
    def prompts(self) -> Prompts:
        """The prompts of the row's language."""
        prompts = self._context.prompts
        return prompts.at(self.language) if prompts.languages else prompts

    def lists(self, technique: str) -> Mapping[str, Sequence[str]]:
        """The words of the row's prompts that a technique draws from, by name."""
        return self.prompts.lists(technique)

    def wrong_language(self, text: str, asked: str | None = None) -> str | None:
        """What is wrong with the language of an instruction ("fr, not vi"), or of what answers `asked`.

        None where it is the row's, where that cannot be told, and where the run does not look (`check_language`).
        """
        if not self._context.check_language:
            return None
        return wrong_instruction(text, self.language) if asked is None else wrong_answer(text, self.language, asked)

    def in_language(self, parse: Parse[str], asked: str | None = None) -> Parse[str]:
        """The parser of a text, which is unusable (wrong_language) where there is something wrong with its language."""
        checks = self._context.check_language
        return partial(parsed_in_language, parse, partial(self.wrong_language, asked=asked)) if checks else parse

    @overload
    async def ask(
        self,
        name: str,
        *,
        sampling: Sampling,
        by: str = ...,
        sample: int = ...,
        truncated: Truncated = ...,
        quoting: bool = ...,
        parse: None = None,
        **variables: Any,
    ) -> str: ...
    @overload
    async def ask(
        self,
        name: str,
        *,
        sampling: Sampling,
        by: str = ...,
        sample: int = ...,
        truncated: Truncated = ...,
        quoting: bool = ...,
        parse: Parse[T],
        **variables: Any,
    ) -> T: ...
    @overload
    async def ask(
        self,
        name: str,
        *,
        sampling: Sampling,
        by: str = ...,
        sample: int = ...,
        truncated: Truncated = ...,
        quoting: bool = ...,
        schema: type[M],
        **variables: Any,
    ) -> M: ...
    @overload
    async def ask(
        self,
        name: str,
        *,
        sampling: Sampling,
        by: str = ...,
        sample: int = ...,
        truncated: Truncated = ...,
        quoting: bool = ...,
        schema: Mapping[str, Any],
        **variables: Any,
    ) -> Any: ...
    async def ask(
        self,
        name: str,
        *,
        sampling: Sampling,
        by: str = "generator",
        sample: int = 0,
        truncated: Truncated = "refuse",
        quoting: bool = False,
        parse: Parse[Any] | None = None,
        schema: AnswerSchema | None = None,
        **variables: Any,
    ) -> Any:
        """Ask with the prompt `name` (`<technique>/<prompt>`) and parse the answer.

        `sample` tells repeated asks of one row with one template apart. `parse` raises `Unusable` to have the model
        asked again; after the last attempt `ask` raises it. `truncated="keep"` parses what came before the length
        limit (for lists that can be salvaged). An answer that repeats six words of the template itself is unusable
        (prompt_leak), unless `quoting` says that this is right; it may repeat the variables. Where `parse` gives a list,
        only the items that do so are lost; give a tuple where each has its place.

        `schema`, a pydantic model or a JSON schema, in place of `parse`: the model is held to it, and what it makes of
        the answer comes back. The words have to say what is wanted all the same. Where the model's config says
        `structured: parse`, the answer is only checked; a model that cannot be held to a schema raises ConfigError.
        """
        prompts = self.prompts
        messages = render(prompts.template(name), variables)
        checked = None if quoting else partial(without_leaks, name=name, prompts=prompts, variables=variables)
        return await self._answer(
            Wanted(name, sampling, by, sample, truncated, parse, schema, messages=tuple(messages), check=checked)
        )

    async def chat(
        self,
        messages: Sequence[Message],
        *,
        name: str,
        sampling: Sampling,
        by: str = "generator",
        sample: int = 0,
        parse: Parse[Any] | None = None,
        schema: AnswerSchema | None = None,
        tools: str | None = None,
    ) -> Any:
        """Ask with these messages as they stand. `name` stands for the template in keys and provenance.

        `tools` is a JSON list of the tools that they may call.
        """
        asked = tuple(messages)
        return await self._answer(
            Wanted(name, sampling, by, sample, parse=parse, schema=schema, messages=asked, tools=tools)
        )

    async def complete(
        self,
        prompt: str,
        *,
        name: str,
        sampling: Sampling,
        by: str = "generator",
        sample: int = 0,
        truncated: Truncated = "refuse",
        parse: Parse[Any] | None = None,
    ) -> Any:
        """Have `prompt` continued as raw text: no chat template, no special tokens added."""
        return await self._answer(Wanted(name, sampling, by, sample, truncated, parse, prompt=prompt))

    async def embed(self, text: str, *, by: str = "embedder", sample: int = 0) -> NDArray[np.float32]:
        """The embedding of a text, as the model gives it (not normalised): a vector of float32.

        `sample` tells the texts of one row apart in provenance. Raises RequestRefused where the model refuses the
        text, ConfigError where this role has no model that embeds.
        """
        member = self._member(by)
        asked = digest(text, "embedding", *filter(None, [member.config.pooling]))
        completion = await self._unsampled((by, "embedding", sample, asked), embed=text)
        return vector_of(completion, member.model, self._context.dimensions)

    async def score(self, turns: Sequence[Message], answer: str, *, by: str = "reward", sample: int = 0) -> float:
        """What a reward model says of an answer to a conversation: the higher, the better, on a scale of the model's own.

        `sample` tells the answers of one row apart in provenance. Raises RequestRefused where the model refuses the texts,
        PermanentError where this role has no model that scores.
        """
        member = self._member(by)
        conversation = (*turns, Message(role="assistant", content=answer))
        said = neutral_of(conversation, None, member, self._context).messages
        how = member.config.scored_by
        asked = digest(words_digest(said, None), "score", *([how] if how != "score" else []))
        completion = await self._unsampled((by, "score", sample, asked), messages=said, scored_by=how)
        return score_in(completion, member.model)

    async def _unsampled(self, about: tuple[str, str, int, str], **what: Any) -> Completion:
        """The answer to a request that nothing is drawn for. `about`: role, name, sample, and the digest of what is asked."""
        row, member = self._bound(), self._member(about[0])
        pending = PendingRequest(self._context, row, member.config)
        request = Request(NOT_SAMPLED, 0, order=row.order, admit=pending.admit, **what)
        completion = await self._pay(member, digest(member.model.identity, about[3]), request, pending)
        row.calls.append(Call(*about, member.model.name, "", 0, 1, completion.prompt_tokens, 0))
        return completion

    async def _answer(self, wanted: Wanted) -> Any:
        """One ask: attempts until an answer parses and passes the check, then a line of provenance on the row."""
        row, member = self._bound(), self._member(wanted.by)
        prepared = self._prepared(wanted, member)
        limit = (row.epoch + 1) * self._context.max_attempts
        for attempt in range(limit):
            pending = PendingRequest(self._context, row, member.config)
            trace = self._traced(wanted, prepared.ask, attempt, member, pending)
            try:
                made = await self._made(prepared.ask, attempt, member, trace, pending)
                answer, losses = self._read(made.completion, trace, member, wanted, prepared)
            except Unusable as loss:
                self._refuse(loss, trace, member)
                before = attempt < row.epoch * self._context.max_attempts
                if attempt + 1 == limit or is_final(loss, trace.is_paid, before):
                    raise
                continue
            except RequestRefused as refusal:
                refusal.attempts, trace.refused = attempt + 1, str(refusal)
                raise
            for lost in losses:
                row.lose(lost)
            row.calls.append(provenance_of(wanted, made, attempt + 1, member))
            return answer
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _prepared(self, wanted: Wanted, member: Member) -> Prepared:
        """What all attempts of an ask share."""
        row, messages, tools, neutral = self._bound(), wanted.messages, wanted.tools, None
        if messages is not None:
            neutral = neutral_of(messages, tools, member, self._context)
            messages, tools = neutral.messages, neutral.tools
        sampling, form = member.config.sampled(wanted.sampling), formed(wanted, member.config, messages)
        seed = number(self._context.run_seed, row.row_id, wanted.name, wanted.by, wanted.sample, *self._context.draw)
        words = words_digest(form.messages, wanted.prompt, tools)
        said = (form.messages, wanted.prompt, form.schema, tools, form.prefill)
        return Prepared(Ask(words, sampling, seed, row.order, *said), form.parse, neutral)

    def _traced(self, wanted: Wanted, ask: Ask, attempt: int, member: Member, pending: PendingRequest) -> Asked:
        """An attempt that begins; its trace is kept where somebody looks."""
        row, context = self._bound(), self._context
        about = (row.technique, row.row_id, wanted.by, wanted.name, wanted.sample, attempt + 1, member.model.name)
        trace = Asked(*about, ask.request(attempt, pending.admit), pending)
        if context.asked is not None:
            context.asked.append(trace)
        return trace

    def _read(
        self, completion: Completion, trace: Asked, member: Member, wanted: Wanted, prepared: Prepared
    ) -> tuple[Any, list[RowLoss]]:
        """The answer in a completion, in the user's own words where it repeats them, and what of it is lost.

        Raises Unusable where there is none.
        """
        if served := completion.served:
            self._context.served[member.model.name] = served
            line = f"{member.model.name}: the server says that {served} has answered; provenance says so too"
            self._context.tell_once(line, f"{member.model.name} as {served}")
        try:
            cut_too = wanted.truncated == "keep"
            said = accept(trace.request, completion, truncated_too=cut_too, count=counter_of(member))
            text = said.text if prepared.neutral is None else prepared.neutral.restored(said.text)
            answer = read_answer(prepared.parse, text, completion)
            answer, lost = (answer, []) if wanted.check is None else wanted.check(answer, text)
        except Unusable as loss:
            loss.raw = completion.text if loss.raw is None else loss.raw
            raise
        return answer, [one for one in (said.loss, *lost) if one is not None]

    def _refuse(self, loss: Unusable, trace: Asked, member: Member) -> None:
        """Note why an answer is not used."""
        loss.attempts, trace.refused = trace.attempt, str(loss)
        self._tell_of(loss, member, on_record=not trace.is_paid)

    def _tell_of(self, loss: Unusable, member: Member, *, on_record: bool) -> None:
        """Tell the user, once a run, of what is no fault of an answer's words."""
        if loss.reason == "prompt_cut":
            self._context.tell_once(f"{member.model.name}: prompts are cut: {loss.detail}", "prompt_cut")
        elif on_record and loss.reason in OF_TODAY and not self._bound().epoch:
            line = f"answers on record are none by today's rules ({loss.reason}): they count as attempts, and are asked for again"
            self._context.tell_once(line, loss.reason)

    async def _made(self, ask: Ask, attempt: int, member: Member, trace: Asked, pending: PendingRequest) -> Attempted:
        """The completion of one attempt; made anew where the model has just learnt what it has to leave out."""
        model = member.model
        if member.config.is_endpoint:
            await recall(self._context, model)
        while True:
            left_out, taken = model.left_out, ask
            if left_out:
                taken = ask.without(left_out)
                trace.request = taken.request(attempt, pending.admit, left_out)
            request = trace.request
            sampled = sampled_key(request.sampling, left_out)
            try:
                key = taken.key(model.identity, attempt, sampled)
                completion = trace.completion = await self._pay(member, key, request, pending)
            except Reshaped:
                await remember(self._context, model)
                continue
            return Attempted(completion, taken.digest, sampled, request.seed)

    async def _pay(self, member: Member, key: str, request: Request, pending: PendingRequest) -> Completion:
        """The completion of this request: from the ledger, or made now and committed before it is used."""
        model = member.model
        refusals = self._context.refusals_of(model)
        pending.of(request, counter_of(member))
        try:
            if self._context.ledger is None:
                completion = await model.complete(request)
            else:
                with pending:
                    one = self._context.one_by_one
                    completion = await self._context.ledger.answer(key, model, request, pending, one_by_one=one)
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
