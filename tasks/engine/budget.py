"""What a run may spend: requests, tokens, money.

stillroom sft --seeds seeds.jsonl --model M --max-requests 500
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Budget(BaseModel):
    """Limits of one run; None: no limit. Answers from the ledger cost nothing.

    `max_requests` holds exactly: a request is one completion asked for, however often an endpoint had to be tried.
    Of tokens (prompts and completions) and cost the sum is known only when answers are in, so nothing new is begun
    once it is reached, and what is in flight then is kept: the sum may pass the limit by that much.
    """

    model_config = ConfigDict(frozen=True)

    max_requests: int | None = None
    max_total_tokens: int | None = None
    max_cost_usd: float | None = None

    def is_spent(self, requests: int, tokens: int, cost: float) -> bool:
        """Whether one more request is one too many."""
        return (
            (self.max_requests is not None and requests >= self.max_requests)
            or (self.max_total_tokens is not None and tokens >= self.max_total_tokens)
            or (self.max_cost_usd is not None and cost >= self.max_cost_usd)
        )

    def __str__(self) -> str:
        """The limits that there are: "max_requests 500, max_cost_usd 2"."""
        return ", ".join(f"{name} {limit:g}" for name, limit in self if limit is not None)
