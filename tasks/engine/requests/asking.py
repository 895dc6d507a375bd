"""One ask of a technique: what it wants, what all its attempts share, and what an answer leaves in provenance."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from tasks.engine.requests.attempts import Ask
from tasks.engine.row import Call
from tasks.errors import Filtered, PermanentError
from tasks.models.answers.control import Neutral
from tasks.models.base import Completion, Message, Model, Sampling
from tasks.models.config import ModelConfig
from tasks.text.verdicts.expectation import Expectation
from tasks.text.verdicts.forms import Form
from tasks.text.verdicts.structured import AnswerSchema, structure_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

T = TypeVar("T")
Parse = Callable[[str], T]
Check = Callable[[Any, str], tuple[Any, list[Filtered]]]  # of an answer and its text: what is left, and what is lost
Truncated = Literal["refuse", "keep"]


@dataclass(frozen=True, slots=True)
class Member:
    """A model in a role, with the user's settings for it."""

    model: Model
    config: ModelConfig


@dataclass(frozen=True, slots=True)
class Attempted:
    """A completion, and under which names it was asked for: the digest of what, how it was sampled, its seed."""

    completion: Completion
    asked: str
    sampled: str
    seed: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """One ask of a technique, as `Models.ask`, `chat` and `complete` take it."""

    name: str
    sampling: Sampling
    by: str
    sample: int
    truncated: Truncated = "refuse"
    parse: Parse[Any] | None = None
    schema: AnswerSchema | None = None
    messages: tuple[Message, ...] | None = None
    prompt: str | None = None
    tools: str | None = None
    check: Check | None = None


@dataclass(frozen=True, slots=True)
class Prepared:
    """What all attempts of an ask share; `neutral`: what is sent in place of the user's own words."""

    ask: Ask
    parse: Parse[Any] | None
    neutral: Neutral | None


@dataclass(frozen=True, slots=True)
class Formed:
    """In which form an answer is asked for: what is said, the schema it is held to, how it begins, and what reads it."""

    messages: tuple[Message, ...] | None
    parse: Parse[Any] | None
    schema: str | None = None
    prefill: str | None = None


def formed(wanted: Wanted, config: ModelConfig, messages: tuple[Message, ...] | None) -> Formed:
    """The form of an ask for a model of this config. Raises ConfigError for a JSON schema that is none."""
    if wanted.schema is not None:
        structure = structure_of(wanted.schema)
        held_to = structure.schema if config.structured == "schema" else None
        return Formed(messages, structure.parse, held_to)
    form = wanted.parse
    if not isinstance(form, Form) or messages is None or config.verdicts == "text":
        return Formed(messages, wanted.parse)
    if config.verdicts == "prefill":
        return Formed(messages, form.begun, prefill=form.begins)
    *before, last = messages
    told: Message = {**last, "content": last["content"] + form.said}
    return Formed((*before, told), form, form.schema)


def read_answer(parse: Parse[Any] | None, text: str, completion: Completion) -> Any:
    """The answer in a text: by the likelihoods of its tokens too, where the parser goes by them."""
    if isinstance(parse, Expectation):
        return parse.weighed(text, completion.logprobs, reasoned=completion.reasoning is not None)
    return text if parse is None else parse(text)


def vector_of(completion: Completion, model: Model, dimensions: dict[str, int]) -> NDArray[np.float32]:
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


def score_in(completion: Completion, model: Model) -> float:
    """The number that a reward model has answered. Raises PermanentError where it is none."""
    try:
        score = float(completion.text)
    except ValueError:
        score = math.nan
    if not math.isfinite(score):
        fix = "name a reward model in roles.reward"
        raise PermanentError("the model gives no score", f"{model.name}: {completion.text[:40]!r}", fix)
    return score


def provenance_of(wanted: Wanted, made: Attempted, attempts: int, member: Member) -> Call:
    """The line of provenance of an answer."""
    completion = made.completion
    who = answered_by(member, completion)
    asked = (wanted.by, wanted.name, wanted.sample, made.asked, who, made.sampled, made.seed)
    used = (completion.prompt_tokens, completion.completion_tokens)
    return Call(*asked, attempts, *used, completion.reasoning)


def answered_by(member: Member, completion: Completion) -> str:
    """Who has answered, for provenance."""
    return f"{member.model.name} (served: {completion.served})" if completion.served else member.model.name


def special_tokens_of(member: Member) -> list[str]:
    """The control tokens of a model whose tokenizer is known."""
    tokenizer: Any = member.model.template
    return sorted(
        {token.content for token in tokenizer.added_tokens_decoder.values() if token.special}, key=len, reverse=True
    )


def counter_of(member: Member) -> Callable[[str], int] | None:
    """What counts the tokens of a text as an endpoint's model does; None where its tokenizer is not known."""
    if not member.config.is_endpoint or member.config.tokenizer is None:
        return None

    def count(text: str) -> int:
        tokenizer: Any = member.model.template
        return len(tokenizer(text, add_special_tokens=False)["input_ids"])

    return count
