"""Whether a response may stand beside others: two that say the same teach no preference."""

from __future__ import annotations

from collections.abc import Sequence

from tasks.errors import Filtered, RowLoss
from tasks.text.responses import Response, normalised
from tasks.text.rouge import rouge_l


def place(answer: Response | RowLoss, kept: list[Response], max_rouge_l: float) -> RowLoss | None:
    """Put a response among those kept; where it cannot stand there (or is none), say why."""
    loss = answer if isinstance(answer, RowLoss) else too_alike(answer["text"], kept, max_rouge_l)
    if not isinstance(answer, RowLoss) and loss is None:
        kept.append(answer)
    return loss


def too_alike(text: str, kept: Sequence[Response], max_rouge_l: float) -> Filtered | None:
    """Why a text cannot stand beside the kept responses: it is one of them after normalisation, or its ROUGE-L (F, Lin
    2004) to one is above `max_rouge_l`. None where it can."""
    for other in kept:
        whose = other["model"] or "the row"
        if normalised(text) == normalised(other["text"]):
            return Filtered("too_alike", f"says the same as a response of {whose}", raw=text)
        if max_rouge_l < 1 and (likeness := rouge_l(text, other["text"])) > max_rouge_l:
            return Filtered("too_alike", f"ROUGE-L {likeness:.2f} to a response of {whose}", raw=text)
    return None
