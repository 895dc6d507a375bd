"""Self-Instruct's bootstrap: a pool of tasks that grows by showing a model eight of them and taking what it adds.

    stillroom sft --recipe seeded --seeds seed_tasks.jsonl    # with `self_instruct: {mode: bootstrap}`

Wang et al. 2022 (arXiv:2212.10560), section 2.2, with the decoding and the filters of its code. In rounds, so that
requests run at once and a run can be resumed: the prompts of a round draw from the pool as it stood when it began.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from pydantic import Field

from tasks.columns import LANGUAGE
from tasks.engine.ask import Models
from tasks.engine.gather import gather_all
from tasks.engine.row import Loss, Row, language_for
from tasks.engine.table_step import Made, table_step
from tasks.engine.technique import Params
from tasks.errors import ConfigError, Filtered, RowLoss
from tasks.models.base import Sampling
from tasks.storage.digest import digest
from tasks.text.instructions import (
    BLACKLIST,
    EVERY_BLACKLIST,
    blacklist_refusal,
    first_refusal,
    language_refusal,
    length_refusal,
    similarity_refusal,
    start_refusal,
)
from tasks.text.rouge import Pool
from tasks.text.task_list import HEADER, LAST_ITEM, added_tasks, one_line, raw_list

STOPS = (f"\n{LAST_ITEM + 1}.",)
DECODING = Sampling(temperature=0.7, top_p=0.5, presence_penalty=2, max_new_tokens=1024, stop=STOPS)


class Bootstrap(Params):
    """How far the pool grows, and what may enter it. The defaults are the paper's."""

    target: int = Field(1000, ge=1, description="instructions to accept before stopping")
    max_rounds: int = Field(100, ge=1, description="rounds after which to stop, whatever was accepted")
    prompts_per_round: int = Field(
        32, ge=1, le=1024, description="prompts asked at once; they share one state of the pool"
    )
    exemplars: int = Field(8, ge=1, le=LAST_ITEM - 1, description="tasks shown in each prompt")
    machine_exemplars: int = Field(
        2, ge=0, description="of these, how many the model made itself, once there are that many"
    )
    min_words: int = Field(4, ge=1, description="words; shorter instructions are refused")
    max_words: int = Field(150, ge=1, description="words; longer instructions are refused")
    blacklist: tuple[str, ...] = Field(
        BLACKLIST, description="words that no instruction may have; these stand for those of other languages too"
    )
    english: bool | None = Field(
        None, description="refuse instructions that begin with a character outside ASCII; empty: with English prompts"
    )
    max_similarity: float = Field(
        0.7, ge=0, le=1, description="ROUGE-L F to a seed or an accepted one above which one is refused"
    )
    raw: bool = Field(False, description="have the list continued as raw text, as the paper did; for base models")
    sampling: Sampling = Field(DECODING, description="how the model continues the list")


@dataclass(frozen=True, slots=True)
class Task:
    """A text of the pool, the row that it came from, and its language in a run of several."""

    row_id: str
    instruction: str
    language: str | None = None


@dataclass(frozen=True, slots=True)
class Prompt:
    """One question of a round: the row that asks it, the tasks it shows, and (once asked) what the model added."""

    row: Row
    shown: tuple[Task, ...]
    added: list[str] = field(default_factory=list)


@table_step(reads="Instructions", writes="BootstrappedInstructions")
async def bootstrap(seeds: list[Row], models: Models, params: Bootstrap) -> Made:
    """Grow new instructions out of those of the seeds, until there are `params.target`.

    A row out has `instruction`, `most_similar` (of seeds and pool) and `similarity` (ROUGE-L F), as `parents` the ids
    of the tasks that were shown, and the `calls` of its prompt. A loss goes with the prompt whose completion it was in;
    a seed that no accepted row was shown beside is a reject. The order of the seeds changes nothing. Raises ConfigError
    without seeds.
    """
    if not seeds:
        raise ConfigError("Self-Instruct's bootstrap has no seeds", fix="give it rows with an instruction each")
    human = [
        Task(seed.row_id, one_line(seed["instruction"]), seed.get(LANGUAGE))
        for seed in sorted(seeds, key=lambda seed: seed.row_id)
    ]
    pool, made = Pool(task.instruction for task in human), Made([])
    for number in range(params.max_rounds):
        machine = [Task(row.row_id, row["instruction"], row.get(LANGUAGE)) for row in made.rows]
        rows = [_row(seeds[0], number, i, models.languages, params) for i in range(params.prompts_per_round)]
        prompts = [Prompt(row, _shown(row, human, machine, params)) for row in rows]
        await _ask_all(prompts, models, params)
        for prompt in prompts:
            made.rows.extend(_accepted(prompt, pool, models.at(prompt.row), params, params.target - len(made.rows)))
            made.losses.extend((prompt.row, loss) for loss in prompt.row.losses)
        if len(made.rows) >= params.target:
            break
    parents = {parent for row in made.rows for parent in row.parents}
    barren = Loss("filtered", "no_offspring", "no accepted instruction was made with this seed in its prompt")
    made.rejects.update({seed.row_id: barren for seed in seeds if seed.row_id not in parents})
    return made


def _row(seed: Row, number: int, index: int, languages: Sequence[str], params: Bootstrap) -> Row:
    """Prompt `index` of round `number`: a row of its own, whose draws depend on the run's seed and these two alone."""
    row_id = digest("self_instruct.bootstrap", number, index)
    return Row(
        row_id,
        {LANGUAGE: language_for(seed.run_seed, row_id, languages)} if languages else {},
        run_seed=seed.run_seed,
        epoch=seed.epoch,
        order=number * params.prompts_per_round + index,
        technique="bootstrap",
    )


def _shown(row: Row, human: Sequence[Task], machine: Sequence[Task], params: Bootstrap) -> tuple[Task, ...]:
    """The tasks that a prompt shows, in its language as far as there are any."""
    rng, language = row.rng("exemplars"), row.get(LANGUAGE)
    human = [task for task in human if task.language == language] or human
    machine = [task for task in machine if task.language == language]
    shown = rng.sample(machine, min(params.machine_exemplars, params.exemplars, len(machine)))
    shown += rng.sample(human, min(params.exemplars - len(shown), len(human)))
    rng.shuffle(shown)
    return tuple(shown)


async def _ask_all(prompts: Sequence[Prompt], models: Models, params: Bootstrap) -> None:
    """Ask the prompts of a round at once. What ends the run ends them all."""
    await gather_all(_ask(prompt, models.at(prompt.row), params) for prompt in prompts)


async def _ask(prompt: Prompt, models: Models, params: Bootstrap) -> None:
    """Have the list continued. What cannot be used is a loss of the prompt; cut by length, the paper drops it whole."""
    shown = [task.instruction for task in prompt.shown]
    parse = partial(added_tasks, first=len(shown) + 1)
    try:
        if params.raw:
            sampling = params.sampling.but(stop=("\n\n", *params.sampling.stop))
            header = next(iter(models.lists("bootstrap").get("raw_header", ())), HEADER)
            added = await models.complete(raw_list(shown, header), name="bootstrap/raw", sampling=sampling, parse=parse)
        else:
            added = await models.ask("bootstrap/tasks", instructions=shown, sampling=params.sampling, parse=parse)
    except RowLoss as loss:
        prompt.row.lose(loss)
    else:
        prompt.added.extend(added)


def _accepted(prompt: Prompt, pool: Pool, models: Models, params: Bootstrap, wanted: int) -> Iterator[Row]:
    """The rows of a prompt's tasks, in order; each enters the pool at once. The refused are losses of the prompt."""
    english = models.language == "en" if params.english is None else params.english
    for task in prompt.added:
        similar = pool.most_similar(task)
        refusal = first_refusal(
            (
                Filtered("surplus", raw=task) if wanted <= 0 else None,
                length_refusal(task, params.min_words, params.max_words),
                blacklist_refusal(task, EVERY_BLACKLIST if params.blacklist == BLACKLIST else params.blacklist),
                start_refusal(task, ascii_only=english),
                language_refusal(task, models.wrong_language),
                similarity_refusal(task, similar, pool, params.max_similarity),
            )
        )
        if refusal is not None:
            prompt.row.lose(refusal)
            continue
        assert similar is not None, "the pool holds the seeds"
        row = prompt.row.child(instruction=task, most_similar=pool.texts[similar.position], similarity=similar.score)
        row.parents, row.calls = tuple(shown.row_id for shown in prompt.shown), list(prompt.row.calls)
        pool.add(task)
        wanted -= 1
        yield row
