"""Related articles: the ten nearest of one article among all, exactly."""

import argparse
import tempfile
from collections.abc import Iterator
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


def run(options: argparse.Namespace) -> Iterator[Report]:
    """Generated news of 100,000 (and 1,000,000) articles, the same without stories, and the real corpora."""
    sizes = [5_000] if options.quick else [100_000] + [1_000_000] * options.large
    before: float | None = None
    for size in sizes:
        report = measure(f"postings_{size}", generate(size, options.seed).words, options)
        if before:
            report.facts["growth of our mean from the former size"] = report.lines[0]["cpu_ms_mean"] / before
        before = report.lines[0]["cpu_ms_mean"]
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
