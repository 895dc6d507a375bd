"""What a run can be told: one set of pydantic models behind the command, the YAML and the form in the Prefect UI."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tasks.curate.pair import Pair
from tasks.engine.process import Roles
from tasks.errors import ConfigError
from tasks.generate.basic_prompting import BasicPrompting
from tasks.generate.bootstrap import Bootstrap
from tasks.generate.evol_instruct import EvolInstruct
from tasks.generate.evol_quality import EvolQuality
from tasks.generate.magpie import Magpie
from tasks.generate.model_pool import ModelPool
from tasks.generate.self_instruct import SelfInstruct
from tasks.generate.text_generation import TextGeneration
from tasks.judge.critique import Critique
from tasks.judge.ultrafeedback import UltraFeedback
from tasks.models.config import ModelConfig

Seeds = str | list[Any]


class RunConfig(BaseModel):
    """What every flow can be told."""

    model_config = ConfigDict(extra="forbid")

    model: ModelConfig = Field(ModelConfig(), description="the model that plays every role without one of its own")
    roles: dict[str, list[ModelConfig]] = Field({}, description="models of single roles, e.g. responder, judge, pool")
    out: str | None = Field(None, description="folder of the dataset; default datasets/<name>")
    name: str | None = Field(None, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", description="name of the dataset")
    seed: int = Field(0, ge=0, lt=2**63, description="seeds every random choice")
    language: str = Field("en", description="language of the prompts, a folder of prompts/")
    shard_rows: int = Field(1000, ge=1, description="rows of one Prefect task run")
    max_attempts: int = Field(3, ge=1, le=100, description="asks of one request before its row is rejected")
    max_reject_fraction: float = Field(
        0.3, ge=0, le=1, description="failed rows of a step above which the run ends Failed"
    )

    retry: str | None = Field(None, description="an earlier run whose failed rows to ask for again")

    def models(self) -> Roles:
        """The models by role; the generator stands in for roles that have none."""
        return {"generator": (self.model,), **{role: tuple(configs) for role, configs in self.roles.items()}}


class InstructionSFT(RunConfig):
    """An SFT dataset: seeds to instructions, evolved or not, to responses."""

    recipe: Literal["respond", "basic", "seeded", "evolved"] = Field(
        "evolved", description="respond: answer given instructions. basic: instructions from the model itself. "
        "seeded: from seeds by Self-Instruct. evolved: those, made harder by Evol-Instruct."
    )  # fmt: skip
    seeds: Seeds | None = Field(
        None, description="a .jsonl, .csv, .parquet or .yaml file, a folder, hf:NAME, or a list"
    )
    columns: dict[str, str] = Field({}, description="our column -> the file's column, e.g. instruction: prompt")
    max_seeds: int | None = Field(None, ge=1, description="read no more seeds than this")
    rows: int | None = Field(None, ge=1, description="number of accepted rows; empty: all that come out")
    start_from: Literal["magpie", "prompting"] = Field(
        "magpie", description="where recipe basic takes instructions from"
    )
    mode: Literal["context", "bootstrap"] = Field(
        "context", description="how recipes seeded and evolved use Self-Instruct"
    )
    basic_prompting: BasicPrompting = BasicPrompting()
    self_instruct: SelfInstruct = SelfInstruct()
    bootstrap: Bootstrap = Bootstrap()
    evol_instruct: EvolInstruct = EvolInstruct()
    magpie: Magpie = Magpie()
    text_generation: TextGeneration = TextGeneration()


class PreferenceDPO(RunConfig):
    """A DPO dataset: responses of a pool to instructions, evolved or not, judged and paired."""

    recipe: Literal["basic", "evolved", "critiqued"] = Field(
        "critiqued", description="basic: a pool of responses, overall scores. evolved: with responses made better by "
        "EvolQuality. critiqued: those, and scores by aspect with critiques."
    )  # fmt: skip
    instructions: Seeds | None = Field(
        None, description="a file, a dataset folder of `stillroom sft`, hf:NAME, or a list"
    )
    columns: dict[str, str] = Field({}, description="our column -> the file's column, e.g. instruction: prompt")
    max_instructions: int | None = Field(None, ge=1, description="read no more instructions than this")
    format: Literal["dpo", "reward", "kto", "binarized"] = Field("dpo", description="columns of the dataset")
    model_pool: ModelPool = ModelPool()
    evol_quality: EvolQuality = EvolQuality()
    critique: Critique | None = Field(None, description="have responses rewritten after a critique; empty: not")
    ultrafeedback: UltraFeedback | None = Field(None, description="empty: what the recipe says")
    pair: Pair = Pair()

    def judging(self) -> UltraFeedback:
        """How the recipe judges, where nothing else is said."""
        return self.ultrafeedback or UltraFeedback(aspects="paper" if self.recipe == "critiqued" else "overall")


def load_config(kind: type[RunConfig], file: Path | None, options: dict[str, Any]) -> Any:
    """A config from a YAML file with options laid over it. Raises ConfigError, one line a fault."""
    settings: Any = {}
    if file is not None:
        try:
            settings = yaml.safe_load(file.read_text()) or {}
        except OSError as error:
            raise ConfigError(
                "cannot read the config", f"{file}: {error.strerror}", "give an existing YAML file"
            ) from error
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise ConfigError(
                "the config is not YAML", f"{file}: {' '.join(str(error).split())}", "mend that line"
            ) from error
        if not isinstance(settings, dict):
            raise ConfigError("the config is not a mapping", file, "write it as `option: value` lines")
    try:
        return kind(**_laid_over(settings, options))
    except ValidationError as error:
        raise ConfigError(*_explained(error, kind, file)) from error


def _laid_over(settings: dict[str, Any], options: dict[str, Any]) -> dict[str, Any]:
    """Options over settings; within a technique or a model only the fields that are named change."""
    merged = dict(settings)
    for name, value in options.items():
        below = {"name": merged[name]} if name == "model" and isinstance(merged.get(name), str) else merged.get(name)
        merged[name] = _laid_over(below, value) if isinstance(value, dict) and isinstance(below, dict) else value
    return merged


def _explained(error: ValidationError, kind: type[BaseModel], file: Path | None) -> tuple[str, str, str]:
    """The first fault of a config: what, the value, the fix."""
    fault = error.errors()[0]
    where = ".".join(str(part) for part in fault["loc"])
    source = f" in {file}" if file else ""
    if fault["type"] == "extra_forbidden":
        return f"unknown option{source}", where, _near(fault["loc"], kind)
    value = "not shown" if where.endswith("api_key_env") else repr(fault["input"])  # it may be a key, pasted there
    return f"bad value for {where}{source}", value, fault["msg"]


def _near(loc: tuple[int | str, ...], kind: type[BaseModel]) -> str:
    from difflib import get_close_matches

    model: Any = kind
    for part in loc[:-1]:
        field = model.model_fields.get(part)
        model = field.annotation if field is not None else None
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            return "see stillroom --help"
    near = get_close_matches(str(loc[-1]), list(model.model_fields), 1, 0.5)
    return f"did you mean {near[0]}?" if near else f"known: {', '.join(model.model_fields)}"
