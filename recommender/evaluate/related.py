"""Retrieval and similarity: does the nearest text tell the same story, and does the score agree with people?"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import sparse

from data.errors import NotFound
from recommender.evaluate.average_precision import average_precision
from recommender.evaluate.correlation import pearson, spearman
from recommender.evaluate.plain import plain_tf_idf
from recommender.evaluate.sets import (
    JudgedPairs,
    LabelledTexts,
    ScoredPairs,
    background,
    judged_pairs,
    labelled_texts,
    of_language,
    scored_pairs,
)
from recommender.metrics.ndcg import ndcg_at
from recommender.metrics.precision import precision_at
from recommender.neighbours import Context, closeness, neighbour_weights, smoothed
from recommender.vectors import Blend, Document, Epoch, similarity

Matrix = npt.NDArray[np.float32]
Scores = Callable[[npt.NDArray[np.intp]], Matrix]  # rows of queries -> (q, n)
_QUERIES_AT_ONCE = 500
_TIE_SEED = 0


class RelatedRow(NamedTuple):
    """One figure: ours beside plain TF-IDF with cosine; ``in_context``: ours with neighbours and closeness in time."""

    set: str
    part: str
    texts: int
    measure: str
    plain: float
    ours: float
    in_context: float = float("nan")


def measure_related(folder: Path, blend: Blend | None = None) -> Iterator[list[RelatedRow]]:
    """The figures of each set under the folder, set by set."""
    labelled, scored, judged = labelled_texts(folder), scored_pairs(folder), judged_pairs(folder)
    if not (labelled or scored or judged):
        raise NotFound(f"no labelled set in {folder}: docs/evaluation.md lists the layouts that are read")
    news = background(folder)
    for texts in labelled:
        yield measure_retrieval(texts, news, blend)
    for pairs in scored:
        yield measure_scores(pairs, news, blend)
    for judgements in judged:
        yield measure_judgements(judgements, news, blend)


def measure_retrieval(texts: LabelledTexts, news: Sequence[Document], blend: Blend | None = None) -> list[RelatedRow]:
    """Every text as a query among all others of its set: P@1, P@5 and MAP for the same story."""
    plain, ours = _both(texts.documents, news, blend)
    context = _in_context(ours, len(texts.documents), texts.hours)
    figures = [_retrieval(scores, texts.labels) for scores in (plain, ours, context)]
    rows = []
    for part, chosen in (("odd labels", texts.odd), ("all", np.ones(len(texts.odd), dtype=bool))):
        for column, measure in enumerate(("P@1", "P@5", "MAP")):
            values = (float(np.nanmean(found[chosen, column])) if chosen.any() else np.nan for found in figures)
            rows.append(RelatedRow(texts.name, part, int(chosen.sum()), measure, *values))
    return rows


def measure_scores(pairs: ScoredPairs, news: Sequence[Document], blend: Blend | None = None) -> list[RelatedRow]:
    """Correlation of the similarity of each pair with what people said, group by group."""
    count, rows = len(pairs.human), []
    found = []
    for scores in _both([*pairs.left, *pairs.right], news, blend):
        queries = np.arange(count)
        found.append(np.concatenate([_diagonal(scores, part, count) for part in _blocks(queries)]).astype(np.float64))
    for group in np.unique(pairs.group):
        mask = pairs.group == group
        for measure, function in (("Pearson", pearson), ("Spearman", spearman)):
            plain, ours = (function(values[mask], pairs.human[mask]) for values in found)
            rows.append(RelatedRow(pairs.name, str(group), int(mask.sum()), measure, plain, ours))
    return rows


def measure_judgements(
    judgements: JudgedPairs, news: Sequence[Document], blend: Blend | None = None
) -> list[RelatedRow]:
    """MAP and nDCG@10 per query over its judged candidates; relevant is what most of its judges called relevant."""
    documents = list(dict.fromkeys(_texts_of(judgements)))
    place = {document: number for number, document in enumerate(documents)}
    figures = []
    for scores in _both(documents, news, blend):
        random, found = np.random.default_rng(_TIE_SEED), []
        for query, candidates in judgements.queries.items():
            relevant = np.array([share > 0.5 for _, share in candidates])
            columns = [place[document] for document, _ in candidates]
            values = scores(np.array([place[query]]))[0, columns]
            ranked = relevant[np.lexsort((random.random(len(values)), -values))]
            found.append((average_precision(ranked), ndcg_at(ranked.astype(np.float64), 10)))
        figures.append(np.nanmean(found, axis=0))
    count = len(judgements.queries)
    return [
        RelatedRow(judgements.name, "all", count, measure, float(figures[0][column]), float(figures[1][column]))
        for column, measure in enumerate(("MAP", "nDCG@10"))
    ]


def _texts_of(judgements: JudgedPairs) -> Iterator[Document]:
    for query, candidates in judgements.queries.items():
        yield query
        yield from (document for document, _ in candidates)


def _both(documents: list[Document], news: Sequence[Document], blend: Blend | None) -> tuple[Scores, Scores]:
    """Plain TF-IDF cosine, and ours: word weights from the set's own texts and the news stream, no labels."""
    plain = plain_tf_idf(documents)
    stream = of_language(news, documents[0].language)
    vectors = (epoch := Epoch.fit(documents, background=stream)).encode(documents)
    del epoch
    return (
        lambda queries: (plain[queries] @ plain.T).toarray().astype(np.float32),
        lambda queries: similarity(vectors.rows(queries), vectors, blend),
    )


def _in_context(scores: Scores, count: int, hours: npt.NDArray[np.float64] | None) -> Scores:
    """The same scores in the context of neighbours and, where times are known, of time. Memory: a block of queries."""
    context = Context()
    parts = [neighbour_weights(scores(part), part, context) for part in _blocks(np.arange(count))]
    weights = sparse.vstack(parts, format="csr")

    def found(queries: npt.NDArray[np.intp]) -> Matrix:
        values = smoothed(scores(queries), weights, context)
        return values if hours is None else values * closeness(hours[queries], hours, context)

    return found


def _retrieval(scores: Scores, labels: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """P@1, P@5 and average precision of every text as a query: (n, 3), nan for a story of one text."""
    shuffled = np.random.default_rng(_TIE_SEED).permutation(len(labels))  # equal scores in no telling order
    found = np.full((len(labels), 3), np.nan)
    for queries in _blocks(np.arange(len(labels))):
        values = scores(queries)[:, shuffled]
        order = shuffled[np.argsort(-values, axis=1)]
        for query, ranking in zip(queries, order, strict=True):
            ranked = labels[ranking[ranking != query]] == labels[query]
            if ranked.any():
                found[query] = precision_at(ranked, 1), precision_at(ranked, 5), average_precision(ranked)
    return found


def _blocks(queries: npt.NDArray[np.intp]) -> list[npt.NDArray[np.intp]]:
    return [queries[start : start + _QUERIES_AT_ONCE] for start in range(0, len(queries), _QUERIES_AT_ONCE)]


def _diagonal(scores: Scores, queries: npt.NDArray[np.intp], shift: int) -> Matrix:
    return scores(queries)[np.arange(len(queries)), queries + shift]
