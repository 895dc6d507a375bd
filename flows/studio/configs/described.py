"""A config from a description in words: a model plans the system prompt, the topics and the people who ask.

The built-in models cannot: the studio says so, and offers its examples.
"""

from __future__ import annotations

import json

from pydantic import BaseModel, Field, ValidationError

from flows.studio.configs.file import ConfigSettings
from tasks.engine.loop import run_in_loop
from tasks.engine.process import Settings, process
from tasks.engine.row import Row, seed_row_id
from tasks.errors import ConfigError, Unusable, first_fault
from tasks.models.base import Sampling
from tasks.models.config import ModelConfig
from tasks.models.open import BUILT_IN
from tasks.storage.home import check_home, home, ledger_url, tables_root
from tasks.text.prompts import Prompts, languages_of

TOPICS_WANTED, PERSONAS_WANTED = 24, 8
FIRST_ROWS = 100
SAMPLING = Sampling(temperature=0.7, top_p=0.95, max_new_tokens=2048)


class DatasetPlan(BaseModel, extra="ignore", str_strip_whitespace=True):
    """What a model makes of a description."""

    name: str = Field(min_length=1, max_length=100)
    system: str = Field(min_length=20, max_length=8000)
    topics: list[str] = Field(min_length=3, max_length=200)
    personas: list[str] = Field([], max_length=100)

    def settings(self, model: ConfigSettings, language: str) -> ConfigSettings:
        """The config of a dataset that is planned so."""
        return {
            "recipe": "basic",
            "start_from": "prompting",
            "rows": FIRST_ROWS,
            "language": language,
            "model": model,
            "basic_prompting": {"topics": self.topics, "personas": self.personas},
            "text_generation": {"system": self.system},
        }


def plan_in(completion: str) -> DatasetPlan:
    """The plan in a completion, with whatever is said around its JSON. Raises Unusable (no_plan)."""
    begin, end = completion.find("{"), completion.rfind("}")
    try:
        return DatasetPlan.model_validate(json.loads(completion[begin : end + 1]))
    except ValidationError as error:
        where, fault = first_fault(error)
        raise Unusable("no_plan", f"{where}: {fault['msg']}") from error
    except (ValueError, RecursionError) as error:
        raise Unusable("no_plan", "no JSON object") from error


def plan_from(description: str, model: ConfigSettings, language: str) -> DatasetPlan:
    """Have a model plan a dataset; what it answers is in the ledger. Raises ConfigError where it cannot."""
    config = ModelConfig.model_validate(model)
    if config.name in BUILT_IN:
        raise ConfigError("a built-in model cannot write a config", None, "begin with an example, or name a model")
    check_home()
    language = language if language in languages_of("full") else "en"
    prompts = Prompts.of("full", language, None).resolved()
    settings = Settings(run="describe", home=home(), ledger=ledger_url(), tables=tables_root(), prompts=prompts)
    process.forget(settings.run)
    models = process.models({"generator": (config,)}, process.context(settings))
    row = Row(seed_row_id({"description": description}), {"description": description})
    ask = models.at(row).ask(
        "dataset_plan/plan",
        description=description,
        topics=TOPICS_WANTED,
        personas=PERSONAS_WANTED,
        sampling=SAMPLING,
        parse=plan_in,
    )
    try:
        plan: DatasetPlan = run_in_loop(ask)
    except Unusable as loss:
        what = "the model does not write a plan that can be read"
        raise ConfigError(
            what, f"{loss.reason}: {loss.detail}", "begin with an example, or name a larger model"
        ) from loss
    return plan
