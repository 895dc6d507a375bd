"""One page about a dataset: how many rows came of how many candidates, how they are, and some of them to read.

    stillroom report datasets/demo-dpo            # datasets/demo-dpo/report.html

It is one file that needs nothing else, on a phone, in the dark, on paper and for a screen reader. Texts of models are
escaped: nothing in them is markup. The same folder gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

from jinja2 import Environment

from tasks.models.open import is_built_in
from tasks.publish.card import DEMO_NOTE
from tasks.publish.describe.asked import AskedPrompt, asked_of
from tasks.publish.describe.fits import fit_line, fits_of
from tasks.publish.describe.foreign import foreign_dataset, is_of_others, local_name
from tasks.publish.describe.html import html_templates
from tasks.publish.describe.proofs import proof_of
from tasks.publish.describe.run_figures import RunFigures, run_figures_of
from tasks.publish.export import published_at
from tasks.publish.report.charts import COLOURS, rings, scatter
from tasks.publish.report.embedded import vectors_on_record
from tasks.publish.report.histories import histories_of
from tasks.publish.report.measures import Measures, measures_of, row_id_of
from tasks.publish.report.refused import Rejected, rejected_of
from tasks.publish.report.shown_rows import short, shown
from tasks.publish.report.spread import Spread, interval_of_share
from tasks.publish.report.variety import ALIKE_ABOVE, Variety, variety_of
from tasks.publish.revisions import REPORT, Publication, data_files
from tasks.storage.files import write_atomically
from tasks.storage.tables import height_of

TEMPLATES = Path(__file__).parent / "templates"
PAIR_CHARS = 200
"""Of a row that is shown beside its nearest neighbour."""
Bars = list[tuple[str, int, float]]


def write_report(dataset: Path, out: Path | None = None) -> Path:
    """Write the report of a dataset, into its folder where no other file is named; of a file, beside it.

    Raises ConfigError where there is no dataset, or one of others in no form that is known.
    """
    if is_of_others(dataset):
        with foreign_dataset(dataset) as (folder, line):
            page = _page(folder, line, dataset)
        place = out or (dataset / REPORT if dataset.is_dir() else Path(f"{local_name(dataset)}.{REPORT}"))
    else:
        folder, line = published_at(dataset)
        page, place = _page(folder, line, dataset), out or dataset / REPORT
    write_atomically(place, page)
    return place


def publish_report(draft: Path, line: Publication, out: Path) -> None:
    """Write the report of a dataset that is about to be published at `out`, into the folder of its draft."""
    write_atomically(draft / REPORT, _page(draft, line, out))


def _page(folder: Path, line: Publication, dataset: Path) -> bytes:
    """The page about the rows in a folder, which are or will be those of a dataset."""
    measures, figures, rejected = measures_of(folder), run_figures_of(folder), rejected_of(folder)
    provenance = folder / "provenance.parquet"
    asked = asked_of(provenance)
    embedder = figures.embedder if figures else None
    variety = variety_of(measures.sampled, partial(vectors_on_record, provenance, embedder))
    histories = histories_of(provenance, [row_id for row in measures.samples if (row_id := row_id_of(row))])
    text = (
        _environment()
        .get_template("page.html")
        .render(
            name=dataset.absolute().name,
            line=line,
            demo_note=DEMO_NOTE if is_built_in(line.models) else "",
            headline=list(_headline(folder, measures, rejected, asked, figures)),
            run=figures,
            outcomes=_bars(
                [
                    ("rows", measures.rows),
                    *((f"{one.technique}: {one.reason}", one.count) for one in rejected.by_reason),
                ]
            ),
            rejected=rejected,
            measures=measures,
            longer=interval_of_share(measures.longer, measures.pairs),
            variety=variety,
            map=_map_of(variety),
            rings=_rings_of(variety),
            near=_near(variety, measures),
            alike=ALIKE_ABOVE,
            fits=[(fit, fit_line(fit)) for fit in fits_of(folder) if fit.get("revision") == line.revision],
            proof=proof_of(dataset, line.revision),
            asked=asked,
            samples=[shown(row, histories, figures.instructions if figures else {}) for row in measures.samples],
        )
    )
    return text.encode(errors="replace")


def _headline(
    folder: Path, measures: Measures, rejected: Rejected, asked: Sequence[AskedPrompt], run: RunFigures | None
) -> Iterator[tuple[str, str]]:
    splits = data_files(folder)
    yield "rows", f"{measures.rows:,}"
    if len(splits) > 1:
        yield from ((f"in {name}", f"{height_of(*files):,}") for name, files in splits.items())
    yield "rejects", f"{rejected.count:,}"
    yield "requests behind them", f"{sum(one.requests for one in asked):,}"
    yield "tokens in", f"{sum(one.tokens[0] for one in asked):,}"
    yield "tokens out", f"{sum(one.tokens[1] for one in asked):,}"
    if run is not None and run.cost is not None:
        yield "cost of the last run", f"{run.cost:.4g}"


def _map_of(variety: Variety) -> Any:
    """The map of the sampled rows, None of a few."""
    if not variety.topics:
        return None
    groups = {number: topic.rows for number, topic in enumerate(variety.topics, 1)}
    return scatter(variety.places, groups, f"Map of {variety.rows:,} rows, in {len(groups)} groups")


def _rings_of(variety: Variety) -> Any:
    """The chart of verbs and nouns, None where there are none."""
    return rings(variety.verbs, "Verbs of the instructions, and their objects") if variety.verbs else None


def _near(variety: Variety, measures: Measures) -> list[tuple[float, str, str]]:
    """The pairs of rows that are most like each other, in words."""
    told = [short(row.asked or row.answered, PAIR_CHARS) for row in measures.sampled]
    return [(pair.similarity, told[pair.one], told[pair.other]) for pair in variety.pairs]


def _bars(counts: Sequence[tuple[str, int]]) -> Bars:
    most = max((count for _, count in counts), default=1)
    return [(label, count, count / most if most else 0.0) for label, count in counts]


def _of_spread(spread: Spread) -> Bars:
    """The bins of a spread, named by both edges: of whole numbers `64 to 127`."""
    if spread.width is not None:
        return _bars([(f"{low:g} to {high:g}", count) for low, high, count in spread.filled()])
    return _bars([(_whole(low, high), count) for low, high, count in spread.filled()])


def _whole(low: float, high: float) -> str:
    return f"{low:,.0f}" if high - low <= 1 else f"{low:,.0f} to {high - 1:,.0f}"


@cache
def _environment() -> Environment:
    environment = html_templates(TEMPLATES)
    environment.filters |= {
        "bars": _bars,
        "spread": _of_spread,
        "counts": lambda counts: [(str(value), count) for value, count in sorted(counts.items())],
        "words_of": lambda counted: ", ".join(f"{word} {count:,}" for word, count in counted),
        "short": short,
        "percent": lambda share, digits=0: "–" if share is None else f"{100 * share:.{digits}f} %",
        "seconds": lambda seconds: f"{seconds:,.1f}" if seconds < 100 else f"{seconds:,.0f}",
        "money": lambda cost: f"{cost:.4g}" if cost else "–",
        "figure": lambda number: "–" if number is None else f"{number:.2f}",
    }
    environment.globals["colours"] = COLOURS
    return environment
