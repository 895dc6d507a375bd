"""A dataset that Stillroom has not made, as a folder that can be described: its records, read as `stillroom curate` reads them.

stillroom report pairs.jsonl
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl

from tasks.columns import RECORD
from tasks.errors import ConfigError
from tasks.publish.changes import Changes
from tasks.publish.revisions import DATA, HISTORY, REJECTS_FILE, Publication
from tasks.seeds.there import HUB_PREFIX
from tasks.seeds.whole_records import open_records
from tasks.storage.tables import PROVENANCE, REJECTS, write_stream

AT_ONCE = 1_000


def is_of_others(dataset: Path) -> bool:
    """Whether there is a file, a folder or a dataset of the Hub that no run of ours has published."""
    return str(dataset).startswith(HUB_PREFIX) or dataset.is_file() or (dataset.is_dir() and _has_rows(dataset))


def local_name(dataset: Path) -> str:
    """A file without its ending; of a dataset of the Hub its name without its owner, here."""
    told = str(dataset)
    return told.rpartition("/")[2] if told.startswith(HUB_PREFIX) else str(dataset.with_suffix(""))


def _has_rows(folder: Path) -> bool:
    return not (folder / HISTORY).exists() and any(folder.iterdir())


@contextmanager
def foreign_dataset(dataset: Path) -> Iterator[tuple[Path, Publication]]:
    """A folder with its records and no rejects or requests, gone at the end of the block, and a publication without a run.

    Raises ConfigError for records in no form that is known.
    """
    try:
        records = open_records(str(dataset))
    except ConfigError as error:
        if "--column" not in str(error):
            raise
        fix = f"`stillroom curate {dataset} --column instruction=NAME --out DIR` makes a dataset of it, with a report"
        raise ConfigError("no column that we know", dataset, fix) from error
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        frames = (batch.frame.select(RECORD).unnest(RECORD) for batch in records.read(AT_ONCE))
        rows = write_stream(folder / DATA / "train.parquet", frames)
        write_stream(folder / REJECTS_FILE, [pl.DataFrame(schema=REJECTS)])
        write_stream(folder / "provenance.parquet", [pl.DataFrame(schema=PROVENANCE)])
        yield (
            folder,
            Publication(
                revision=0,
                run="",
                replaces=True,
                retried=None,
                kind="curate",
                recipe="",
                format="records",
                models=[],
                rows=rows,
                changes=Changes(added=rows),
                blank_rows=0,
                at="",
            ),
        )
