"""Studies of the two public layouts: which passes make the features, and what is trained and tested."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.utils.extmath import randomized_svd

from data.errors import NotFound
from data.values import FloatArray
from recommender.learn.linear import out_of_fold
from recommender.learn.study import Study
from recommender.replay import ebnerd, mind
from recommender.replay.alike import with_alike
from recommender.replay.causal import Clock, Features
from recommender.replay.causal import replay as causal_pass
from recommender.replay.log import HOUR_US, Log
from recommender.replay.past import past_of
from recommender.replay.relative import with_relative
from recommender.replay.surprise import SURPRISE_NAMES, surprise_features
from recommender.replay.texts import CLOSE_NAMES, WORD_NAMES, Words, close_features, word_features
from recommender.vectors import Document, Epoch

TASTE_RANK = 300
CATEGORY, SUBCATEGORY = 0.3, 0.5  # of the length of a text, as words of it
LIKINGS = ("category_liking", "subcategory_liking")
COUNTED = (
    "lift_48h", "lift_12h", "lift_1h", "click_rate_4h", "click_rate_0.3h", "quality_slow", "quality_fast", "coread",
    "coread_top", "category_lift", "subcategory_lift", "shown_before", "trend_reads", "hours_since_click",
    "hours_since_shown", "shown_1h", "prominence_12h",
)  # fmt: skip


def ebnerd_study(folder: Path, delay_us: int) -> Study:
    """Trained on `train`, tested on `validation`. The tested days know the training days as their past."""
    before, both = ebnerd.load(folder, ["train"], ["train"]), ebnerd.load(folder)
    first, clock = len(before), serial_clock(before)
    known = with_alike(causal_pass(before, delay_us, clock), before, delay_us)
    known = with_relative(known, before.slates.start)
    asked = with_alike(causal_pass(both, delay_us, clock, first), both, delay_us, first)
    asked = with_relative(asked, both.slates.start[first:] - both.slates.start[first])
    return Study.of((known, before.slates), (asked, both.slates), first)


def serial_clock(log: Log) -> Clock:
    """A straight line through the greatest serial numbers heard of by the end of each of the last fourteen days."""
    at = np.concatenate([log.reads.at, np.repeat(log.slates.at, np.diff(log.slates.start))])
    serial = log.articles.serial[np.concatenate([log.reads.item, log.slates.item])]
    end = int(at.max())
    days = [end - back * 24 * HOUR_US for back in range(14)]
    most = [float(np.quantile(serial[(at > day - 24 * HOUR_US) & (at <= day)], 0.99)) for day in days]
    slope, _ = np.polyfit(np.array(days, np.float64) - end, most, 1)
    return most[0], float(end), float(slope)


@dataclass(frozen=True)
class MindStudies:
    """The same slates with all features, and with those of texts and categories alone; what of them is mapped."""

    everything: Study
    texts: Study
    mapped: NDArray[np.float32]  # (slates,)


def mind_study(folder: Path, delay_us: int) -> MindStudies:
    """Trained on `impressions*`, tested on `slates*`, in the folder with `news`."""
    training, tested = _find(folder, "impressions"), _find(folder, "slates")
    log, news = mind.load([training, tested], _find(folder, "news"))
    first = len(mind.load([training], _find(folder, "news"))[0])
    counted = causal_pass(log, delay_us)
    names, X = text_columns(log, news, first, delay_us)
    likings = np.stack([counted.column(name) for name in LIKINGS], 1)
    texts = _study(log, (*names, *LIKINGS), np.concatenate([X, likings], 1), first)
    promise = out_of_fold(texts)
    beyond = surprise_features(log, promise, delay_us)
    more = np.stack([counted.column(name) for name in COUNTED], 1)
    everything = _study(
        log, (*texts.features.names, *SURPRISE_NAMES, *COUNTED), np.concatenate([texts.features.X, beyond, more], 1),
        first,
    )  # fmt: skip
    return MindStudies(everything, texts, log.mapped)


def text_columns(log: Log, news: mind.News, trained: int, delay_us: int) -> tuple[tuple[str, ...], FloatArray]:
    """Names and features of texts: closeness in words, meaning and taste; appeal and taste of words and categories.

    Word weights, meaning and taste come from articles and readers known before the tested part; what words are worth is
    learned online, for each candidate from other articles alone.
    """
    known, past = _known(log, trained), past_of(log)
    documents = [Document(*pair, language="en") for pair in zip(news.title, news.abstract, strict=True)]
    epoch = Epoch.fit([one for one, is_known in zip(documents, known, strict=True) if is_known])
    vectors = epoch.encode(documents, with_pieces=False)
    words = Words.of(vectors.words)
    spaces = {"words": None, "meaning": vectors.dense, "taste": taste_space(log, vectors.words, trained)}
    names, columns = list[str](), list[FloatArray]()
    for space, dense in spaces.items():
        names += [f"{space}_{name}" for name in CLOSE_NAMES]
        columns.append(close_features(log, dense, words if dense is None else None, past))
    labelled = Words.of(_with_labels(vectors.words, news))
    for kind, some in (("", words), ("labelled_", labelled)):
        names += [f"{kind}{name}" for name in WORD_NAMES]
        columns.append(word_features(log, some, delay_us, unseen=True, past=past))
    return tuple(names), np.concatenate(columns, 1)


def taste_space(log: Log, words: sparse.csr_matrix, trained: int) -> FloatArray:
    """Directions in which readers differ (articles x TASTE_RANK), rows of length 1.

    A decomposition of readers by words: a reader is the sum of what was read before the tested part.
    """
    until = log.slates.at[trained] if trained < len(log) else 2**62
    rows = log.reads.at < until
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
    until = log.slates.at[trained] if trained < len(log) else 2**62
    known[log.slates.item[: log.slates.start[trained]]] = True
    known[log.reads.item[log.reads.at < until]] = True
    return known


def _study(log: Log, names: tuple[str, ...], X: FloatArray, first: int) -> Study:
    reader = log.slates.reader.astype(np.int64)
    features = Features(np.ascontiguousarray(X, np.float32), names, len(names))
    return Study(features, log.slates.start, log.slates.clicked, log.slates.at, reader, first)


def _find(folder: Path, beginning: str) -> Path:
    found = sorted(path for path in folder.glob(f"{beginning}*.tsv*") if path.is_file())
    if not found:
        raise NotFound(f"no {beginning}*.tsv in {folder}: name the folder that holds news, impressions and slates")
    return found[0]


def relative(study: Study) -> Study:
    """The study with the slate-relative forms of every feature."""
    return replace(study, features=with_relative(study.features, study.start))
