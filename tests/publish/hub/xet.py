"""What the storage behind the Hub takes from hf_xet: xorbs, which hold chunks, and shards, which say of which chunks a file is.

The formats are those of the Xet protocol (huggingface.co/docs/xet: "Xorb Format", "MDB Shard File Format").
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

import pyarrow

ENTRY = 48
"""Bytes of each entry of a shard."""
HAS_PROOF, HAS_SHA256 = 1 << 31, 1 << 30
END = b"\xff" * 32
PLAIN, LZ4, GROUPED_LZ4 = range(3)
Segment = tuple[str, int, int]
"""Chunks of a xorb: its hash, the first of them, and the one after the last."""


def chunks_of(xorb: bytes) -> Iterator[bytes]:
    """The chunks of a xorb, each after a header of 8 bytes."""
    at = 0
    while at < len(xorb):
        packed, kind, size = (int.from_bytes(xorb[at + a : at + b], "little") for a, b in ((1, 4), (4, 5), (5, 8)))
        yield _unpacked(xorb[at + 8 : at + 8 + packed], kind, size)
        at += 8 + packed


def _unpacked(data: bytes, kind: int, size: int) -> bytes:
    if kind == PLAIN:
        return data
    found = bytes(pyarrow.decompress(data, size, codec="lz4", asbytes=True))
    if kind == LZ4:
        return found
    whole, at = bytearray(size), 0
    for group in range(4):  # every fourth byte from here on lies together
        count = len(range(group, size, 4))
        whole[group::4] = found[at : at + count]
        at += count
    return bytes(whole)


def files_in(shard: bytes) -> Iterator[tuple[str, Sequence[Segment]]]:
    """The SHA-256 of each file that a shard speaks of, and its segments in order."""
    at = ENTRY
    while (head := shard[at : at + ENTRY])[:32] != END:
        flags, count = struct.unpack_from("<II", head, 32)
        entries = [shard[at + ENTRY * number :][:ENTRY] for number in range(1, count + 1)]
        at += ENTRY * (1 + count * (2 if flags & HAS_PROOF else 1))
        assert flags & HAS_SHA256, "a file of the Hub is known by its SHA-256"
        sha256 = _hash(shard[at : at + 32])
        at += ENTRY
        yield sha256, [(_hash(entry[:32]), *struct.unpack_from("<II", entry, 40)) for entry in entries]


def _hash(data: bytes) -> str:
    """Four numbers of 64 bits as they are written out."""
    return "".join(f"{number:016x}" for number in struct.unpack("<4Q", data))
