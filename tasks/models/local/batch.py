"""The decoding batch: drafts of any length, one token each a step, joining and leaving at any step.

Each draft has a slot in a key/value cache that is allocated here and written in place: no padding on the left, no
concatenation, no barrier. A slot that is left is filled from the end, so that the drafts always are slots 0 to n - 1.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache

from tasks.errors import PermanentError
from tasks.models.base import Request, Sampling
from tasks.models.local.checkpoint import free_memory, out_of_memory
from tasks.models.local.cores import is_small
from tasks.models.local.draft import Draft, Likely
from tasks.models.local.noise import choose
from tasks.models.local.prefixes import PREFIX_LEAST, PREFIX_LEAST_LARGE, Match, Prefix, Prefixes, States

CAPACITY_STEP = 64  # positions: the cache grows in these
PREFILL_TOKENS = {"cpu": 2048, "mps": 4096, "cuda": 16384}  # in one forward pass, padding counted
SPARE_PADDING = 64  # tokens of padding that cost less than one more forward pass
SPARE_PASS = 64  # tokens that are read again rather than in a pass more
SPARE_SHARED = 32  # tokens that are read again, so that prompts with somewhat longer prefixes are read in one pass
PREFIX_SHARE = 1 / 8  # of the memory, for prefixes
TOLERANCE = {torch.float32: 0.01, torch.bfloat16: 0.2}  # of the spread of the logits


PrefixRead = tuple[Draft, Match]
"""A draft whose prompt is read, and the prefix that need not be read again."""


class SlotCache(Cache):
    """Keys and values by layer: [slots, heads, capacity, width]. Draft i is in slot i; its tokens stand from 0 on.

    `positions` [drafts] is where each draft's next token goes; None while prompts are read, into slots from `first` on
    and from position `start` on.
    """

    def __init__(self) -> None:
        super().__init__(layers=[])  # the layers are kept here, not as transformers' own
        self.keys: dict[int, Tensor] = {}
        self.values: dict[int, Tensor] = {}
        self.count = self.capacity = self.first = self.start = self.length = 0
        self.positions: Tensor | None = None
        self.rows: Tensor | None = None

    def update(
        self, key_states: Tensor, value_states: Tensor, layer_idx: int, *_args: Any, **_options: Any
    ) -> tuple[Tensor, Tensor]:
        """Store new keys and values [drafts, heads, new, width]; return those to attend to."""
        if layer_idx not in self.keys:
            self.keys[layer_idx], self.values[layer_idx] = self._empty(key_states), self._empty(value_states)
        keys, values, (drafts, _, new, _) = self.keys[layer_idx], self.values[layer_idx], key_states.shape
        if self.positions is None:
            slots, end = slice(self.first, self.first + drafts), self.start + new
            keys[slots, :, self.start : end] = key_states
            values[slots, :, self.start : end] = value_states
            return (keys[slots, :, :end], values[slots, :, :end]) if self.start else (key_states, value_states)
        keys[self.rows, :, self.positions] = key_states[:, :, 0]
        values[self.rows, :, self.positions] = value_states[:, :, 0]
        return keys[:drafts, :, : self.length], values[:drafts, :, : self.length]

    def move(self, sources: list[int], targets: list[int], length: int) -> None:
        """Copy the first `length` positions of some slots to others."""
        for states in (*self.keys.values(), *self.values.values()):
            states[targets, :, :length] = states[sources, :, :length]

    def copy(self, slot: int, length: int) -> dict[int, States]:
        """The first `length` positions of a slot, by layer, in memory of their own."""
        return {
            layer: States(self.keys[layer][slot, :, :length].clone(), self.values[layer][slot, :, :length].clone())
            for layer in self.keys
        }

    def paste(self, slots: slice, layers: dict[int, States], length: int) -> None:
        """Put the first `length` positions of such a copy into slots."""
        for layer, states in layers.items():
            self.keys[layer][slots, :, :length] = states.keys[:, :length]
            self.values[layer][slots, :, :length] = states.values[:, :length]

    def resize(self, count: int, capacity: int, live: int, length: int) -> None:
        """Take a new shape, keeping `length` positions of the first `live` slots. One layer at a time is held twice."""
        self.count, self.capacity = count, capacity
        for held in (self.keys, self.values):
            for layer, old in held.items():
                held[layer] = self._empty(old)
                held[layer][:live, :, :length] = old[:live, :, :length]

    @property
    def bytes_per_token(self) -> int:
        """Bytes that one position of one slot takes, over all layers; 0 before the first pass."""
        held = (*self.keys.values(), *self.values.values())
        return sum(states.shape[1] * states.shape[3] * states.element_size() for states in held)

    def _empty(self, like: Tensor) -> Tensor:
        """Zeros, since what a mask hides still enters a product, and must be finite."""
        return like.new_zeros(self.count, like.shape[1], self.capacity, like.shape[3])

    def get_mask_sizes(self, query_length: int, layer_idx: int) -> tuple[int, int]:  # noqa: ARG002  # transformers calls
        """Prompts are read from position 0 on; a decoding step brings its own mask."""
        return query_length, 0

    def get_seq_length(self, layer_idx: int = 0) -> int:  # noqa: ARG002  # transformers calls
        """As `get_mask_sizes`: positions are always given, never derived from a length."""
        return 0


class Batch:
    """The drafts that a model is writing, `max_drafts` at most, within `memory` bytes of cache."""

    def __init__(self, model: Any, max_drafts: int, memory: int | None = None) -> None:
        self.model, self.max_drafts, self._most = model, max_drafts, max_drafts
        self.drafts: list[Draft] = []
        self._device = model.device
        self._prefill_tokens = PREFILL_TOKENS.get(model.device.type, 4096)
        self._memory = free_memory(model.device) if memory is None else memory
        may_keep = "logits_to_keep" in inspect.signature(model.forward).parameters
        self._only_last = {"logits_to_keep": 1} if may_keep else {}
        self._window, self._mixed = attention_window(model.config.get_text_config())
        self._least = PREFIX_LEAST if is_small(model) or self._device.type != "cpu" else PREFIX_LEAST_LARGE
        self._clear()

    def has_room(self, others: Sequence[Draft], draft: Draft) -> bool:
        """Whether `draft` can join now, after `others`. One always can: if memory says no, it says so by itself."""
        count = len(self.drafts) + len(others) + 1
        longest = max(d.position for d in (*self.drafts, *others, draft)) + 1
        return count == 1 or (count <= self.max_drafts and self._fits(count, longest))

    def admit(self, newcomers: Sequence[Draft]) -> None:
        """Let drafts join: all but their last token is read now, the last one in the next step."""
        self._reserve(len(self.drafts) + len(newcomers), max(d.position for d in (*self.drafts, *newcomers)) + 1)
        waiting = list(newcomers)
        while waiting:
            now, waiting = self._next_to_read(waiting)
            for alike in by_shared_length(now):
                start = min(match.length for _, match in alike)
                lengths = [draft.position - start for draft, _ in alike]
                for group in prefill_groups(lengths, self._prefill_tokens):
                    self._read([alike[index] for index in group], start)

    @torch.inference_mode()
    def step(self) -> tuple[list[int], dict[int, Likely]]:
        """The next token of every draft, in their order, and log-probabilities by index where asked for."""
        logits = self._logits()
        asked = [index for index, draft in enumerate(self.drafts) if draft.sampling.logprobs]
        raw = logits[asked].log_softmax(-1) if asked else None
        chosen = choose(logits, self.drafts)
        likely = {} if raw is None else dict(zip(asked, self._likely(raw, chosen[asked], asked), strict=True))
        return chosen.tolist(), likely

    def drop(self, leaving: Iterable[Draft]) -> None:
        """Let drafts leave; the last ones move into their slots."""
        gone = set(leaving)
        stay = len(self.drafts) - sum(draft in gone for draft in self.drafts)
        targets = [index for index, draft in enumerate(self.drafts[:stay]) if draft in gone]
        sources = [index for index, draft in enumerate(self.drafts[stay:], stay) if draft not in gone]
        for source, target in zip(sources, targets, strict=True):
            self.drafts[target] = self.drafts[source]
        del self.drafts[stay:]
        if targets:
            length = max(self.drafts[target].position for target in targets)
            with torch.inference_mode():
                self._cache.move(sources, targets, length)

    def shed(self) -> list[Draft]:
        """The youngest drafts, taken out until the next step fits into memory. They can join again and go on."""
        shed: list[Draft] = []
        while len(self.drafts) > 1 and not self._fits(len(self.drafts), max(d.position for d in self.drafts) + 1):
            shed.append(max(self.drafts, key=lambda draft: draft.age))
            self.drop(shed[-1:])
        return shed

    def halve(self, count: int) -> None:
        """After an out-of-memory error with `count` drafts: all are out, memory is given back, half may come again.

        Where one draft alone was too much, it was to blame and not the size of the batch.
        """
        self.max_drafts = min(self.max_drafts, count) // 2 or self._most
        self._prefill_tokens = max(CAPACITY_STEP, self._prefill_tokens // 2)
        self._clear()
        if self._device.type == "cuda":
            torch.cuda.empty_cache()
        elif self._device.type == "mps":
            torch.mps.empty_cache()

    @torch.inference_mode()
    def check(self) -> None:
        """Refuse an architecture that this cache does not suit: write three tokens and compare with plain passes.

        Raises PermanentError. The last two prompts share a prefix. Costs six short passes, and guards against silently
        wrong text.
        """
        vocabulary = self.model.config.get_text_config().vocab_size
        numbers = (range(5, 8), range(5, 14), (*range(5, 11), *range(20, 24)))
        prompts = [[number % vocabulary for number in prompt] for prompt in numbers]
        self._prefixes = Prefixes(self._memory, least=4)
        try:
            self.admit([Draft(Request(Sampling.model_validate({}), 0), prompt, 1) for prompt in prompts])
            found = self._logits()
            plain = [self.model(input_ids=self._tensor([d.tokens])).logits[:, -1].float() for d in self.drafts]
        except Exception as error:
            if out_of_memory(error):
                raise
            raise self._unsuitable(f"{type(error).__name__}: {error}") from error
        expected = torch.cat(plain)
        error_share = float((found - expected).std() / expected.std())
        if not error_share < TOLERANCE.get(self.model.dtype, 0.2):
            raise self._unsuitable(f"its logits are off by {error_share:.0%} in a batch")
        self.drop(list(self.drafts))
        self._prefixes = Prefixes(int(self._memory * PREFIX_SHARE), self._least)

    def _unsuitable(self, why: str) -> PermanentError:
        fix = "serve it, with vLLM say, and name it model@http://host:port/v1"
        return PermanentError(f"{type(self.model).__name__} cannot be batched here", why.splitlines()[0], fix)

    def _clear(self) -> None:
        self.drafts, self._cache = [], SlotCache()
        self._prefixes = Prefixes(int(self._memory * PREFIX_SHARE), self._least)

    def _fits(self, count: int, length: int) -> bool:
        return count * capacity_for(length) * self._cache.bytes_per_token <= self._memory - self._prefixes.bytes

    def _reserve(self, count: int, length: int) -> None:
        """Have `count` slots of `length` positions; a shape that no longer fits is chosen anew."""
        cache = self._cache
        if count <= cache.count and length <= cache.capacity:
            return
        live = max((draft.position for draft in self.drafts), default=0)
        roomy = max(count, min(2 * count, self.max_drafts))
        with torch.inference_mode():
            cache.resize(roomy if self._fits(roomy, length) else count, capacity_for(length), len(self.drafts), live)

    def _next_to_read(self, waiting: Sequence[Draft]) -> tuple[list[PrefixRead], list[Draft]]:
        """Whose prompts to read now, each with the prefix that is there for it, and who waits for what they begin with."""
        now: list[PrefixRead] = []
        later: dict[Draft, tuple[Match, int]] = {}
        live = [draft.prompt[: draft.position] for draft in self.drafts]
        reading: list[list[int]] = []
        for draft in waiting:
            tokens = draft.tokens[:-1]
            match = self._match(tokens, live)
            if gained := self._prefixes.gain(tokens, reading, match.length):
                later[draft] = match, gained[1] - match.length
            else:
                now.append((draft, match))
                reading.append(tokens)
        if sum(spared for _, spared in later.values()) < SPARE_PASS:
            now += [(draft, match) for draft, (match, _) in later.items()]
            later = {}
        return now, list(later)

    def _match(self, tokens: Sequence[int], live: Sequence[Sequence[int]]) -> Match:
        """The prefix to begin a prompt with; one that only a draft in the batch has is held from now on."""
        match = self._prefixes.match(tokens)
        gained = self._prefixes.gain(tokens, live, match.length)
        if gained is None:
            return match
        slot, length = gained
        with torch.inference_mode():
            prefix = Prefix(tokens[:length], self._cache.copy(slot, length))
        return Match(length, prefix) if self._prefixes.hold(prefix) else match

    @torch.inference_mode()
    def _read(self, readings: Sequence[PrefixRead], start: int) -> None:
        """Read all but the last token of each draft from `start` on, padded on the right: no later token sees the padding."""
        cache, tokens = self._cache, [draft.tokens[start:-1] for draft, _ in readings]
        cache.first, cache.start, cache.positions = len(self.drafts), start, None
        self.drafts += [draft for draft, _ in readings]
        if start:
            for prefix, alike in groupby(enumerate(readings, cache.first), key=lambda numbered: numbered[1][1].prefix):
                assert prefix is not None
                slots = [slot for slot, _ in alike]
                cache.paste(slice(slots[0], slots[-1] + 1), prefix.layers, start)
        width = max(map(len, tokens))
        if width:
            positions = torch.arange(start, start + width, device=self._device)
            masks = self._masks(positions[None], start + width) if start else None  # from 0 on the model's own will do
            padded = [ids + [0] * (width - len(ids)) for ids in tokens]
            self._forward(padded, positions.expand(len(tokens), -1), masks)

    def _logits(self) -> Tensor:
        """What may follow each draft: float32 [drafts, vocabulary]."""
        where = [draft.position for draft in self.drafts]
        self._reserve(len(where), max(where) + 1)
        cache, positions = self._cache, self._tensor(where)
        cache.positions, cache.rows = positions, torch.arange(len(where), device=self._device)
        cache.length = -(-(max(where) + 1) // 8) * 8  # a multiple of 8, as the CUDA kernels want their masks
        tokens = [[draft.last] for draft in self.drafts]
        logits = self._forward(tokens, positions[:, None], self._masks(positions[:, None], cache.length))
        return logits[:, -1].float()

    def _forward(self, tokens: list[list[int]], positions: Tensor, masks: Any) -> Tensor:
        """One pass: logits [drafts, kept, vocabulary] of tokens [drafts, new]."""
        output = self.model(
            input_ids=self._tensor(tokens),
            attention_mask=masks,
            position_ids=positions,
            past_key_values=self._cache,
            use_cache=True,
            **self._only_last,
        )
        logits: Tensor = output.logits
        return logits

    def _masks(self, positions: Tensor, length: int) -> Tensor | dict[str, Tensor]:
        """What tokens at `positions` [drafts, new] may attend to, additive, [drafts, 1, new, length].

        One a kind of layer where they differ.
        """
        columns = torch.arange(length, device=self._device)
        hidden = columns > positions[..., None]
        full = self._additive(hidden)
        if self._window is None:
            return full
        sliding = self._additive(hidden | (columns <= positions[..., None] - self._window))
        return {"full_attention": full, "sliding_attention": sliding} if self._mixed else sliding

    def _additive(self, hidden: Tensor) -> Tensor:
        mask = torch.zeros(hidden.shape, dtype=self.model.dtype, device=self._device)
        return mask.masked_fill_(hidden, torch.finfo(self.model.dtype).min)[:, None]

    def _likely(self, raw: Tensor, chosen: Tensor, asked: list[int]) -> list[Likely]:
        counts = [self.drafts[index].sampling.logprobs for index in asked]
        best = raw.topk(min(max(counts), raw.shape[-1]))
        rows = zip(
            raw.gather(1, chosen[:, None])[:, 0].tolist(),
            best.indices.tolist(),
            best.values.tolist(),
            counts,
            strict=True,
        )
        return [Likely(own, tokens[:count], logprobs[:count]) for own, tokens, logprobs, count in rows]

    def _tensor(self, numbers: Sequence[Any]) -> Tensor:
        return torch.tensor(numbers, dtype=torch.long, device=self._device)


def by_shared_length(readings: Sequence[PrefixRead]) -> list[list[PrefixRead]]:
    """The readings in groups that are read from one position on, since their prefixes are about as long."""
    groups: dict[int, list[PrefixRead]] = {}
    for reading in readings:
        groups.setdefault(reading[1].length // SPARE_SHARED, []).append(reading)
    return list(groups.values())


def prefill_groups(lengths: Sequence[int], most: int) -> list[list[int]]:
    """Indices of `lengths`, longest first, cut into groups that are read in one pass each.

    A group holds `most` tokens at most (or one prompt), and little padding: a quarter of it, or what costs less than
    a pass of its own.
    """
    groups: list[list[int]] = []
    padding = width = 0
    for index in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        size = len(groups[-1]) + 1 if groups else 1
        padding += width - lengths[index]
        if not groups or size * width > most or padding > max(SPARE_PADDING, size * width // 4):
            groups.append([])
            padding, width = 0, lengths[index]
        groups[-1].append(index)
    return groups


def capacity_for(length: int) -> int:
    """Positions to allocate for `length`: a quarter more, so that growing stays rare."""
    return -(-(length + length // 4 + 1) // CAPACITY_STEP) * CAPACITY_STEP


def attention_window(config: Any) -> tuple[int | None, bool]:
    """The sliding window of a model in tokens, None without; and whether only some of its layers slide."""
    window = getattr(config, "sliding_window", None)
    kinds = set(getattr(config, "layer_types", None) or ["sliding_attention"])
    if window is None or "sliding_attention" not in kinds:
        return None, False
    return int(window), len(kinds) > 1
