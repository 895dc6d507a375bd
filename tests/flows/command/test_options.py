from __future__ import annotations

from typing import Any

from flows.command.options import nested_options
from flows.config import PreferenceDPO
from flows.config_file import load_config

SETS = ["model.api_key_env=KEY", "model.max_in_flight=8", "pair.min_margin=1"]


def given(models: list[str], judges: list[str], sets: list[str]) -> dict[str, Any]:
    roles = {"pool": [{"name": name} for name in models], "judge": [{"name": name} for name in judges]}
    return nested_options({"roles": {role: members for role, members in roles.items() if members}}, models, sets)


def test_what_is_set_of_the_model_is_set_of_each_that_the_command_names() -> None:
    """Else a pool asked its server without the key, and a model was loaded twice, as two that differ."""
    told = load_config(PreferenceDPO, None, given(["one", "two"], ["two", "other"], SETS))
    assert (told.model.name, told.pair.min_margin) == ("one", 1)
    keys = {role: [(member.name, member.api_key_env) for member in members] for role, members in told.roles.items()}
    assert keys == {"pool": [("one", "KEY"), ("two", "KEY")], "judge": [("two", "KEY"), ("other", None)]}
    assert told.roles["pool"][1] == told.roles["judge"][0] != told.roles["judge"][1]
    assert told.roles["pool"][0] == told.model


def test_members_that_are_set_themselves_are_left_as_they_are() -> None:
    told = load_config(PreferenceDPO, None, given(["one"], [], [*SETS, "roles.pool=[one, {name: two}]"]))
    assert [(member.name, member.api_key_env) for member in told.roles["pool"]] == [("one", None), ("two", None)]
