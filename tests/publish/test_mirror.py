"""A dataset at a URL: whole at every moment, gone on with from another machine, and nothing of it is lost where a store fails."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import fsspec
import polars as pl
import pytest
import yaml
from typer.testing import CliRunner

from flows.command.main import app
from flows.runs.verdict import NotPushed, TooManyRejects
from tasks.errors import ConfigError
from tasks.publish.mirror import fetch_mirror, mirror_of
from tasks.publish.revisions import Publication
from tests.flows.test_instruction_sft import Scripted, rule, sft


@pytest.fixture
def url() -> Iterator[str]:
    name = f"memory://{uuid4().hex}/demo"
    yield name
    fsspec.filesystem("memory").rm(name, recursive=True)


def of_seeds(url: str, count: int, **options: Any) -> dict[str, Any]:
    return sft(recipe="respond", seeds=[f"q {at}" for at in range(count)], out=url, **options)


def names(url: str) -> set[str]:
    store = fsspec.filesystem("memory")
    base = store._strip_protocol(url)
    return {name.removeprefix(f"{base}/") for name in store.find(url)}


def read_bytes(url: str, name: str) -> bytes:
    data: bytes = fsspec.filesystem("memory").cat_file(f"{url}/{name}")
    return data


def read(url: str, name: str) -> str:
    return read_bytes(url, name).decode()


def lines(url: str) -> list[Publication]:
    return [Publication.model_validate_json(line) for line in read(url, "revisions.jsonl").splitlines()]


def rows_of(url: str) -> int:
    """The rows of the dataset as a reader finds it: those that the card names."""
    told = yaml.safe_load(read(url, "README.md").split("---\n")[1])
    files = [split["path"] for split in told["configs"][0]["data_files"]]
    return sum(pl.read_parquet(fsspec.filesystem("memory").open(f"{url}/{file}")).height for file in files)


def test_a_run_publishes_at_a_url_and_a_second_machine_goes_on_there(
    url: str, scripted: Scripted, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    scripted(rule)
    first = of_seeds(url, 4)
    assert (first["url"], rows_of(url), first["rows"]) == (url, 4, 4)
    assert {"README.md", "revisions.jsonl", "revisions/r1/data/train.parquet", "revisions/r1/rejects.parquet"} <= names(
        url
    )
    for name in ("README.md", "revisions/r1/README.md"):
        assert f'load_dataset("parquet", data_files="{url}/revisions/r1/data/*.parquet"' in read(url, name)
        assert str(mirror_of(url)) not in read(url, name)
    shutil.rmtree(mirror_of(url))
    second = of_seeds(url, 6, incremental=True)
    assert (second["rows"], second["requests"], rows_of(url)) == (6, 2, 6)
    assert {"revisions/r1/data/train.parquet", "revisions/r2/data/train.parquet"} <= names(url)
    assert [line.revision for line in lines(url)] == [1, 2]
    third = of_seeds(url, 6, incremental=True)
    assert (third["revision"], third["requests"]) == (2, 0)


def test_the_dataset_is_whole_whenever_the_store_fails_and_the_same_command_goes_on(
    url: str, scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted(rule)
    of_seeds(url, 4, keep_revisions=1)
    store = fsspec.filesystem("memory")
    put, pipe = store.put_file, store.pipe_file
    puts = len([name for name in names(url) if name.startswith("revisions/")])
    for allowed in (0, 1, puts, puts + 1):  # within the files, before the card, between the card and the pointer
        left = [allowed]

        def failing(write: Callable[..., None], left: list[int] = left) -> Callable[..., None]:
            def attempt(*args: Any, **options: Any) -> None:
                if str(args[0 if write is pipe else 1]).endswith(".writable"):
                    return write(*args, **options)
                left[0] -= 1
                if left[0] < 0:
                    raise OSError("the store is away")
                return write(*args, **options)

            return attempt

        with monkeypatch.context() as patch:
            patch.setattr(store, "put_file", failing(put))
            patch.setattr(store, "pipe_file", failing(pipe))
            with pytest.raises(NotPushed, match="the store is away"):
                of_seeds(url, 5 + allowed, keep_revisions=1)
        assert rows_of(url) in (4, 5 + allowed)
    again = of_seeds(url, 5 + puts + 1, keep_revisions=1, incremental=True)
    assert (again["requests"], rows_of(url)) == (0, again["rows"])
    assert {name.split("/")[1] for name in names(url) if name.startswith("revisions/")} == {f"r{again['revision']}"}


def test_a_first_publication_that_was_cut_short_is_gone_on_with(
    url: str, scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted(rule)
    store = fsspec.filesystem("memory")
    put = store.put_file

    def failing(file: str, place: str, **options: Any) -> None:
        if place.endswith("train.parquet"):
            raise OSError("the store is away")
        put(file, place, **options)

    with monkeypatch.context() as patch:
        patch.setattr(store, "put_file", failing)
        with pytest.raises(NotPushed, match="the same command goes on"):
            of_seeds(url, 4)
    assert "revisions/r1/provenance.parquet" in names(url) and "revisions.jsonl" not in names(url)
    assert (of_seeds(url, 4)["requests"], rows_of(url)) == (0, 4)


@pytest.mark.parametrize("begun", [False, True], ids=["nothing of it is there", "its first files are there"])
def test_what_was_published_here_and_not_sent_stays_and_goes_with_the_next_run(
    begun: bool, url: str, scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = fsspec.filesystem("memory")
    put = store.put_file

    def away(file: str, place: str, **options: Any) -> None:
        if not begun or place.endswith("train.parquet"):
            raise OSError("the store is away")
        put(file, place, **options)

    scripted(rule)
    runs = [of_seeds(url, 4)["run"]]
    with monkeypatch.context() as patch, pytest.raises(NotPushed) as unsent:
        patch.setattr(store, "put_file", away)
        of_seeds(url, 6, incremental=True)
    assert unsent.value.summary is not None
    runs += [unsent.value.summary["run"], of_seeds(url, 8, incremental=True)["run"]]
    assert ([line.run for line in lines(url)], rows_of(url)) == (runs, 8)
    assert {f"revisions/r{at}/data/train.parquet" for at in (1, 2, 3)} <= names(url)


def test_what_a_publication_of_another_has_left_there_is_in_no_revision(url: str, scripted: Scripted) -> None:
    scripted(rule)
    of_seeds(url, 4)
    left = f"{url}/revisions/r2/data/train-00000-of-00002.parquet"
    fsspec.filesystem("memory").pipe_file(left, read_bytes(url, "revisions/r1/data/train.parquet"))
    shutil.rmtree(mirror_of(url))
    assert not (fetch_mirror(url) / "revisions").exists()
    assert of_seeds(url, 6, incremental=True)["rows"] == rows_of(url) == 6
    assert {name for name in names(url) if name.startswith("revisions/r2/data/")} == {"revisions/r2/data/train.parquet"}


def test_two_that_publish_at_one_url_do_not_overwrite_each_other(
    url: str, scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted(rule)
    of_seeds(url, 2)
    ours = read(url, "revisions.jsonl")
    theirs = ours.replace(lines(url)[0].run, "sft-another")

    def meanwhile(place: str) -> None:
        fsspec.filesystem("memory").pipe_file(f"{url}/revisions.jsonl", theirs.encode())

    monkeypatch.setattr("flows.runs.plan.check_url", meanwhile)
    with pytest.raises(NotPushed, match="another run has published there meanwhile"):
        of_seeds(url, 3)
    assert (read(url, "revisions.jsonl"), rows_of(url)) == (theirs, 2)


def test_what_is_good_is_at_the_url_where_too_many_rows_failed(url: str, scripted: Scripted) -> None:
    scripted(lambda request: "" if "0" in (request.messages or ())[-1]["content"] else rule(request))
    with pytest.raises(TooManyRejects):
        of_seeds(url, 2, max_attempts=1)
    assert rows_of(url) == 1


def test_what_is_no_dataset_of_ours_is_left_alone(url: str, scripted: Scripted) -> None:
    model = scripted(rule)
    fsspec.filesystem("memory").pipe_file(f"{url}/theirs.txt", b"x")
    with pytest.raises(ConfigError, match=r"something lies there that is no dataset of ours"):
        of_seeds(url, 2)
    assert (names(url), model.requests) == ({"theirs.txt"}, [])


@pytest.mark.parametrize(
    ("out", "said"),
    [
        ("s3://me:secret@bucket/x", "a password in a URL ends up in logs"),
        ("nosuch://x/y", "not a place that can be opened"),
    ],
)
def test_a_url_that_is_none_is_told(out: str, said: str, home: Path) -> None:
    ended = CliRunner().invoke(app, ["sft", "--out", out])
    assert (ended.exit_code, ended.stderr.count("\n")) == (2, 1)
    assert said in ended.stderr and "secret" not in ended.stderr


def test_a_url_of_this_machine_is_a_folder(scripted: Scripted, tmp_path: Path) -> None:
    scripted(rule)
    summary = of_seeds(f"file://{tmp_path}/here", 2)
    assert summary["dataset"] == f"{tmp_path}/here" and "url" not in summary


def test_curation_writes_to_a_url(url: str, scripted: Scripted) -> None:
    from flows.curate import curate
    from flows.curate_dataset import CurateDataset

    scripted(rule)
    sft(recipe="respond", seeds=["question one", "question two"])
    assert curate(CurateDataset(source="out", out=url))["rows"] == rows_of(url)


@pytest.mark.slow
def test_a_dataset_on_s3(scripted: Scripted, s3: str) -> None:
    from tasks.storage import places

    scripted(rule)
    url = f"{s3}/datasets/demo"
    of_seeds(url, 3)
    shutil.rmtree(mirror_of(url))
    assert of_seeds(url, 4, incremental=True)["requests"] == 1
    found = {entry.place.removeprefix(f"{url}/") for entry in places.entries(url)}
    assert {"revisions/r1/data/train.parquet", "revisions/r2/data/train.parquet", "README.md"} <= found
