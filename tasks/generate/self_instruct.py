"""Self-Instruct in context mode: an instruction or a passage in, requests that users could make about it out.

    stillroom sft --recipe seeded --seeds seeds.jsonl

The bootstrap of the paper (Wang et al. 2022, arXiv:2212.10560) is in `bootstrap.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from pydantic import Field

from tasks.engine.ask import Models
from tasks.engine.row import Row
from tasks.engine.technique import Params, technique
from tasks.errors import Filtered, Unusable
from tasks.models.base import Sampling
from tasks.text.instructions import (
    blacklist_refusal,
    first_refusal,
    language_refusal,
    length_refusal,
    similarity_refusal,
    unfinished_refusal,
    unseen_text_refusal,
)
from tasks.text.reading.lists import items_of
from tasks.text.rouge import Pool


class SelfInstruct(Params):
    """How requests are asked for, and which are refused."""

    queries: int = Field(5, ge=1, le=50, description="requests to ask for from each row")
    application: str = Field("a general AI assistant", min_length=1, description="what the requests are sent to")
    min_words: int = Field(3, ge=1, description="words; shorter requests are refused")
    max_words: int = Field(150, ge=1, description="words; longer requests are refused")
    max_similarity: float = Field(
        0.7, ge=0, le=1, description="ROUGE-L F to the seed or a sister above which one is refused"
    )
    blacklist: tuple[str, ...] = Field((), description="words that no request may have")
    sampling: Sampling = Field(
        Sampling(temperature=0.7, top_p=0.95, max_new_tokens=1024), description="how they are sampled"
    )

    @property
    def rows_of_each(self) -> int:
        """Rows that come of one seed, where nothing is refused."""
        return self.queries


Wrong = Callable[[str], str | None]
Queries = list[tuple[str, Filtered | None]]
"""What a completion lists, each with why it is refused, None where it is kept."""


@technique(reads="Rows", writes="Instructions")
async def self_instruct(row: Row, models: Models, params: SelfInstruct) -> list[Row]:
    """Ask for several requests drawn from the row's `context`, or its `instruction`; one row each.

    A refused request is a loss with its reason. A list cut short by the length limit is used up to its last whole item.
    Raises Filtered where the row has neither column, Unusable where no completion has a request fit to keep.
    """
    context = row.get("context") or row.get("instruction")
    if not context:
        raise Filtered("no_context", "the row has neither a context nor an instruction")

    async def asked(*, cut: bool) -> Queries:
        return await models.ask(
            "self_instruct/queries",
            application=params.application,
            count=params.queries,
            context=context,
            sampling=params.sampling,
            truncated="keep" if cut else "refuse",
            parse=partial(queries_of, context=context, params=params, cut=cut, wrong=models.wrong_language),
        )

    try:
        queries = await asked(cut=False)
    except Unusable as loss:
        if loss.reason != "truncated":
            raise
        queries = await asked(cut=True)  # the same request, so its answer is in the ledger
    for _, refusal in queries:
        if refusal is not None:
            row.lose(refusal)
    return [row.child(instruction=query) for query, refusal in queries if refusal is None]


def queries_of(
    text: str, *, context: str, params: SelfInstruct, cut: bool = False, wrong: Wrong = lambda _: None
) -> Queries:
    """The requests in a completion, in order, each with why it is refused. `cut`: the last one was not finished; `wrong`: what
    is wrong with the language of one.

    Raises Unusable where none is kept.
    """
    items = items_of(text)
    last = items.pop() if cut and items and not text.endswith("\n") else None
    pool = Pool([context])
    queries: Queries = []
    for item in items:
        refusal = first_refusal(_refusals(item, pool, sum(r is None for _, r in queries), params, wrong))
        if refusal is None:
            pool.add(item)
        queries.append((item, refusal))
    if last is not None:
        queries.append((last, Filtered("unfinished", "the completion was cut here", raw=last)))
    if all(refusal is not None for _, refusal in queries):
        reasons = sorted({refusal.reason for _, refusal in queries if refusal is not None})
        raise Unusable("no_query", f"all refused: {', '.join(reasons)}" if reasons else "nothing listed")
    return queries


def _refusals(item: str, pool: Pool, kept: int, params: SelfInstruct, wrong: Wrong) -> Iterator[Filtered | None]:
    yield length_refusal(item, params.min_words, params.max_words)
    yield unfinished_refusal(item)
    yield blacklist_refusal(item, params.blacklist)
    yield unseen_text_refusal(item)
    yield language_refusal(item, wrong)
    yield similarity_refusal(item, pool.most_similar(item), pool, params.max_similarity)
    yield Filtered("surplus", f"{params.queries} asked for", raw=item) if kept >= params.queries else None
