"""A dataset on the Hub: what goes there, what is refused, and that nothing is uploaded or committed twice, whatever fails."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from flows.command.main import app
from tasks.engine.process import process
from tasks.errors import ConfigError
from tasks.models.config import ModelConfig
from tasks.models.scripted import ScriptedModel
from tasks.publish.hub import contents
from tasks.publish.hub.push import push
from tasks.publish.hub.repository import PushFailed
from tasks.storage.files import link_file
from tests.flows.test_instruction_sft import Scripted, rule, sft
from tests.publish.hub.server import TOKEN, FakeHub, hub_of_this_process
from tests.publish.test_revisions import is_free

OUT = Path("out")
ROOT = Path(__file__).parents[3]


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """A Hub to which huggingface_hub talks in this process, and whose pauses between tries take no time."""
    with hub_of_this_process(monkeypatch) as one:
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr("huggingface_hub.utils._http.time", SimpleNamespace(sleep=lambda _: None))
        monkeypatch.setattr("tasks.publish.hub.repository.FIRST_PAUSE_S", 0)
        yield one


def of_seeds(count: int = 6, **options: Any) -> dict[str, Any]:
    splits = {"train": 0.5, "test": 0.5}
    return sft(recipe="respond", seeds=[f"q {at}" for at in range(count)], splits=splits, **options)


@pytest.fixture(scope="module")
def stages(prefect_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A dataset as it is after one run and after two, 6 and 9 rows, and another one of 3."""
    folder = tmp_path_factory.mktemp("stages")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STILLROOM_HOME", str(folder / "home"))
        patch.chdir(folder)
        process.adopt(ModelConfig(name="test"), ScriptedModel(rule, name="test"))
        for count in (6, 9):
            of_seeds(count)
            shutil.copytree("out", str(count))
        of_seeds(3, out="other")
        process.close()
    yield folder


@pytest.fixture
def dataset(stages: Path, home: Path) -> Callable[..., None]:
    """Put the dataset of so many rows into OUT."""

    def put(count: int = 6) -> None:
        shutil.rmtree(OUT, ignore_errors=True)
        shutil.copytree(stages / str(count), OUT)

    return put


def failing(hub: FakeHub, *statuses: int, at: str) -> None:
    """Have the next requests to a path fail so."""
    left = list(statuses)
    hub.fault = lambda method, path: left.pop(0) if left and at in path and method != "GET" else None


def test_a_dataset_is_one_private_commit_with_a_tag_and_its_card_and_report(dataset: Any, hub: FakeHub) -> None:
    dataset()
    made = push(OUT, "me/rows")
    repo = hub.repos["me/rows"]
    assert (repo.private, repo.tags, made.revision) == (True, {"r1": made.commit}, "r1")
    assert hub.messages("me/rows") == ["initial commit", "r1: 6 rows (6 added)"]
    assert {"README.md", "report.html", "provenance.parquet", "dataset.yaml", "data/train.parquet"} <= hub.names(
        "me/rows"
    )
    assert not any(name.startswith(("revisions/", ".push", ".draft")) for name in hub.names("me/rows"))
    for name in ("data/train.parquet", "data/test.parquet", "rejects.parquet", "report.html"):
        assert hub.content("me/rows", name) == (OUT / name).read_bytes()
    assert not (OUT / ".push").exists()


def test_the_card_there_names_files_that_are_there_and_loads_by_the_name_there(dataset: Any, hub: FakeHub) -> None:
    dataset(9)
    push(OUT, "me/rows")
    card = hub.content("me/rows", "README.md").decode()
    told = yaml.safe_load(card.split("---\n")[1])
    paths = {split["path"] for config in told["configs"] for split in config["data_files"]}
    assert paths == {"data/train.parquet", "data/test.parquet"}
    assert [config["config_name"] for config in told["configs"]] == ["default", "r2"]
    assert 'load_dataset("me/rows", split="train")' in card and 'load_dataset("me/rows", revision="r2")' in card
    assert "revisions/r1" in (OUT / "README.md").read_text(), "the card here is as it was"


def test_what_a_killed_push_has_left_does_not_go_there(dataset: Any, hub: FakeHub) -> None:
    dataset()
    for name in ("data/old.parquet", "notes.txt"):
        (OUT / ".push/r1" / name).parent.mkdir(parents=True, exist_ok=True)
        (OUT / ".push/r1" / name).write_bytes(b"left")
    push(OUT, "me/rows")
    assert not {"data/old.parquet", "notes.txt"} & hub.names("me/rows")


def test_one_push_at_a_time_and_none_of_files_that_a_run_is_replacing(
    dataset: Any, hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset()
    free: dict[str, bool] = {}

    def link(file: Path, second: Path) -> None:
        free[second.name] = is_free(OUT)
        link_file(file, second)

    monkeypatch.setattr(contents, "link_file", link)
    with contents.files_to_push(OUT, "me/rows"), pytest.raises(ConfigError, match="pushed by another process"):
        push(OUT, "me/rows")
    assert "train.parquet" in free and not any(free.values()), "a run could publish while files are linked"
    assert push(OUT, "me/rows").revision == "r1"


def test_a_second_push_changes_nothing_and_a_new_revision_uploads_what_is_new(dataset: Any, hub: FakeHub) -> None:
    dataset(6)
    first = push(OUT, "me/rows")
    uploads = dict(hub.puts)
    assert push(OUT, "me/rows").files == 0
    assert (hub.puts, len(hub.messages("me/rows"))) == (uploads, 2)
    dataset(9)
    second = push(OUT, "me/rows")
    assert hub.repos["me/rows"].tags == {"r1": first.commit, "r2": second.commit}
    assert max(hub.puts.values()) == 1
    assert hub.content("me/rows", "data/train.parquet") == (OUT / "data/train.parquet").read_bytes()


def test_a_file_of_ours_that_is_gone_goes_there_too_and_others_stay(dataset: Any, hub: FakeHub) -> None:
    dataset(6)
    push(OUT, "me/rows")
    repo = hub.repos["me/rows"]
    repo.commit(repo.commits[-1][1] | {"LICENSE": b"mine", "proof.json": b"{}", "data/old.parquet": b"x"}, "by hand")
    dataset(9)
    push(OUT, "me/rows")
    assert {"LICENSE", ".gitattributes"} <= hub.names("me/rows")
    assert not {"proof.json", "data/old.parquet"} & hub.names("me/rows")


@pytest.mark.parametrize(
    ("at", "status"),
    [
        *((at, 500) for at in ("/storage/", "/preupload/", "/objects/batch", "/verify", "/validate-yaml", "/commit/")),
        ("/storage/", 503),
        ("/commit/", 429),
    ],
)
def test_a_fault_in_the_middle_is_got_over_without_a_second_upload(
    at: str, status: int, dataset: Any, hub: FakeHub
) -> None:
    dataset()
    failing(hub, status, at=at)
    made = push(OUT, "me/rows")
    assert hub.repos["me/rows"].tags == {"r1": made.commit}
    assert set(hub.puts.values()) == {1} and len(hub.messages("me/rows")) == 2


def test_a_commit_whose_answer_is_lost_is_not_made_twice(dataset: Any, hub: FakeHub) -> None:
    dataset()
    answers = iter([True])
    hub.lose_answer = lambda _, path: "/commit/" in path and next(answers, False)
    made = push(OUT, "me/rows")
    assert hub.messages("me/rows") == ["initial commit", "r1: 6 rows (6 added)"]
    assert hub.repos["me/rows"].tags == {"r1": made.commit}


def test_what_failed_for_good_goes_on_with_the_same_command(dataset: Any, hub: FakeHub) -> None:
    dataset()
    puts = iter(range(100))
    hub.fault = lambda _, path: 500 if "/storage/" in path and next(puts) >= 2 else None
    with pytest.raises(PushFailed):
        push(OUT, "me/rows")
    assert (len(hub.stored), hub.messages("me/rows"), hub.repos["me/rows"].tags) == (2, ["initial commit"], {})
    hub.fault = lambda *_: None
    push(OUT, "me/rows")
    assert set(hub.puts.values()) == {1} and len(hub.messages("me/rows")) == 2


def test_a_tag_that_was_not_made_is_made_at_the_next_push(dataset: Any, hub: FakeHub) -> None:
    dataset()
    failing(hub, 500, at="/tag/")
    with pytest.raises(PushFailed):
        push(OUT, "me/rows")
    made = push(OUT, "me/rows")
    assert (made.files, hub.repos["me/rows"].tags) == (0, {"r1": made.commit})


def test_a_commit_of_somebody_else_meanwhile_stays(dataset: Any, hub: FakeHub) -> None:
    dataset()
    theirs = iter([True])

    def meanwhile(method: str, path: str) -> None:
        if "/commit/" in path and next(theirs, False):
            repo = hub.repos["me/rows"]
            repo.commit(repo.commits[-1][1] | {"LICENSE": b"mine"}, "by hand")

    hub.fault = meanwhile
    push(OUT, "me/rows")
    assert hub.messages("me/rows") == ["initial commit", "by hand", "r1: 6 rows (6 added)"]
    assert "LICENSE" in hub.names("me/rows")


def test_each_revision_that_is_kept_is_a_commit_with_its_tag_and_its_own_files(
    dataset: Any, stages: Path, hub: FakeHub
) -> None:
    dataset(9)
    made = push(OUT, "me/rows", history=True)
    assert hub.messages("me/rows") == ["initial commit", "r1: 6 rows (6 added)", "r2: 9 rows (3 added)"]
    assert hub.repos["me/rows"].tags == {"r1": hub.repos["me/rows"].commits[1][0], "r2": made.commit}
    assert (made.tagged, made.revision) == (("r1", "r2"), "r2")
    assert set(hub.puts.values()) == {1}
    for tag, stage in (("r1", "6"), ("r2", "9")):
        for name in ("data/train.parquet", "data/test.parquet", "provenance.parquet", "revisions.jsonl", "report.html"):
            assert hub.content("me/rows", name, tag) == (stages / stage / name).read_bytes()
        card = hub.content("me/rows", "README.md", tag).decode()
        assert [config["config_name"] for config in yaml.safe_load(card.split("---\n")[1])["configs"]] == [
            "default",
            tag,
        ]
    assert push(OUT, "me/rows", history=True).tagged == ()


def test_the_newest_alone_is_pushed_unless_more_is_told_and_none_before_it_follows(dataset: Any, hub: FakeHub) -> None:
    dataset(9)
    assert CliRunner().invoke(app, ["push", "out", "me/rows"]).exit_code == 0
    assert hub.messages("me/rows") == ["initial commit", "r2: 9 rows (3 added)"]
    assert CliRunner().invoke(app, ["push", "out", "me/rows", "--history"]).exit_code == 0
    assert set(hub.repos["me/rows"].tags) == {"r2"} and len(hub.messages("me/rows")) == 2


@pytest.mark.parametrize(
    ("at", "taken"), [("/tag/", 0), ("/storage/", 4), ("/commit/", 1), ("/tag/", 1)], ids=lambda told: str(told)
)
def test_what_failed_between_two_revisions_goes_on_without_a_second_upload_or_commit(
    at: str, taken: int, dataset: Any, hub: FakeHub
) -> None:
    """`taken`: how many of the requests to a path the Hub still takes."""
    dataset(9)
    seen = iter(range(1_000))
    hub.fault = lambda _, path: 500 if at in path and next(seen) >= taken else None
    with pytest.raises(PushFailed):
        push(OUT, "me/rows", history=True)
    hub.fault = lambda *_: None
    push(OUT, "me/rows", history=True)
    assert set(hub.puts.values()) == {1}
    assert hub.messages("me/rows") == ["initial commit", "r1: 6 rows (6 added)", "r2: 9 rows (3 added)"]
    assert list(hub.repos["me/rows"].tags) == ["r1", "r2"]


def test_a_repository_that_has_a_newer_revision_stays_at_it(dataset: Any, hub: FakeHub) -> None:
    dataset(9)
    push(OUT, "me/rows")
    dataset(6)
    with pytest.raises(ConfigError, match="has a newer revision, r2"):
        push(OUT, "me/rows")
    assert len(hub.messages("me/rows")) == 2


def test_an_earlier_revision_of_the_demo_models_rows_stays_here(scripted: Scripted, hub: FakeHub) -> None:
    scripted(rule, "demo")
    sft(recipe="respond", seeds=["a", "b"], model="demo")
    scripted(rule)
    sft(recipe="respond", seeds=["a", "b", "c"])
    assert push(OUT, "me/rows", history=True).tagged == ("r2",)
    assert push(OUT, "me/all", allow_demo=True, history=True).tagged == ("r1", "r2")


def test_another_revision_of_the_same_number_is_refused(dataset: Any, stages: Path, hub: FakeHub) -> None:
    dataset()
    push(OUT, "me/rows")
    with pytest.raises(ConfigError, match="has another revision r1"):
        push(stages / "other", "me/rows")
    assert len(hub.messages("me/rows")) == 2


def test_a_public_repository_is_pushed_to_only_where_that_is_told(dataset: Any, hub: FakeHub) -> None:
    dataset()
    push(OUT, "me/open", public=True)
    assert not hub.repos["me/open"].private
    with pytest.raises(ConfigError, match="the repository is public: me/open"):
        push(OUT, "me/open")


def test_a_name_without_an_owner_is_ones_own(dataset: Any, hub: FakeHub) -> None:
    dataset()
    assert push(OUT, "rows").repo == "me/rows"


@pytest.mark.parametrize("model", ["demo", "demo-2"])
def test_no_rows_and_rows_of_a_built_in_model_are_refused(model: str, scripted: Scripted, hub: FakeHub) -> None:
    scripted(rule, model)
    sft(recipe="respond", seeds=["a", "b"], model=model, out="demo")
    with pytest.raises(ConfigError, match=r"the demo model's rows.*--allow-demo"):
        push(Path("demo"), "me/demo")
    sft(recipe="respond", seeds=["c"], max_requests=0, allow_empty=True, model=model, out="empty")
    with pytest.raises(ConfigError, match="0 rows"):
        push(Path("empty"), "me/demo", allow_demo=True)
    assert hub.requests == []
    push(Path("demo"), "me/demo", allow_demo=True)


def test_a_curated_dataset_of_the_demo_models_rows_is_refused_too(scripted: Scripted, hub: FakeHub) -> None:
    from flows.curate import curate
    from flows.curate_dataset import CurateDataset

    scripted(rule, "demo")
    sft(recipe="respond", seeds=["a", "b"], model="demo", out="demo")
    curate(CurateDataset(source="demo", out="curated", curate={"filters": None}))
    with pytest.raises(ConfigError, match="the demo model's rows"):
        push(Path("curated"), "me/demo")


@pytest.mark.parametrize(
    "repo", ["", "a/b/c", "owner/na me", "owner/-name", "owner/name.git", "o--o/n", "é/n", "https://x/y"]
)
def test_a_name_that_is_none_is_one_line_before_anything_is_generated(repo: str, home: Path) -> None:
    for command in (["push", "datasets/x", repo], ["sft", "--set", f"push_to_hub={json.dumps(repo)}", "--out", "new"]):
        ended = CliRunner().invoke(app, command)
        assert (ended.exit_code, ended.stderr.count("\n")) == (2, 1)
        assert "not the name of a repository" in ended.stderr
    assert not (home / "ledger.sqlite").exists()


def test_without_a_token_it_is_told_how_to_give_one(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(home / "no-token"))
    for command in (["push", "datasets/x", "me/x"], ["sft", "--set", "push_to_hub=me/x", "--out", "new"]):
        ended = CliRunner().invoke(app, command)
        assert ended.exit_code == 2
        assert ended.stderr == "stillroom: no token for the Hub (set HF_TOKEN, or run `hf auth login`)\n"


@pytest.mark.parametrize("status", [403, 500])
@pytest.mark.parametrize("at", ["whoami", "/create", "/storage/", "/commit/", "/tag/"])
def test_the_token_is_in_no_error(at: str, status: int, dataset: Any, hub: FakeHub, capfd: Any) -> None:
    """The server echoes the headers of each request that it refuses."""
    dataset()
    hub.fault = lambda _, path: status if at in path else None
    ended = CliRunner().invoke(app, ["push", "out", "rows"])
    assert ended.exit_code == (1 if status == 500 else 2)
    everything = ended.output + "".join(capfd.readouterr())
    assert TOKEN not in everything and "X-Amz-Signature" not in everything
    assert ended.stderr.splitlines()[-1].startswith("stillroom: the Hub ")


def test_the_command_tells_where_it_is(dataset: Any, hub: FakeHub) -> None:
    dataset()
    ended = CliRunner().invoke(app, ["push", "out", "me/rows", "--json"])
    told = json.loads(ended.stdout)
    assert (ended.exit_code, told["repo"], told["revision"]) == (0, "me/rows", "r1")
    assert "nothing new" in CliRunner().invoke(app, ["push", "out", "me/rows"]).stdout


def test_a_run_pushes_what_it_publishes_and_its_config_does_not_say_so_to_others(
    scripted: Scripted, hub: FakeHub
) -> None:
    scripted(rule)
    summary = of_seeds(push_to_hub="me/nightly")
    assert summary["hub"]["commit"] == hub.repos["me/nightly"].tags["r1"]
    assert "push_to_hub" not in (OUT / "dataset.yaml").read_text()
    assert "hub" not in of_seeds()


def test_a_run_that_cannot_push_says_so_with_its_dataset_written_and_the_next_one_pushes(
    scripted: Scripted, hub: FakeHub
) -> None:
    from flows.runs.verdict import NotPushed

    scripted(rule)
    hub.fault = lambda _, path: 500 if "/commit/" in path else None
    with pytest.raises(NotPushed, match=r"stillroom push out me/nightly") as ended:
        of_seeds(push_to_hub="me/nightly")
    assert ended.value.summary is not None and ended.value.summary["rows"] == 6
    hub.fault = lambda *_: None
    again = of_seeds(push_to_hub="me/nightly", incremental=True)
    assert (again["requests"], again["hub"]["revision"]) == (0, "r1")


KILLED = """
import sys
from pathlib import Path
from tasks.publish.hub import contents
from tasks.publish.hub.push import push
push(Path(sys.argv[1]), "me/rows")
"""


@pytest.mark.slow
@pytest.mark.parametrize(("without_xet", "sent_to"), [("1", "/storage/"), ("0", "/v1/xorbs/")], ids=["lfs", "xet"])
def test_a_push_that_meets_a_500_and_is_killed_goes_on_without_a_second_upload(
    without_xet: str, sent_to: str, dataset: Any, hub: FakeHub, tmp_path: Path
) -> None:
    dataset()
    waiting: list[str] = []

    def fourth_hangs(method: str, path: str) -> int | None:
        if sent_to not in path:
            return None
        waiting.append(path)
        if len(waiting) == 4:
            time.sleep(60)
        return 500 if len(waiting) == 1 else None

    hub.fault = fourth_hangs
    env = os.environ | {
        "HF_ENDPOINT": hub.url,
        "HF_HUB_DISABLE_XET": without_xet,
        "HF_HUB_OFFLINE": "0",
        "HF_HOME": str(tmp_path / "hf"),
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, "-c", KILLED, str(OUT.absolute())]
    with subprocess.Popen(command, env=env) as pushing:
        while len(waiting) < 4:
            assert pushing.poll() is None
            time.sleep(0.05)
        pushing.kill()
    assert (OUT / ".push").exists() and len(hub.stored) == 2
    hub.fault = lambda *_: None
    assert subprocess.run(command, env=env, check=False).returncode == 0
    assert set(hub.puts.values()) == {1} and len(hub.messages("me/rows")) == 2
    assert all(sent_to in path for method, path in hub.requests if method == "PUT" or "/xorbs/" in path)
    for name in ("data/train.parquet", "data/test.parquet", "rejects.parquet", "provenance.parquet"):
        assert hub.content("me/rows", name) == (OUT / name).read_bytes()
    assert not (OUT / ".push").exists()


LOADED = """
from datasets import load_dataset
for revision in (None, "r1"):
    rows = load_dataset("me/rows", revision=revision)
    print({name: part.num_rows for name, part in rows.items()})
"""


@pytest.mark.slow
def test_datasets_opens_what_was_pushed_by_name_and_by_tag(dataset: Any, hub: FakeHub, tmp_path: Path) -> None:
    dataset(6)
    push(OUT, "me/rows")
    dataset(9)
    push(OUT, "me/rows")
    env = os.environ | {
        "HF_ENDPOINT": hub.url,
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_OFFLINE": "0",
        "HF_HOME": str(tmp_path / "hf"),
    }
    told = subprocess.run([sys.executable, "-c", LOADED], env=env, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr[-2000:]
    now, before = (sum(json.loads(line.replace("'", '"')).values()) for line in told.stdout.splitlines())
    assert (now, before) == (9, 6)
