"""Stories in one pass: B-cubed beside scikit-learn's clusterers on the same texts.

Thresholds are chosen on the stories with even labels and reported on those with odd ones, ours and theirs alike.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from data.errors import NotFound
from recommender.evaluate.bcubed import BCubed, bcubed
from recommender.evaluate.plain import AverageLink, dbscan, hdbscan_on_lsa, plain_tf_idf
from recommender.evaluate.sets import LabelledTexts, background, labelled_texts, of_language
from recommender.stories import StoryKeeper, StorySettings
from recommender.vectors import Document, Epoch, Vectors

Labels = npt.NDArray[np.int64]
MERGE_EVERY = 250  # articles between two merge passes: every few minutes in a busy newsroom
_COSINES = (0.02, 0.03, 0.04, 0.05, 0.06, 0.08, 0.10, 0.12, 0.15, 0.18)
_RADII = (0.22, 0.35, 0.5, 0.65)
_SMALLEST = (5, 15)
_JOINS, _MERGES = (0.20, 0.25), (0.25, 0.32, 0.40)


class StoryRow(NamedTuple):
    """One grouping of one part of a set, and how it was made."""

    set: str
    part: str
    method: str
    texts: int
    stories: int
    found: int
    precision: float
    recall: float
    f1: float
    seconds: float


class Part(NamedTuple):
    """Texts that are grouped together: vectors of ours, and plain TF-IDF."""

    name: str
    labels: Labels
    documents: list[Document]
    vectors: Vectors


def measure_stories(folder: Path, *, tune: bool = True, plain: bool = True) -> Iterator[list[StoryRow]]:
    """The figures of each labelled set under the folder, set by set.

    ``tune`` adds thresholds chosen on the even labels (slower), ``plain`` the clusterers of scikit-learn.
    """
    sets = labelled_texts(folder)
    if not sets:
        raise NotFound(f"no texts with stories in {folder}: docs/evaluation.md lists the layouts that are read")
    news = background(folder)
    for texts in sets:
        even, odd = (_part(texts, mask, name, news) for mask, name in ((~texts.odd, "even"), (texts.odd, "odd")))
        rows = _ours(texts.name, even, odd, tune=tune)
        if plain:
            rows += _theirs(texts.name, even, odd)
        everything = _part(texts, np.ones(len(texts.odd), dtype=bool), "all", news)
        rows.append(_row(texts.name, everything, "one pass, defaults", lambda part: one_pass(part.vectors)))
        yield rows


def one_pass(vectors: Vectors, settings: StorySettings | None = None, merge_every: int = MERGE_EVERY) -> Labels:
    """Every text in order to its story, with a merge pass now and then and at the end: (n,) story ids."""
    keeper, into = StoryKeeper(settings), dict[int, int]()
    stories = np.zeros(len(vectors), dtype=np.int64)
    for number in range(len(vectors)):
        stories[number] = keeper.assign(number, vectors.rows([number]))
        if (number + 1) % merge_every == 0 or number + 1 == len(vectors):
            into.update(keeper.merge_pass())
    return np.array([_root(int(story), into) for story in stories], dtype=np.int64)


def _root(story: int, into: dict[int, int]) -> int:
    while story in into:
        story = into[story]
    return story


def _part(texts: LabelledTexts, mask: npt.NDArray[np.bool_], name: str, news: Sequence[Document]) -> Part:
    documents = [texts.documents[place] for place in np.flatnonzero(mask)]
    stream = of_language(news, documents[0].language) if documents else []
    return Part(name, texts.labels[mask], documents, Epoch.fit(documents, background=stream).encode(documents))


def _ours(name: str, even: Part, odd: Part, *, tune: bool) -> list[StoryRow]:
    rows = [_row(name, part, "one pass, defaults", lambda one: one_pass(one.vectors)) for part in (even, odd)]
    if tune:
        grid = [
            replace(StorySettings(), join=join, merge=merge, merge_short=merge) for join in _JOINS for merge in _MERGES
        ]
        best = max(grid, key=lambda settings: _f1(one_pass(even.vectors, settings), even))
        method = f"one pass, join {best.join}, merge {best.merge} chosen on even"
        rows.append(_row(name, odd, method, lambda part: one_pass(part.vectors, best)))
    return rows


def _theirs(name: str, even: Part, odd: Part) -> list[StoryRow]:
    plain = {part.name: plain_tf_idf(part.documents) for part in (even, odd)}
    tree = AverageLink(plain["even"])
    cosine = max(_COSINES, key=lambda value: _f1(tree.cut(value), even))
    radius = max(_RADII, key=lambda value: _f1(dbscan(plain["even"], value), even))
    size = max(_SMALLEST, key=lambda value: _f1(hdbscan_on_lsa(plain["even"], value), even))
    return [
        _row(name, odd, f"batch average link, cosine {cosine}", lambda part: AverageLink(plain[part.name]).cut(cosine)),
        _row(name, odd, f"DBSCAN, cosine {radius}", lambda part: dbscan(plain[part.name], radius)),
        _row(name, odd, f"HDBSCAN on LSA, {size} at least", lambda part: hdbscan_on_lsa(plain[part.name], size)),
    ]


def _f1(stories: Labels, part: Part) -> float:
    return bcubed(stories, part.labels).f1 if len(part.labels) else 0.0


def _row(name: str, part: Part, method: str, group: Callable[[Part], Labels]) -> StoryRow:
    start = time.perf_counter()
    stories = group(part)
    seconds = time.perf_counter() - start
    figures = bcubed(stories, part.labels) if len(stories) else BCubed(np.nan, np.nan, np.nan)
    counts = len(stories), len(np.unique(part.labels)), len(np.unique(stories))
    return StoryRow(name, part.name, method, *counts, *figures, seconds)
