"""A table in files of a bounded size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tasks.storage.shard_files import FILE_BYTES, ShardWriter, shard_files, write_shards
from tasks.storage.tables import read_stream, write_stream


def noise(rows: int, seed: int = 0) -> pl.DataFrame:
    """Rows of 64 bytes each that do not compress."""
    drawn = np.random.default_rng(seed).bytes(rows * 48)
    import base64

    return pl.DataFrame(
        {
            "row_id": range(rows),
            "text": [base64.b64encode(drawn[at * 48 : at * 48 + 48]).decode() for at in range(rows)],
        }
    )


def test_a_table_that_fits_is_one_file_with_the_bytes_of_a_stream(tmp_path: Path) -> None:
    frames = [noise(7_000, seed) for seed in range(4)]
    assert write_shards(tmp_path, "train", frames) == write_stream(tmp_path / "reference", frames) == 28_000
    assert (tmp_path / "train.parquet").read_bytes() == (tmp_path / "reference").read_bytes()
    assert FILE_BYTES == 500_000_000


@pytest.mark.parametrize("most_bytes", [200_000, 1_000_000])
def test_no_file_is_larger_and_the_rows_stay_in_order(most_bytes: int, tmp_path: Path) -> None:
    frames = [noise(9_000, seed) for seed in range(4)]
    assert write_shards(tmp_path, "train", frames, most_bytes) == 36_000
    files = shard_files(tmp_path)["train"]
    assert [file.name for file in files] == [f"train-{at:05}-of-{len(files):05}.parquet" for at in range(len(files))]
    assert len(files) > 2
    assert max(file.stat().st_size for file in files) <= most_bytes
    assert sum(file.stat().st_size for file in files) > 36_000 * 48
    assert pl.concat(read_stream(*files)).equals(pl.concat(frames))


def test_the_files_do_not_depend_on_the_frames_that_the_rows_came_in(tmp_path: Path) -> None:
    whole = noise(25_000)
    for name, step in (("one", 25_000), ("many", 333)):
        write_shards(tmp_path / name, "train", (whole[at : at + step] for at in range(0, whole.height, step)), 400_000)
    one, many = (shard_files(tmp_path / name)["train"] for name in ("one", "many"))
    assert [file.name for file in one] == [file.name for file in many]
    assert pl.concat(read_stream(*one)).equals(pl.concat(read_stream(*many)))
    assert [pl.read_parquet(file).height for file in one] == [pl.read_parquet(file).height for file in many]


def test_no_frames_have_no_file_and_frames_without_rows_have_one(tmp_path: Path) -> None:
    assert write_shards(tmp_path / "none", "train", []) == 0
    assert not (tmp_path / "none").exists()
    assert write_shards(tmp_path, "train", [noise(0), noise(0)]) == 0
    assert pl.read_parquet(tmp_path / "train.parquet").columns == ["row_id", "text"]


def test_nothing_stays_of_a_table_that_was_not_finished(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), ShardWriter(tmp_path, "train") as writer:
        writer.write(noise(10_000))
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_tables_beside_each_other_are_told_apart(tmp_path: Path) -> None:
    for name in ("train", "test_2"):
        write_shards(tmp_path, name, [noise(30)], 1_000)
    assert {name: len(files) for name, files in shard_files(tmp_path).items()} == {"test_2": 3, "train": 3} or all(
        len(files) > 1 for files in shard_files(tmp_path).values()
    )
    assert set(shard_files(tmp_path)) == {"train", "test_2"}
