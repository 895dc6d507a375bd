"""What a run can be told: one set of pydantic models behind the command, the YAML and the form in the Prefect UI."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, GetJsonSchemaHandler, ValidationError, field_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from tasks.curate.pair import Pair
from tasks.engine.budget import Budget
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
MOST_BYTES = 10_000_000
FORM_BEGINS = ("recipe", "seeds", "instructions", "rows", "name", "model")
"""What most runs are told, and all that many are: at the top of the form, in this order."""


class RayWorkers(BaseModel):
    """The workers of runner `ray`. The cluster is that of RAY_ADDRESS, else one on this machine for the run alone."""

    model_config = ConfigDict(extra="forbid")

    workers: int | None = Field(
        None, ge=1, description="workers to share the models' windows among; empty: as many as the cluster has room for"
    )
    num_cpus: float = Field(
        1, gt=0, description="CPUs of one shard; 0.25 lets four shards share a CPU, since they mostly wait"
    )
    num_gpus: float = Field(0, ge=0, description="GPUs of one shard, for local models")

    @field_validator("num_cpus", "num_gpus")
    @classmethod
    def _whole_above_one(cls, value: float) -> float:
        if value > 1 and value != int(value):
            raise ValueError("above 1 it has to be a whole number")
        return value


class RunConfig(BaseModel):
    """What every flow can be told."""

    model_config = ConfigDict(extra="forbid")

    model: ModelConfig = Field(ModelConfig(), description="the model that plays every role without one of its own")
    roles: dict[str, list[ModelConfig]] = Field({}, description="models of single roles, e.g. responder, judge, pool")
    out: str | None = Field(None, description="local folder of the dataset; default datasets/<name>")
    name: str | None = Field(None, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", description="name of the dataset")
    seed: int = Field(0, ge=0, lt=2**63, description="seeds every random choice")
    language: str = Field("en", description="language of the prompts, a folder of prompts/")
    runner: Literal["threads", "ray"] = Field(
        "threads", description="where shards run: in threads of one process, or on the workers of a Ray cluster"
    )
    ray: RayWorkers = RayWorkers()
    shard_rows: int = Field(1000, ge=1, description="most rows of one Prefect task run; the first ones have 32")
    max_attempts: int = Field(3, ge=1, le=100, description="asks of one request before its row is rejected")
    max_reject_fraction: float = Field(
        0.3, ge=0, le=1, description="failed rows of a step above which the run ends Failed"
    )

    bad_seeds: Literal["refuse", "reject"] = Field(
        "refuse", description="a record that cannot be read ends the run before it begins, or is a reject of it"
    )

    max_requests: int | None = Field(
        None, ge=0, description="requests after which no more are made; what is finished is published"
    )
    max_total_tokens: int | None = Field(
        None, ge=0, description="tokens, prompts and completions, after which no more requests are made"
    )
    max_cost_usd: float | None = Field(
        None,
        ge=0,
        allow_inf_nan=False,
        description="cost after which no more requests are made; every model needs its prices",
    )
    incremental: bool = Field(
        False, description="add to the dataset that is there: take only seeds that it has not had, keep all its rows; "
        "`rows` and the most seeds are then those of this run alone"
    )  # fmt: skip
    allow_empty: bool = Field(False, description="publish a dataset of 0 rows too, where no row is left")
    keep_revisions: int = Field(10, ge=1, description="versions of the dataset to keep, the newest included")
    retry: str | None = Field(None, description="an earlier run whose failed rows to ask for again")

    @property
    def rows_format(self) -> str:
        """What a row of the dataset is: rows of one format can stand in one dataset."""
        return "sft"

    def model_names(self) -> list[str]:
        """Every model that may have written a row."""
        return sorted({model.name for configs in self.models().values() for model in configs})

    @property
    def full_recipe(self) -> str:
        """The recipe with the kind of dataset that it makes."""
        raise NotImplementedError

    @property
    def dataset(self) -> str:
        """The name of the dataset: that of its folder where one is given."""
        return Path(self.out).absolute().name if self.out else self.name or self.full_recipe

    @property
    def title(self) -> str:
        """The name of the flow run: "sft-evolved nightly-sft"."""
        named = f" {self.dataset}" if self.dataset != self.full_recipe else ""
        return f"{self.full_recipe}{named}{f' retry of {self.retry}' if self.retry else ''}"

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """The schema that the form in Prefect's UI is made of, in the form's order."""
        schema = handler(core_schema)
        fields = handler.resolve_ref_schema(schema)
        shown = fields["properties"]
        fields["properties"] = {name: shown[name] for name in FORM_BEGINS if name in shown} | shown
        return schema

    @field_validator("out")
    @classmethod
    def _local(cls, out: str | None) -> str | None:
        if out is not None and "://" in out:
            raise ValueError("give a local folder; only the tables may lie on a URL (STILLROOM_TABLES)")
        return out

    def models(self) -> Roles:
        """The models by role; the generator stands in for roles that have none."""
        return {"generator": (self.model,), **{role: tuple(configs) for role, configs in self.roles.items()}}

    def budget(self) -> Budget:
        """What the run may spend. Raises ConfigError for a budget of money where a model has no price."""
        for model in {model for models in self.models().values() for model in models}:
            if self.max_cost_usd is not None and not model.is_priced:
                fix = "give price_prompt and price_completion, e.g. --set model.price_prompt=0.5; 0 is a price"
                raise ConfigError("max_cost_usd needs the price of every model", model.name, fix)
        return Budget(
            max_requests=self.max_requests, max_total_tokens=self.max_total_tokens, max_cost_usd=self.max_cost_usd
        )


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

    @property
    def full_recipe(self) -> str:
        """The recipe with the kind of dataset that it makes."""
        return f"sft-{self.recipe}"


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

    @property
    def full_recipe(self) -> str:
        """The recipe with the kind of dataset that it makes."""
        return f"dpo-{self.recipe}"

    @property
    def rows_format(self) -> str:
        """The columns of the dataset."""
        return self.format

    def judging(self) -> UltraFeedback:
        """How the recipe judges, where nothing else is said."""
        return self.ultrafeedback or UltraFeedback(aspects="paper" if self.recipe == "critiqued" else "overall")


def load_config(kind: type[RunConfig], file: Path | None, options: dict[str, Any]) -> Any:
    """A config from a YAML file with options laid over it. Raises ConfigError, one line a fault."""
    settings: Any = {}
    if file is not None:
        try:
            settings = yaml.safe_load(_text_of(file)) or {}
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


def _text_of(file: Path) -> str:
    """The text of a config. Raises ConfigError where it is longer than any config (it may have no end)."""
    with file.open("rb") as opened:
        data = opened.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise ConfigError(
            "the config is over 10 MB", file, "give a YAML file of options; seeds have a file of their own"
        )
    return data.decode()


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
