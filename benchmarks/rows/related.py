"""The nearest articles of one article, as the related list searches them, beside what scikit-learn users write."""

import argparse
from collections.abc import Iterator

import numpy as np
from sklearn.neighbors import NearestNeighbors

from benchmarks.corpora import articles
from benchmarks.measure import Contender, compare, timed
from benchmarks.report import Report
from recommender.index import ArticleIndex
from recommender.subject import SUBJECT
from recommender.vectors import similarity

TOP = 10
CHECKED = 20


def run(options: argparse.Namespace) -> Iterator[Report]:
    """One table on the largest corpus that is there."""
    name, texts = articles()
    texts = texts[:2_000] if options.quick else texts
    index, build_s, _ = timed(lambda: ArticleIndex.build(texts).compact())
    assert isinstance(index, ArticleIndex)
    asked = np.random.default_rng(options.seed).choice(len(texts), min(1_000, len(texts)), replace=False)
    lines = compare(_contenders(index, asked))
    yield Report(
        f"related_{name}",
        f"Top {TOP} of one article among {len(texts):,}: words and latent space together.",
        {"articles": len(texts), "fit and encode, CPU seconds": build_s},
        lines,
        checks=[_check(index, asked[:CHECKED])],
        caveats=[
            "scikit-learn and plain scipy compare the word vectors alone; ours compares the latent space too.",
        ],
        command=f"python -m benchmarks related --seed {options.seed}",
    )


def _contenders(index: ArticleIndex, asked: np.ndarray) -> list[Contender]:
    everything = index.vectors(np.arange(len(index)))
    words = everything.words
    model = NearestNeighbors(n_neighbors=TOP + 1, metric="cosine", algorithm="brute", n_jobs=1).fit(words)

    def row(task: int) -> np.ndarray:
        return asked[[task % len(asked)]]

    def plain_scipy(task: int) -> object:
        scores = np.asarray((words @ words[int(row(task)[0])].T).todense()).ravel()
        return np.argpartition(-scores, TOP)[: TOP + 1]

    return [
        Contender("Newsbell index.nearest", lambda task: index.nearest(index.vectors(row(task)), TOP + 1), 50),
        Contender("the same by vectors.similarity", lambda task: _brute(index, everything, row(task)), 5),
        Contender("sklearn NearestNeighbors, cosine, brute", lambda task: model.kneighbors(words[row(task)]), 3),
        Contender("scipy csr @ csr.T + argpartition", plain_scipy, 10),
    ]


def _brute(index: ArticleIndex, everything: object, row: np.ndarray) -> np.ndarray:
    scores = similarity(index.vectors(row), everything, SUBJECT)[0]  # type: ignore[arg-type]
    return scores[np.argpartition(-scores, TOP)[: TOP + 1]]


def _check(index: ArticleIndex, asked: np.ndarray) -> str:
    everything = index.vectors(np.arange(len(index)))
    for one in asked:
        _, scores = index.nearest(index.vectors(np.array([one])), TOP + 1)
        brute = np.sort(_brute(index, everything, np.array([one])))[::-1]
        if not np.allclose(scores, brute, atol=2e-5):
            raise AssertionError(f"nearest gives {scores} where brute force gives {brute} (row {one})")
    return f"the ten best scores are those of brute force on {len(asked)} queries"
