"""What `prompt.yaml` beside a technique's prompts says of them: what for, after whom, with what, read by what.

purpose: Rewrite an instruction into a harder one.
source: Xu et al. 2023 (arXiv:2304.12244), section 3.2
version: 1
prompts:
  deepen:
    purpose: The same matter, further down.
    variables: {instruction: the instruction to rewrite}
    output: the new instruction and nothing else; read by `evolution_of`
"""

from __future__ import annotations

from pathlib import Path

import yaml
from pydantic import BaseModel, Field, ValidationError

from tasks.errors import ConfigError, first_fault
from tasks.text.prompts import Prompts

FACTS = "prompt.yaml"


class PromptFacts(BaseModel, frozen=True, extra="forbid"):
    """One prompt. `variables`: each with its meaning; `output`: the form that it asks for, and what reads it."""

    purpose: str = Field(min_length=1)
    variables: dict[str, str]
    output: str = Field(min_length=1)


class TechniqueFacts(BaseModel, frozen=True, extra="forbid"):
    """The prompts of one technique in one set and language. `version` rises whenever one of them changes."""

    purpose: str = Field(min_length=1)
    source: str = Field(min_length=1)
    version: int = Field(ge=1)
    prompts: dict[str, PromptFacts]


def facts_of(prompts: Prompts, technique: str) -> TechniqueFacts | None:
    """What is said of a technique's prompts, the user's own file first; None where nothing is.

    Raises ConfigError for a file that says it wrongly.
    """
    paths = (folder / technique / FACTS for folder in prompts.folders)
    path = next((path for path in paths if path.is_file()), None)
    return None if path is None else _read(path)


def _read(path: Path) -> TechniqueFacts:
    try:
        return TechniqueFacts.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except yaml.YAMLError as error:
        raise ConfigError("a prompt.yaml is not YAML", path, " ".join(str(error).split())) from error
    except ValidationError as error:
        where, fault = first_fault(error)
        raise ConfigError("a prompt.yaml does not say what it has to", f"{path}: {where}", fault["msg"]) from error
