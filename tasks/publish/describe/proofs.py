"""What `stillroom prove` has shown of a dataset, kept beside its rows for its report and its card.

`proof.json` is of one revision: once a publication has changed rows, card and report are silent about it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tasks.publish.describe.fits import published_here, put_section, write_beside
from tasks.publish.revisions import drafting, history

PROOF_FILE = "proof.json"


def revision_here(out: Path) -> int | None:
    """The revision of the dataset of ours in a folder; None where there is none."""
    line = published_here(out)
    return None if line is None else line.revision


def keep_proof(out: Path, proof: Mapping[str, Any], revision: int | None) -> bool:
    """Write a proof into a folder, and into the card of the dataset of ours there; whether the card has it.

    `revision`: of the rows that were proved. Where another one is there by now, the card stays silent.
    """
    if revision is None:
        write_beside(out, PROOF_FILE, proof)
        return False
    with drafting(out):
        write_beside(out, PROOF_FILE, {**proof, "revision": revision})
        if history(out)[-1].revision != revision:
            return False
        put_section(out, proof_section(proof), "proof")
    return True


def proof_of(folder: Path, revision: int) -> dict[str, Any] | None:
    """The proof of this revision, None where there is none."""
    path = folder / PROOF_FILE
    proof: dict[str, Any] = json.loads(path.read_bytes()) if path.exists() else {}
    return proof if proof.get("revision") == revision else None


def proof_section(proof: Mapping[str, Any]) -> str:
    """The section of the card."""
    lines = ["## Proof", "", f"Students of `{proof['base']}`, trained on it and on what it was held against:", ""]
    lines += [f"- {line}" for told in proof["measures"] for line in told["findings"]]
    lines += [f"- {line}" for line in proof["notes"]]
    return "\n".join([*lines, "", ""])
