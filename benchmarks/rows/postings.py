"""Related articles: the ten nearest of one article among all, exactly."""

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from scipy import sparse

from benchmarks import peers
from benchmarks.measure import Contender, compare, timed
from benchmarks.news import Shape, generate
from benchmarks.real import real
from benchmarks.report import Report
from recommender.postings import Postings, files

TOP = 10
CHECKED = 25
LONG, FLOOR = 300, 0.08


def run(options: argparse.Namespace) -> Iterator[Report]:
    """Generated news of 100,000 (and 1,000,000) articles, the same without stories, and the real corpora."""
    sizes = [5_000] if options.quick else [100_000] + [1_000_000] * options.large
    before: dict[str, float] = {}
    for size in sizes:
        report = measure(f"postings_{size}", generate(size, options.seed).words, options)
        for kind, key in (("median", "cpu_ms"), ("mean", "cpu_ms_mean")):
            now = float(report.lines[0][key])
            if kind in before:
                report.facts[f"growth of our {kind} from the former size"] = now / before[kind]
            before[kind] = now
        yield report
    loose = Shape(largest_story=1, copied_share=0.0)
    yield measure(f"postings_{sizes[0]}_no_stories", generate(sizes[0], options.seed, loose).words, options)
    for name, matrix in real():
        yield measure(f"postings_{name}", matrix, options)


def measure(name: str, matrix: sparse.csr_matrix, options: argparse.Namespace) -> Report:
    """One table on one matrix."""
    rng = np.random.default_rng(options.seed)
    filled = np.flatnonzero(np.diff(matrix.indptr) > 0)
    asked = rng.choice(filled, min(5_000, len(filled)), replace=False)
    postings, build_s, _ = timed(lambda: Postings.build(matrix))
    assert isinstance(postings, Postings)

    def ours(task: int) -> object:
        return postings.nearest(int(asked[task % len(asked)]), TOP)

    rivals = peers.all_of(matrix, asked, TOP)
    lines = compare([Contender("Newsbell postings", ours, 200), *(one.contender for one in rivals)])
    return Report(
        name,
        f"Top {TOP} of one article among {matrix.shape[0]:,}, "
        f"{matrix.nnz / max(len(filled), 1):.0f} distinct terms each.",
        {
            "articles": matrix.shape[0],
            "postings": int(matrix.nnz),
            "bytes a posting, both directions": postings.nbytes / max(matrix.nnz, 1),
            "scipy CSR + CSC": 16.0,
            "build, CPU seconds": build_s,
            **_files(postings, matrix),
            **_work(postings, asked),
            **_long_lists(postings, asked),
            **_growing(postings, matrix, asked),
        },
        lines,
        checks=[peers.check(one, postings, asked[:CHECKED], TOP) for one in rivals],
        caveats=[
            "bm25s sums document weights over the query's terms, not times the query's: as much work, other answers.",
            "sparse_dot_topn answers 50 queries a call; sklearn and scipy one by one, as an application asks.",
        ],
        command=f"python -m benchmarks postings --seed {options.seed}{' --large' * options.large}",
    )


def _files(postings: Postings, matrix: sparse.csr_matrix) -> dict[str, float]:
    """Seconds to open a saved index and answer once, against loading the scipy arrays."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        files.save(postings, path / "index")
        np.savez(path / "csr.npz", data=matrix.data, indices=matrix.indices, indptr=matrix.indptr)
        row = int(np.flatnonzero(np.diff(matrix.indptr))[-1])
        _, open_s, _ = timed(lambda: files.load(path / "index").nearest(row, TOP))
        _, read_s, _ = timed(lambda: dict(np.load(path / "csr.npz")))
    return {"open mapped and answer once, CPU seconds": open_s, "read the scipy arrays, CPU seconds": read_s}


def _work(postings: Postings, asked: np.ndarray) -> dict[str, float]:
    """How much of the postings the search touched."""
    counts = np.array([postings.effort(int(row), TOP) for row in asked[:200]])
    df = np.bincount(postings.segments[0].matrix().indices)
    full = np.mean([df[postings.row(int(row))[0]].sum() for row in asked[:200]])
    read, refined, scored = counts.mean(axis=0)
    return {
        "postings of the query's terms, mean": float(full),
        "of these read, mean": float(read),
        "rows refined, mean": float(refined),
        "rows scored, mean": float(scored),
    }


def _long_lists(postings: Postings, asked: np.ndarray) -> dict[str, float]:
    """Milliseconds of the lists that served related articles are chosen from."""
    rows = asked[:200].tolist()
    spent = np.array([_cpu_ms(lambda: postings.nearest(row, LONG, minimum=FLOOR)) for row in rows])  # noqa: B023
    name = f"top {LONG} above {FLOOR}, ms"
    return {f"{name}: median": float(np.median(spent)), f"{name}: mean": float(spent.mean())}


def _growing(postings: Postings, matrix: sparse.csr_matrix, asked: np.ndarray) -> dict[str, float]:
    """Milliseconds to add rows, and to search beside small segments."""
    made: dict[str, float] = {}
    for count in (1, 1_000):
        some = matrix[: min(count, matrix.shape[0])]
        made[f"add {count:,}, ms"] = float(np.median([_cpu_ms(lambda: postings.add(some)) for _ in range(5)]))  # noqa: B023
    many = postings
    for start in range(0, 1_000, 100):
        many = many.add(matrix[start : start + 100])
    for name, one in (("one segment", postings), ("ten more of 100", many)):
        spent = [_cpu_ms(lambda: one.nearest(int(row), TOP)) for row in asked[:200]]  # noqa: B023
        made[f"search of {name}, median ms"] = float(np.median(spent))
    return made


def _cpu_ms(work: Callable[[], object]) -> float:
    start = time.thread_time_ns()
    work()
    return (time.thread_time_ns() - start) / 1e6
