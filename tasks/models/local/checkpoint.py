"""A model on disk or on the Hub: what it is (cheap, without torch), and its weights and tokenizer (when asked for).

Identity is the digest of the files that shape an answer, or the resolved commit, so that no answer is ever stale
(law 3). It is known before anything is loaded: a run that finds all its answers in the ledger never imports torch.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from tasks.errors import ConfigError, PermanentError, first_line

WEIGHTS = ("*.safetensors", "pytorch_model*.bin")
SHAPING = (
    *WEIGHTS,
    "*.index.json",
    "config.json",
    "generation_config.json",
    "tokenizer*",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab*",
    "merges.txt",
    "*.model",
    "*.tiktoken",
    "chat_template*",
    "chat_templates/*",
    "1_Pooling/config.json",  # of an embedder, as sentence-transformers writes it
    "sentence_bert_config.json",
)
NO_TEMPLATE = ("the model has no chat template", "choose an instruct model, or add chat_template.jinja")
HUB_TIMEOUT_S = 10.0
MEMORY_SHARE = {"cpu": 0.5, "mps": 0.7, "cuda": 0.8}  # of what is free once the weights are there


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Where a model is and what it is: `source` and `revision` as transformers takes them."""

    source: str
    revision: str | None
    identity: str


def find_checkpoint(name: str, revision: str | None = None) -> Checkpoint:
    """The checkpoint that a folder or a Hub name stands for. Raises ConfigError where there is none to be used."""
    folder = Path(name).expanduser()
    if folder.is_dir():
        return Checkpoint(str(folder), None, folder_identity(folder))
    if folder.exists():
        raise ConfigError("a model is a folder, and this is a file", name, "name the folder that it is in")
    if not re.fullmatch(r"[\w.-]+(/[\w.-]+)?", name) or name.startswith("."):
        raise ConfigError("there is no such model folder", name, "check the path")
    commit = hub_commit(name, revision)
    return Checkpoint(name, commit, f"{name}@{commit}")


def folder_identity(folder: Path) -> str:
    """The digest of a model folder: names and contents of all files that shape its answers. Raises ConfigError."""
    if not (folder / "config.json").is_file():
        raise ConfigError("the model folder has no config.json", folder, "name a folder that save_pretrained wrote")
    if not any(path for pattern in WEIGHTS for path in folder.glob(pattern)):
        raise ConfigError("the model folder has no weights", folder, "it needs a .safetensors file")
    if not has_chat_template(folder) and not is_encoder(folder):
        raise ConfigError(NO_TEMPLATE[0], folder, NO_TEMPLATE[1])
    files = sorted({path for pattern in SHAPING for path in folder.glob(pattern) if path.is_file()})
    for path in files:
        if path.suffix == ".safetensors":
            check_whole(path)
    with ThreadPoolExecutor(4) as pool:
        digests = list(pool.map(_file_digest, files))
    named = [f"{path.relative_to(folder).as_posix()} {digest}" for path, digest in zip(files, digests, strict=True)]
    return hashlib.blake2b("\n".join(named).encode(), digest_size=16).hexdigest()


def is_encoder(folder: Path) -> bool:
    """Whether the model in a folder writes nothing: it embeds, so it needs no chat template."""
    try:
        architectures = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("architectures") or [""]
    except (OSError, ValueError):
        return False
    return not any(
        name.endswith(("ForCausalLM", "ForConditionalGeneration", "LMHeadModel")) or not name for name in architectures
    )


def has_chat_template(folder: Path) -> bool:
    """Whether a tokenizer in this folder will have a chat template, in any of the places it may stand."""
    if any((folder / name).is_file() for name in ("chat_template.jinja", "chat_template.json")):
        return True
    try:
        return bool(json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8")).get("chat_template"))
    except (OSError, ValueError):
        return False


def check_whole(file: Path) -> None:
    """Raise ConfigError for a safetensors file that is cut short, or is none (a Git LFS pointer, say)."""
    fix = "download it again"
    with file.open("rb") as stream:
        header_bytes = int.from_bytes(stream.read(8), "little")
        size = file.stat().st_size
        if not 0 < header_bytes <= size - 8:
            raise ConfigError("the weights are broken", file, fix)
        try:
            header = json.loads(stream.read(header_bytes))
            end = max(
                (tensor["data_offsets"][1] for name, tensor in header.items() if name != "__metadata__"), default=0
            )
        except (ValueError, LookupError, TypeError) as error:
            raise ConfigError("the weights are broken", file, fix) from error
    if end + 8 + header_bytes != size:
        raise ConfigError("the weights are not complete", file, fix)


def hub_commit(name: str, revision: str | None) -> str:
    """The commit that a Hub name stands for now, or, without a network, the one that was fetched last."""
    if revision is not None and re.fullmatch(r"[0-9a-f]{40}", revision):
        return revision
    from huggingface_hub import HfApi, errors

    client: Any = errors  # whose HTTPError is that of the client it was built on
    try:
        commit = HfApi().model_info(name, revision=revision, timeout=HUB_TIMEOUT_S).sha
    except errors.GatedRepoError as error:
        raise ConfigError("the model is gated on the Hub", name, "accept its licence there and set HF_TOKEN") from error
    except errors.RepositoryNotFoundError as error:
        raise ConfigError("there is no such model, as a folder or on the Hub", name, "check the name") from error
    except errors.RevisionNotFoundError as error:
        raise ConfigError("the model has no such revision", f"{name}@{revision}", "check the revision") from error
    except (OSError, client.HTTPError) as error:  # no network, or told to do without
        commit = _fetched_commit(name, revision)
        if commit is None:
            fix = "check the name and the network, or name a folder"
            raise ConfigError("the model cannot be reached on the Hub", name, fix) from error
    assert commit is not None
    return commit


def _fetched_commit(name: str, revision: str | None) -> str | None:
    """The commit of the local copy of a Hub model, None without one."""
    from huggingface_hub import try_to_load_from_cache

    config = try_to_load_from_cache(name, "config.json", revision=revision)
    return Path(config).parent.name if isinstance(config, str) else None


def load_tokenizer(checkpoint: Checkpoint) -> Any:
    """The tokenizer, which has the chat template. Raises PermanentError where it cannot be loaded or has none."""
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(checkpoint.source, revision=checkpoint.revision)
    except Exception as error:
        raise PermanentError("the tokenizer cannot be loaded", checkpoint.source, first_line(error)) from error
    if not tokenizer.chat_template:
        raise PermanentError(NO_TEMPLATE[0], checkpoint.source, NO_TEMPLATE[1])
    return tokenizer


def load_weights(checkpoint: Checkpoint, device: str, dtype: str, *, scores: bool = False) -> Any:
    """The model, ready to run: one that writes, or one that `scores`. Raises PermanentError where it cannot be loaded."""
    import torch
    from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification
    from transformers.utils import logging

    bars: Any = logging
    bars.disable_progress_bar()  # it would write over the flow's own
    place = pick_device() if device == "auto" else device
    kind = getattr(torch, dtype) if dtype != "auto" else torch.bfloat16 if bfloat16_is_native(place) else torch.float32
    auto: Any = AutoModelForSequenceClassification if scores else AutoModelForCausalLM
    try:
        model, report = auto.from_pretrained(
            checkpoint.source, revision=checkpoint.revision, dtype=kind, output_loading_info=True
        )
        model = model.to(place).eval()
    except Exception as error:
        fix = "choose a smaller model" if out_of_memory(error) else first_line(error)
        raise PermanentError("the model cannot be loaded", checkpoint.source, fix) from error
    if missing := sorted(report["missing_keys"]):
        what = "the model gives no scores" if scores else "the model's weights are not complete"
        raise PermanentError(what, checkpoint.source, f"missing: {missing[0]}")
    return model


def pick_device() -> str:
    """The fastest device there is."""
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def bfloat16_is_native(device: str) -> bool:
    """Whether a device computes in bfloat16 without emulating it."""
    import torch

    if device == "cuda":
        return torch.cuda.get_device_capability()[0] >= 8
    flags = Path("/proc/cpuinfo")
    return (
        device == "cpu"
        and flags.exists()
        and bool({"avx512_bf16", "amx_bf16"} & set(flags.read_text(encoding="utf-8").split()))
    )


def free_memory(device: Any) -> int:
    """Bytes that the key/value cache may take on a torch device."""
    import torch

    if device.type == "cuda":
        free = torch.cuda.mem_get_info(device)[0]
    elif device.type == "mps":
        free = torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory()
    else:
        free = free_ram()
    return int(free * MEMORY_SHARE.get(device.type, 0.5))


def free_ram(root: Path = Path("/")) -> int:
    """Bytes of main memory to be had: what Linux says, within the container's limit; elsewhere half of all there is."""
    free = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    with contextlib.suppress(OSError):
        if kilobytes := re.search(r"MemAvailable:\s+(\d+) kB", (root / "proc/meminfo").read_text(encoding="utf-8")):
            free = int(kilobytes[1]) * 1024
    with contextlib.suppress(OSError, ValueError):
        group = root / "sys/fs/cgroup"
        limit, used = (int((group / name).read_text(encoding="utf-8")) for name in ("memory.max", "memory.current"))
        free = min(free, limit - used)
    return max(free, 0)


def out_of_memory(error: BaseException) -> bool:
    """Whether an allocation failed, on any device."""
    import torch

    text = str(error).lower()
    return isinstance(error, torch.OutOfMemoryError) or "out of memory" in text or "can't allocate memory" in text


def _file_digest(file: Path) -> str:
    status = file.stat()
    return _digest(str(file.resolve()), status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=4096)
def _digest(path: str, _size: int, _mtime_ns: int) -> str:
    """The digest of a file's contents, remembered while size and time of change stay."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "blake2b").hexdigest()
