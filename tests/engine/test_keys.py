"""The key of a task changes with everything that shapes its table, and with nothing else."""

from __future__ import annotations

import asyncio
import inspect
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tasks.engine.ask import Models
from tasks.engine.context import Context
from tasks.engine.keys import code_digest, common_key, epochs_of, shard_key, step_key
from tasks.engine.loop import run_in_loop
from tasks.engine.requests.asking import Member
from tasks.engine.row import language_for
from tasks.generate.evol_instruct import evol_instruct
from tasks.generate.text_generation import TextGeneration, text_generation
from tasks.ledger.ledger import Ledger
from tasks.models.base import Completion, Sampling
from tasks.models.config import ModelConfig
from tasks.models.scripted import ScriptedModel
from tasks.text.prompts import Prompts
from tests.engine.world import world
from tests.rows import a_row, models_of

MODEL = ScriptedModel([], identity="one")
KNOWN: dict[str, Any] = {
    "step": "step",
    "params": TextGeneration(),
    "roles": {"generator": [Member(MODEL, ModelConfig(name="m"))]},
    "fingerprints": ["f"],
    "shaping": {"seed": 0},
    "epochs": {},
}


def key_of(**change: Any) -> str:
    """The key of a shard, of which something may be other than `KNOWN`."""
    told = KNOWN | change
    common = common_key(**{name: told[name] for name in ("step", "params", "roles", "shaping")})
    return shard_key(common, told["fingerprints"], told["epochs"])


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"step": "other"}, id="code or prompts"),
        pytest.param({"params": TextGeneration(system="Be brief.")}, id="params"),
        pytest.param(
            {"roles": {"generator": [Member(ScriptedModel([], identity="two"), ModelConfig(name="m"))]}}, id="model"
        ),
        pytest.param({"roles": {"generator": [Member(MODEL, ModelConfig(name="m", temperature=0.1))]}}, id="sampling"),
        pytest.param({"fingerprints": ["g"]}, id="input"),
        pytest.param({"shaping": {"seed": 1}}, id="seed"),
        pytest.param({"epochs": {"a": 1}}, id="epochs"),
    ],
)
def test_what_shapes_the_table_is_in_the_key(change: dict[str, Any]) -> None:
    assert key_of(**change) != key_of()


def test_concurrency_is_not_in_the_key() -> None:
    wider = {"generator": [Member(MODEL, ModelConfig(name="m", max_in_flight=3))]}
    assert key_of(roles=wider) == key_of()


def test_the_code_of_a_step_is_its_module_and_all_that_it_imports(tmp_path: Path) -> None:
    from tasks.engine import keys

    module = Path(inspect.getfile(text_generation.function))
    imported = {path.name for path in keys._imported(module, set())}
    assert {"text_generation.py", "conversation.py", "row.py", "base.py"} <= imported
    assert "magpie.py" not in imported
    copy = tmp_path / "technique.py"
    copy.write_text(module.read_text())
    changed = tmp_path / "changed.py"
    changed.write_text(module.read_text() + "\n")
    assert code_digest(copy) != code_digest(changed)


def test_a_step_with_prompts_has_them_in_its_key() -> None:
    assert Prompts().digest_of("evol_instruct") != Prompts().digest_of("self_instruct")
    assert step_key("evol_instruct", evol_instruct.function, Prompts()) != step_key(
        "other", evol_instruct.function, Prompts()
    )


def test_epochs_are_those_of_the_rows_at_hand() -> None:
    frame = pl.DataFrame({"row_id": ["a", "b"], "epoch": [1, 2]})
    assert epochs_of(frame, ["b", "c"]) == {"b": 2}
    assert epochs_of(None, ["a"]) == {}


def test_asks_of_other_rows_roles_templates_and_samples_have_seeds_of_their_own() -> None:
    model = ScriptedModel(lambda _: "yes")
    models = models_of(model, judge=model)
    wanted = [{"by": "generator"}, {"by": "judge"}, {"name": "other"}, {"sample": 1}]

    async def ask() -> None:
        for row in (a_row(instruction="a"), a_row(instruction="b")):
            for one in wanted:
                about: dict[str, Any] = {"name": "asks", **one}
                await models.at(row).chat([{"role": "user", "content": "Is it?"}], sampling=Sampling(), **about)

    asyncio.run(ask())
    seeds = [request.seed for request in model.requests]
    assert len(seeds) == len(set(seeds)) == 8


@pytest.mark.parametrize("told", ["pooling", "scored_by"])
def test_how_a_text_is_embedded_or_scored_is_in_the_key(told: str, tmp_path: Path) -> None:
    model = ScriptedModel(lambda _: Completion("0.5", "stop", embedding=b"\0\0\0\0"))

    async def asked(ledger: Ledger, config: ModelConfig) -> int:
        models = Models({"generator": [Member(model, config)]}, Context(ledger)).at(a_row(instruction="a"))
        if told == "pooling":
            await models.embed("a text")
        else:
            await models.score([{"role": "user", "content": "Is it?"}], "Yes.")
        return len(model.requests)

    ways: dict[str, list[dict[str, Any]]] = {
        "pooling": [{}, {"pooling": "cls"}, {"pooling": "last"}],
        "scored_by": [{}, {"scored_by": "classify"}],
    }
    with world(tmp_path) as w:
        for number, way in enumerate(ways[told], 1):
            config = ModelConfig(name="m", **way)
            assert [run_in_loop(asked(w.ledger, config)) for _ in range(2)] == [number, number]


def test_a_draw_depends_on_the_seed_of_the_run_the_row_and_its_purpose() -> None:
    rows = [a_row(seed, instruction=text) for seed in (0, 1) for text in ("a", "b")]
    purposes = [("operation", 0), ("operation", 1), ("kind", 0)]
    assert len({row.draw(*purpose) for row in rows for purpose in purposes}) == 12
    assert len({row.rng(*purpose).random() for row in rows for purpose in purposes}) == 12


def test_options_are_drawn_by_their_weights() -> None:
    rows = [a_row(number=number) for number in range(3000)]
    drawn = Counter(row.choose("abc", "letter", weights=(1, 3, 0)) for row in rows)
    assert drawn["c"] == 0
    assert 0.22 < drawn["a"] / 3000 < 0.28


def test_a_language_more_takes_rows_from_the_others_and_moves_none_between_them() -> None:
    ids = [a_row(number=number).row_id for number in range(600)]
    two, three = ([language_for(0, row_id, codes) for row_id in ids] for codes in (("en", "vi"), ("ja", "vi", "en")))
    assert all(after in (before, "ja") for before, after in zip(two, three, strict=True))
    assert 150 < three.count("ja") < 250


def test_changed_prompts_are_another_key(monkeypatch: pytest.MonkeyPatch) -> None:

    function = evol_instruct.function
    before = step_key("evol_instruct", function, Prompts())
    monkeypatch.setattr(Prompts, "digest_of", lambda prompts, name: f"{name} in {prompts.language}, reworded")
    assert step_key("evol_instruct", function, Prompts()) != before
    assert step_key("evol_instruct", function, Prompts()) != step_key("evol_instruct", function, Prompts(language="de"))


@pytest.mark.parametrize("change", [{"prompts": Prompts(language="de")}, {"seed": 1}, {"max_attempts": 9}], ids=str)
def test_a_setting_that_shapes_a_table_puts_it_in_another_place(
    change: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tasks.engine import prefect as door
    from tasks.engine.process import Settings
    from tasks.storage.tables import write_table

    monkeypatch.setattr(door, "step_key", lambda *_: "the same code and prompts")
    table = write_table(tmp_path / "seeds.parquet", "seeds", pl.DataFrame({"row_id": ["a"]}), {})
    settings = Settings(run="sft-1", home=tmp_path, ledger="", tables="tables")
    places = [
        door._place(text_generation, [table], door.Common({}, TextGeneration(), one))[0]
        for one in (
            settings,
            settings,
            settings.model_copy(update={"run": "sft-2"}),
            settings.model_copy(update=change),
        )
    ]
    assert places[0] == places[1] == places[2] != places[3]
