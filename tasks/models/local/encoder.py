"""Embeddings by a transformers model that runs here: an encoder, or the hidden states of a model that writes.

    roles: {embedder: [sentence-transformers/all-MiniLM-L6-v2]}

The vectors of a text's tokens become one: by their mean, unless the model's own files say otherwise (`1_Pooling`, as
sentence-transformers writes it); then its length is made 1. Texts longer than the model reads are cut. It computes in
float32, and texts of like length together; a text's vector does not depend on those beside it, up to rounding.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.errors import PermanentError, first_line
from tasks.models.config import ModelConfig
from tasks.models.embed.here import HereEmbedder
from tasks.models.local.checkpoint import Checkpoint, pick_device

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

AT_ONCE = 32
LONGEST = 8192  # tokens, where the model's files do not say how far it reads
POOLINGS = {"pooling_mode_mean_tokens": "mean", "pooling_mode_cls_token": "cls", "pooling_mode_lasttoken": "last"}


def local_embedder(config: ModelConfig, checkpoint: Checkpoint, name: str) -> HereEmbedder:
    """The embedder of a checkpoint; its weights are loaded at the first text."""
    encoder = Encoder(config, checkpoint)
    identity = f"{checkpoint.identity} embeds{f' by {config.pooling}' if config.pooling else ''}"
    return HereEmbedder(name, identity, encoder, AT_ONCE)


class Encoder:
    """Called with texts: their vectors, of length 1, and how many tokens each has."""

    def __init__(self, config: ModelConfig, checkpoint: Checkpoint) -> None:
        self._config, self._checkpoint = config, checkpoint
        self._loaded: tuple[Any, Any, str, int] | None = None

    def __call__(self, texts: Sequence[str]) -> tuple[NDArray[np.float32], list[int]]:
        """The vectors, of shape (texts, dimensions). Raises PermanentError where the model cannot be loaded."""
        import numpy as np
        import torch

        tokenizer, model, pooling, longest = self._load()
        encoded = [tokenizer(text, truncation=True, max_length=longest)["input_ids"] for text in texts]
        order = sorted(range(len(texts)), key=lambda at: len(encoded[at]))
        with torch.inference_mode():
            tokens, mask = padded([encoded[at] for at in order])
            states = model(input_ids=tokens.to(model.device), attention_mask=mask.to(model.device)).last_hidden_state
            vectors = pooled(states.float(), mask.to(model.device), pooling)
            vectors = torch.nn.functional.normalize(vectors, dim=1).cpu().numpy()
        found = np.empty_like(vectors)
        found[order] = vectors
        return found, [len(tokens) for tokens in encoded]

    def _load(self) -> tuple[Any, Any, str, int]:
        """Tokenizer, model, pooling, and how many tokens it reads."""
        if self._loaded is None:
            from transformers import AutoModel, AutoTokenizer
            from transformers.utils import logging

            bars: Any = logging
            bars.disable_progress_bar()
            source, where = self._checkpoint.source, {"revision": self._checkpoint.revision}
            auto: Any = AutoModel
            try:
                tokenizer: Any = AutoTokenizer.from_pretrained(source, **where)
                model = auto.from_pretrained(source, dtype="float32", **where)
            except Exception as error:
                raise PermanentError("the embedder cannot be loaded", source, first_line(error)) from error
            device = pick_device() if self._config.device == "auto" else self._config.device
            pooling = self._config.pooling or own_pooling(self._checkpoint) or "mean"
            self._loaded = (tokenizer, model.to(device).eval(), pooling, _longest(tokenizer, model, self._checkpoint))
        return self._loaded


def padded(texts: Sequence[Sequence[int]]) -> tuple[Any, Any]:
    """Texts of tokens as one tensor, the shorter ones filled up at their ends, and which of it is text: (texts, tokens) both."""
    import torch

    longest = max(1, *map(len, texts))
    tokens = torch.zeros(len(texts), longest, dtype=torch.long)
    mask = torch.zeros_like(tokens)
    for at, text in enumerate(texts):
        tokens[at, : len(text)], mask[at, : len(text)] = torch.tensor(text, dtype=torch.long), 1
    return tokens, mask


def pooled(states: Any, mask: Any, pooling: str) -> Any:
    """One vector of the states of each text's tokens: (texts, tokens, dimensions) and (texts, tokens) to (texts, dimensions).

    weighted: a mean whose weights grow with the position (RDS+, arXiv:2503.01807); last: the state of the last token.
    """
    import torch

    if pooling == "cls":
        return states[:, 0]
    if pooling == "last":
        return states[torch.arange(len(states)), mask.sum(dim=1) - 1]
    weights = mask.float()
    if pooling == "weighted":
        weights = weights * torch.arange(1, mask.shape[1] + 1, device=mask.device)
    return (states * weights[:, :, None]).sum(dim=1) / weights.sum(dim=1, keepdim=True).clamp(min=1e-9)


def own_pooling(checkpoint: Checkpoint) -> str | None:
    """The pooling that the files of sentence-transformers beside the model name, None where there are none."""
    told = _told(checkpoint, "1_Pooling/config.json")
    return next((pooling for field, pooling in POOLINGS.items() if told.get(field)), None)


def _longest(tokenizer: Any, model: Any, checkpoint: Checkpoint) -> int:
    """How many tokens the model reads: as its files say, at most."""
    told = _told(checkpoint, "sentence_bert_config.json").get("max_seq_length")
    known = [told, tokenizer.model_max_length, getattr(model.config, "max_position_embeddings", None), LONGEST]
    return min(int(one) for one in known if one)


def _told(checkpoint: Checkpoint, file: str) -> dict[str, Any]:
    """What a JSON file of a model says; nothing where it has none."""
    from transformers.utils.hub import cached_file

    find: Any = cached_file
    found = find(
        checkpoint.source,
        file,
        revision=checkpoint.revision,
        _raise_exceptions_for_missing_entries=False,
        _raise_exceptions_for_connection_errors=False,
    )
    return dict(json.loads(Path(found).read_text(encoding="utf-8"))) if found else {}
