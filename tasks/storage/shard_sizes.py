"""How many rows each shard has: few at first, so that the first rows come soon, then more and more, up to a limit.

A shard begins a step when all its rows have ended the step before, so that its slowest row holds up the others. With four
shards of each size before the size doubles, the last shard of a small run is at most about a quarter of it: the other
shards keep the models busy meanwhile, and little is left to wait for at the end.

The borders depend on the position of the rows alone, so that appending rows moves none of them.
"""

from __future__ import annotations

from collections.abc import Iterator

SMALLEST = 32
OF_EACH_SIZE = 4


def shard_end(position: int, most: int) -> int:
    """Where the shard ends that holds the row at this position; `most`: rows of the largest shards."""
    begin, size = 0, min(SMALLEST, most)
    while size < most and position >= begin + OF_EACH_SIZE * size:
        begin, size = begin + OF_EACH_SIZE * size, min(2 * size, most)
    return begin + ((position - begin) // size + 1) * size


def shard_sizes(position: int, most: int) -> Iterator[int]:
    """The sizes of the shards from a position on, without an end. The first is the rest of one that has begun before."""
    while True:
        end = shard_end(position, most)
        yield end - position
        position = end


def shard_count(rows: int, most: int) -> int:
    """How many shards so many rows are."""
    count = position = 0
    while position < rows:
        position = shard_end(position, most)
        count += 1
    return count
