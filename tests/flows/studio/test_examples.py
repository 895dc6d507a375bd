"""What a new user does first: an example as it is, with the built-in model, by the routes of the studio."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from flows.studio.configs.examples import CONFIG_EXAMPLES
from flows.studio.jobs.jobs import jobs_of
from tests.flows.studio.asked import open_studio


def begin(studio: TestClient, example: str) -> str:
    return studio.post("/new/example", data={"example": example}).headers["location"]


def tried(studio: TestClient, config: str, rows: int) -> list[dict]:
    """The steps of a try that has ended; its stream ends with it."""
    try_page = studio.post(f"{config}/preview", data={"rows": rows}).headers["location"].partition("?")[0]
    assert "event: done" in studio.get(f"{try_page}/stream").text
    assert studio.get(try_page).status_code == 200
    found = studio.app.state.studio.desk.find(config.rpartition("/")[2], int(try_page.rpartition("/")[2]))
    assert found.wrong == ""
    assert found.ended
    return found.told["steps"]


def answers_in(steps: list[dict]) -> dict[int, str]:
    """The answers of a try, by row."""
    rows = next(one["rows"] for one in steps if one["step"] == "text_generation")
    return {row["lane"]: row["asked"][0]["answer"] for row in rows}


def test_an_example_is_tried_with_the_built_in_model(home: Path, tmp_path: Path) -> None:
    studio = open_studio(tmp_path / "datasets")
    steps = tried(studio, begin(studio, "short-answers"), 2)
    answers = next(one["rows"] for one in steps if one["step"] == "text_generation")
    assert len(answers) == 2
    assert all(row["asked"] and row["asked"][0]["answer"] for row in answers)


def test_one_row_is_asked_again_for_its_own_requests_and_the_first_answers_stay(home: Path, tmp_path: Path) -> None:
    (tmp_path / "datasets").mkdir()
    (tmp_path / "datasets/rules.py").write_text("def answer(request):\n    return f'It is number {request.seed}.'\n")
    studio = open_studio(tmp_path / "datasets")
    config = begin(studio, "short-answers")
    file = tmp_path / "datasets/short-answers.yaml"
    file.write_text(file.read_text() + "model: scripted:datasets/rules.py:answer\n")
    first = answers_in(tried(studio, config, 3))
    again = f"{config}/preview/1/again"
    assert f'action="{again}"' in studio.get(f"{config}/preview/1").text

    draws = []
    for number in (2, 3):
        there = studio.post(again, data={"lane": 1}).headers["location"]
        assert there == f"{config}/preview/{number}?beside=1"
        assert "event: done" in studio.get(f"{config}/preview/{number}/stream").text
        told = studio.app.state.studio.desk.find("short-answers", number).told
        assert told["requests"] == 1
        draws.append(answers_in(told["steps"]))
        assert "One row, asked again." in studio.get(there).text
    assert [list(one) for one in draws] == [[1], [1]]
    assert len({first[1], draws[0][1], draws[1][1]}) == 3
    assert answers_in(tried(studio, config, 3)) == first

    assert studio.post(again, data={"lane": -1}).status_code == 422
    assert studio.post(f"{config}/preview/77/again", data={"lane": 0}).status_code == 404


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("example", CONFIG_EXAMPLES, ids=lambda one: one.key)
def test_every_example_is_tried_with_the_built_in_model(home: Path, tmp_path: Path, example) -> None:
    studio = open_studio(tmp_path / "datasets")
    assert tried(studio, begin(studio, example.key), 5)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_an_example_is_run_with_the_built_in_model(home: Path, tmp_path: Path) -> None:
    studio = open_studio(tmp_path / "datasets")
    config = begin(studio, "short-answers")
    studio.post(f"{config}/run")
    assert "event: done" in studio.get(f"{config}/run/stream").text
    job = jobs_of("short-answers", "run")[0]
    assert job.code == 0, job.log
    assert (tmp_path / "datasets/short-answers/README.md").is_file()
