"""Sampling: the noise belongs to (seed, step, token) alone, and what is drawn is distributed as the softmax."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
import torch
from torch import Tensor

from tasks.models.base import Sampling
from tasks.models.local.noise import CANDIDATES, choose, likeliest

DRAWS = 20_000
LOGITS = torch.tensor([2.0, 1.0, 0.5, 0.0, -1.0, -2.5, 1.5, -0.5, 0.2, -6.0])


@dataclass
class Draw:
    sampling: Sampling = field(default_factory=Sampling)
    seed: int = 0
    written: Sequence[int] = ()
    prompt: Sequence[int] = ()


def shares(chosen: Tensor, vocabulary: int = len(LOGITS)) -> Tensor:
    return torch.bincount(chosen, minlength=vocabulary) / len(chosen)


def misfit(chosen: Tensor, probabilities: Tensor) -> float:
    """Pearson's chi-square over its degrees of freedom, in standard deviations from what chance gives."""
    counts, expected = torch.bincount(chosen, minlength=len(probabilities)), probabilities * len(chosen)
    possible = expected > 0
    assert int(counts[~possible].sum()) == 0
    freedom = int(possible.sum()) - 1
    statistic = float(((counts - expected)[possible] ** 2 / expected[possible]).sum())
    return (statistic - freedom) / (2 * freedom) ** 0.5


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("varied", ["seed", "far seed", "step"])
def test_draws_are_distributed_as_the_softmax(temperature: float, varied: str) -> None:
    sampling = Sampling(temperature=temperature)
    draws = {
        "seed": lambda i: Draw(sampling, seed=i),
        "far seed": lambda i: Draw(sampling, seed=i * 0x3C6EF372FE94F82B % (1 << 63)),
        "step": lambda i: Draw(sampling, seed=7, written=range(i)),
    }[varied]
    chosen = choose(LOGITS.repeat(DRAWS, 1), [draws(i) for i in range(DRAWS)])
    assert misfit(chosen, (LOGITS / temperature).softmax(-1)) < 4


def test_draws_over_a_large_vocabulary_are_distributed_as_the_softmax() -> None:
    vocabulary, draws = 3000, 3000
    logits = torch.randn(vocabulary, generator=torch.Generator().manual_seed(1)) * 0.3
    chosen = torch.cat(
        [
            choose(logits.repeat(100, 1), [Draw(seed=i) for i in range(start, start + 100)])
            for start in range(0, draws, 100)
        ]
    )
    halves = torch.stack([logits.softmax(-1)[part].sum() for part in torch.arange(vocabulary).split(50)])
    assert misfit(chosen // 50, halves) < 4


def test_neighbouring_seeds_steps_and_tokens_are_not_alike() -> None:
    flat = torch.zeros(2000, 64)
    by_seed = choose(flat.clone(), [Draw(seed=i) for i in range(2000)])
    by_step = choose(flat.clone(), [Draw(written=range(i)) for i in range(2000)])
    for chosen in (by_seed, by_step):
        repeated = float((chosen[1:] == chosen[:-1]).float().mean())
        near = float(((chosen[1:] - chosen[:-1]).abs() == 1).float().mean())
        assert repeated == pytest.approx(1 / 64, abs=0.012)
        assert near == pytest.approx(2 / 64, abs=0.016)
    assert float((by_seed == by_step).float().mean()) == pytest.approx(1 / 64, abs=0.012)


def test_a_draw_is_the_same_in_any_company_and_at_any_place() -> None:
    logits = torch.randn(60, 500, generator=torch.Generator().manual_seed(2))
    kinds = [
        Sampling(temperature=0),
        Sampling(),
        Sampling(top_p=0.7),
        Sampling(presence_penalty=1.0),
        Sampling(top_k=20, top_p=0.9),
        Sampling(min_p=0.1),
        Sampling(repetition_penalty=1.3),
    ]
    draws = [Draw(kinds[i % 7], seed=i // 3, written=[i, i + 1, i], prompt=[i]) for i in range(60)]
    together = choose(logits.clone(), draws)
    order = torch.randperm(60, generator=torch.Generator().manual_seed(3))
    assert torch.equal(choose(logits[order], [draws[i] for i in order.tolist()]), together[order])
    alone = [int(choose(logits[i : i + 1].clone(), [draws[i]])) for i in range(60)]
    assert alone == together.tolist()


def test_greedy_takes_the_likeliest_token_whatever_the_seed() -> None:
    logits = torch.randn(50, 300, generator=torch.Generator().manual_seed(4))
    chosen = choose(logits.clone(), [Draw(Sampling(temperature=0), seed=i) for i in range(50)])
    assert torch.equal(chosen, logits.argmax(-1))


@pytest.mark.parametrize("top_p", [0.01, 0.4, 0.8, 0.95])
def test_the_nucleus_is_the_fewest_likeliest_tokens_that_reach_the_mass(top_p: float) -> None:
    probabilities = LOGITS.softmax(-1)
    ranked = probabilities.sort(descending=True)
    kept = int((ranked.values.cumsum(0) < top_p).sum()) + 1
    expected = torch.zeros(len(LOGITS))
    expected[ranked.indices[:kept]] = ranked.values[:kept] / ranked.values[:kept].sum()
    chosen = choose(LOGITS.repeat(DRAWS, 1), [Draw(Sampling(top_p=top_p), seed=i) for i in range(DRAWS)])
    if kept > 1:
        assert misfit(chosen, expected) < 4
    assert set(chosen.tolist()) == set(ranked.indices[:kept].tolist())


def test_a_nucleus_of_more_tokens_than_the_candidates_is_found_all_the_same() -> None:
    vocabulary = 4 * CANDIDATES
    logits = torch.zeros(vocabulary)
    logits[: 3 * CANDIDATES] = 5.0  # 0.998 of the mass, flat
    chosen = choose(logits.repeat(4000, 1), [Draw(Sampling(top_p=0.99), seed=i) for i in range(4000)])
    assert int(chosen.max()) < 3 * CANDIDATES
    assert len(set(chosen.tolist())) > 2.5 * CANDIDATES


def test_a_row_draws_the_same_whether_or_not_another_row_needs_the_whole_vocabulary() -> None:
    peaked = torch.randn(1, 4 * CANDIDATES, generator=torch.Generator().manual_seed(5)) * 3
    draws = [Draw(Sampling(top_p=0.9), seed=i) for i in range(200)]
    alone = choose(peaked.repeat(200, 1), draws)
    mixed = choose(
        torch.cat([peaked.repeat(200, 1), torch.zeros(1, 4 * CANDIDATES)]), [*draws, Draw(Sampling(top_p=0.9))]
    )
    assert torch.equal(mixed[:200], alone)


def test_the_presence_penalty_is_taken_once_from_every_token_written() -> None:
    chosen = choose(
        LOGITS.repeat(DRAWS, 1),
        [Draw(Sampling(presence_penalty=1.5, temperature=0.7), seed=i, written=[0, 6, 0, 0]) for i in range(DRAWS)],
    )
    penalised = LOGITS.clone()
    penalised[[0, 6]] -= 1.5
    assert misfit(chosen, shares_of(penalised / 0.7)) < 4


@pytest.mark.parametrize("vocabulary", [len(LOGITS), 2 * CANDIDATES], ids=["small", "large"])
@pytest.mark.parametrize(
    ("sampling", "kept"),
    [
        (Sampling(top_k=3), 3),
        (Sampling(top_k=1), 1),
        (Sampling(min_p=0.3), 3),  # 2, 1.5 and 1 of LOGITS: e^-1 is 0.37, e^-1.5 is 0.22
        (Sampling(top_k=3, top_p=0.55), 2),  # 0.51, 0.31 and 0.19 of what top_k leaves
        (Sampling(top_k=8, min_p=0.3), 3),
    ],
    ids=["top_k", "top_k 1", "min_p", "top_k before top_p", "top_k before min_p"],
)
def test_only_the_likeliest_tokens_are_drawn(sampling: Sampling, kept: int, vocabulary: int) -> None:
    logits = torch.full((vocabulary,), -30.0)
    logits[: len(LOGITS)] = LOGITS
    ranked = logits.softmax(-1).sort(descending=True)
    expected = torch.zeros(vocabulary)
    expected[ranked.indices[:kept]] = ranked.values[:kept] / ranked.values[:kept].sum()
    chosen = choose(logits.repeat(DRAWS, 1), [Draw(sampling, seed=i) for i in range(DRAWS)])
    assert set(chosen.tolist()) == set(ranked.indices[:kept].tolist())
    if kept > 1:
        assert misfit(chosen, expected) < 4


def test_the_repetition_penalty_divides_what_speaks_for_tokens_of_prompt_and_text() -> None:
    sampling = Sampling(repetition_penalty=2, temperature=0.7)
    draws = [Draw(sampling, seed=i, written=[0, 0], prompt=[5, 6]) for i in range(DRAWS)]
    chosen = choose(LOGITS.repeat(DRAWS, 1), draws)
    penalised = LOGITS.clone()
    penalised[[0, 6]] /= 2
    penalised[5] *= 2  # a logit below 0
    assert misfit(chosen, shares_of(penalised / 0.7)) < 4


def shares_of(logits: Tensor) -> Tensor:
    return logits.softmax(-1)


@pytest.mark.parametrize("vocabulary", [300, 4096, 4100, 49152])
def test_the_likeliest_is_the_first_of_the_greatest(vocabulary: int) -> None:
    torch.manual_seed(0)
    values = torch.randn(6, vocabulary)
    values[1] = values[1].round()  # many are alike
    values[2] = 0
    values[3] = -torch.inf
    values[4, vocabulary // 2] = torch.nan
    assert torch.equal(likeliest(values), values.argmax(-1))
