"""Logs of agents (Claude Code, Codex, OpenAI's messages) as conversations with their calls of tools. No model is needed.

stillroom sft --recipe traces --seeds ~/.claude/projects/my-project
"""

from __future__ import annotations

from flows.recipes.recipe import Steps, Tables, recipe
from tasks.columns import TRACE_COLUMNS
from tasks.generate.agent_traces import agent_traces


@recipe("sft", columns=TRACE_COLUMNS)
def traces(run: Steps, seeds: Tables) -> Tables:
    """Logs of agents as conversations, without secrets, in which turns that failed are not trained on."""
    return run.through(agent_traces, seeds)
