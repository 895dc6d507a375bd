"""Evol-Instruct: an instruction in, a harder or rarer one out, several generations in a row.

    stillroom sft --recipe evolved --seeds seeds.jsonl

Xu et al. 2023 (arXiv:2304.12244), section 3.2.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

from pydantic import Field

from tasks.engine.ask import Models
from tasks.engine.row import Row
from tasks.engine.technique import Params, technique
from tasks.errors import Filtered, RowLoss
from tasks.generate.evolution import evolution_of, is_equal, response_refusal
from tasks.generate.instructions import conversation_with, renewed
from tasks.generate.system_prompts import SystemPrompts, system_of
from tasks.generate.text_generation import conversation_of, response_of
from tasks.models.base import Sampling
from tasks.schemas import EvolvedInstructions, Instructions
