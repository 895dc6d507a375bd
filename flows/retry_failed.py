"""The failed rows of an earlier run, and nothing else: the same run again, where each row that failed may ask further.

stillroom retry sft-1a2b3c4d
"""

from __future__ import annotations

from typing import Any

from prefect import flow

from flows.config import InstructionSFT, PreferenceDPO
from flows.instruction_sft import instruction_sft
from flows.manifests import manifest
from flows.preference_dpo import preference_dpo


@flow(name="retry-failed", flow_run_name="retry-{run}")
def retry_failed(run: str) -> dict[str, Any]:
    """Ask again for the rows that a run rejected as failed, and publish its dataset anew. Returns the new summary.

    What the run was given already comes from the ledger, so that only healed rows are paid for, here and in later steps.
    """
    past = manifest(run)
    settings = past["config"] | {"retry": run}
    if past["kind"] == "dpo":
        return preference_dpo(PreferenceDPO(**settings))
    return instruction_sft(InstructionSFT(**settings))
