"""Configs of the studio: what a form says is what the file says, and the command reads it as it is."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from flows.recipes.drawing import drawing_of
from flows.recipes.recipe import Kind, recipe_names
from flows.studio.configs.described import plan_in
from flows.studio.configs.examples import CONFIG_EXAMPLES
from flows.studio.configs.fields import (
    BUDGET_FIELDS,
    MAIN_FIELDS,
    MODEL_FIELDS,
    MORE_FIELDS,
    form_of,
    outlined,
    with_form,
)
from flows.studio.configs.file import RECIPE_KINDS, ConfigFile, new_config
from flows.studio.folders import Folders
from flows.studio.messages import FOLDER, LANGUAGES, table_of
from tasks.errors import ConfigError, Unusable
from tests.flows.studio.asked import open_studio

STUDIO = FOLDER.parent
PLAN = {"name": "bank", "system": "You help the customers of a bank.", "topics": ["a", "b", "c"]}


@pytest.fixture
def folders(tmp_path: Path, home: Path) -> Folders:
    return Folders.of([tmp_path / "datasets"])


@pytest.mark.parametrize("example", CONFIG_EXAMPLES, ids=lambda one: one.key)
def test_a_form_that_is_sent_as_it_was_shown_changes_nothing(example: Any, folders: Folders) -> None:
    made = new_config(folders, example.key, example.kind, example.settings)
    sent = {field.key: field.value for group in form_of(made.kind, made.settings) for field in group.fields}
    assert with_form(made.kind, made.settings, sent) == made.settings
    again = ConfigFile.read(folders, made.name)
    assert (again.kind, again.settings) == (made.kind, made.settings)
    assert again.checked(folders).out == made.settings["out"]


@pytest.mark.parametrize("kind", ["sft", "dpo"])
def test_every_recipe_has_a_form_and_a_picture(kind: Kind) -> None:
    for name in recipe_names(kind):
        groups = form_of(kind, {"recipe": name})
        keys = [field.key for group in groups for field in group.fields]
        assert len(keys) == len(set(keys)), name
        found = outlined(kind, {"recipe": name})
        assert found is not None
        drawing = drawing_of(found[0], {"recipe": name})
        assert len(drawing.nodes) >= 3
        assert len(drawing.edges) >= len(drawing.nodes) - 1


def test_fields_are_those_of_the_pydantic_models() -> None:
    fields = {field.key: field for group in form_of("sft", {"recipe": "evolved"}) for field in group.fields}
    assert fields["f.evol_instruct.generations"].kind == "number"
    assert fields["f.evol_instruct.generations"].low == 1
    assert fields["f.model.thinking"].choices
    assert fields["f.rows"].help == RECIPE_KINDS["sft"].model_fields["rows"].description
    assert "f.magpie.system" not in fields, "no step of this recipe"


def test_an_empty_field_is_taken_out_and_what_is_not_shown_stays() -> None:
    settings = {"recipe": "evolved", "rows": 5, "evol_instruct": {"generations": 2}, "shard_rows": 7}
    changed = with_form("sft", settings, {"f.rows": "", "f.evol_instruct.generations": "", "f.model.name": "demo"})
    assert changed == {"recipe": "evolved", "shard_rows": 7, "model": {"name": "demo"}}
    assert settings["rows"] == 5, "the settings that were given stay as they are"


def test_a_bad_value_is_told_and_not_written(folders: Folders) -> None:
    made = new_config(folders, "x", "sft", {"rows": 3})
    with pytest.raises(ConfigError, match="bad value for rows"):
        made.but(with_form("sft", made.settings, {"f.rows": "-1"})).save(folders)
    with pytest.raises(ConfigError, match="YAML"):
        with_form("sft", made.settings, {"f.roles": "{judge: ["})
    assert ConfigFile.read(folders, "x").settings["rows"] == 3


@pytest.mark.parametrize("around", ["{}", "Here it is:\n```json\n{}\n```", "  {}  "])
def test_a_plan_is_read_with_what_is_said_around_it(around: str) -> None:
    plan = plan_in(around.replace("{}", json.dumps(PLAN)))
    settings = plan.settings({"name": "m"}, "vi")
    assert settings["basic_prompting"]["topics"] == ["a", "b", "c"]
    RECIPE_KINDS["sft"].model_validate(settings)


@pytest.mark.parametrize(
    "text", ["", "no", "{", "[]", json.dumps({**PLAN, "topics": []}), json.dumps({**PLAN, "system": ""}), "{" * 5000]
)
def test_what_is_no_plan_is_unusable(text: str) -> None:
    with pytest.raises(Unusable, match="no_plan"):
        plan_in(text)


def test_documents_are_sent_together_and_asked_about(home: Path, tmp_path: Path) -> None:
    studio, folders = open_studio(tmp_path / "datasets"), Folders.of([tmp_path / "datasets"])
    both = [("file", ("Hướng dẫn.md", b"# One")), ("file", ("Hướng dẫn.md", b"# Two")), ("file", ("b.pdf", b"%PDF"))]
    for number in (1, 2):
        name = studio.post("/new/file", files=both).headers["location"].rpartition("/")[2]
        told = ConfigFile.read(folders, name).settings
        kept = sorted(one.read_bytes() for one in (tmp_path / told["seeds"]).iterdir())
        assert (told["recipe"], kept) == ("documents", [b"# One", b"# Two", b"%PDF"]), number
    name = studio.post("/new/file", files=[("file", ("x.jsonl", b'{"instruction": "a"}'))]).headers["location"]
    told = ConfigFile.read(folders, name.rpartition("/")[2]).settings
    assert "recipe" not in told
    assert (tmp_path / told["seeds"]).is_file()
    assert studio.post("/new/file", files=[both[0], ("file", ("x.exe", b"MZ"))]).status_code == 400


@pytest.mark.parametrize("model", ["demo", "demo-2"])
def test_a_built_in_model_is_not_asked_for_a_config(model: str, home: Path, tmp_path: Path) -> None:
    studio = open_studio(tmp_path / "datasets")
    assert f'value="{model}"' in studio.get("/models").text
    answer = studio.post("/new/words", data={"description": "a bank", "model": model})
    assert answer.status_code == 400
    assert "The built-in model cannot write a config" in answer.text
    assert "Begin with this" in answer.text


def test_all_words_are_said_in_all_languages() -> None:
    said = {
        text
        for file in STUDIO.glob("templates/*.html")
        for text in re.findall(r"""\bt\(\s*(?:"([^"]+)"|'([^']+)')""", file.read_text())
        for text in text
        if text
    }
    assert len(said) > 100
    for language in LANGUAGES.keys() - {"en"}:
        table = table_of(language)
        assert sorted(said - table.keys()) == [], language
        for english, words in table.items():
            assert re.findall(r"{\w+}", english) == re.findall(r"{\w+}", words), english


@pytest.mark.parametrize("language", sorted(LANGUAGES.keys() - {"en"}))
def test_the_options_of_every_config_have_a_name_in_each_language(language: str, home: Path, tmp_path: Path) -> None:
    names = {*MAIN_FIELDS, *BUDGET_FIELDS, *MORE_FIELDS, *MODEL_FIELDS, "roles"}
    assert sorted({name.replace("_", " ") for name in names} - table_of(language).keys()) == []
    studio = open_studio(tmp_path / "datasets")
    config = studio.post("/new/example", data={"example": "short-answers"}).headers["location"]
    page = studio.get(config, headers={"accept-language": language}).text
    assert f"{table_of(language)['max requests']} <code>max_requests</code></label>" in page


@pytest.mark.parametrize("language", sorted(LANGUAGES.keys() - {"en"}))
def test_what_the_options_of_every_config_mean_is_said_in_each_language(
    language: str, home: Path, tmp_path: Path
) -> None:
    names = {*MAIN_FIELDS, *BUDGET_FIELDS, *MORE_FIELDS, *MODEL_FIELDS, "roles"}
    fields = [
        field
        for kind in RECIPE_KINDS
        for group in form_of(kind, {})
        for field in group.fields
        if field.path[-1] in names and field.path[0] in {*names, "model"} and len(field.path) < 3
    ]
    said = {field.help for field in fields if field.help}
    assert len(said) > 30
    assert sorted(said - table_of(language).keys()) == []
    studio = open_studio(tmp_path / "datasets")
    config = studio.post("/new/example", data={"example": "short-answers"}).headers["location"]
    page = studio.get(config, headers={"accept-language": language}).text
    assert f"{table_of(language)[RECIPE_KINDS['sft'].model_fields['max_requests'].description or '']}</p>" in page


def test_pages_speak_the_readers_language(home: Path, tmp_path: Path) -> None:
    studio = open_studio(tmp_path / "datasets")
    assert 'lang="ja"' in studio.get("/", headers={"accept-language": "ja-JP,en;q=0.5"}).text
    studio.post("/language", data={"language": "vi"})
    assert table_of("vi")["New dataset"] in studio.get("/").text


def test_datasets_and_configs_are_cloned_and_deleted(home: Path, tmp_path: Path) -> None:
    studio: TestClient = open_studio(tmp_path / "datasets")
    first = studio.post("/new/example", data={"example": "short-answers"}).headers["location"]
    second = studio.post(f"{first}/clone").headers["location"]
    assert second == f"{first}-2"
    names = ("short-answers", "short-answers-2")
    one, other = (ConfigFile.read(Folders.of([tmp_path / "datasets"]), name).settings for name in names)
    assert {**one, "out": ""} == {**other, "out": ""}
    assert one["out"] != other["out"]
    studio.post(f"{first}/delete")
    assert studio.get(first).status_code == 404
    assert studio.get(second).status_code == 200
