"""Which token comes next: sampling whose noise belongs to the request and not to the batch (law 5).

The noise of a token is a hash of (request seed, number of tokens written, token id): no generator, no state. So a
request gets the same text alone, in any batch, and when it is begun again. Drawing is Gumbel-max: the token with the
largest `logit / temperature + gumbel` is distributed as the softmax.

    chosen = choose(logits, drafts)     # logits: float32 [drafts, vocabulary]
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

import torch
from torch import Tensor

from tasks.models.base import Sampling

CANDIDATES = 256  # the nucleus is looked for among this many tokens first,
MORE = 16  # then among so many times more: sorting a whole vocabulary costs twenty times as much
CPU_CHUNK = 1 << 18  # elements: a dozen passes over a block that stays in the processor's cache
PIECE = 256  # elements
Narrowing = Literal["none", "nucleus", "few", "sorted"]
GOLDEN = 0x9E3779B97F4A7C15
MASK64 = (1 << 64) - 1
MULTIPLIERS = (0x7FEB352D, 0x846CA68B - (1 << 32))  # lowbias32 (Wellons, hash-prospector), as signed integers


class Draw(Protocol):
    """What shapes one draw: the request's sampling and seed, and the token ids written so far."""

    @property
    def sampling(self) -> Sampling:
        """Temperature, nucleus and penalty."""

    @property
    def seed(self) -> int:
        """Of the request."""

    @property
    def prompt(self) -> Sequence[int]:
        """Token ids that were read; asked for under a repetition penalty alone."""

    @property
    def written(self) -> Sequence[int]:
        """Token ids, oldest first."""


def choose(logits: Tensor, draws: Sequence[Draw]) -> Tensor:
    """The next token of each row: int64 [rows], from float32 logits [rows, vocabulary]. Writes into `logits`."""
    _penalise(logits, draws)
    greedy = any(draw.sampling.temperature == 0 for draw in draws)
    chosen = likeliest(logits) if greedy else logits.new_empty(len(draws), dtype=torch.long)
    alike: dict[Narrowing, list[int]] = {}
    for row, draw in enumerate(draws):
        if draw.sampling.temperature > 0:
            alike.setdefault(_narrowing(draw.sampling, logits.shape[-1]), []).append(row)
    for narrowing, rows in alike.items():
        picked = logits if len(rows) == len(draws) else logits[rows]
        chosen[rows] = _sample(picked, [draws[row] for row in rows], narrowing)
    return chosen


def _narrowing(sampling: Sampling, vocabulary: int) -> Narrowing:
    """How a row's candidates are found. It follows from the row alone, so that its text does not depend on others."""
    if sampling.top_k or sampling.min_p:
        return "few" if 0 < sampling.top_k <= CANDIDATES < vocabulary else "sorted"
    return "nucleus" if sampling.top_p < 1 else "none"


def _sample(logits: Tensor, draws: Sequence[Draw], narrowing: Narrowing) -> Tensor:
    """One sampled token a row: int64 [rows], from logits [rows, vocabulary]. Writes into `logits`."""
    device = logits.device
    temperature = torch.tensor([[draw.sampling.temperature] for draw in draws], device=device)
    keys = torch.tensor([_key(draw.seed, len(draw.written)) for draw in draws], dtype=torch.int32, device=device)
    scores = logits.div_(temperature)  # in place: pages of a new tensor would be touched first, each step
    if narrowing != "none":
        top_p = torch.tensor([[draw.sampling.top_p] for draw in draws], device=device)
        if narrowing == "nucleus":
            scores, tokens = _nucleus(scores, top_p)
        else:
            scores, tokens = _narrowed(scores, draws, top_p, narrowing)
        return tokens.gather(1, gumbel_max(scores, keys, tokens.int())[:, None])[:, 0]
    return gumbel_max(scores, keys, torch.arange(logits.shape[-1], dtype=torch.int32, device=device)[None])


def gumbel_max(scores: Tensor, keys: Tensor, tokens: Tensor) -> Tensor:
    """The position in each row that wins: int64 [rows].

    scores: float32 [rows, n], log-probabilities up to a constant; keys: int32 [rows, 2]; tokens: int32 ids, [rows, n]
    or [1, n]. The winner depends on the ids and not on where they stand.
    """
    block = len(scores) if scores.device.type != "cpu" else max(1, CPU_CHUNK // scores.shape[-1])
    blocks = [slice(start, start + block) for start in range(0, len(scores), block)]
    ids = tokens.expand(len(scores), -1)
    return torch.cat([likeliest(_log_exponential(keys[rows], ids[rows]).neg_().add_(scores[rows])) for rows in blocks])


def likeliest(values: Tensor) -> Tensor:
    """`values.argmax(-1)` of [rows, n]. On the CPU that takes fifteen times as long as `amax`, which finds the piece to look in."""
    rows, n = values.shape
    if values.device.type != "cpu" or n % PIECE or n <= PIECE * 8:
        return values.argmax(-1)
    pieces = values.view(rows, -1, PIECE)
    piece = pieces.amax(-1).argmax(-1)
    return piece * PIECE + pieces[torch.arange(rows), piece].argmax(-1)


def _log_exponential(keys: Tensor, tokens: Tensor) -> Tensor:
    """The logarithm of standard exponential noise, float32 [rows, n]: its negative is Gumbel noise.

    A 32-bit finaliser over key and token, the second half of the key going in halfway. 31 bits become v in (0, 1),
    then -log(1 - v): small values, which win, are the finely resolved ones.
    """
    x = tokens ^ keys[:, :1]
    x ^= x >> 16
    x *= MULTIPLIERS[0]
    x += keys[:, 1:]
    x ^= x >> 15
    x *= MULTIPLIERS[1]
    x ^= x >> 16
    x &= 0x7FFFFFFF
    v = x.float().mul_(-(2.0**-31)).sub_(2.0**-32).clamp_(min=-1 + 2.0**-24)
    return v.log1p_().neg_().log_()


def _nucleus(scores: Tensor, top_p: Tensor) -> tuple[Tensor, Tensor]:
    """The likeliest tokens of each row up to the mass `top_p` [rows, 1]: scores (-inf outside) and ids, [rows, n].

    The token that crosses the mass is kept, as in Holtzman et al. 2019 (arXiv:1904.09751).
    """
    mass, vocabulary = scores.logsumexp(-1, keepdim=True), scores.shape[-1]
    size = min(CANDIDATES, vocabulary)
    best, tokens = scores.topk(size)
    while size < vocabulary and bool(((best - mass).exp().sum(-1, keepdim=True) < top_p).any()):
        size = min(size * MORE, vocabulary)
        best, tokens = scores.topk(size) if size < vocabulary else scores.sort(descending=True, stable=True)
    probabilities = (best - mass).exp()
    before = probabilities.cumsum(-1) - probabilities
    before[:, 0] = 0  # the likeliest token always stays, whatever the rounding
    return best.masked_fill(before >= top_p, -torch.inf), tokens


def _narrowed(scores: Tensor, draws: Sequence[Draw], top_p: Tensor, narrowing: Narrowing) -> tuple[Tensor, Tensor]:
    """The likeliest tokens by `top_k`, then `top_p` of what is left, then `min_p`: scores (-inf outside) and ids, [rows, n]."""
    best, tokens = scores.topk(CANDIDATES) if narrowing == "few" else scores.sort(descending=True, stable=True)
    size = best.shape[-1]
    top_k = torch.tensor([[draw.sampling.top_k or size] for draw in draws], device=scores.device)
    min_p = torch.tensor([[draw.sampling.min_p] for draw in draws], device=scores.device)
    best = best.masked_fill(torch.arange(size, device=scores.device) >= top_k, -torch.inf)
    probabilities = best.softmax(-1)
    before = probabilities.cumsum(-1) - probabilities
    outside = ((before >= top_p) & (top_p < 1)) | (probabilities < min_p * probabilities[:, :1])
    outside[:, 0] = False  # the likeliest token always stays, whatever the rounding
    return best.masked_fill(outside, -torch.inf), tokens


def _penalise(logits: Tensor, draws: Sequence[Draw]) -> None:
    """Apply the repetition penalty (Keskar et al. 2019, arXiv:1909.05858), then the presence penalty, in place."""
    for row, draw in enumerate(draws):
        if (penalty := draw.sampling.repetition_penalty) != 1:
            seen_ids = torch.tensor(sorted({*draw.prompt, *draw.written}), device=logits.device)
            own = logits[row, seen_ids]
            logits[row, seen_ids] = torch.where(own > 0, own / penalty, own * penalty)
    rows: list[int] = []
    tokens: list[int] = []
    penalties: list[float] = []
    for row, draw in enumerate(draws):
        if draw.sampling.presence_penalty and draw.written:
            seen = set(draw.written)
            rows += [row] * len(seen)
            tokens += seen
            penalties += [-draw.sampling.presence_penalty] * len(seen)
    if rows:
        at = (torch.tensor(rows, device=logits.device), torch.tensor(tokens, device=logits.device))
        logits.index_put_(at, torch.tensor(penalties, device=logits.device), accumulate=True)


def _key(seed: int, step: int) -> tuple[int, int]:
    """64 bits of (seed, step), splitmix64, as two signed 32-bit integers."""
    z = (seed + (step + 1) * GOLDEN) & MASK64
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK64
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK64
    z ^= z >> 31
    return _signed(z >> 32), _signed(z & 0xFFFFFFFF)


def _signed(word: int) -> int:
    return word - (1 << 32) if word >> 31 else word
