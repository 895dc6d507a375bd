"""Logs of agents as conversations to train on: calls and results whole, secrets out, turns that failed not trained on.

    stillroom sft --recipe traces --seeds ~/.claude/projects/my-project
    stillroom sft --recipe traces --seeds logs/ --model M --set agent_traces.carry_on=true

The reading itself is in `tasks/seeds/traces`. Where it differs from the logs: what the agent thought is left out, and where a log
says no tools, they are told by its calls.
"""

from __future__ import annotations

from pydantic import Field

from tasks.engine.ask import Models
from tasks.engine.row import Row
from tasks.engine.technique import Params, technique
from tasks.errors import Filtered
from tasks.models.base import Sampling
from tasks.seeds.traces.conversation import TraceReading
from tasks.text.conversation import asked_last, conversation_of, response_of


class AgentTraces(Params):
    """How logs are read, and whether a model answers those that end with a question."""

    redact: bool = Field(True, description="take out what looks like a secret: keys, tokens, passwords")
    mark_failed: bool = Field(
        True, description="mark the turns whose call failed, or that were interrupted, as not to be trained on"
    )
    infer_tools: bool = Field(True, description="where a log says no tools, take them from its calls")
    carry_on: bool = Field(
        False,
        description="have a log that ends with a question, or with what a tool gave back, answered by the responder",
    )
    sampling: Sampling = Field(
        Sampling(temperature=0.7, top_p=0.95, max_new_tokens=2048), description="how such answers are sampled"
    )

    @property
    def traces(self) -> TraceReading:
        """How the seeds are read."""
        told = {name: getattr(self, name) for name in ("redact", "mark_failed", "infer_tools", "carry_on")}
        return TraceReading(**told)


@technique(reads="Rows", writes="TraceResponses")
async def agent_traces(row: Row, models: Models, params: AgentTraces) -> list[Row]:
    """Pass a conversation on with the answer that ends it; asks for one only where `carry_on` says so.

    Writes `response` and `system`. Raises Filtered (unfinished) for a conversation that ends otherwise.
    """
    if row.get("response"):
        return [row.child(response=row["response"], response_model="", system="")]
    if not params.carry_on:
        raise Filtered("unfinished", "the log does not end with an answer")
    turns = conversation_of(row, "")
    said = await models.chat(
        turns,
        name="agent_traces",
        by="responder",
        sampling=params.sampling,
        parse=models.in_language(response_of, asked_last(turns)),
        tools=row.get("tools") or None,
    )
    writer = models.of("responder")[0].model.name
    return [row.child(instruction=asked_last(turns), response=said, response_model=writer, system="")]
