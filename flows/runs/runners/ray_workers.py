"""What the runner `ray` can be told: its workers, and what each shard takes of one."""

from __future__ import annotations

from pydantic import BaseModel, Field, field_validator


class RayWorkers(BaseModel, extra="forbid"):
    """The workers of runner `ray`. The cluster is that of RAY_ADDRESS, else one on this machine for the run alone."""

    workers: int | None = Field(
        None, ge=1, description="workers to share the models' windows among; empty: as many as the cluster has room for"
    )
    num_cpus: float = Field(
        1, gt=0, description="CPUs of one shard; 0.25 lets four shards share a CPU, since they mostly wait"
    )
    buckets: int | None = Field(
        None,
        ge=1,
        description="parts that the index of `curate.deduplicate` lies in, each with a process and the disk of one of the "
        "machines; empty: it lies on the machine that starts the run",
    )
    num_gpus: float = Field(0, ge=0, description="GPUs of one shard, for local models")

    @field_validator("num_cpus", "num_gpus")
    @classmethod
    def _whole_above_one(cls, value: float) -> float:
        if value > 1 and value != int(value):
            raise ValueError("above 1 it has to be a whole number")
        return value
