"""The task categories of Magpie (Xu et al. 2024, arXiv:2406.08464): what system prompts are drawn by, and rows tagged with."""

from __future__ import annotations

from typing import Literal

Category = Literal[
    "information_seeking",
    "reasoning",
    "planning",
    "editing",
    "coding",
    "math",
    "data_analysis",
    "role_playing",
    "creative_writing",
    "advice_seeking",
    "brainstorming",
    "other",
]
