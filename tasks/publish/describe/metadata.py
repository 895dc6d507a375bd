"""The card's metadata, as the Hub reads it: licence, languages, size, tasks, tags, and what is in each config.

The values are those of the Hub's own lists (huggingface.co/docs/hub/datasets-cards, github.com/huggingface/hub-docs,
datasetcard.md); features and sizes are as `datasets` writes them (`DatasetInfo` in YAML), so that it opens a config without
looking into its files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from tasks.storage.shard_files import sizes_of

SIZES = (("n<1K", 10**3), ("1K<n<10K", 10**4), ("10K<n<100K", 10**5), ("100K<n<1M", 10**6), ("1M<n<10M", 10**7))
LARGER = (("10M<n<100M", 10**8), ("100M<n<1B", 10**9), ("1B<n<10B", 10**10), ("10B<n<100B", 10**11))
TYPES: Mapping[Any, str] = {
    pl.String: "large_string",
    pl.Boolean: "bool",
    pl.Int32: "int32",
    pl.Int64: "int64",
    pl.UInt32: "uint32",
    pl.Float32: "float32",
    pl.Float64: "float64",
    pl.Null: "null",
}
KIND_TAGS: Mapping[str, tuple[str, ...]] = {"sft": ("sft", "instruction-tuning"), "dpo": ("dpo", "preference")}


def size_category(rows: int) -> str:
    """The Hub's name for a dataset of so many rows."""
    return next((name for name, most in (*SIZES, *LARGER) if rows < most), "100B<n<1T")


def dataset_info(config: str, splits: Mapping[str, Sequence[Path]]) -> dict[str, Any]:
    """What is in a config: the features of its rows, and for each split its rows and bytes."""
    first = next(iter(splits.values()))[0]
    sizes = {name: sizes_of(files) for name, files in splits.items()}
    return {
        "config_name": config,
        "features": features_of(pl.read_parquet_schema(first)),
        "splits": [{"name": name, "num_bytes": size.memory, "num_examples": size.rows} for name, size in sizes.items()],
        "download_size": sum(size.on_disk for size in sizes.values()),
        "dataset_size": sum(size.memory for size in sizes.values()),
    }


def features_of(schema: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Columns in the YAML of `datasets.Features`. Types as `write_shards` writes them."""
    return [{"name": name, **_feature(dtype)} for name, dtype in schema.items()]


def _feature(dtype: Any) -> dict[str, Any]:
    if isinstance(dtype, pl.List):
        inner = _feature(dtype.inner)
        return {"large_list": inner.get("struct") or inner.get("dtype") or inner}
    if isinstance(dtype, pl.Struct):
        return {"struct": features_of(dtype.to_schema())}
    return {"dtype": TYPES[type(dtype)]}
