import gc
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import datasets
import polars as pl
import pytest

from tasks.errors import ConfigError
from tasks.seeds.known_formats import Reading
from tasks.seeds.sources import open_source
from tests.seeds.seed_files import fault, instructions, rows, written

ROOT = Path(__file__).parents[2]
SEEDS = ROOT / "tests/data/self_instruct/seed_tasks.jsonl"
MESSAGES = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]


@pytest.fixture(autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STILLROOM_HOME", str(tmp_path_factory.mktemp("home")))


@pytest.fixture
def _collected() -> Iterator[None]:
    yield
    gc.collect()


def streamed(test: Callable[..., None]) -> Callable[..., None]:
    """A test of a folder that is refused midway: `datasets` leaves its file open, so it goes before the next test."""
    return pytest.mark.filterwarnings("ignore::ResourceWarning")(pytest.mark.usefixtures("_collected")(test))


def test_the_seed_tasks_of_self_instruct_are_175_instructions() -> None:
    source = open_source(SEEDS)
    source.check()
    texts = instructions(source)
    assert len(texts) == 175
    assert texts[0].startswith("Is there anything I can eat for a breakfast")
    assert source.columns == {"instruction": "instruction"}


def test_a_dotted_path_leads_into_lists_and_objects() -> None:
    first = rows(open_source(SEEDS, columns={"instruction": "instruction", "input": "instances.0.input"}), limit=2)[1]
    assert first["instruction"].startswith(
        "What is the relation between the given pairs?\n\nNight : Day :: Right : Left"
    )
    apart = open_source(
        SEEDS, columns={"instruction": "instruction", "input": "instances.0.input"}, reading=Reading(joined=False)
    )
    assert rows(apart, limit=2)[1]["input"].startswith("Night : Day :: Right : Left")


def test_parquet_gives_the_same_rows(tmp_path: Path) -> None:
    pl.DataFrame({"id": [1, 2], "instruction": ["Ä 1", "b, 2"]}).write_parquet(tmp_path / "s.parquet")
    assert rows(open_source(tmp_path / "s.parquet")) == [{"instruction": "Ä 1"}, {"instruction": "b, 2"}]


def test_a_list_may_hold_texts_and_records() -> None:
    assert instructions(open_source(["Ä 1", {"instruction": "b, 2", "other": 1}])) == ["Ä 1", "b, 2"]


def many(folder: Path, form: str) -> Path:
    """23 numbered seeds; a row group of the Parquet and a batch of the reader end in their midst."""
    frame = pl.DataFrame({"instruction": [f"seed {n}" for n in range(23)]})
    path = folder / f"many.{form}"
    if form == "parquet":
        frame.write_parquet(path, row_group_size=5)
    elif form == "csv":
        frame.write_csv(path)
    elif form == "json":
        frame.write_json(path)
    elif form == "folder":
        path.mkdir()
        frame[:9].write_parquet(path / "train-0.parquet")
        frame[9:].write_parquet(path / "train-1.parquet")
    elif form == "saved":
        datasets.Dataset.from_dict(frame.to_dict(as_series=False)).save_to_disk(path)
    else:
        frame.write_ndjson(path)
    return path


@pytest.mark.parametrize("form", ["jsonl", "json", "csv", "parquet", "folder", "saved"])
def test_batches_are_windows_of_one_sequence(form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = open_source(many(tmp_path, form))
    whole = [f"seed {n}" for n in range(23)]
    for size, start, limit in [
        (1, 0, None),
        (7, 0, None),
        (100, 4, 5),
        (3, 5, None),
        (2, 10, 13),
        (5, 22, 9),
        (5, 23, 1),
        (4, 9, 0),
    ]:
        end = None if limit is None else start + limit
        assert instructions(source, size, start=start, limit=limit) == whole[start:end]
        assert all(frame.height <= size for frame in source.batches(size, start=start, limit=limit))
    assert [frame.height for frame in source.batches(10)] == [10, 10, 3]
    source.check()


@pytest.mark.parametrize(
    ("record", "columns"),
    [
        ({"prompt": "a", "text": "b"}, {"instruction": "prompt"}),
        ({"text": "a", "query": "b", "question": "c"}, {"instruction": "question"}),
        ({"instruction": "a", "messages": MESSAGES, "id": 7}, {"instruction": "instruction", "messages": "messages"}),
        ({"conversations": MESSAGES, "source": "x"}, {"messages": "conversations"}),
        ({"context": "a", "title": "b"}, {"context": "context"}),
        (
            {"instruction": "a", "system": "s", "topic": "t"},
            {"instruction": "instruction", "system": "system", "topic": "topic"},
        ),
    ],
    ids=lambda value: "-".join(value),
)
def test_the_columns_of_the_house_are_found_by_their_names(record: dict[str, Any], columns: dict[str, str]) -> None:
    assert open_source([record]).columns == columns


def test_with_a_mapping_only_the_mapped_columns_are_read() -> None:
    source = open_source(
        [{"instruction": "a", "prompt": "b", "system": "s", "n": 1}], columns={"instruction": "prompt", "rank": "n"}
    )
    assert rows(source) == [{"instruction": "b", "rank": 1}]


def test_the_types_are_the_same_in_every_batch() -> None:
    records = [
        {"instruction": "a", "score": 1, "tags": [], "system": None, "note": None},
        {"instruction": "b", "score": 0.5, "tags": ["x"], "note": "n"},
        {"instruction": "c"},
    ]
    columns = {name: name for name in ("instruction", "score", "tags", "system", "note")}
    frames = list(open_source(records, columns=columns).batches(1))
    assert {str(frame.schema) for frame in frames} == {str(frames[0].schema)}
    assert frames[0].schema["score"] == pl.Float64 and frames[0].schema["tags"] == pl.List(pl.String)
    assert frames[2].row(0, named=True) == {
        "instruction": "c",
        "score": None,
        "tags": None,
        "system": None,
        "note": None,
    }


def test_a_column_keeps_its_type_behind_the_first_rows(tmp_path: Path) -> None:
    lines = [{"instruction": f"{n}", "note": None if n < 1500 else "late"} for n in range(1600)]
    path = written(tmp_path, "s.jsonl", "\n".join(map(json.dumps, lines)))
    assert rows(open_source(path, columns={"instruction": "instruction", "note": "note"}))[1500]["note"] == "late"


SHAREGPT = [
    {"from": "system", "value": "Be brief."},
    {"from": "human", "value": "Hi"},
    {"from": "gpt", "value": "Hello"},
]


@pytest.mark.parametrize("form", ["jsonl", "parquet", "list"])
def test_sharegpt_conversations_become_messages(form: str, tmp_path: Path) -> None:
    spec: Any = [{"conversations": SHAREGPT}, {"conversations": SHAREGPT[1:2]}]
    if form == "jsonl":
        spec = written(tmp_path, "s.jsonl", "\n".join(map(json.dumps, spec)))
    elif form == "parquet":
        pl.DataFrame(spec).write_parquet(tmp_path / "s.parquet")
        spec = tmp_path / "s.parquet"
    source = open_source(spec)
    turns = [{"role": "system", "content": "Be brief."}, *MESSAGES[:1]]
    assert [row["messages"] for row in rows(source)] == [turns, turns[1:2]]
    assert [row["response"] for row in rows(source)] == ["Hello", None]


def test_responses_may_be_texts_or_objects() -> None:
    source = open_source(
        [{"prompt": "a", "responses": ["x", {"text": "y", "model": "m", "rating": 5}]}, {"prompt": "b"}]
    )
    blank = {"model": None, "principle": None}
    assert [row["responses"] for row in rows(source)] == [
        [{"text": "x", **blank}, {"text": "y", **blank, "model": "m"}],
        None,
    ]


def test_messages_stand_in_for_an_instruction() -> None:
    source = open_source([{"instruction": "a"}, {"messages": MESSAGES}, {"instruction": "", "messages": MESSAGES}])
    source.check()
    assert [row["messages"] for row in rows(source)] == [None, MESSAGES[:1], MESSAGES[:1]]
    assert [row["instruction"] for row in rows(source)] == ["a", "Hi", "Hi"]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("seed_task.jsonl", ("no such file", "did you mean seed_tasks.jsonl?")),
        ("../self_instrct/x.jsonl", ("no folder self_instrct", "did you mean self_instruct?")),
        ("seed_tasks.jsonl/x.jsonl", ("seed_tasks.jsonl is a file, not a folder",)),
        ("zzz", ("no such file", "seeds may be")),
    ],
    ids=["file", "folder", "file-as-folder", "nothing-near"],
)
def test_a_wrong_path_gets_the_name_that_was_meant(wrong: str, said: tuple[str, ...]) -> None:
    line = fault(SEEDS.parent / wrong)
    assert [part for part in said if part not in line] == [], line


def test_a_file_that_may_not_be_read_is_told_in_one_line() -> None:
    root = os.geteuid() == 0
    with TemporaryDirectory() as folder:  # not pytest's, which is closed to nobody as a whole
        path = written(Path(folder), "s.jsonl", '{"prompt": "a"}\n')
        Path(folder).chmod(0o755)
        path.chmod(0)
        if root:
            os.seteuid(65534)
        try:
            assert path.exists(), "it is the file that is closed, not its folder"
            assert "ermission" in fault(path)
        finally:
            if root:
                os.seteuid(0)


def test_a_parquet_seed_of_the_wrong_type_is_told_by_its_row(tmp_path: Path) -> None:
    path = tmp_path / "s.parquet"
    pl.DataFrame({"prompt": ["a", None, "c"], "n": [1, 2, 3]}).write_parquet(path)
    assert "no instruction" in (line := fault(path)) and "row 2, column prompt" in line
    assert "row 1, column n: a whole number" in fault(path, columns={"instruction": "n"})
    assert "did you mean prompt?" in fault(path, columns={"instruction": "promt"})
    pl.DataFrame({"prompt": []}, schema={"prompt": pl.String}).write_parquet(path)
    assert "there are no seeds" in fault(path)


def test_an_empty_list_is_refused() -> None:
    assert "there are no seeds in it: the list of seeds" in fault([])
    assert "item 2: a whole number" in fault(["a", 5])


def test_a_fault_far_behind_is_found_before_the_run(tmp_path: Path) -> None:
    lines = ['{"prompt": "a"}'] * 5000
    path = written(tmp_path, "s.jsonl", "\n".join([*lines, '{"prompt": 5}']))
    source = open_source(path)
    assert sum(frame.height for frame in source.batches(1000, limit=5000)) == 5000
    with pytest.raises(ConfigError, match=r"line 5001, column prompt: a whole number"):
        source.check()


def test_a_column_of_ours_that_comes_late_is_not_left_out_silently(tmp_path: Path) -> None:
    lines = ['{"prompt": "a"}'] * 1500
    path = written(tmp_path, "s.jsonl", "\n".join([*lines, '{"prompt": "b", "system": "s"}']))
    line = fault(path)
    assert "line 1501: system" in line and "--column instruction=prompt --column system=system" in line
    assert rows(open_source(path, columns={"instruction": "prompt", "system": "system"}))[-1]["system"] == "s"


def test_a_folder_that_datasets_opens_gives_its_training_split(tmp_path: Path) -> None:
    for split, text in {"train": "a", "test": "b"}.items():
        written(tmp_path, f"{split}.jsonl", json.dumps({"prompt": text}) + "\n")
    assert instructions(open_source(tmp_path)) == ["a"]
    assert instructions(open_source(tmp_path, split="test")) == ["b"]
    assert "no such split: dev" in (line := fault(tmp_path, split="dev")) and "train, test" in line


def test_a_dataset_with_a_card_gives_what_the_card_names(tmp_path: Path) -> None:
    card = "---\nconfigs:\n- config_name: default\n  data_files:\n  - split: train\n    path: data/train.parquet\n---\n"
    written(tmp_path, "README.md", card)
    (tmp_path / "data").mkdir()
    pl.DataFrame({"row_id": ["0" * 32], "messages": [MESSAGES]}).write_parquet(tmp_path / "data/train.parquet")
    pl.DataFrame({"row_id": ["1" * 32], "reason": ["tie"]}).write_parquet(tmp_path / "rejects.parquet")
    assert rows(open_source(tmp_path)) == [{"messages": MESSAGES[:1], "instruction": "Hi", "response": "Hello"}]


def test_a_dataset_saved_to_disk_is_opened(tmp_path: Path) -> None:
    saved = datasets.DatasetDict({"only": datasets.Dataset.from_dict({"question": ["a", "b"], "n": [1, 2]})})
    saved.save_to_disk(tmp_path / "saved")
    assert instructions(open_source(tmp_path / "saved")) == ["a", "b"]


@streamed
@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "the folder is empty"),
        ({"a.py": "x = 1\n"}, "not a dataset that can be opened"),
        ({"a.jsonl": '{"prompt": "a"}\n{"prompt" "b"}\n'}, "a.jsonl line 2"),
        ({"a.jsonl": '{"body": "a"}\n'}, "has body"),
        ({"a.csv": "id,prompt\n1,a\n2,\n"}, "a.csv line 3, column prompt"),
    ],
    ids=["empty", "no-data", "malformed", "unrecognised", "blank"],
)
def test_a_folder_without_seeds_is_told_in_one_line(files: dict[str, str], said: str, tmp_path: Path) -> None:
    for name, content in files.items():
        written(tmp_path, name, content)
    assert said in fault(tmp_path)


def test_a_hub_that_cannot_be_reached_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")  # a port that nobody listens on
    assert fault("hf:some/name:main@v1").startswith("cannot reach the dataset on the Hub: hf:some/name:main@v1: ")
    assert "hf:NAME:CONFIG" in fault("hf: name")


HUB = """
from tasks.seeds.sources import open_source
for spec in ("hf:some/name:main", "hf:some/name:other@v1", "hf:some/name", "hf:some/name:main@v2", "hf:some/other"):
    try:
        source = open_source(spec)
        ends = [row for frame in source.batches(999, start=2400) for row in frame["instruction"]][-1:]
        print(sum(frame.height for frame in source.batches(999)), ends, source.fingerprint == open_source(spec).fingerprint)
    except ValueError as error:
        print(type(error).__name__, error)
"""


@pytest.mark.slow
def test_a_dataset_of_the_hub_is_read_in_a_stream(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "tests.seeds.hub"], stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as hub:
        try:
            port = hub.stdout.readline().strip() if hub.stdout else ""
            ours = {"HF_HUB_OFFLINE": "0", "HF_ENDPOINT": f"http://127.0.0.1:{port}", "HF_HOME": str(tmp_path)}
            program = [sys.executable, "-c", HUB]
            done = subprocess.run(program, capture_output=True, text=True, cwd=ROOT, env=os.environ | ours)
        finally:
            hub.kill()
    whole, other, unnamed, revision, unknown = done.stdout.splitlines()
    assert whole == "2500 ['seed 2499'] True" and other == "1 [] True"
    assert unnamed.startswith("ConfigError not a dataset that can be opened") and "hf:NAME:CONFIG" in unnamed
    assert revision.startswith("ConfigError cannot reach the dataset") and unknown.startswith(
        "ConfigError cannot reach"
    )


def test_the_fingerprint_changes_when_what_is_read_changes(tmp_path: Path) -> None:
    path = written(tmp_path, "s.jsonl", '{"prompt": "a", "text": "b"}\n')
    first = open_source(path).fingerprint
    assert len(first) == 32
    copy = Path(shutil.copy(path, tmp_path / "other.jsonl"))
    assert open_source(copy).fingerprint == open_source(path, columns={"instruction": "prompt"}).fingerprint == first
    others = [
        open_source(path, columns={"instruction": "text"}),
        open_source(path, columns={"instruction": "prompt", "text": "text"}),
        open_source(written(tmp_path, "longer.jsonl", '{"prompt": "a", "text": "b"}\n{"prompt": "c"}\n')),
        open_source([{"prompt": "a", "text": "b"}]),
        open_source([{"prompt": "a", "text": "c"}]),
    ]
    assert len({first, *(other.fingerprint for other in others)}) == 6


def test_the_fingerprint_of_a_folder_is_that_of_its_files(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    written(tmp_path / "a", "train.jsonl", '{"prompt": "a"}\n')
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    first = open_source(tmp_path / "a").fingerprint
    assert open_source(tmp_path / "b").fingerprint == first
    written(tmp_path / "b", "train.jsonl", '{"prompt": "b"}\n')
    assert open_source(tmp_path / "b").fingerprint != first


def test_nothing_is_written_outside_the_house(tmp_path: Path) -> None:
    many(tmp_path, "folder")
    code = f"from tasks.seeds.sources import open_source\nopen_source({str(tmp_path / 'many.folder')!r}).check()"
    (tmp_path / "user").mkdir()
    outside = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "XDG_"))}
    environment = {
        **outside,
        "HOME": str(tmp_path / "user"),
        "STILLROOM_HOME": str(tmp_path / "house"),
        "PYTHONPATH": str(ROOT),
    }
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path, env=environment)
    assert list((tmp_path / "user").iterdir()) == []
