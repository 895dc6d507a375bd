import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.errors import ConfigError
from tasks.seeds.seen import SeenIds
from tasks.storage.digest import digest


def firsts(batches: Sequence[Sequence[str]]) -> list[list[bool]]:
    seen: set[str] = set()
    return [[not (row_id in seen or seen.add(row_id)) for row_id in batch] for batch in batches]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.integers(0, 30).map(digest), max_size=20), max_size=8))
def test_an_id_is_new_the_first_time_it_comes(batches: list[list[str]]) -> None:
    with SeenIds() as seen:
        assert [seen.new(batch) for batch in batches] == firsts(batches)


def test_repeats_are_found_among_many_ids_of_one_batch() -> None:
    old, fresh = [digest(n) for n in range(3000)], [digest(-n) for n in range(1, 2001)]
    with SeenIds() as seen:
        assert all(seen.new(old))
        mixed = [row_id for pair in zip(old, fresh, strict=False) for row_id in pair] + fresh
        assert seen.new(mixed) == [False, True] * 2000 + [False] * 2000


def test_its_file_is_deleted_at_the_end(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), SeenIds(tmp_path) as seen:
        seen.new([digest(1)])
        assert len(list(tmp_path.iterdir())) == 1
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_the_users_to_mend(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot keep the ids.*TMPDIR"):
        SeenIds(tmp_path / "missing")


GROWTH = """
import hashlib
from tasks.seeds import seen as module
from tasks.seeds.seen import SeenIds

module.CACHE_KIB = {cache_kib}

def peak():  # of this process alone; ru_maxrss begins with that of the parent
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM")) >> 10

with SeenIds() as seen:
    for batch in range({batches}):
        ids = [hashlib.blake2b(b"%d" % n, digest_size=16).hexdigest() for n in range(batch * 1000, batch * 1000 + 1000)]
        assert all(seen.new(ids))
        if batch == 20:
            before = peak()
    assert not any(seen.new(ids))
print(peak() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(
    ("batches", "cache_kib", "most_mib"),
    [
        pytest.param(200, 2048, 10, id="200k"),
        pytest.param(3000, 32768, 48, id="3M", marks=pytest.mark.slow),
    ],
)
def test_memory_stays_within_the_cache(batches: int, cache_kib: int, most_mib: int) -> None:
    program = GROWTH.format(batches=batches, cache_kib=cache_kib)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert int(done.stdout) < most_mib
