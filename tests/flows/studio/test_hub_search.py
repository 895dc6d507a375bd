"""The door by a Hub name: what a search finds, and what is said where there is no network. A Hub in this process answers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from fastapi.testclient import TestClient

from flows.studio.configs.hub_search import MOST_FOUND, search_hub
from tasks.errors import ConfigError
from tests.flows.studio.asked import open_studio
from tests.publish.hub.server import FakeHub, Repo, hub_of_this_process
from tests.serving import free_port


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    with hub_of_this_process(monkeypatch) as one:
        for name in ("bank/questions", "bank/complaints", "zoo/animals"):
            one.repos[name] = Repo(private=False)
        one.repos["me/secret-bank"] = Repo(private=True)
        yield one


@pytest.fixture
def studio(home: Path, tmp_path: Path) -> TestClient:
    return open_studio(tmp_path / "datasets")


def test_datasets_are_found_and_one_is_taken(studio: TestClient, hub: FakeHub, tmp_path: Path) -> None:
    assert studio.get("/new").status_code == 200
    assert hub.requests == [], "the Hub is asked when somebody searches, never before"
    page = studio.get("/new/hub?words=bank").text
    assert page.index('value="bank/complaints"') < page.index('value="bank/questions"'), "the most downloaded first"
    assert "1,001 downloads" in page
    assert "text-generation" in page
    assert "animals" not in page
    where = studio.post("/new/hub", data={"found": "bank/questions", "dataset": "", "kind": "dpo", "model": "demo"})
    config = yaml.safe_load(
        (tmp_path / "datasets" / f"{where.headers['location'].rpartition('/')[2]}.yaml").read_text()
    )
    assert config["instructions"] == "hf:bank/questions"
    assert "Nothing was found." in studio.get("/new/hub?words=nothing-like-it").text
    assert studio.get("/new/hub?words=").status_code == 200


def test_no_more_are_shown_than_one_looks_through(hub: FakeHub) -> None:
    hub.repos |= {f"many/set-{number}": Repo(private=False) for number in range(40)}
    assert len(search_hub("many/")) == MOST_FOUND


def test_a_script_in_what_is_searched_or_found_is_text(studio: TestClient, hub: FakeHub) -> None:
    script = "<script>alert(1)</script>"
    hub.repos[f"bank/{script}"] = Repo(private=False)
    for words in ("bank", script):
        assert "<script>alert" not in studio.get("/new/hub", params={"words": words}).text
    assert studio.post("/new/hub", data={"found": f"bank/{script}"}).status_code == 400
    assert studio.post("/new/hub", data={"found": "../../etc/passwd"}).status_code == 400


def test_offline_it_is_one_clear_line_and_the_name_can_be_typed(
    studio: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    page = studio.get("/new/hub?words=bank")
    assert page.status_code == 200
    assert "the Hub cannot be asked" in page.text
    assert "type the name of the dataset" in page.text
    assert 'name="dataset"' in page.text


def test_a_hub_that_does_not_answer_is_not_waited_for_for_long(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.fault = lambda *_: time.sleep(3)  # type: ignore[func-returns-value]
    began = time.monotonic()
    with pytest.raises(ConfigError, match="does not answer"):
        search_hub("bank", answer_s=0.3)
    assert time.monotonic() - began < 2
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", f"http://127.0.0.1:{free_port()}")
    with pytest.raises(ConfigError, match="Hub"):
        search_hub("bank", answer_s=1)


def test_what_the_hub_refuses_is_told(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    with pytest.raises(ConfigError, match="the Hub cannot be asked"):
        search_hub("bank")
