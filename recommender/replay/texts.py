"""Features of texts: how close a candidate is to what the reader read, and what words are worth to readers."""

# mypy: disable-error-code="no-untyped-def, no-untyped-call, misc"

from typing import NamedTuple

import numba as nb
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from data.values import FloatArray
from recommender.compiled import compiled_at_use
from recommender.replay.log import Log
from recommender.replay.past import Past, past_of

RECENT = 0.93  # the weight of a read against the next later one
CLOSE_NAMES = ("similarity", "similarity_top", "similarity_top3", "similarity_last")
WORD_NAMES = ("word_appeal", "word_taste")
STEP, TASTE_STEP = 0.15, 0.6


class Words(NamedTuple):
    """Rows of words of the articles, each of length 1 (a CSR matrix)."""

    start: NDArray[np.int64]
    term: NDArray[np.int32]
    value: FloatArray

    @classmethod
    def of(cls, matrix: sparse.csr_matrix) -> "Words":
        return cls(matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32), matrix.data.astype(np.float32))


def close_features(log: Log, dense: FloatArray | None, words: Words | None, past: Past | None = None) -> FloatArray:
    """(items x CLOSE_NAMES) cosines with the past: weighted to the recent, greatest, three greatest, last five.

    Either `dense` (articles x directions), rows of length 1, or `words`. Without a past all are 0.
    """
    past = past or past_of(log)
    X = np.zeros((len(log.slates.item), 4), np.float32)
    if dense is not None:
        _close_dense(log.slates, past, np.ascontiguousarray(dense, np.float32), X)
    elif words is not None:
        _close_words(log.slates, past, words, int(words.term.max(initial=0)) + 1, X)
    return X


@nb.njit(nogil=True)
def _summary(cosine, many, X, row):
    """Cosines of a candidate with each read (latest last) as four numbers."""
    total = weights = 0.0
    top = np.zeros(3, np.float32)
    for back in range(many):
        value, weight = cosine[many - 1 - back], RECENT**back
        total += weight * value
        weights += weight
        if back < 5:
            X[row, 3] += value / min(many, 5)
        if value > top[0]:
            top[2], top[1], top[0] = top[1], top[0], value
        elif value > top[1]:
            top[2], top[1] = top[1], value
        elif value > top[2]:
            top[2] = value
    X[row, 0] = total / max(weights, 1e-9)
    X[row, 1], X[row, 2] = top[0], top.mean()


@compiled_at_use()
def _close_dense(slates, past, dense, X):
    for slate in range(len(slates.at)):
        reads = past.item[past.start[slate] : past.start[slate + 1]]
        if not len(reads):
            continue
        H = dense[reads]
        for one in range(slates.start[slate], slates.start[slate + 1]):
            _summary(H @ dense[slates.item[one]], len(reads), X, one)


@compiled_at_use()
def _close_words(slates, past, words, width, X):
    sums = np.zeros(width, np.float32)
    for slate in range(len(slates.at)):
        reads = past.item[past.start[slate] : past.start[slate + 1]]
        if not len(reads):
            continue
        cosine = np.zeros(len(reads), np.float32)
        for one in range(slates.start[slate], slates.start[slate + 1]):
            item = slates.item[one]
            for k in range(words.start[item], words.start[item + 1]):
                sums[words.term[k]] = words.value[k]
            for place in range(len(reads)):
                found = np.float32(0)
                for k in range(words.start[reads[place]], words.start[reads[place] + 1]):
                    found += words.value[k] * sums[words.term[k]]
                cosine[place] = found
            for k in range(words.start[item], words.start[item + 1]):
                sums[words.term[k]] = 0
            _summary(cosine, len(reads), X, one)


def word_features(
    log: Log, words: Words, delay_us: int, *, until_us: int = 2**62, unseen: bool = False, past: Past | None = None
) -> FloatArray:
    """(items x WORD_NAMES) what words are worth, learned online by softmax over slates once these are `delay_us` old.

    Appeal: a number a word. Taste: a number a word that counts where the reader read the word, too. Slates from
    `until_us` on teach nothing. With `unseen` every candidate is judged as if it were new: what words learned from that
    very article is taken off again. Steps are AdaGrad's.
    """
    X = np.zeros((len(log.slates.item), 2), np.float32)
    width = int(words.term.max(initial=0)) + 1
    _learn_words(log.slates, past or past_of(log), words, width, max(delay_us, 1), until_us, unseen, X)
    return X


@nb.njit(nogil=True)
def _profile(past, words, slate, profile):
    """The sum of what was read, of length 1; gives back which words it has."""
    reads = past.item[past.start[slate] : past.start[slate + 1]]
    square = 0.0
    for back in range(len(reads)):
        item = reads[len(reads) - 1 - back]
        for k in range(words.start[item], words.start[item + 1]):
            profile[words.term[k]] += np.float32(RECENT**back) * words.value[k]
    for item in reads:
        for k in range(words.start[item], words.start[item + 1]):
            square = max(square, profile[words.term[k]])
    if square > 0:
        for one in range(len(profile)):
            if profile[one] != 0:
                profile[one] /= square


@nb.njit(nogil=True)
def _score(words, item, profile, worth, mine, row, X):
    for k in range(words.start[item], words.start[item + 1]):
        term = words.term[k]
        X[row, 0] += words.value[k] * (worth[0, term] - mine[0, k])
        X[row, 1] += words.value[k] * (worth[1, term] - mine[1, k]) * profile[term]


@compiled_at_use()
def _learn_words(slates, past, words, width, delay_us, until_us, unseen, X):
    worth, square = np.zeros((2, width)), np.full((2, width), 1e-2)
    profile, told = np.zeros(width, np.float32), 0
    mine = np.zeros((2, len(words.term)))  # what each article taught its words
    none = np.zeros_like(mine)
    for slate in range(len(slates.at)):
        while told < slate and slates.at[told] <= min(slates.at[slate] - delay_us, until_us - 1):
            profile[:] = 0
            _profile(past, words, told, profile)
            _step(slates, words, told, profile, worth, square, mine, none)
            told += 1
        profile[:] = 0
        _profile(past, words, slate, profile)
        for one in range(slates.start[slate], slates.start[slate + 1]):
            _score(words, slates.item[one], profile, worth, mine if unseen else none, one, X)


@nb.njit(nogil=True)
def _step(slates, words, slate, profile, worth, square, mine, none):
    first, end = slates.start[slate], slates.start[slate + 1]
    clicks = slates.clicked[first:end].sum()
    if clicks == 0 or clicks == end - first:
        return
    found = np.zeros((end - first, 2), np.float32)
    for one in range(first, end):
        _score(words, slates.item[one], profile, worth, none, one - first, found)
    score = (found[:, 0] + found[:, 1]).astype(np.float64)
    share = np.exp(score - score.max())
    share /= share.sum()
    for one in range(first, end):
        error, item = slates.clicked[one] / clicks - share[one - first], slates.item[one]
        for k in range(words.start[item], words.start[item + 1]):
            term = words.term[k]
            for kind in range(2):
                slope = error * words.value[k] * (profile[term] if kind else 1.0)
                square[kind, term] += slope * slope
                step = (TASTE_STEP if kind else STEP) * slope / np.sqrt(square[kind, term])
                worth[kind, term] += step
                mine[kind, k] += step
