"""The story of a row: what it says or why it was rejected, its ancestors, and each request behind them.

stillroom explain datasets/demo-sft 9f86d0
stillroom explain datasets/demo-sft --find "two socks"
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import polars as pl

from tasks.columns import SOURCE_COLUMNS
from tasks.errors import ConfigError
from tasks.publish.changes import id_column
from tasks.publish.export import published_at
from tasks.publish.revisions import CONFIG_FILE, all_data_files
from tasks.storage.tables import read_stream


def origin_of(dataset: Path, row_id: str) -> Iterator[dict[str, Any]]:
    """The lines of provenance of a row and its ancestors, the youngest first. `row_id`: the whole id, or its beginning.

    Columns as in `provenance.parquet`: a line for each request behind a row, one without a model where it took none.
    Raises ConfigError where the folder is no dataset, and for an unknown row.
    """
    file = dataset / "provenance.parquet"
    if not file.exists():
        raise ConfigError("no provenance there", dataset, "give the folder of a dataset")
    lines = pl.scan_parquet(file)
    begins = pl.col("row_id").str.starts_with(row_id)
    wanted = lines.filter(begins).select("row_id").unique().collect()["row_id"].sort().to_list()
    if not wanted:
        raise ConfigError("no such row in the dataset", row_id, "take a row_id of its rows, intermediate ones included")
    seen = set[str]()  # what a filter has asked about a row has that row as its parent
    while wanted:
        seen.update(wanted)
        found = lines.filter(pl.col("row_id").is_in(wanted)).collect()
        yield from found.iter_rows(named=True)
        parents = found.explode("parents")["parents"].drop_nulls().unique().sort().to_list()
        wanted = [row_id for row_id in parents if row_id not in seen]


def story_of(dataset: Path, row_id: str) -> dict[str, Any]:
    """All that a dataset knows of a row: `row` as it is published, `rejects` and `losses` of it, `lines` as `origin_of`.

    `row_id`: the whole id, or its beginning. A row that became nothing has no lines of its own: they are those of what it
    came of, where that is known. `source`: the dataset that was curated, or whose rows gave the instructions; where that is a
    folder of ours, `lines` go on there. `siblings`: what else came of the rows that it came of, and what became of each.
    Raises ConfigError where the folder is no dataset, and for a row that it does not know.
    """
    folder, _ = published_at(dataset)
    begins = pl.col("row_id").str.starts_with(row_id)
    told = {name: _lines(folder / f"{name}.parquet", begins) for name in ("rejects", "losses")}
    row = _published(folder, row_id)
    try:
        lines = list(origin_of(folder, row_id))
    except ConfigError:
        if row is None and not (told["rejects"] or told["losses"]):
            raise
        lines = []
    ids_there = [there for line in lines if (there := _id_there(line)) is not None]
    source = _made_from(folder) if ids_there else None
    if source is not None:
        lines += _lines_there(source, ids_there)
    return {"row": row, **told, "lines": lines, "source": source, "siblings": _siblings(folder, lines)}


def _id_there(line: Mapping[str, Any]) -> str | None:
    """The id that a first row has in the dataset that it was read from, if that gave it one."""
    if line["technique"] == RECORDS:
        return str(line["row_id"])
    told = json.loads(line[SOURCE_COLUMNS] or "{}").get("row_id") if SOURCE_COLUMNS in line else None
    return told if isinstance(told, str) else None


def _made_from(folder: Path) -> str | None:
    """The dataset that was curated, or that the first rows were read from, as its run was told."""
    import yaml

    told = yaml.safe_load((folder / CONFIG_FILE).read_text(encoding="utf-8")) if (folder / CONFIG_FILE).exists() else {}
    named = [told.get(name) for name in ("source", "instructions", "seeds")]
    return next((one for one in named if isinstance(one, str)), None)


def _lines_there(source: str, row_ids: Sequence[str]) -> list[dict[str, Any]]:
    """The lines of provenance of the same rows where they come from; none where that is no dataset of ours, or gone."""
    found: list[dict[str, Any]] = []
    for row_id in row_ids:
        with suppress(ConfigError):
            found += origin_of(Path(source), row_id)
    return found


def _siblings(folder: Path, lines: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """The first rows that came of the same parents by the same technique, and what became of them."""
    mine = {line["row_id"] for line in lines}
    parents = sorted({parent for line in lines for parent in line["parents"] or ()} - mine)
    parents += sorted({parent for line in lines for parent in line["parents"] or ()} & mine)
    techniques = sorted({line["technique"] for line in lines})
    others = (
        pl.scan_parquet(folder / "provenance.parquet")
        .filter(pl.col("technique").is_in(techniques) & ~pl.col("row_id").is_in(sorted(mine)))
        .filter(pl.col("parents").list.eval(pl.element().is_in(parents)).list.any())
        .select("row_id", "technique")
        .unique(maintain_order=True)
        .head(MOST_SIBLINGS)
        .collect()
    )
    return [
        {"row_id": row_id, "technique": technique, "became": _became(folder, row_id)}
        for row_id, technique in others.iter_rows()
    ]


def _became(folder: Path, row_id: str) -> str:
    """What became of a row, or of what came of it: "a row", else why it is none."""
    family, seen = [row_id], set[str]()
    reasons: list[str] = []
    while family:
        seen.update(family)
        if any(_published(folder, one) is not None for one in family):
            return "a row"
        told = _lines(folder / "rejects.parquet", pl.col("row_id").is_in(family))
        reasons += [f"{one['kind']}: {one['reason']} by {one['technique']}" for one in told]
        below = pl.scan_parquet(folder / "provenance.parquet").filter(
            pl.col("parents").list.eval(pl.element().is_in(family)).list.any()
        )
        children = below.select("row_id").unique().collect()["row_id"].sort().to_list()
        family = [child for child in children if child not in seen]
    return "; ".join(reasons) or "not known"


def find_rows(dataset: Path, text: str) -> Iterator[tuple[str, str, str]]:
    """Rows, rejects and losses that hold a text, whatever its case: id, where it stands, and the words around it."""
    folder, _ = published_at(dataset)
    for frame in read_stream(*all_data_files(folder)):
        column = id_column(frame.columns)
        for row in frame.iter_rows(named=True) if column else ():
            if said := _around(_texts(row), text):
                yield row[column], "row", said  # type: ignore[index]
    for name in ("rejects", "losses"):
        for frame in read_stream(folder / f"{name}.parquet"):
            for row in frame.select("row_id", "reason", "input", "raw").iter_rows(named=True):
                if said := _around([row["input"] or "", row["raw"] or ""], text):
                    yield row["row_id"], f"{name}: {row['reason']}", said


def _lines(file: Path, which: pl.Expr) -> list[dict[str, Any]]:
    return pl.scan_parquet(file).filter(which).collect().to_dicts()


def _published(folder: Path, row_id: str) -> dict[str, Any] | None:
    """The row with this id, or whose id begins so."""
    rows = pl.scan_parquet(all_data_files(folder))
    column = id_column(rows.collect_schema())
    if column is None:
        return None
    found = rows.filter(pl.col(column).str.starts_with(row_id)).head(1).collect().to_dicts()
    return found[0] if found else None


def _texts(value: Any) -> Iterator[str]:
    """All texts in a row."""
    if isinstance(value, str):
        yield value
    for one in value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ():
        yield from _texts(one)


RECORDS = "records"
"""The step that a curated row begins with."""
MOST_SIBLINGS = 12
AROUND = 40
"""Characters shown before and behind a text that was found."""


def _around(texts: Iterator[str] | list[str], wanted: str) -> str:
    """The text that was found with what stands around it, in one line; "" where it is in none of these."""
    for text in texts:
        at = text.casefold().find(wanted.casefold())
        if at >= 0:
            return " ".join(text[max(0, at - AROUND) : at + len(wanted) + AROUND].split())
    return ""
