"""What the Prefect UI shows of a run, as markdown: a step's progress, and at the end the report.

Pure text: `flows/watch/hooks.py` puts it on the server. The UI's markdown knows tables, headings, links and code; the first
line of an artifact's description is what its card shows.
"""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flows.runs.plan import RunPlan
from flows.runs.progress import StepProgress
from flows.runs.verdict import NoRows
from tasks.publish.card import told_of
from tasks.storage.tables import Table

NO_VALUE = "–"
LONGEST_CELL = 600
"""Characters of a text in a table: more makes the page unreadable, and is in the files."""
LONGEST_LINE = 40
"""Characters of a text that stands within a line."""


@dataclass(frozen=True)
class Ending:
    """What a run came to. `dataset`: its name. `summary` None: nothing was published. `error`: what ended the run.

    `tables`: the finished ones, by step. `steps`: the techniques as they were counted.
    """

    run: str
    dataset: str
    recipe: str
    models: Sequence[str]
    steps: Sequence[StepProgress]
    tables: Mapping[str, Sequence[Table]]
    seconds: float
    summary: Mapping[str, Any] | None = None
    error: Exception | None = None


def start_line(run: str, plan: RunPlan) -> str:
    """What a run was told, in one line: nothing of it is secret."""
    told = [
        f"recipe {plan.recipe.full_name}",
        *([f"models {', '.join(names)}"] if (names := plan.model_names()) else []),
        f"seed {plan.seed}",
        f"max_attempts {plan.max_attempts}",
        f"shards of {plan.shard_rows:,} rows",
        f"runner {plan.runner}",
    ]
    told += [f"{plan.rows:,} rows wanted"] if plan.rows else []
    told += [f"budget {budget}"] if (budget := str(plan.budget)) else []
    told += ["incremental"] if plan.incremental else []
    told += [f"retry of {plan.retry}"] if plan.retry else []
    return f"run {run} starts: {', '.join(told)}; dataset {plan.folder}"


def step_line(step: StepProgress) -> str:
    """What a step has come to, in one line."""
    refused = ", ".join(f"{reason} {count:,}" for reason, count in step.rejects.most_common())
    told = [
        f"{step.done:,} rows in, {step.rows_out:,} out, {step.rejects.total():,} refused{f' ({refused})' if refused else ''}",
        f"{step.shards:,} shards, {step.shards_cached:,} cached",
    ]
    tally = step.tally
    if tally.requests or tally.ledger_hits:
        told.append(f"{tally.requests:,} requests, {tally.ledger_hits:,} from the ledger, {tally.tokens:,} tokens")
        told += [f"cost {money(tally.cost)}"] if tally.cost else []
    return f"{step.name}: {'; '.join([*told, span(step.seconds)])}"


def progress_line(step: StepProgress) -> str:
    """How far a step is, in one line."""
    parts = [f"{step.done:,} of {step.known:,} rows" if not step.is_over else f"{step.done:,} rows done"]
    if refused := step.rejects.total():
        parts.append(f"{refused:,} refused")
    if not step.is_over and step.tokens_per_s >= 1:
        parts.append(f"{step.tokens_per_s:,.0f} tokens/s")
    if step.is_over:
        parts.append(span(step.seconds))
    elif step.left_s is not None:
        parts.append(f"about {span(step.left_s)} left")
    return f"**{step.name}**: {', '.join(parts)}"


def progress_text(step: StepProgress) -> str:
    """How far a step is: the line, and all its numbers below."""
    tally, cached = step.tally, f" ({step.shards_cached:,} cached)" if step.shards_cached else ""
    about = "" if step.is_over else "about "
    rows = [
        ("rows done", f"{step.done:,} of {about}{step.known:,}"),
        ("rows made", f"{step.rows_out:,}"),
        ("refused", f"{step.rejects.total():,}"),
    ]
    rows += [(f"– {reason}", f"{count:,}") for reason, count in step.rejects.most_common()]
    rows.append(("shards done", f"{step.shards_done:,} of {step.shards:,}{cached}"))
    if tally.requests or tally.ledger_hits:
        rows += [
            ("requests", f"{tally.requests:,}"),
            ("answers from the ledger", f"{tally.ledger_hits:,}"),
            ("tokens in", f"{tally.prompt_tokens:,}"),
            ("tokens out", f"{tally.completion_tokens:,}"),
            ("tokens out per second", _pace(step)),
            ("cost", money(tally.cost)),
        ]
    rows.append(("time", span(step.seconds)))
    if not step.is_over:
        rows.append(("time left", NO_VALUE if step.left_s is None else f"about {span(step.left_s)}"))
    return f"{progress_line(step)}\n\n{grid(('', 'so far' if not step.is_over else 'in all'), rows)}"


def report_line(ending: Ending) -> str:
    """What a run came to, in one line."""
    if ending.summary is None:
        why = type(ending.error).__name__ if ending.error else "budget reached"
        return f"nothing was published: {why} after {span(ending.seconds)}"
    parts = [f"{ending.summary['rows']:,} rows", f"{ending.summary['rejects']:,} rejects", change(ending.summary)]
    if ending.error is not None:
        parts.append("too many rows failed")
    elif ending.summary.get("ended", "completed") != "completed":
        parts.append(str(ending.summary["ended"]))
    return ", ".join(part for part in [*parts, span(ending.seconds)] if part)


def report_text(ending: Ending, links: Mapping[str, str]) -> str:
    """The report of a run: what it came to, each step, what was refused, and how to go on. `links`: title -> path."""
    parts = [f"# {ending.dataset}", _outcome(ending)]
    parts.append(" · ".join(f"[{title}]({path})" for title, path in links.items()))
    parts += ["## In all", _in_all(ending), "## What each step made", _rows_of_steps(ending)]
    if any(step.tally.requests or step.tally.ledger_hits for step in ending.steps):
        parts += ["## What each step asked for", _requests_of_steps(ending)]
    if any(table.rejects for tables in ending.tables.values() for table in tables):
        parts += ["## What was refused", _refused(ending)]
    if told := told_of((ending.summary or {}).get("brought_along") or {}):
        parts += ["## What answers bring along", f"Counted, and left in: {told}."]
    parts += ["## How to go on", _ways_on(ending)]
    return "\n\n".join(parts) + "\n"


def change(summary: Mapping[str, Any]) -> str:
    """The change note of the revision: "revision 4 (12 added, 3 changed)"; empty where there are no revisions."""
    if "revision" not in summary:
        return ""
    counts = ", ".join(f"{count:,} {word}" for word, count in (summary.get("changes") or {}).items() if count)
    return f"revision {summary['revision']} ({counts or 'no row changed'})"


def grid(header: Sequence[str], rows: Iterable[Sequence[str]], texts: int = 1) -> str:
    """A markdown table: the first `texts` columns to the left, numbers to the right."""
    rule = [":---" if column < texts else "---:" for column in range(len(header))]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [header, rule, *rows])


def span(seconds: float) -> str:
    """Seconds as a person says them: "0.4 s", "12 s", "3 min 05 s", "2 h 07 min"."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600:,} h {whole % 3600 // 60:02d} min"


def money(cost: float | None) -> str:
    """A cost in the currency of the prices; small ones keep two digits that count."""
    if not cost:
        return NO_VALUE
    return f"{cost:,.2f}" if cost >= 0.1 else f"{cost:.2g}" if cost >= 0.0001 else "< 0.0001"


def literal(text: str, width: int = 100) -> str:
    """A text for a cell, shown as it is: what a model wrote is not to be rendered, nor its images fetched.

    `width`: characters of a line; the UI breaks none of a code block.
    """
    shown = text if len(text) <= LONGEST_CELL else f"{text[:LONGEST_CELL]} … ({len(text):,} characters)"
    ticks = "`" * (1 + max((len(run) for run in re.findall("`+", shown)), default=0))
    if len(shown) <= min(width, LONGEST_LINE) and shown.strip() and "\n" not in shown:
        return f"{ticks} {shown} {ticks}" if "`" in shown else f"`{shown}`"
    fence = max(ticks, "```", key=len)
    lines = [part for line in shown.splitlines() for part in textwrap.wrap(line, width) or [""]]
    return "\n".join([fence, *lines, fence])


def _pace(step: StepProgress) -> str:
    mean = step.tally.completion_tokens / step.seconds if step.seconds > 0 else 0.0
    return f"{mean if step.is_over else step.tokens_per_s:,.0f}"


def _outcome(ending: Ending) -> str:
    by = f"run `{ending.run}`, recipe `{ending.recipe}`, models {', '.join(f'`{name}`' for name in ending.models)}"
    if ending.summary is None:
        if ending.error is None:
            return f"**Nothing was published.** {by}. It reached its budget before a row was finished."
        said = " ".join(str(ending.error).split()) or type(ending.error).__name__
        return f"**Nothing was published.** {by}. It ended with `{type(ending.error).__name__}`:\n\n{literal(said)}"
    told = f"**{ending.summary['rows']:,} rows** in `{ending.summary['dataset']}`"
    told += f", {note}" if (note := change(ending.summary)) else ""
    if ending.error is not None:
        told += f". **Too many rows failed**: {_cell(str(ending.error))}"
    elif ending.summary.get("ended", "completed") != "completed":
        told += (
            f". **{str(ending.summary['ended']).capitalize()}**: {ending.summary.get('pending', 0):,} rows are pending"
        )
    return f"{told}. {by[0].upper()}{by[1:]}."


def _in_all(ending: Ending) -> str:
    tallies = [step.tally for step in ending.steps]
    sums = [
        sum(getattr(tally, name) for tally in tallies)
        for name in ("requests", "ledger_hits", "prompt_tokens", "completion_tokens")
    ]
    counted = ending.summary or {}
    rows = [f"{counted[name]:,}" if name in counted else NO_VALUE for name in ("rows", "rejects")]
    cells = [*rows, *(f"{n:,}" for n in sums), money(sum(tally.cost for tally in tallies)), span(ending.seconds)]
    header = ("rows", "rejects", "requests", "from the ledger", "tokens in", "tokens out", "cost", "time")
    return grid(header, [cells], texts=0)


def _rows_of_steps(ending: Ending) -> str:
    counted = {step.name: step for step in ending.steps}
    names = [*ending.tables, *(name for name in counted if name not in ending.tables)]
    header = ("step", "rows in", "rows out", "refused", "failed", "shards", "cached", "time")
    return grid(header, [_rows_of_step(name, ending.tables.get(name, ()), counted.get(name)) for name in names])


def _rows_of_step(name: str, tables: Sequence[Table], step: StepProgress | None) -> list[str]:
    rows_in, rows_out, failed = (sum(getattr(t, count) for t in tables) for count in ("rows_in", "rows", "failed"))
    refused = sum(sum(t.rejects.values()) for t in tables)
    cells = [f"`{name}`", f"{rows_in:,}", f"{rows_out:,}", f"{refused:,}", _share(failed, rows_in)]
    if step is None:
        return [*cells, f"{len(tables):,}", NO_VALUE, NO_VALUE]
    shards = f"{step.shards:,}" if step.is_over else f"{step.shards_done:,} of {step.shards:,}"
    return [*cells, shards, f"{step.shards_cached:,}", span(step.seconds)]


def _requests_of_steps(ending: Ending) -> str:
    header = ("step", "requests", "from the ledger", "tokens in", "tokens out", "tokens out per second", "cost")
    return grid(
        header,
        [
            (
                f"`{step.name}`",
                f"{t.requests:,}",
                f"{t.ledger_hits:,}",
                f"{t.prompt_tokens:,}",
                f"{t.completion_tokens:,}",
                f"{t.completion_tokens / step.seconds if step.seconds else 0.0:,.0f}",
                money(t.cost),
            )
            for step in ending.steps
            if (t := step.tally).requests or t.ledger_hits
        ],
    )


def _refused(ending: Ending) -> str:
    rows = []
    for name, tables in ending.tables.items():
        reasons = sum((Counter(table.rejects) for table in tables), Counter[str]())
        rows_in = sum(table.rows_in for table in tables)
        rows += [(f"`{name}`", f"`{reason}`", f"{n:,}", _share(n, rows_in)) for reason, n in reasons.most_common()]
    return grid(("step", "reason", "rows", "of the step's rows"), rows, texts=2)


def _ways_on(ending: Ending) -> str:
    if ending.summary is None and not isinstance(ending.error, NoRows):
        return (
            "*Retry* in the UI, or the same command again, goes on from here: finished shards are cached, and an answer "
            "that was paid for comes from the ledger."
        )
    failed = sum(table.failed for tables in ending.tables.values() for table in tables)
    ways = []
    if failed:
        ways.append(
            f"- {failed:,} failed: `stillroom retry {ending.run}`, or the deployment `retry-failed` with the run "
            f"`{ending.run}`, asks for these again and for nothing else."
        )
    if failed or ending.summary is None:
        ways.append(f"- `stillroom rejects {ending.run}` shows them with their raw text.")
    if ending.summary is None:
        return "\n".join(ways)
    ways.append(f'- `load_dataset("{ending.summary["dataset"]}", split="train")` opens the dataset.')
    ways.append(f"- `stillroom explain {ending.summary['dataset']} ROW_ID` says where a row came from.")
    return "\n".join(ways)


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if part and whole else NO_VALUE


def _cell(text: str) -> str:
    """A line of our own for a paragraph or a cell."""
    return " ".join(text.split()).replace("|", "\\|")
