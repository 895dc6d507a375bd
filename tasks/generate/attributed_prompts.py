"""Attributes with shares in, instructions out that have them: the composition of the dataset is what the config says.

    stillroom sft --recipe attributes --rows 1000 --config attributes.yaml

Attributed prompts: Yu et al. 2023 (AttrPrompt, arXiv:2306.15895). A tree of topics by the model: Li et al. 2024 (GLAN, arXiv:2402.13064).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Any

from pydantic import Field

from tasks.columns import LANGUAGE
from tasks.engine.ask import Models
from tasks.engine.row import Row
from tasks.engine.technique import Params, technique
from tasks.errors import ConfigError, Unusable
from tasks.models.base import Sampling
from tasks.storage.digest import digest
from tasks.text.composition.attributes import Attribute, DrawnRows, check_attributes
from tasks.text.instructions import capitalized
from tasks.text.reading.lists import items_of
from tasks.text.reading.messages import written_message
from tasks.text.rouge import rouge_l

FOLDER = "attributed_prompts"
TREE = "topic_tree"
ALIKE = 0.9  # ROUGE-L F of two topics that are one


class AttributedPrompts(Params):
    """What the dataset is for, the attributes of its rows, and the tree of topics."""

    description: str = Field("", description="what the dataset is for, in a sentence, e.g. an assistant for a library")
    attributes: tuple[Attribute, ...] = Field(
        (),
        description="each `{name: ..., values: {value: share}, when: {name: [values]}}`; `language` is that of the row",
    )
    topics: tuple[str, ...] = Field((), description="topics, in turn; empty: those of the tree")
    topic_levels: int = Field(2, ge=0, le=4, description="levels of the tree that the model writes; 0: no topics")
    topics_each: int = Field(8, ge=2, le=40, description="parts that a field of the tree is divided into")
    exact: bool = Field(
        True,
        description="a value that has its share of `rows` is full, and a row more with it is a reject (quota_full)",
    )
    tree_sampling: Sampling = Field(
        Sampling(temperature=0.7, top_p=0.95, max_new_tokens=1024), description="how topics are sampled"
    )
    sampling: Sampling = Field(
        Sampling(temperature=1.0, top_p=0.95, max_new_tokens=512), description="how instructions are sampled"
    )

    @property
    def row_languages(self) -> Collection[str]:
        """The languages that the attribute `language` names."""
        return next((tuple(one.values) for one in self.attributes if one.name == LANGUAGE), ())

    def blank_rows(self, lists: Mapping[str, Sequence[str]]) -> Sequence[dict[str, Any]]:  # noqa: ARG002 - it has none
        """The attributes of row after row. Raises ConfigError where there are none, or they do not go together."""
        if not self.description.strip():
            raise ConfigError(
                "recipe attributes has to be told what the dataset is for",
                None,
                "give --set attributed_prompts.description='an assistant for ...'",
            )
        check_attributes(self.attributes)
        return DrawnRows(self.attributes)


@technique(reads="AttributeDraws", writes="AttributedInstructions", prompts=FOLDER)
async def attributed_prompts(row: Row, models: Models, params: AttributedPrompts) -> list[Row]:
    """Have an instruction written that has the row's `attributes` and is about a topic of its `place`.

    Topics come in turn: the tree's are asked for once in a run, level by level. Writes `instruction` and `topic`.
    """
    topic = " > ".join(await _topic_of(row, models, params))
    message = await models.ask(
        f"{FOLDER}/instruction",
        description=params.description,
        topic=topic,
        attributes={one["name"]: one["value"] for one in row["attributes"] if one["name"] != LANGUAGE},
        sampling=params.sampling,
        parse=models.in_language(written_message),
    )
    return [row.child(instruction=message, topic=topic)]


async def _topic_of(row: Row, models: Models, params: AttributedPrompts) -> list[str]:
    """The way down the tree that is the row's turn: all leaves come equally often."""
    place = int(row["place"])
    if params.topics:
        return [params.topics[place % len(params.topics)]]
    path: list[str] = []
    nodes = 1  # on this level, as far as this row's way tells
    for _ in range(params.topic_levels):
        branches = await _branches(row, models, params, path, first=int(row["place"]) < nodes)
        path.append(branches[place % len(branches)])
        place, nodes = place // len(branches), nodes * len(branches)
    return path


async def _branches(
    row: Row, models: Models, params: AttributedPrompts, path: Sequence[str], *, first: bool
) -> list[str]:
    """The parts of a field. All rows ask on behalf of one row that is the tree's own, so it is one request.

    `first`: this row is the first that needs them, and has the request in its provenance.
    """
    tree = Row(
        digest(TREE, params.description, models.language, *path),
        {LANGUAGE: models.language},
        run_seed=row.run_seed,
        epoch=row.epoch,
        order=row.order,
        technique=row.technique,
    )
    branches: list[str] = await models.at(tree).ask(
        f"{TREE}/branches",
        description=params.description,
        path=list(path),
        count=params.topics_each,
        sampling=params.tree_sampling,
        parse=partial(branches_of, most=params.topics_each),
    )
    if first:
        row.calls.extend(tree.calls)
    return branches


def branches_of(completion: str, *, most: int) -> list[str]:
    """The parts that a completion lists, each once. Raises Unusable (no_topics) where there are fewer than two."""
    found: list[str] = []
    for item in items_of(completion):
        topic = capitalized(" ".join(item.split()).rstrip(".。:："))
        if topic and all(rouge_l(topic, other) < ALIKE for other in found):
            found.append(topic)
    if len(found) < 2:
        raise Unusable("no_topics", f"{len(found)} listed")
    return found[:most]
