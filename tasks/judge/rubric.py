"""A rubric: entries of a checklist with weights, written for one instruction, and what a response scores by it.

The score is what the entries that a response meets weigh, less what its pitfalls weigh, as a share of all that can be gained
(Gunjal et al. 2025, arXiv:2507.17746, section 3; their weights are the defaults).
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field

from tasks.engine.ask import Models
from tasks.engine.technique import Params
from tasks.errors import Unusable
from tasks.models.base import Sampling
from tasks.text.verdicts.forms import TEXT, Form, fields_of_each, one_of
from tasks.text.verdicts.rubric import EntryCheck, RubricEntry, checks_of, rubric_of, rubric_schema

PROMPTS_FOLDER = "rubrics"
RUBRIC_ASPECT = "rubric"
Rubric = tuple[RubricEntry, ...]


class RubricWeights(BaseModel):
    """What an entry of each kind weighs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    essential: float = Field(1.0, gt=0, allow_inf_nan=False, description="without it a response has failed")
    important: float = Field(0.7, gt=0, allow_inf_nan=False, description="without it a response is much worse")
    optional: float = Field(0.3, ge=0, allow_inf_nan=False, description="with it a response is better")
    pitfall: float = Field(0.9, ge=0, allow_inf_nan=False, description="a mistake: taken off where a response makes it")


class RubricParams(Params):
    """How rubrics are written and checked."""

    fewest: int = Field(4, ge=1, le=20, description="entries of a rubric, at least")
    most: int = Field(10, ge=1, le=20, description="entries of a rubric, at most")
    weights: RubricWeights = Field(RubricWeights(), description="of an entry by its kind")
    min_judges: int = Field(1, ge=1, description="judges that have to have checked a response")
    writer: Sampling = Field(Sampling(temperature=0.0, max_new_tokens=1024), description="how a rubric is sampled")
    sampling: Sampling = Field(Sampling(temperature=0.0, max_new_tokens=1536), description="how a judge is sampled")


async def written(models: Models, params: RubricParams, instruction: str, reference: str) -> Rubric:
    """The rubric of an instruction, by the first judge, who has seen no response. Raises Unusable."""
    return await models.ask(
        f"{PROMPTS_FOLDER}/write",
        by="judge",
        sampling=params.writer,
        parse=Form(rubric_of, {"criteria": rubric_schema()}, "1. ["),
        quoting=True,
        instruction=instruction,
        reference=reference,
        fewest=params.fewest,
        most=max(params.fewest, params.most),
    )


async def checked(
    models: Models,
    params: RubricParams,
    rubric: Rubric,
    told: tuple[str, str, str],
    *,
    judge: int,
    sample: int = 0,
) -> list[EntryCheck]:
    """One judge's verdicts on a response. `told`: instruction, response, reference. Raises Unusable."""
    instruction, response, reference = told
    fields = {"reason": TEXT, "met": one_of(("yes", "no"))}
    return await models.ask(
        f"{PROMPTS_FOLDER}/check",
        by=f"judge[{judge}]",
        sample=sample,
        sampling=params.sampling,
        parse=Form(
            lambda text: checks_of(text, len(rubric)),
            fields_of_each("Criterion", len(rubric), fields),
            "Criterion 1\n",
        ),
        quoting=True,
        instruction=instruction,
        response=response,
        reference=reference,
        criteria=[entry.text for entry in rubric],
    )


def rubric_score(rubric: Rubric, checks: Sequence[EntryCheck], weights: RubricWeights) -> float:
    """What a response scores, from 0 to 1. Raises Unusable where nothing in the rubric weighs anything."""
    worth = [(getattr(weights, entry.kind), entry, check) for entry, check in zip(rubric, checks, strict=True)]
    whole: float = sum(weight for weight, entry, _ in worth if entry.kind != "pitfall")
    if not whole:
        raise Unusable("rubric_empty", "no entry with a weight that a response can gain by")
    gained: float = sum(weight for weight, entry, check in worth if check.met and entry.kind != "pitfall")
    lost: float = sum(weight for weight, entry, check in worth if check.met and entry.kind == "pitfall")
    return max(0.0, (gained - lost) / whole)


def missed(rubric: Rubric, checks: Sequence[EntryCheck]) -> list[str]:
    """The essential entries that a response does not meet."""
    each = zip(rubric, checks, strict=True)
    return [entry.text for entry, check in each if entry.kind == "essential" and not check.met]
