"""What is known of a candidate from its text and category alone: the features of an article that nobody has seen."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.utils.extmath import randomized_svd

from data.values import FloatArray
from recommender.replay import mind
from recommender.replay.log import Log
from recommender.replay.nearby import nearby_lift
from recommender.replay.past import past_of
from recommender.replay.texts import CLOSE_NAMES, WORD_NAMES, Words, close_features, word_features
from recommender.replay.titles import TITLE_NAMES, title_features
from recommender.replay.towers import Training, fit_towers, offered_rows, tower_feature
from recommender.vectors import Document, Epoch

TASTE_RANK = 300
CATEGORY, SUBCATEGORY = 0.3, 0.5  # of the length of a text, as words of it
LEAST_CATEGORY = 100  # articles that a category needs for a weight of its own

Columns = tuple[tuple[str, ...], FloatArray]


def text_columns(log: Log, news: mind.News, trained: int, delay_us: int) -> Columns:
    """Names and features of texts: closeness in words, meaning and taste; what words, titles and categories are worth.

    Word weights, meaning, taste and towers come from articles and readers known before the tested part; what words are
    worth is learned online, for each candidate from other articles alone.
    """
    known, past = _known(log, trained), past_of(log)
    documents = [Document(*pair, language="en") for pair in zip(news.title, news.abstract, strict=True)]
    epoch = Epoch.fit([one for one, is_known in zip(documents, known, strict=True) if is_known])
    vectors = epoch.encode(documents, with_pieces=False)
    words, labelled = Words.of(vectors.words), Words.of(_with_labels(vectors.words, news))
    meaning = vectors.dense if vectors.dense is not None else np.zeros((len(log.ids), 1), np.float32)
    how, judged = Training(), np.zeros(len(log.ids), bool)
    judged[log.slates.item] = True
    towers = fit_towers(log, labelled, _until(log, trained), judged, how)
    spaces = {
        "words": None,
        "meaning": meaning,
        "taste": taste_space(log, vectors.words, trained),
        "tower": offered_rows(labelled, towers),
    }
    names, columns = list[str](), list[FloatArray]()
    for space, dense in spaces.items():
        names += [f"{space}_{name}" for name in CLOSE_NAMES]
        columns.append(close_features(log, dense, words if dense is None else None, past))
    for kind, some in (("", words), ("labelled_", labelled)):
        names += [f"{kind}{name}" for name in WORD_NAMES]
        columns.append(word_features(log, some, delay_us, unseen=True, past=past))
    names += ["tower_taste", "nearby_lift"]
    columns.append(tower_feature(log, labelled, towers, delay_us, past, how)[:, None])
    columns.append(nearby_lift(log, meaning, delay_us)[:, None])
    told = _told(news)
    return (*names, *told[0]), np.concatenate([*columns, told[1][log.slates.item]], 1)


def _told(news: mind.News) -> Columns:
    """(articles x names) the manner of the title, and of which category it is."""
    found, code, counts = np.unique(np.array(news.category), return_inverse=True, return_counts=True)
    large = np.flatnonzero(counts >= LEAST_CATEGORY)
    of = (code[:, None] == large[None]).astype(np.float32)
    return (*TITLE_NAMES, *(f"is_{found[one]}" for one in large)), np.concatenate([title_features(news.title), of], 1)


def taste_space(log: Log, words: sparse.csr_matrix, trained: int) -> FloatArray:
    """Directions in which readers differ (articles x TASTE_RANK), rows of length 1.

    A decomposition of readers by words: a reader is the sum of what was read before the tested part.
    """
    rows = log.reads.at < _until(log, trained)
    ones = np.ones(int(rows.sum()), np.float32)
    shape = (len(log.readers), len(log.ids))
    readers = _unit_rows(sparse.csr_matrix((ones, (log.reads.reader[rows], log.reads.item[rows])), shape=shape) @ words)
    rank = min(TASTE_RANK + 1, min(readers.shape) - 1)
    _, values, directions = randomized_svd(readers, rank, n_iter=4, random_state=0)
    # The first direction is what all readers share.
    found = words @ (directions[1:].T * (values[1:] / max(values[1], 1e-9)))
    return np.asarray(found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-6), np.float32)


def _with_labels(words: sparse.csr_matrix, news: mind.News) -> sparse.csr_matrix:
    finer = [f"{one}/{two}" for one, two in zip(news.category, news.subcategory, strict=True)]
    parts = [CATEGORY * _one_hot(news.category), SUBCATEGORY * _one_hot(finer)]
    joined = sparse.csr_matrix(sparse.hstack([words, *parts]), dtype=np.float32)
    joined.sort_indices()
    return joined


def _one_hot(labels: Sequence[str]) -> sparse.csr_matrix:
    _, code = np.unique(np.array(labels), return_inverse=True)
    return sparse.csr_matrix((np.ones(len(code), np.float32), (np.arange(len(code)), code)))


def _unit_rows(rows: sparse.csr_matrix) -> sparse.csr_matrix:
    lengths = np.sqrt(np.asarray(rows.multiply(rows).sum(1)).ravel())
    return sparse.csr_matrix(sparse.diags(1 / np.maximum(lengths, 1e-6)) @ rows)


def _known(log: Log, trained: int) -> NDArray[np.bool_]:
    """Articles heard of before the tested part."""
    known = np.zeros(len(log.ids), bool)
    known[log.slates.item[: log.slates.start[trained]]] = True
    known[log.reads.item[log.reads.at < _until(log, trained)]] = True
    return known


def _until(log: Log, trained: int) -> int:
    """When the tested part begins."""
    return int(log.slates.at[trained]) if trained < len(log) else 2**62
