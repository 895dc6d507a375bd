"""Every table of the house, as pandera.polars models. Columns not named here pass through: children keep their parent's."""

from __future__ import annotations

from collections.abc import Collection
from functools import cache

import pandera.polars as pa
import polars as pl

MESSAGE = pl.Struct({"role": pl.String, "content": pl.String})
TOOL_CALL = pl.Struct(
    {"id": pl.String, "type": pl.String, "function": pl.Struct({"name": pl.String, "arguments": pl.String})}
)
TOOL_FIELDS: dict[str, pl.DataType] = {
    "tool_calls": pl.List(TOOL_CALL),
    "tool_call_id": pl.String(),
    "name": pl.String(),
}
"""What a turn has more where tools are called; `arguments` is JSON text."""
TRAIN: dict[str, pl.DataType] = {"train": pl.Boolean()}
"""Whether a turn is to be trained on, where some are not."""
ROW_ID = r"^[0-9a-f]{32}$"
MADE_FROM: dict[str, tuple[str, ...]] = {
    "instruction": ("messages",),
    "messages": ("instruction", "input"),
    "operations": ("instruction",),
    "most_similar": ("instruction",),
    "similarity": ("instruction", "most_similar"),
    "is_classification": ("instruction",),
    "input": ("instruction",),
    "output": ("instruction", "input"),
    "response": ("instruction", "messages", "system", "input"),
    "response_model": ("response",),
    "responses": ("instruction", "messages"),
    "tools": ("messages",),
    "order_agreement": ("responses",),
    "prompt": ("instruction", "messages"),
    "chosen": ("prompt",),
    "rejected": ("prompt",),
    "judges": ("chosen", "rejected"),
    **{f"{about}_{side}": (side,) for side in ("chosen", "rejected") for about in ("score", "ratings")},
    **{f"{side}_{about}": (side,) for side in ("chosen", "rejected") for about in ("model", "origin")},
}
"""What each column was made from: it goes when one of these changes, unless it is given anew (law 9).

`instruction` and `messages` say the same where the instruction is the user's last turn: then neither makes the other
stale.
"""


class Rows(pa.DataFrameModel):
    """Any table: one record a row, named by its `row_id` (32 hex digits), which stands once."""

    row_id: str = pa.Field(unique=True, str_matches=ROW_ID)


class Instructions(Rows):
    """Something to ask a model."""

    instruction: str = pa.Field(str_length={"min_value": 1})


class EvolvedInstructions(Instructions):
    """Instructions rewritten into harder ones; `operations` names what was done in each generation, "" where it failed."""

    operations: pl.List = pa.Field(dtype_kwargs={"inner": pl.String})


class Responses(Instructions):
    """Instructions with an answer each; `response_model` wrote it; `system` was said before it, "" where nothing was."""

    response: str = pa.Field(str_length={"min_value": 1})
    response_model: str
    system: str


class Conversations(Rows):
    """Whole conversations, ready to train on: at least a user's message and the assistant's answer to it."""

    messages: pl.List = pa.Field(dtype_kwargs={"inner": MESSAGE})

    @pa.check("messages", name="has_an_answer")
    def _has_an_answer(cls, data: pa.PolarsData) -> pl.LazyFrame:  # noqa: N805 - pandera calls it with the class
        return data.lazyframe.select(pl.col(data.key).list.len() >= 2)


@cache
def conversations_of(message: pl.DataType) -> type[Conversations]:
    """The schema of conversations whose turns have more fields than role and content."""
    if message == MESSAGE:
        return Conversations
    fields = {"messages": pa.Field(dtype_kwargs={"inner": message}), "__annotations__": {"messages": pl.List}}
    return type("Conversations", (Conversations,), fields)


def message_type(fields: Collection[str]) -> pl.Struct:
    """The type of a turn in which some of these fields are there."""
    tools = TOOL_FIELDS if TOOL_FIELDS.keys() & set(fields) else {}
    train = TRAIN if TRAIN.keys() & set(fields) else {}
    return pl.Struct({"role": pl.String(), "content": pl.String(), **tools, **train})


class Topics(Rows):
    """Something to ask about."""

    topic: str = pa.Field(str_length={"min_value": 1})


class MagpieInstructions(Instructions):
    """What a model wrote as its own user: `messages` is the conversation up to that turn, after the system prompt `system`."""

    messages: pl.List = pa.Field(dtype_kwargs={"inner": MESSAGE})
    system: str


class BootstrappedInstructions(Instructions):
    """Instructions that entered Self-Instruct's pool, with the text there that was most similar and its ROUGE-L F."""

    most_similar: str
    similarity: float = pa.Field(ge=0, le=1)


class Instances(Instructions):
    """Tasks with one worked example each: `input` is "" where the task needs none."""

    is_classification: bool
    input: str
    output: str = pa.Field(str_length={"min_value": 1})


RATING = pl.Struct(
    {"judge": pl.String, "aspect": pl.String, "rating": pl.Float64, "rationale": pl.String, "order": pl.Int32}
)
RESPONSE = pl.Struct(
    {
        "text": pl.String, "model": pl.String, "arguments": pl.String, "principle": pl.String, "template": pl.String,
        "origin": pl.String, "parent": pl.String, "operations": pl.List(pl.String), "critique": pl.String,
        "ratings": pl.List(RATING), "score": pl.Float64,
    }
)  # fmt: skip


class Pools(Instructions):
    """Instructions (the user's last turn where there are `messages`) with all `responses` to each; none is empty."""

    responses: pl.List = pa.Field(dtype_kwargs={"inner": RESPONSE})

    @pa.check("responses", name="has_responses")
    def _has_responses(cls, data: pa.PolarsData) -> pl.LazyFrame:  # noqa: N805 - pandera calls it with the class
        text = pl.element().struct.field("text").str.strip_chars()
        said = pl.col(data.key).list.eval(text.str.len_chars().fill_null(0) > 0)
        return data.lazyframe.select(said.list.all() & (said.list.len() > 0))


class JudgedPools(Pools):
    """Pools with ratings of 1 to 5. `order_agreement` in [0, 1]: how far two orders of showing agreed, null for one."""

    order_agreement: float = pa.Field(nullable=True, ge=0, le=1)

    @pa.check("responses", name="ratings_are_1_to_5")
    def _on_the_scale(cls, data: pa.PolarsData) -> pl.LazyFrame:  # noqa: N805 - pandera calls it with the class
        each = pl.element().struct.field("ratings").list.eval(pl.element().struct.field("rating").is_between(1, 5))
        return data.lazyframe.select(pl.col(data.key).list.eval(each.list.all()).list.all())


class Pairs(Rows):
    """Preference pairs, explicit and conversational (TRL): a prompt that ends with the user's turn, and two answers."""

    prompt: pl.List = pa.Field(dtype_kwargs={"inner": MESSAGE})
    chosen: pl.List = pa.Field(dtype_kwargs={"inner": MESSAGE})
    rejected: pl.List = pa.Field(dtype_kwargs={"inner": MESSAGE})
    score_chosen: float = pa.Field(nullable=True)
    score_rejected: float = pa.Field(nullable=True)
    chosen_model: str
    rejected_model: str
    chosen_origin: str
    rejected_origin: str
    judges: pl.List = pa.Field(dtype_kwargs={"inner": pl.String})
    ratings_chosen: pl.List = pa.Field(dtype_kwargs={"inner": RATING})
    ratings_rejected: pl.List = pa.Field(dtype_kwargs={"inner": RATING})

    @pa.check("prompt", name="ends_with_the_user")
    def _ends_with_the_user(cls, data: pa.PolarsData) -> pl.LazyFrame:  # noqa: N805 - pandera calls it with the class
        return data.lazyframe.select(pl.col(data.key).list.last().struct.field("role") == "user")

    @pa.check("chosen", "rejected", name="one_assistant_message")
    def _one_answer(cls, data: pa.PolarsData) -> pl.LazyFrame:  # noqa: N805 - pandera calls it with the class
        said = pl.col(data.key).list
        return data.lazyframe.select((said.len() == 1) & (said.last().struct.field("role") == "assistant"))

    @pa.dataframe_check(name="chosen_is_better")
    def _chosen_is_better(cls, data: pa.PolarsData) -> pl.LazyFrame:  # noqa: N805 - pandera calls it with the class
        better = (pl.col("score_chosen") > pl.col("score_rejected")).fill_null(True)
        return data.lazyframe.select(better & (pl.col("chosen") != pl.col("rejected")))
