"""What the shards of one process share: ledger, admission, open models, and a context for each run under way."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, SkipValidation

from tasks.engine.accounting import Accounting, Budget, Spending
from tasks.engine.admission import Admission
from tasks.engine.ask import Models
from tasks.engine.context import Context
from tasks.engine.loop import run_in_loop, the_loop
from tasks.engine.requests.asking import Member
from tasks.models.base import Model
from tasks.models.batching import rows_of_batch
from tasks.models.config import ModelConfig
from tasks.models.local.recommended import with_recommended
from tasks.models.open import open_model
from tasks.models.scripted import ScriptedModel
from tasks.storage.tables import Table
from tasks.text.prompts import Prompts

if TYPE_CHECKING:
    from tasks.ledger.ledger import Ledger


ROWS_AT_ONCE = 16
"""What a run without models is given room for, as if it had one that takes so many requests."""


class Settings(BaseModel):
    """How a run runs. Of these only `seed`, `prompts`, `max_attempts`, `check_language` and `epochs` shape what it
    makes.

    `tables`: where the tables lie, a folder or a URL. `reports`: the place where workers that are processes of their
    own report what they count; None: the shards run in this process. `spending`: what counts the budget for all of them.
    """

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    run: str
    home: Path
    ledger: str = Field(exclude=True, repr=False)  # its URL may hold a password: not for manifests and logs
    tables: str
    reports: str | None = None
    seed: int = 0
    prompts: Prompts = Prompts()
    max_attempts: int = Field(3, ge=1)
    check_language: bool = False
    budget: Budget = Budget()
    spending: SkipValidation[Spending | None] = Field(None, exclude=True, repr=False)
    epochs: dict[str, Table] = {}


class Process:
    """The shared parts. One a process; each part is made on first use."""

    def __init__(self) -> None:
        self.admission = Admission()
        self._lock = threading.RLock()
        self._ledgers: dict[str, Ledger] = {}
        self._models: dict[ModelConfig, Model] = {}
        self._contexts: dict[str, Context] = {}

    def __reduce__(self) -> tuple[Callable[[str], Any], tuple[str]]:
        """In another process it is that one's own."""
        return resolve_name, (f"{__name__}:process",)

    def context(self, settings: Settings) -> Context:
        """The context of a run, with the ledger open. Raises ConfigError where the ledger cannot be used."""
        with self._lock:
            if settings.run not in self._contexts:
                if settings.ledger not in self._ledgers:
                    from tasks.ledger.ledger import Ledger  # with SQLAlchemy, which a mistake is told without

                    self._ledgers[settings.ledger] = Ledger(settings.ledger)
                self._contexts[settings.run] = Context(
                    self._ledgers[settings.ledger],
                    settings.seed,
                    settings.prompts,
                    settings.max_attempts,
                    settings.check_language,
                    accounting=Accounting(settings.budget, settings.spending),
                )
            return self._contexts[settings.run]

    def forget(self, run: str) -> None:
        """Begin to count anew: a run that is tried again has the same name."""
        with self._lock:
            self._contexts.pop(run, None)

    def contexts(self) -> list[Context]:
        """The contexts of the runs under way, for progress and for stopping them."""
        return list(self._contexts.values())

    def stop(self) -> None:
        """Have all runs begin no request any more; those in flight are let finish."""
        for context in self.contexts():
            context.stop.set()
            the_loop().call_soon_threadsafe(context.halt)

    def cut(self) -> None:
        """Have all runs wait for nothing any more; what is committed is kept."""
        for context in self.contexts():
            context.stop.set()
            the_loop().call_soon_threadsafe(context.cut)

    def model(self, config: ModelConfig) -> Model:
        """An open model. Raises ConfigError where it cannot be opened."""
        with self._lock:
            if config not in self._models:
                self._models[config] = open_model(config)
                self.admission.widen(self._models[config].max_in_flight)
                self.admission.hold_rows(rows_of_batch(self._models[config]))
            return self._models[config]

    def adopt(self, config: ModelConfig, model: Model) -> None:
        """Use a model that the caller has made wherever this config is asked for (tests, notebooks)."""
        with self._lock:
            self._models[config] = model
            self.admission.widen(model.max_in_flight)

    def is_scripted(self, config: ModelConfig) -> bool:
        """Whether a rule plays the model of this config."""
        return config.name.startswith("scripted:") or isinstance(self._models.get(config), ScriptedModel)

    def models(self, roles: Mapping[str, Sequence[ModelConfig]], context: Context) -> Models:
        """The models of a run, by role. One that asks nobody has rows under way too."""
        if not any(roles.values()):
            self.admission.widen(ROWS_AT_ONCE)
        return Models({role: [self.member(config) for config in configs] for role, configs in roles.items()}, context)

    def member(self, config: ModelConfig) -> Member:
        """An open model with its settings."""
        return Member(self.model(config), with_recommended(config))

    def close(self) -> None:
        """Let go of all models and ledgers."""
        with self._lock:
            for model in self._models.values():
                run_in_loop(model.close())
            for ledger in self._ledgers.values():
                run_in_loop(ledger.close())
            self._models, self._ledgers, self._contexts = {}, {}, {}


process = Process()
