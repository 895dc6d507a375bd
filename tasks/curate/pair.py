"""Which response is chosen and which is rejected: from an instruction with its responses to preference pairs.

stillroom dpo --recipe basic --instructions instructions.jsonl
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal

from pydantic import Field

from tasks.engine.ask import Models
from tasks.engine.row import Row
from tasks.engine.technique import Params, technique
from tasks.errors import Filtered
from tasks.models.base import Message
from tasks.text.responses import (
    STRONG,
    WEAK,
    Response,
    by_digest,
    called_tools,
    drawn_from,
    make_response,
    normalised,
    prompt_of,
    response_name,
)

Strategy = Literal[
    "best_vs_worst", "best_vs_random_lower", "evolved_vs_original", "stronger_model_first", "strong_vs_weak"
]
PairIndices = Iterator[tuple[int, int]]  # positions of a chosen and a rejected response, the preferred pair first
NO_CANDIDATE = {
    "best_vs_worst": "no_score",
    "best_vs_random_lower": "no_score",
    "evolved_vs_original": "not_evolved",
    "stronger_model_first": "one_model",
    "strong_vs_weak": "one_model",
}
NEAREST_TO_A_PAIR = ("length_gap", "margin", "tie", "identical", "no_score", "not_better")
LITTLE = 100  # characters: a gap of fewer is none, whatever the ratio; "4" and "It is 4." differ by little
ROUNDING = 1e-9  # 4.1 - 3.6 is a margin of 0.5


class Pair(Params):
    """How pairs are formed."""

    strategy: Strategy = Field("best_vs_worst", description="which two responses make a pair")
    min_margin: float = Field(0.0, ge=0, description="least difference of scores; equal scores never make a pair")
    max_pairs_per_instruction: int = Field(1, ge=1, description="further pairs of responses that no pair has yet")
    one_side: str = Field(
        "",
        description="name of a model, or an origin such as on_policy, that stands in every pair, on a side drawn by chance",
    )
    max_length_ratio: float | None = Field(
        None,
        ge=1,
        description="how many times as long as the other a response of a pair may be, in characters; a gap of fewer than 100 "
        "is none. Empty: as long as it is",
    )
    strongest_first: tuple[str, ...] = Field((), description="stronger_model_first: names; empty: the pool's order")


@technique(reads="Pools", writes="Pairs")
async def pair(row: Row, models: Models, params: Pair) -> list[Row]:
    """Form preference pairs of an instruction's responses. Asks no model.

    Raises Filtered with why there is none: no_response, one_response, no_score, not_evolved, one_model,
    one_side_missing, identical, tie, margin, length_gap or not_better.
    """
    strongest_first = params.strongest_first or [member.model.name for member in models.of("pool")]
    responses = [make_response(**response) for response in row["responses"]]
    prompt = prompt_of(row)
    pairs = pairs_of(responses, params, strongest_first, row.run_seed)
    shown = {"tools": called_tools(row, prompt)} if row.get("tools") else {}  # those that no response was given
    return [row.child(**pair_columns(prompt, chosen, rejected), **shown) for chosen, rejected in pairs]


def pairs_of(
    responses: Sequence[Response], params: Pair, strongest_first: Sequence[str] = (), run_seed: int = 0
) -> list[tuple[Response, Response]]:
    """(chosen, rejected) pairs, at least one. Permuting the responses changes nothing. Raises Filtered.

    - best_vs_worst: the best with the worst score, then the next best with the next worst.
    - best_vs_random_lower: the best with one drawn from those with a lower score, then the next best likewise.
    - evolved_vs_original: each evolved or revised response with its original, the widest difference of scores first.
    - stronger_model_first: a response of the strongest model with one of the weakest, by the models' order alone.
    - strong_vs_weak: a response of origin `strong` with one of origin `weak`.

    No response stands in two pairs. Of equals the one with the lower digest goes first. Wherever both have a score the
    chosen one's is higher, in every strategy; the last three make pairs without scores too, if there is no `min_margin`.
    """
    if len(responses) < 2:
        raise Filtered("one_response" if responses else "no_response", f"{len(responses)} of the 2 that a pair needs")
    pool = by_digest(responses)
    candidates = STRATEGIES[params.strategy](pool, strongest_first, run_seed)
    if params.one_side:
        candidates = with_one_side(candidates, pool, params.one_side, run_seed)
    pairs, taken, refusals = list[tuple[Response, Response]](), set[int](), set[str]()
    for i, j in candidates:
        if i in taken or j in taken:
            continue
        if refusal := refusal_of(pool[i], pool[j], params):
            refusals.add(refusal)
            continue
        taken |= {i, j}
        pairs.append((pool[i], pool[j]))
        if len(pairs) == params.max_pairs_per_instruction:
            break
    if not pairs:
        raise no_pair(pool, params, refusals)
    return pairs


def refusal_of(chosen: Response, rejected: Response, params: Pair) -> str | None:
    """Why these two are no pair, None where they are one."""
    high, low = chosen["score"], rejected["score"]
    margin = None if high is None or low is None else high - low
    if margin is not None and margin < 0:
        return "not_better"
    if normalised(chosen["text"]) == normalised(rejected["text"]):
        return "identical"
    if margin is None and params.min_margin:
        return "no_score"
    if margin is not None and not margin > 0:
        return "tie"
    if margin is not None and margin < params.min_margin - ROUNDING:
        return "margin"
    return "length_gap" if _is_far_longer(chosen, rejected, params.max_length_ratio) else None


def _is_far_longer(one: Response, other: Response, most: float | None) -> bool:
    short, long = sorted(len(response["text"]) for response in (one, other))
    return most is not None and long - short >= LITTLE and long > most * short


def no_pair(pool: Sequence[Response], params: Pair, refusals: set[str]) -> Filtered:
    """The reject of an instruction without a pair: the refusal that came nearest to one, with the scores."""
    reason = next((known for known in NEAREST_TO_A_PAIR if known in refusals), NO_CANDIDATE[params.strategy])
    if params.one_side and not any(_is_of(response, params.one_side) for response in pool):
        reason = "one_side_missing"
    scores = ", ".join("none" if response["score"] is None else f"{response['score']:.3g}" for response in pool)
    lengths = ", ".join(str(len(response["text"])) for response in pool)
    gap = (
        f", of {lengths} characters, at most {params.max_length_ratio:g} times as long"
        if reason == "length_gap"
        else ""
    )
    return Filtered(reason, f"{len(pool)} responses with scores {scores}{gap}")


def _ranked(pool: Sequence[Response]) -> list[int]:
    """The positions of the responses that have a score, the best first."""
    scored = [(-response["score"], i) for i, response in enumerate(pool) if response["score"] is not None]
    return [i for _, i in sorted(scored)]


def best_vs_worst(pool: Sequence[Response], _strongest_first: Sequence[str], _run_seed: int) -> PairIndices:
    """The highest scores with the lowest, inwards."""
    ranked = _ranked(pool)
    return ((i, j) for i in ranked for j in reversed(ranked) if i != j)


def best_vs_random_lower(pool: Sequence[Response], _strongest_first: Sequence[str], run_seed: int) -> PairIndices:
    """The highest scores, each with others in a drawn order (Zephyr, arXiv:2310.16944, without its ties)."""
    ranked = _ranked(pool)
    others = drawn_from(pool, run_seed, "lower").sample(sorted(ranked), len(ranked))
    return ((i, j) for i in ranked for j in others if i != j)


def evolved_vs_original(pool: Sequence[Response], _strongest_first: Sequence[str], _run_seed: int) -> PairIndices:
    """Evolved and revised responses with their originals, the widest gain of score first."""
    originals = {response_name(response): i for i, response in enumerate(pool)}
    pairs = [(i, originals[one["parent"]]) for i, one in enumerate(pool) if one["parent"] in originals]
    return iter(sorted(pairs, key=lambda two: ((pool[two[1]]["score"] or 0) - (pool[two[0]]["score"] or 0), two)))


def stronger_model_first(pool: Sequence[Response], strongest_first: Sequence[str], _run_seed: int) -> PairIndices:
    """Responses of earlier models with those of later ones, the furthest apart first."""
    rank = {model: position for position, model in reversed(list(enumerate(strongest_first)))}
    known = sorted((rank[response["model"]], i) for i, response in enumerate(pool) if response["model"] in rank)
    return ((i, j) for strong, i in known for weak, j in reversed(known) if strong < weak)


def strong_vs_weak(pool: Sequence[Response], _strongest_first: Sequence[str], _run_seed: int) -> PairIndices:
    """Responses of a strong model with those of a weak one, as their origins say."""
    sides = [[i for i, response in enumerate(pool) if response["origin"] == side] for side in (STRONG, WEAK)]
    return ((i, j) for i in sides[0] for j in sides[1])


STRATEGIES: dict[str, Callable[[Sequence[Response], Sequence[str], int], PairIndices]] = {
    "best_vs_worst": best_vs_worst,
    "best_vs_random_lower": best_vs_random_lower,
    "evolved_vs_original": evolved_vs_original,
    "stronger_model_first": stronger_model_first,
    "strong_vs_weak": strong_vs_weak,
}


def with_one_side(candidates: PairIndices, pool: Sequence[Response], model: str, run_seed: int) -> PairIndices:
    """The candidates in which this model (or origin) stands, first those with it on the drawn side (Tulu 3, arXiv:2411.15124)."""
    pairs = list(candidates)
    side = drawn_from(pool, run_seed, "side").randrange(2)
    return iter([two for at in (side, 1 - side) for two in pairs if _is_of(pool[two[at]], model)])


def _is_of(response: Response, name: str) -> bool:
    return name in (response["model"], response["origin"])


def pair_columns(prompt: Sequence[Message], chosen: Response, rejected: Response) -> Mapping[str, Any]:
    """The columns of a pair: explicit and conversational, as TRL takes them, and what speaks for it."""
    ratings = {"ratings_chosen": chosen["ratings"], "ratings_rejected": rejected["ratings"]}
    return {
        "prompt": list(prompt),
        "chosen": [Message(role="assistant", content=chosen["text"])],
        "rejected": [Message(role="assistant", content=rejected["text"])],
        "score_chosen": chosen["score"],
        "score_rejected": rejected["score"],
        "chosen_model": chosen["model"],
        "rejected_model": rejected["model"],
        "chosen_origin": chosen["origin"],
        "rejected_origin": rejected["origin"],
        "judges": sorted({said["judge"] for side in ratings.values() for said in side}),
        **ratings,
    }
