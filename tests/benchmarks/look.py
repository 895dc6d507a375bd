"""How long the studio's look at a dataset takes: the first one, pages by filter, order and text, counts, map, a decision.

Each is asked for as a browser asks, so that the page is made and sent too.

python -m tests.benchmarks.look --rows 1000000
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl

from tests.publish.report.made import publish_rows, talk

PLAIN_WORDS = [f"word{number}" for number in range(2_000)]


def made(folder: Path, rows: int) -> Path:
    """A dataset of so many rows, 0.9 kB of text each."""
    out = publish_rows(folder / "big", [talk("q", "a", score=1.0, topic="t", language="en")])
    parts = 20
    for part in range(parts):
        first, last = rows * part // parts, rows * (part + 1) // parts
        place_here = pl.int_range(first, last).alias("place")
        frame = pl.select(place_here).select(
            pl.format("{}{}", pl.lit("0" * 22), (pl.col("place") + 10**9).cast(pl.String)).alias("row_id"),
            *_columns(pl.col("place")),
        )
        file = out / "data" / f"train-{part:05}-of-{parts:05}.parquet"
        frame.write_parquet(file, row_group_size=10_000)
    (out / "data" / "train.parquet").unlink()
    return out


def _columns(place: pl.Expr) -> list[pl.Expr]:
    words = pl.lit(pl.Series([PLAIN_WORDS], dtype=pl.List(pl.String))).first()
    said = [words.list.get((place * (7 + at * 13) + at * 31) % len(PLAIN_WORDS)) for at in range(24)]
    asked = pl.concat_str(*said[:6], pl.lit("number"), place.cast(pl.String), separator=" ")
    answer = pl.concat_str(*(said * 5), separator=" ")
    user = pl.struct(pl.lit("user").alias("role"), asked.alias("content"))
    assistant = pl.struct(pl.lit("assistant").alias("role"), answer.alias("content"))
    topics = pl.lit(pl.Series([[f"topic {n}" for n in range(40)]], dtype=pl.List(pl.String))).first()
    return [
        pl.concat_list(user, assistant).alias("messages"),
        ((place * 37) % 401 / 80).alias("score"),
        topics.list.get(place * 13 % 40).alias("topic"),
        pl.when(place % 3 == 0).then(pl.lit("vi")).otherwise(pl.lit("en")).alias("language"),
    ]


def timed(what: str, do: Callable[[], Any], repeats: int = 1) -> None:
    """Print how long it took, the first time and after, as wall time and in seconds of CPU."""
    took = []
    for _ in range(repeats):
        began, used = time.perf_counter(), time.process_time()
        do()
        took.append((time.perf_counter() - began, time.process_time() - used))
    told = [("first", took[0])] + ([("again", sorted(took[1:])[len(took) // 2 - 1])] if repeats > 1 else [])
    print(
        what,
        *(f"{name} {1000 * wall:,.0f} ms (CPU {1000 * cpu:,.0f})" for name, (wall, cpu) in told),
        sep="  ",
        flush=True,
    )


PAGES = (
    "",
    "?page=4000",
    "?is.topic=topic+1&is.topic=topic+7&min.score=4",
    "?sort=-score",
    "?sort=%2Btopic",
    "?is.language=vi&min.score=2&sort=-answer_chars&page=40",
    "?text=word77+",
    "?text=number+7777",
    "?text=nowhere+at+all",
    "?is.language=vi&min.score=4&text=number+7777",
    "/facets",
    "/facets?min.score=3",
    "/map",
)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=100_000)
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as folder:
        os.environ["STILLROOM_HOME"] = f"{folder}/home"
        from tasks.publish.look.view import open_view
        from tasks.reviews.desk import ReviewDesk
        from tests.flows.studio.asked import open_studio

        out = made(Path(folder), rows)
        size = sum(file.stat().st_size for file in (out / "data").iterdir())
        print(f"{rows:,} rows, {size / 1e6:,.0f} MB of Parquet")
        timed("first look (index written)", lambda: open_view(out))
        view, desk = open_view(out), ReviewDesk(out)
        row_id = view.ids_of([rows // 2])[0]
        studio = open_studio(Path(folder))

        def ask(path: str) -> None:
            answer = studio.get(f"/d/big/{path}")
            assert answer.status_code == 200, (path, answer.status_code, answer.headers.get("location"))

        ask("look")  # what is loaded once in a process
        for page in PAGES:
            timed(f"look{page}", lambda page=page: ask(f"look{page}"), 4)
        timed("look?near=", lambda: ask(f"look?near={row_id}"), 4)
        timed("look/row/", lambda: ask(f"look/row/{row_id}"), 4)
        for order in ("random", "lowest", "given"):
            timed(f"review, {order}", lambda order=order: ask(f"review?by=anna&order={order}"), 4)
        timed("a decision", lambda: desk.decide("anna", [row_id], {"decision": "accept"}), 5)
        timed(
            "reject 10,000 rows at once",
            lambda: desk.decide("anna", view.ids_of(range(10_000)), {"decision": "reject"}),
        )


if __name__ == "__main__":
    main()
