"""Does this data make a model better? Students are trained on it and on what it is held against, and measured alike.

    stillroom prove datasets/sft-evolved --base HuggingFaceTB/SmolLM2-135M-Instruct --rows 200

A task trains each student, and one measures it. Both are kept in the home by all that they depend on: a second call trains
nothing, and a training that was killed goes on from its last checkpoint.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from prefect import flow, task
from prefect.artifacts import create_markdown_artifact
from prefect.logging import get_run_logger

from flows.judges.judged_wins import win_figures
from tasks.errors import ConfigError
from tasks.models.local.checkpoint import find_checkpoint
from tasks.notices import tell
from tasks.publish.describe.proofs import PROOF_FILE, keep_proof, revision_here
from tasks.publish.report.page import write_report
from tasks.publish.revisions import REPORT
from tasks.storage.digest import canonical, digest
from tasks.storage.files import write_atomically
from tasks.storage.home import check_home, home
from tasks.train.answering import RIGHT, student_answers
from tasks.train.arms import BASE, DATASET, SFT
from tasks.train.plan import OF_ANSWERS, WINS, Plan, folder_of, plan_proof
from tasks.train.proof import (
    NEEDED_ITEMS,
    TAUGHT,
    as_markdown,
    known_items,
    known_of,
    mean_of,
    measure_told,
    training_told,
)
from tasks.train.settings import ProofSettings
from tasks.train.student import Student

DIGITS = 6  # of figures that are kept
Weights = Sequence[dict[str, str]]
"""By seed: the folder of each student's weights, by the student's name."""


@flow(name="prove", flow_run_name="prove {settings.dataset} on {settings.base}")
def prove(settings: ProofSettings) -> dict[str, Any]:
    """The proof, also written as proof.json and put up as an artifact. Raises ConfigError before anything is trained.

    `students`, of what is returned: by name the folders of their weights, a seed each.
    """
    check_home()
    folder = folder_of(settings)
    revision = revision_here(folder)  # of the rows that are about to be read
    plan = plan_proof(settings)
    tell(
        f"{plan.size} students are trained, unless they are there already; measured beside the base: {', '.join(plan.measures)}"
    )
    weights = [
        {arm.name: _trained(plan, plan.student(arm, seed)) for arm in arms} for seed, arms in enumerate(plan.arms)
    ]
    proof = _told(plan, [_measured(plan, measure, weights) for measure in plan.measures])
    if keep_proof(folder, proof, revision) and (folder / REPORT).exists():
        write_report(folder)
    create_markdown_artifact(as_markdown(proof), key="proof")
    for told in proof["measures"]:
        for line in told["findings"]:
            get_run_logger().info(line)
    students = {name: [of_seed[name] for of_seed in weights] for name in weights[0] if name != BASE}
    return proof | {"written": str(folder / PROOF_FILE), "students": students}


def _trained(plan: Plan, student: Student | None) -> str:
    if student is None:
        return plan.base
    if student.after is not None:
        _trained(plan, student.after)
    return train_student(student, str(home() / "students"))


@task(name="train student", task_run_name="train on {student.lessons.name}, seed {student.seed}", persist_result=False)
def train_student(student: Student, folder: str) -> str:
    """The folder with the student's weights. One that is there is not trained again."""
    return str(student.train(Path(folder)))


def _measured(plan: Plan, measure: str, weights: Weights) -> dict[str, Any]:
    """One measure of all students; items that cannot be told of one are left out for all."""
    found = {name: [measure_student(plan, measure, name, of_seed[name]) for of_seed in weights] for name in weights[0]}
    known = known_items(found)
    if len(known) < NEEDED_ITEMS:
        what = f"{measure}: {len(known)} items could be told of every student"
        raise ConfigError(
            "too few items to measure by", what, f"{NEEDED_ITEMS} are needed: give others, or another check"
        )
    figures = {name: mean_of(of_seeds) for name, of_seeds in known_of(found).items()}
    of_dataset = [round(one, DIGITS) for one in figures[DATASET]]
    return measure_told(measure, figures) | {
        "key": digest(plan.key_of(measure), canonical(known)),
        "figures": of_dataset,
    }


@task(name="measure student", task_run_name="{measure} of {name}", persist_result=False)
def measure_student(plan: Plan, measure: str, name: str, weights: str) -> list[float | None]:  # noqa: ARG001 - Prefect shows it
    """A figure of each item. What was measured or answered before is read."""
    folder, key = home() / "students" / "measures" / find_checkpoint(weights).identity, plan.key_of(measure)
    if measure not in (*OF_ANSWERS, WINS):
        return kept_json(folder / f"{measure}-{key}.json", lambda: plan.figures(measure, weights))
    answers = _answered(plan, weights)
    if measure != WINS:
        return plan.figures_of(measure, answers)
    judge, questions, count = plan.settings.judge, plan.items.questions, plan.settings.judged
    assert judge is not None
    assert questions is not None
    base = _answered(plan, plan.base)[:count]
    asked = questions.taught[:count]
    against = digest(key, *base)
    return kept_json(folder / f"{WINS}-{against}.json", lambda: win_figures(judge, asked, answers[:count], base))


def _answered(plan: Plan, weights: str) -> list[str]:
    """A student's answers to the questions."""
    questions = plan.items.questions
    assert questions is not None
    folder = home() / "students" / "measures" / find_checkpoint(weights).identity
    place = folder / f"answers-{plan.key_of(RIGHT)}.json"
    return kept_json(place, lambda: student_answers(weights, questions.taught, plan.settings.max_new_tokens))


def kept_json(place: Path, make: Callable[[], list[Any]]) -> list[Any]:
    """What stands in a file; where there is none, what is made for it now."""
    if not place.is_file():
        write_atomically(place, json.dumps(make()).encode())
    found: list[Any] = json.loads(place.read_text(encoding="utf-8"))
    return found


def _told(plan: Plan, measures: Sequence[dict[str, Any]]) -> dict[str, Any]:
    notes = [
        f"{name} is taught {count:,} {TAUGHT[plan.kind if name != SFT else 'sft']}"
        for name, count in plan.counts.items()
    ]
    notes += [training_told(kind, plan.trainings[kind]) for kind in plan.kinds]
    notes.append(f"students of each kind: {plan.settings.seeds}, by seeds from 0 on; an item's figure is their mean")
    if plan.items.contaminated:
        notes.append(
            f"items that stand in what is taught, and are left out of every measure: {plan.items.contaminated:,}"
        )
    return {
        "dataset": plan.settings.dataset,
        "base": plan.settings.base,
        "identity": find_checkpoint(plan.base).identity,
        "kind": plan.kind,
        "training": plan.trainings[plan.kind].model_dump(),
        "seeds": plan.settings.seeds,
        "slices": plan.settings.slices,
        "items": len(plan.items.held_out.taught),
        "contaminated": plan.items.contaminated,
        "measures": list(measures),
        "notes": notes,
    }
