"""Every table of the house, as pandera.polars models. Columns not named here pass through: children keep their parent's."""

from __future__ import annotations

import pandera.polars as pa
import polars as pl

from tasks.column_types import ATTRIBUTE, CONSTRAINT, MESSAGE, RATING, RESPONSE, SEQUENCE, TEXT_EDIT

ROW_ID = r"^[0-9a-f]{32}$"


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


class DocumentInstructions(Instructions):
    """Questions about a passage, `context`, each of a kind."""

    context: str = pa.Field(str_length={"min_value": 1})
    question_kind: str = pa.Field(isin=("fact", "why", "compare", "multi_part", "unanswerable"))


class GroundedResponses(Responses):
    """Answers from a passage with the words of it that each rests on, `evidence`: none where it says that nothing is told.

    `question`: what was asked, where the instruction holds the passage too. `document`, `headings` above the passage and
    its name `chunk_id`: "" and none where the seeds had none.
    """

    question: str = pa.Field(str_length={"min_value": 1})
    question_kind: str
    evidence: pl.List = pa.Field(dtype_kwargs={"inner": pl.String})
    document: str
    headings: pl.List = pa.Field(dtype_kwargs={"inner": pl.String})
    chunk_id: str

    @pa.dataframe_check(name="evidence_unless_open")
    def _evidence_unless_open(cls, data: pa.PolarsData) -> pl.LazyFrame:  # noqa: N805 - pandera calls it with the class
        has_some = pl.col("evidence").list.len() > 0
        return data.lazyframe.select(has_some != (pl.col("question_kind") == "unanswerable"))


class Texts(Rows):
    """Texts that were written to be worked on, `context`, each of a kind."""

    context: str = pa.Field(str_length={"min_value": 1})
    text_kind: str = pa.Field(isin=("email", "post", "news"))


class TextResponses(Responses):
    """What was made of a text: `text_kind` is given, or what was written for it; `document`, "" where it came from none."""

    text_kind: str = pa.Field(isin=("given", "email", "post", "news"))
    document: str


class RewrittenResponses(TextResponses):
    """Texts written in another way."""

    variant: str = pa.Field(isin=("concise", "friendly", "professional", "simple", "bullets"))


class Personas(Rows):
    """People, each described in a sentence or two."""

    persona: str = pa.Field(str_length={"min_value": 1})


class PersonaInstructions(Instructions):
    """What people ask, each message of a kind."""

    persona: str = pa.Field(str_length={"min_value": 1})
    prompt_kind: str = pa.Field(isin=("instruction", "maths", "knowledge", "tool"))


class AttributeDraws(Rows):
    """The attributes that were drawn for rows, each with its number, from 0 on."""

    place: int = pa.Field(ge=0)
    attributes: pl.List = pa.Field(dtype_kwargs={"inner": ATTRIBUTE})


class AttributedInstructions(Instructions):
    """Instructions with the attributes and the topic that they were written for; `topic` is "" where there was none."""

    attributes: pl.List = pa.Field(dtype_kwargs={"inner": ATTRIBUTE})
    topic: str


class Dialogues(Responses):
    """Conversations of several turns: `messages` is all before the last answer, which is the `response`, and `stopped` says why no
    more was said."""

    messages: pl.List = pa.Field(dtype_kwargs={"inner": MESSAGE})
    stopped: str = pa.Field(str_length={"min_value": 1})

    @pa.check("messages", name="roles_take_turns")
    def _roles_take_turns(cls, data: pa.PolarsData) -> pl.LazyFrame:  # noqa: N805 - pandera calls it with the class
        role = pl.element().struct.field("role")
        spoken = pl.col(data.key).list.eval(role.filter(role.is_in(["user", "assistant"])))
        same = spoken.list.eval((pl.element() == "user") & (pl.element().shift() == "user")).list.any()
        return data.lazyframe.select((pl.col(data.key).list.len() > 0) & ~same.fill_null(False))


class ConstrainedInstructions(Instructions):
    """Instructions with constraints on what answers them, which a program can check; `plain_instruction` has none of them."""

    plain_instruction: str = pa.Field(str_length={"min_value": 1})
    constraints: pl.List = pa.Field(dtype_kwargs={"inner": CONSTRAINT})

    @pa.check("constraints", name="has_constraints")
    def _has_constraints(cls, data: pa.PolarsData) -> pl.LazyFrame:  # noqa: N805 - pandera calls it with the class
        return data.lazyframe.select(pl.col(data.key).list.len() > 0)


class VerifiedResponses(Responses):
    """Instructions with an answer each that a verifier has let pass, and the figures by which it did."""

    verification: str


class Solutions(Responses):
    """Questions with a solution each whose final answer is `ground_truth`, which `verifier` has found in it."""

    ground_truth: str = pa.Field(str_length={"min_value": 1})
    verifier: str


class TraceResponses(Responses):
    """Conversations from logs of agents; secrets taken out are counted in `redactions`."""

    agent: str = pa.Field(isin=("claude_code", "codex", "openai"))
    session: str
    redactions: int = pa.Field(ge=0)


class TestedTasks(Instructions):
    """Tasks for a program, with the tests that it has to pass: `reference`, as JSON or as one program."""

    reference: str = pa.Field(str_length={"min_value": 1})


class TestedSolutions(Solutions):
    """Tasks with a program each that passes the tests in `ground_truth`, as `verification` says; of its `mutants` they fail `mutants_killed`."""

    verification: str
    mutants: int = pa.Field(ge=0)
    mutants_killed: int = pa.Field(ge=0)

    @pa.dataframe_check(name="no_more_killed_than_there_are")
    def _no_more_killed(cls, data: pa.PolarsData) -> pl.LazyFrame:  # noqa: N805 - pandera calls it with the class
        return data.lazyframe.select(pl.col("mutants_killed") <= pl.col("mutants"))


class PassRated(Rows):
    """Rows with the share of a student's answers that `verifier` lets pass, by `ground_truth`."""

    ground_truth: str = pa.Field(str_length={"min_value": 1})
    verifier: str
    pass_rate: float = pa.Field(ge=0, le=1)


class Embedded(Rows):
    """Rows with the embedding of what is said in each."""

    embedding: pl.List = pa.Field(dtype_kwargs={"inner": pl.Float32})


class Conversations(Rows):
    """Whole conversations, ready to train on: at least a user's message and the assistant's answer to it. What is published."""

    messages: pl.List = pa.Field(dtype_kwargs={"inner": MESSAGE})

    @pa.check("messages", name="has_an_answer")
    def _has_an_answer(cls, data: pa.PolarsData) -> pl.LazyFrame:  # noqa: N805 - pandera calls it with the class
        return data.lazyframe.select(pl.col(data.key).list.len() >= 2)


class RatedRows(Rows):
    """Rows that a judge has rated: each rating is on the scale that it was asked for, and `score` sums them up."""

    score: float
    ratings: pl.List = pa.Field(dtype_kwargs={"inner": RATING})


class TaggedRows(Rows):
    """Rows whose instruction has Magpie's tags; null where one was not asked for, or could not be had."""

    input_quality: str = pa.Field(nullable=True)
    quality_explanation: str = pa.Field(nullable=True)
    difficulty: str = pa.Field(nullable=True)
    intent: str = pa.Field(nullable=True)
    knowledge: str = pa.Field(nullable=True)
    task_category: str = pa.Field(nullable=True)
    other_task_category: pl.List = pa.Field(nullable=True, dtype_kwargs={"inner": pl.String})
    input_language: str = pa.Field(nullable=True)


class CheckedRows(Rows):
    """Rows that judges have checked by a `rubric` of their own; `rubric_score`: the share of what could be gained by it."""

    rubric: pl.List = pa.Field(dtype_kwargs={"inner": pl.String})
    rubric_score: float = pa.Field(ge=0, le=1)
    ratings: pl.List = pa.Field(dtype_kwargs={"inner": RATING})


class GuardedRows(Rows):
    """Rows that a guard has looked at: `safety`, and for one that is not safe what makes it so."""

    safety: str = pa.Field(isin=("safe", "unsafe"))
    unsafe_categories: pl.List = pa.Field(dtype_kwargs={"inner": pl.String})


class RewardedRows(Rows):
    """Rows that a reward model has scored, on a scale of its own."""

    reward: float


class ComplexityScored(Rows):
    """Rows with a score of 1 to 6 for each user's turn."""

    complexity: pl.List = pa.Field(dtype_kwargs={"inner": pl.Float64})


class QualityScored(Rows):
    """Rows with a score of 1 to 6 for each answer."""

    quality: pl.List = pa.Field(dtype_kwargs={"inner": pl.Float64})


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


class Pools(Instructions):
    """Instructions (the user's last turn where there are `messages`) with all `responses` to each; none is empty."""

    responses: pl.List = pa.Field(dtype_kwargs={"inner": RESPONSE})

    @pa.check("responses", name="has_responses")
    def _has_responses(cls, data: pa.PolarsData) -> pl.LazyFrame:  # noqa: N805 - pandera calls it with the class
        text = pl.element().struct.field("text").str.strip_chars()
        said = pl.col(data.key).list.eval(text.str.len_chars().fill_null(0) > 0)
        return data.lazyframe.select(said.list.all() & (said.list.len() > 0))


class RevisedPools(Pools):
    """Pools with responses revised by `principles`, those that were drawn for the row."""

    principles: pl.List = pa.Field(dtype_kwargs={"inner": pl.String})


class JudgedPools(Pools):
    """Pools with ratings of 1 to 5, but for those of reward models, which have no scale. `order_agreement` in [0, 1]: how far two orders of showing agreed, null for one."""

    order_agreement: float = pa.Field(nullable=True, ge=0, le=1)

    @pa.check("responses", name="ratings_are_1_to_5")
    def _on_the_scale(cls, data: pa.PolarsData) -> pl.LazyFrame:  # noqa: N805 - pandera calls it with the class
        of_judge = pl.element().struct.field("rating").is_between(1, 5)
        good = of_judge | (pl.element().struct.field("aspect") == "reward")
        each = pl.element().struct.field("ratings").list.eval(good)
        return data.lazyframe.select(pl.col(data.key).list.eval(each.list.all()).list.all())


class VerifiedPools(Pools):
    """Pools in which a verifier has scored each response: 1 for one that passes, 0 for one that fails; there are both."""

    @pa.check("responses", name="some_pass_and_some_fail")
    def _both(cls, data: pa.PolarsData) -> pl.LazyFrame:  # noqa: N805 - pandera calls it with the class
        scores = pl.col(data.key).list.eval(pl.element().struct.field("score"))
        of_both = scores.list.contains(1.0) & scores.list.contains(0.0)
        return data.lazyframe.select(of_both & scores.list.eval(pl.element().is_in([0.0, 1.0])).list.all())


class Pairs(Rows):
    """Preference pairs, explicit and conversational (TRL): a prompt that ends with the user's turn, or with what a tool gave
    back, and two answers."""

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

    @pa.check("prompt", name="is_to_be_answered")
    def _is_to_be_answered(cls, data: pa.PolarsData) -> pl.LazyFrame:  # noqa: N805 - pandera calls it with the class
        return data.lazyframe.select(pl.col(data.key).list.last().struct.field("role").is_in(["user", "tool"]))

    @pa.check("chosen", "rejected", name="one_assistant_message")
    def _one_answer(cls, data: pa.PolarsData) -> pl.LazyFrame:  # noqa: N805 - pandera calls it with the class
        said = pl.col(data.key).list
        return data.lazyframe.select((said.len() == 1) & (said.last().struct.field("role") == "assistant"))

    @pa.dataframe_check(name="chosen_is_better")
    def _chosen_is_better(cls, data: pa.PolarsData) -> pl.LazyFrame:  # noqa: N805 - pandera calls it with the class
        better = (pl.col("score_chosen") > pl.col("score_rejected")).fill_null(True)
        return data.lazyframe.select(better & (pl.col("chosen") != pl.col("rejected")))


class FitRows(Rows):
    """What a trainer makes of each row of a dataset: its place there, what becomes of it, its faults, and its sequences."""

    place: int = pa.Field(ge=1)
    fate: str = pa.Field(isin=("whole", "cut", "dropped", "refused"))
    why: str
    faults: pl.List = pa.Field(dtype_kwargs={"inner": pl.String})
    sequences: pl.List = pa.Field(dtype_kwargs={"inner": SEQUENCE})


class ReviewRows(Rows):
    """What people decided about rows of a dataset, a decision a row, never changed: `about` is the row_id of a row, `said`
    the digest of what it said then. A later one of the same reviewer counts in place of an earlier one, or undoes it."""

    number: int = pa.Field(ge=1, unique=True)
    reviewer: str = pa.Field(str_length={"min_value": 1, "max_value": 60})
    about: str = pa.Field(str_length={"min_value": 1})
    said: str
    decision: str = pa.Field(isin=("accept", "reject", "rate", "edit", "prefer", "swap", "skip", "undo"))
    rating: int = pa.Field(nullable=True, ge=1, le=5)
    edits: pl.List = pa.Field(dtype_kwargs={"inner": TEXT_EDIT})
    preferred: str = pa.Field(nullable=True, isin=("chosen", "rejected", "tie"))
    left: str = pa.Field(nullable=True, isin=("chosen", "rejected"))
    undoes: int = pa.Field(nullable=True, ge=1)
    note: str

    @pa.dataframe_check(name="says_what_it_has_to")
    def _says_what_it_has_to(cls, data: pa.PolarsData) -> pl.LazyFrame:  # noqa: N805 - pandera calls it with the class
        decision = pl.col("decision")
        rated = pl.col("rating").is_not_null() == (decision == "rate")
        edited = (pl.col("edits").list.len() > 0) == (decision == "edit")
        preferred = pl.col("preferred").is_not_null() == (decision == "prefer")
        undone = pl.col("undoes").is_not_null() == (decision == "undo")
        return data.lazyframe.select(rated & edited & preferred & undone)
