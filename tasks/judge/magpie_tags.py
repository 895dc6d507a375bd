"""Magpie's tags: how difficult an instruction is, how well it is put, which kind of task, in which language; and its filter.

    stillroom sft --recipe basic --rows 1000 --model M --set curate.tags.keep_quality='[good, excellent]'

A judge is asked for each tag by itself, the ones that decide first, so that a row that goes costs no further request.
The language comes from an identifier, without a request. The tags are columns of the dataset under Magpie's names.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal, Self, get_args

from pydantic import Field, model_validator

from tasks.columns import TAG_COLUMNS
from tasks.engine.ask import Models
from tasks.engine.row import Row
from tasks.engine.technique import Params, row_filter
from tasks.errors import ConfigError, Filtered, RowLoss
from tasks.models.base import Message, Sampling
from tasks.text.categories import Category
from tasks.text.conversation import asked_turns
from tasks.text.language_id import check_identifier, language_of
from tasks.text.prompts import Prompts
from tasks.text.responses import conversation_text
from tasks.text.verdicts.forms import TEXT, Form, one_of
from tasks.text.verdicts.tags import DIFFICULTIES, QUALITIES, category_of, difficulty_of, quality_of

FOLDER = "magpie_tags"
Tag = Literal["quality", "difficulty", "category", "language"]
TAGS: tuple[Tag, ...] = get_args(Tag)
DifficultyGrade = Literal["very easy", "easy", "medium", "hard", "very hard"]
QualityGrade = Literal["very poor", "poor", "average", "good", "excellent"]


class MagpieTags(Params):
    """Which tags rows get, and which rows go by them. A `keep` that is empty keeps all, whatever the tag says."""

    tags: tuple[Tag, ...] = Field(
        ("quality", "difficulty", "category"),
        min_length=1,
        description="quality, difficulty and category are asked of the judge; language needs the extra `language`",
    )
    keep_quality: tuple[QualityGrade, ...] | None = Field(
        None, min_length=1, description="how well the instruction is put; the paper keeps good and excellent"
    )
    keep_difficulty: tuple[DifficultyGrade, ...] | None = Field(
        None, min_length=1, description="how difficult it is to answer well"
    )
    keep_category: tuple[Category, ...] | None = Field(None, min_length=1, description="kinds of task")
    keep_language: tuple[str, ...] | None = Field(
        None, min_length=1, description="languages of instructions; one that is too short to tell stays"
    )
    sampling: Sampling = Field(Sampling(temperature=0.0, max_new_tokens=512), description="how a tag is sampled")

    @model_validator(mode="after")
    def _decides_by_what_it_asks(self) -> Self:
        for tag in TAGS:
            if self.kept(tag) is not None and tag not in self.tags:
                raise ValueError(f"keep_{tag} needs the tag {tag}: put it into tags")
        return self

    def kept(self, tag: Tag) -> tuple[str, ...] | None:
        """The values of a tag that rows are kept with; None for all."""
        values: tuple[str, ...] | None = getattr(self, f"keep_{tag}")
        return values


@row_filter(reads="Rows", writes="TaggedRows", prompts=FOLDER)
async def magpie_tags(row: Row, models: Models, params: MagpieTags) -> Mapping[str, Any]:
    """Tag a row's instruction, and keep it where its tags are those wanted (Xu et al. 2024, arXiv:2406.08464).

    Of a conversation all that is asked before the answer is shown. Writes `input_quality` with `quality_explanation`,
    `difficulty` with `intent` and `knowledge`, `task_category` with `other_task_category`, and `input_language`. Raises
    Filtered (input_quality, input_difficulty, input_category, input_language) for a row that goes. A tag that decides and
    could not be had rejects the row; any other is a loss, and its columns are empty.
    """
    turns = [Message(role=turn["role"], content=turn["content"]) for turn in asked_turns(row) if turn.get("content")]
    if not turns:
        raise Filtered("no_instruction", "nothing to tag")
    instruction = conversation_text(turns)
    found: dict[str, Any] = dict.fromkeys(TAG_COLUMNS)
    for tag in sorted(params.tags, key=lambda tag: (params.kept(tag) is None, TAGS.index(tag))):
        try:
            columns = await READERS[tag](models, params, instruction)
        except RowLoss as loss:
            if params.kept(tag) is not None:
                raise
            row.lose(loss)
            continue
        found |= columns
        value, kept = found[DECIDES[tag]], params.kept(tag)
        if kept is not None and value is not None and value not in kept:
            raise Filtered(f"input_{tag}", f"{value}, kept: {', '.join(kept)}")
    return found


async def _quality(models: Models, params: MagpieTags, instruction: str) -> dict[str, Any]:
    said = await models.ask(
        f"{FOLDER}/quality",
        by="judge",
        sampling=params.sampling,
        parse=Form(quality_of, {"explanation": TEXT, "quality": one_of(QUALITIES)}, "Explanation:"),
        quoting=True,
        instruction=instruction,
    )
    return {"input_quality": said.grade, "quality_explanation": said.explanation}


async def _difficulty(models: Models, params: MagpieTags, instruction: str) -> dict[str, Any]:
    fields = {"intent": TEXT, "knowledge": TEXT, "difficulty": one_of(DIFFICULTIES)}
    said = await models.ask(
        f"{FOLDER}/difficulty",
        by="judge",
        sampling=params.sampling,
        parse=Form(difficulty_of, fields, "Intent:"),
        quoting=True,
        instruction=instruction,
    )
    return {"difficulty": said.grade, "intent": said.intent, "knowledge": said.knowledge}


async def _category(models: Models, params: MagpieTags, instruction: str) -> dict[str, Any]:
    said = await models.ask(
        f"{FOLDER}/category",
        by="judge",
        sampling=params.sampling,
        parse=Form(category_of, {"category": one_of(get_args(Category)), "other categories": TEXT}, "Category:"),
        quoting=True,
        instruction=instruction,
    )
    return {"task_category": said.category, "other_task_category": list(said.others)}


async def _language(_models: Models, _params: MagpieTags, instruction: str) -> dict[str, Any]:
    return {"input_language": language_of(instruction)}


TagReader = Callable[[Models, MagpieTags, str], Awaitable[dict[str, Any]]]
READERS: Mapping[Tag, TagReader] = {
    "quality": _quality,
    "difficulty": _difficulty,
    "category": _category,
    "language": _language,
}
DECIDES: Mapping[Tag, str] = {
    "quality": "input_quality",
    "difficulty": "difficulty",
    "category": "task_category",
    "language": "input_language",
}
"""The column by which rows are kept, of each tag."""


def check_tags(params: MagpieTags, prompts: Prompts) -> None:
    """Raise ConfigError where the run's prompts have none for tags, or the identifier of languages is missing."""
    if "language" in params.tags:
        check_identifier()
    for one in prompts.each if set(params.tags) - {"language"} else ():
        if FOLDER not in one.techniques():
            where = f"{one.set}/{one.language}"
            raise ConfigError("these prompts have none for curate.tags", where, "give --set prompt_set=full")
