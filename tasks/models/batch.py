"""The decoding batch: drafts of any length, one token each a step, joining and leaving at any step.

Each draft has a slot in a key/value cache that is allocated here and written in place: no padding on the left, no
concatenation, no barrier. A slot that is left is filled from the end, so that the drafts always are slots 0 to n - 1.
"""

from __future__ import annotations

import contextlib
import inspect
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AutoModelForCausalLM
from transformers.cache_utils import Cache, CacheLayerMixin

from tasks.errors import PermanentError
from tasks.models.base import Request, Sampling
from tasks.models.draft import Draft, Likely
from tasks.models.noise import choose

CAPACITY_STEP = 64  # positions: the cache grows in these
PREFILL_TOKENS = {"cpu": 2048, "mps": 4096, "cuda": 16384}  # in one forward pass, padding counted
SPARE_PADDING = 64  # tokens of padding that cost less than one more forward pass
MEMORY_SHARE = {"cpu": 0.5, "mps": 0.7, "cuda": 0.8}  # of what is free once the weights are there
TOLERANCE = {torch.float32: 0.01, torch.bfloat16: 0.2}  # of the spread of the logits


class Slots:
    """The shape of the cache, and what the present forward pass does to it. One for all layers.

    `positions` [drafts]: where each draft's token goes; None while prompts are read into slots from `first` on.
    """

    def __init__(self) -> None:
        self.count = 0
        self.capacity = 0
        self.first = 0
        self.length = 0
        self.positions: Tensor | None = None
        self.rows: Tensor | None = None


class SlotLayer(CacheLayerMixin):  # type: ignore[misc]  # transformers is untyped
    """Keys and values of one layer: [slots, heads, capacity, width]."""

    is_sliding = False  # windows are kept by the masks: every position stays

    def __init__(self, slots: Slots) -> None:
        super().__init__()
        self.slots = slots

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """Allocate. Zeros, since what a mask hides still enters a product, and must be finite."""
        self.keys, self.values = (
            states.new_zeros(self.slots.count, states.shape[1], self.slots.capacity, states.shape[3])
            for states in (key_states, value_states)
        )
        self.is_initialized = True

    def update(self, key_states: Tensor, value_states: Tensor, *_args: Any, **_options: Any) -> tuple[Tensor, Tensor]:
        """Store new keys and values [drafts, heads, new, width]; return those to attend to."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        slots, (drafts, _, new, _) = self.slots, key_states.shape
        if slots.positions is None:
            self.keys[slots.first : slots.first + drafts, :, :new] = key_states
            self.values[slots.first : slots.first + drafts, :, :new] = value_states
            return key_states, value_states
        self.keys[slots.rows, :, slots.positions] = key_states[:, :, 0]
        self.values[slots.rows, :, slots.positions] = value_states[:, :, 0]
        return self.keys[:drafts, :, : slots.length], self.values[:drafts, :, : slots.length]

    def move(self, sources: list[int], targets: list[int], length: int) -> None:
        """Copy the first `length` positions of some slots to others."""
        for states in (self.keys, self.values):
            states[targets, :, :length] = states[sources, :, :length]

    def resize(self, live: int, length: int) -> None:
        """Take the new shape of the slots, keeping `length` positions of the first `live`."""
        for name in ("keys", "values"):
            old = getattr(self, name)
            new = old.new_zeros(self.slots.count, old.shape[1], self.slots.capacity, old.shape[3])
            new[:live, :, :length] = old[:live, :, :length]
            setattr(self, name, new)

    @property
    def bytes_per_token(self) -> int:
        """Bytes that one position of one slot takes."""
        return sum(states.shape[1] * states.shape[3] * states.element_size() for states in (self.keys, self.values))

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """Prompts are read from the first position on; a decoding step brings its own mask."""
        return query_length, 0

    def get_seq_length(self) -> int:
        """As `get_mask_sizes`: nothing that a mask or a position may be derived from."""
        return 0

    def get_max_length(self) -> int:
        """No maximum: it grows."""
        return -1


class Batch:
    """The drafts that a model is writing, `max_drafts` at most, within `memory` bytes of cache."""

    def __init__(self, model: Any, max_drafts: int, memory: int | None = None) -> None:
        self.model, self.max_drafts = model, max_drafts
        self.drafts: list[Draft] = []
        self._device = model.device
        self._prefill_tokens = PREFILL_TOKENS.get(model.device.type, 4096)
        self._memory = free_memory(model.device) if memory is None else memory
        self._only_last = {"logits_to_keep": 1} if "logits_to_keep" in inspect.signature(model.forward).parameters else {}
        self._window, self._mixed = attention_window(model.config.get_text_config())
        self._clear()

    def has_room(self, others: Sequence[Draft], draft: Draft) -> bool:
        """Whether `draft` can join now, after `others`. One always can: if memory says no, it says so by itself."""
        count = len(self.drafts) + len(others) + 1
        longest = max(d.position for d in (*self.drafts, *others, draft)) + 1
        return count == 1 or (count <= self.max_drafts and self._fits(count, longest))

    def admit(self, newcomers: Sequence[Draft]) -> None:
        """Let drafts join: all but their last token is read now, the last one in the next step."""
        self._reserve(len(self.drafts) + len(newcomers), max(d.position for d in (*self.drafts, *newcomers)) + 1)
        for group in prefill_groups([draft.position for draft in newcomers], self._prefill_tokens):
            joining = [newcomers[index] for index in group]
            self._slots.first = len(self.drafts)
            self.drafts += joining
            self._prefill(joining)

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
                for layer in self._cache.layers:
                    layer.move(sources, targets, length)

    def shed(self) -> list[Draft]:
        """The youngest drafts, taken out until the next step fits into memory. They can join again and go on."""
        shed: list[Draft] = []
        while len(self.drafts) > 1 and not self._fits(len(self.drafts), max(d.position for d in self.drafts) + 1):
            shed.append(max(self.drafts, key=lambda draft: draft.age))
            self.drop(shed[-1:])
        return shed

    def halve(self) -> list[Draft]:
        """After an out-of-memory error: every draft is out, the cache is given back, the batch is half as large."""
        drafts = self.drafts
        self.max_drafts = max(1, min(self.max_drafts, len(drafts)) // 2)
        self._prefill_tokens = max(CAPACITY_STEP, self._prefill_tokens // 2)
        self._clear()
        if self._device.type == "cuda":
            torch.cuda.empty_cache()
        elif self._device.type == "mps":
            torch.mps.empty_cache()
        return drafts

    @torch.inference_mode()
    def check(self) -> None:
        """Refuse an architecture that this cache does not suit: write two tokens and compare with plain passes.

        Raises PermanentError. Costs four short passes, and guards against silently wrong text.
        """
        vocabulary = self.model.config.get_text_config().vocab_size
        prompts = [[number % vocabulary for number in range(5, 5 + length)] for length in (3, 9)]
        try:
            self.admit([Draft(Request(Sampling(), 0), prompt, 1) for prompt in prompts])
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

    def _unsuitable(self, why: str) -> PermanentError:
        what = f"{type(self.model).__name__} cannot be batched here"
        return PermanentError(what, why.splitlines()[0], "serve it, with vLLM say, and name it model@http://host:port/v1")

    def _clear(self) -> None:
        slots = Slots()
        self.drafts, self._slots = [], slots
        self._cache = Cache(layer_class_to_replicate=lambda: SlotLayer(slots))

    def _fits(self, count: int, length: int) -> bool:
        per_token = sum(layer.bytes_per_token for layer in self._cache.layers)
        return count * capacity_for(length) * per_token <= self._memory

    def _reserve(self, count: int, length: int) -> None:
        """Have `count` slots of `length` positions; a shape that no longer fits is chosen anew."""
        slots = self._slots
        if count <= slots.count and length <= slots.capacity:
            return
        live = max((draft.position for draft in self.drafts), default=0)
        slots.count = max(count, slots.count)
        if not self._fits(slots.count, length):
            slots.count = count
        slots.capacity = capacity_for(length)
        for layer in self._cache.layers:
            layer.resize(len(self.drafts), live)

    @torch.inference_mode()
    def _prefill(self, drafts: Sequence[Draft]) -> None:
        """Read all but the last token of each draft, padded on the right: no later token sees the padding."""
        tokens = [draft.tokens[:-1] for draft in drafts]
        width = max(map(len, tokens))
        if width:
            self._slots.positions = None
            positions = torch.arange(width, device=self._device).expand(len(drafts), -1)
            self._forward([ids + [0] * (width - len(ids)) for ids in tokens], positions, None)

    def _logits(self) -> Tensor:
        """What may follow each draft: float32 [drafts, vocabulary]."""
        where = [draft.position for draft in self.drafts]
        self._reserve(len(where), max(where) + 1)
        slots = self._slots
        slots.positions, slots.rows = self._tensor(where), torch.arange(len(where), device=self._device)
        slots.length = -(-(max(where) + 1) // 8) * 8  # a multiple of 8, as the CUDA kernels want their masks
        tokens = [[draft.last] for draft in self.drafts]
        logits = self._forward(tokens, slots.positions[:, None], self._masks(slots.positions, slots.length))
        return logits[:, -1].float()

    def _forward(self, tokens: list[list[int]], positions: Tensor, masks: Any) -> Tensor:
        """One pass: logits [drafts, kept, vocabulary] of tokens [drafts, new]."""
        output = self.model(
            input_ids=self._tensor(tokens), attention_mask=masks, position_ids=positions,
            past_key_values=self._cache, use_cache=True, **self._only_last,
        )  # fmt: skip
        logits: Tensor = output.logits
        return logits

    def _masks(self, positions: Tensor, length: int) -> Tensor | dict[str, Tensor]:
        """What each draft may attend to, additive, [drafts, 1, 1, length]; one a kind of layer where they differ."""
        columns = torch.arange(length, device=self._device)
        hidden = columns > positions[:, None]
        full = self._additive(hidden)
        if self._window is None:
            return full
        sliding = self._additive(hidden | (columns <= positions[:, None] - self._window))
        return {"full_attention": full, "sliding_attention": sliding} if self._mixed else sliding

    def _additive(self, hidden: Tensor) -> Tensor:
        mask = torch.zeros(hidden.shape, dtype=self.model.dtype, device=self._device)
        return mask.masked_fill_(hidden, torch.finfo(self.model.dtype).min)[:, None, None]

    def _likely(self, raw: Tensor, chosen: Tensor, asked: list[int]) -> list[Likely]:
        counts = [self.drafts[index].sampling.logprobs for index in asked]
        best = raw.topk(min(max(counts), raw.shape[-1]))
        rows = zip(raw.gather(1, chosen[:, None])[:, 0].tolist(), best.indices.tolist(), best.values.tolist(), counts,
                   strict=True)  # fmt: skip
        return [Likely(own, tokens[:count], logprobs[:count]) for own, tokens, logprobs, count in rows]

    def _tensor(self, numbers: Sequence[Any]) -> Tensor:
        return torch.tensor(numbers, dtype=torch.long, device=self._device)


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


def free_memory(device: Any) -> int:
    """Bytes that the cache may take on a device."""
    if device.type == "cuda":
        free = torch.cuda.mem_get_info(device)[0]
    elif device.type == "mps":
        free = torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory()
    else:
        pages = "SC_AVPHYS_PAGES" if "SC_AVPHYS_PAGES" in os.sysconf_names else "SC_PHYS_PAGES"
        free = os.sysconf(pages) * os.sysconf("SC_PAGE_SIZE")
    return int(free * MEMORY_SHARE.get(device.type, 0.5))


def out_of_memory(error: BaseException) -> bool:
    """Whether an allocation failed, on any device."""
    text = str(error).lower()
    return isinstance(error, torch.OutOfMemoryError) or "out of memory" in text or "can't allocate memory" in text


def load_weights(source: str, revision: str | None, device: str, dtype: str) -> Any:
    """The model of a folder or a Hub name, ready to run. Raises PermanentError where it cannot be loaded."""
    place = pick_device() if device == "auto" else device
    kind = getattr(torch, dtype) if dtype != "auto" else torch.bfloat16 if bfloat16_is_native(place) else torch.float32
    try:
        model, report = AutoModelForCausalLM.from_pretrained(
            source, revision=revision, dtype=kind, output_loading_info=True
        )
        model = model.to(place).eval()
    except Exception as error:
        if out_of_memory(error):
            raise PermanentError("the model does not fit into memory", source, "choose a smaller one") from error
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise PermanentError("the model cannot be loaded", source, reason) from error
    if report["missing_keys"]:
        raise PermanentError("the model's weights are not complete", source, f"missing: {min(report['missing_keys'])}")
    return model


def pick_device() -> str:
    """The fastest device there is."""
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def bfloat16_is_native(device: str) -> bool:
    """Whether a device computes in bfloat16 without emulating it."""
    if device == "cuda":
        return torch.cuda.get_device_capability()[0] >= 8
    if device == "cpu":
        with contextlib.suppress(OSError):
            return bool({"avx512_bf16", "amx_bf16", "bf16"} & set(Path("/proc/cpuinfo").read_text().split()))
    return False
