"""What a trainer will really see of a dataset, told before anyone trains: a task for each part of it, a table and findings.

stillroom fit datasets/sft-evolved --model HuggingFaceTB/SmolLM2-135M-Instruct --max-length auto

A part that is on disk already is not looked at again: the same dataset, model and settings have the same key.
Rows that do not fit can be left out of a dataset that is made of it, or of its next revision: that is a run of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

from prefect import flow, task
from prefect.futures import PrefectFuture
from prefect.logging import get_run_logger
from prefect.task_runners import ThreadPoolTaskRunner
from pydantic import Field

from flows.revise import fitting_config, flow_of
from flows.runs.verdict import EndedBadly, UnfitRows
from tasks.curate.fit import IN_PART, UNBOUNDED, FitDataset
from tasks.curate.fit_filter import FitFor
from tasks.curate.fit_parts import WORKERS, FitParts
from tasks.models.target import open_target
from tasks.notices import tell
from tasks.publish.describe.fits import keep_fit
from tasks.publish.export import published_at
from tasks.publish.report.page import write_report
from tasks.publish.revisions import REPORT, data_files
from tasks.publish.splits import TRAIN_SPLIT
from tasks.publish.trainers.choose import Fit
from tasks.publish.trainers.findings import WHOLE_SHARE, FitTally, summary
from tasks.storage.home import check_home, tables_root
from tasks.storage.places import is_url
from tasks.storage.tables import sidecar

USUAL = Fit()
AT_ONCE = max(2, WORKERS)
"""Parts under way: texts become tokens outside of Python, while another part's templates are rendered."""


_THREADS: Any = ThreadPoolTaskRunner(AT_ONCE)


@flow(name="fit", flow_run_name="fit {dataset} for {model}", task_runner=_THREADS)
def fit(
    dataset: Annotated[str, Field(description="a folder, a .jsonl or .parquet file, or hf:NAME")],
    model: Annotated[str, Field(description="the model to train: a transformers name or folder; no weights are read")],
    settings: Annotated[Fit, Field(description="who trains, and how")] = USUAL,
    max_length: Annotated[
        int | Literal["auto"] | None, Field(description="tokens of a row; auto: at which 99 % of the rows stay whole")
    ] = None,
    split: Annotated[str | None, Field(description="of a folder or a dataset of the Hub; default: train")] = None,
    max_unfit_fraction: Annotated[
        float, Field(ge=0, le=1, description="rows better left out above which the run ends Failed")
    ] = 1.0,
    drop: Annotated[
        Literal["unfit"] | None,
        Field(
            description="unfit: publish the others, as the next revision of a dataset of ours or as what `out` holds"
        ),
    ] = None,
    out: Annotated[
        str | None, Field(description="with drop: a folder or URL for a dataset of the rows that fit")
    ] = None,
) -> dict[str, Any]:
    """Facts of every row in a table, and the findings; with `drop` what came of it too.

    Raises ConfigError; UnfitRows above `max_unfit_fraction`, when what fits is written; NoRows where nothing does.
    """
    check_home()
    target = open_target(model)
    if drop is not None:  # the user's mistakes first
        fitting_config(dataset, out, FitFor(model=model, **settings.model_dump()))
    if max_length == "auto":
        unbounded = FitDataset(dataset, settings.model_copy(update={"max_length": UNBOUNDED}), target, split)
        max_length = max(_tally(unbounded).length_at(WHOLE_SHARE), 1)
    settings = settings.model_copy(update={"max_length": max_length or settings.length})
    made = FitDataset(dataset, settings, target, split)
    tally = _tally(made)
    if made.told:
        tell(made.told)
    found = summary(tally, target, settings.trainer, settings.length) | {"dataset": dataset, "table": _folder(made)}
    _keep(dataset, found, settings, split)
    log = get_run_logger()
    for finding in found["findings"]:
        log.info("%s: %s of %s rows: %s", finding["name"], f"{finding['count']:,}", f"{tally.rows:,}", finding["what"])
    if drop is not None:
        found["fitting"] = _without_unfit(FitFor(model=model, **settings.model_dump()), made, out, found)
    if found["unfit_fraction"] > max_unfit_fraction:
        raise UnfitRows(found, max_unfit_fraction)
    return found


def _without_unfit(told: FitFor, made: FitDataset, out: str | None, found: Mapping[str, Any]) -> dict[str, Any]:
    """The summary of a run that leaves the unfit rows out; an empty one where there was nothing to do."""
    if out is None and not found["unfit"]:
        tell("every row fits: the dataset stays as it is")
        return {}
    config = fitting_config(made.spec, out, told)
    if out is None and config.rows is not None and config.curate.diversify is None:
        config = config.model_copy(update={"rows": _fitting_rows(made, found)})  # none are made in their place
    try:
        return flow_of(config)(config)
    except EndedBadly as error:
        error.summary = {**found, "fitting": error.summary}
        raise


def _fitting_rows(made: FitDataset, found: Mapping[str, Any]) -> int:
    """How many rows of a dataset of ours fit, in all of its splits."""
    fitting: int = found["rows"] - found["unfit"]
    for split in data_files(published_at(Path(made.spec))[0]):
        if split != TRAIN_SPLIT:
            other = _tally(replace(made, split=split))
            fitting += other.rows - other.unfit
    return fitting


def _keep(dataset: str, found: Mapping[str, Any], settings: Fit, split: str | None) -> None:
    """Have a dataset of ours say in its card and its report what was found of it."""
    if is_url(dataset):
        return
    folder = Path(dataset).expanduser()
    about = {"loss": settings.loss, "pairs": settings.pairs, "split": split}
    if keep_fit(folder, {**found, **about}) and (folder / REPORT).exists():
        write_report(folder)


def _folder(dataset: FitDataset) -> str:
    return f"{tables_root()}/fit/{dataset.key}-{IN_PART}"


def _tally(dataset: FitDataset) -> FitTally:
    """The faults of all rows, part by part, as many parts as there are."""
    dataset.check()
    parts = FitParts(dataset, _folder(dataset))
    try:
        return _tally_of(parts)
    finally:
        parts.close()


def _tally_of(parts: FitParts) -> FitTally:
    tally, start, under_way = FitTally(), 0, list[PrefectFuture[str]]()
    while True:
        while len(under_way) < AT_ONCE:
            under_way.append(fit_part.submit(parts, start, IN_PART))
            start += IN_PART
        part = sidecar(under_way.pop(0).result())
        assert part is not None, "a part that is made has its sidecar"
        tally.add_part(part.read())
        if part.rows < IN_PART:
            for future in under_way:
                future.wait()
            return tally


@task(name="fit", task_run_name="fit rows from {start}", persist_result=False)
def fit_part(parts: FitParts, start: int, rows: int) -> str:
    """The facts of a part of the dataset; where their table lies."""
    return parts.write(start, rows)
