"""The length of a weighted sum of packed word vectors is that of the vectors."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from recommender.push_words import COMMON, NUMBERED, PackedWords, word_length

WIDTH = NUMBERED + 30_000


def packed(X: sparse.csr_matrix, common: np.ndarray) -> PackedWords:
    made = PackedWords(X.shape[0], common)
    for row in range(X.shape[0]):  # one by one: articles are met in any blocks
        one = X[row]
        made.append(row, one.indptr.astype(np.int64), one.indices.astype(np.int32), one.data, WIDTH)
    return made


def articles(rng: np.random.Generator, count: int, density: int) -> sparse.csr_matrix:
    """Texts of common, numbered and long terms; some empty."""
    rows = []
    for _ in range(count):
        size = int(rng.integers(0, density))
        term = np.unique(np.concatenate([rng.integers(0, 200, size), rng.integers(0, WIDTH, size)]))
        row = sparse.csr_matrix((rng.random(len(term)) + 0.01, (np.zeros(len(term), int), term)), shape=(1, WIDTH))
        rows.append(row.astype(np.float32))
    return sparse.vstack(rows, format="csr")


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32 - 1), count=st.integers(1, 12), density=st.sampled_from([3, 40, 300]))
def test_the_length_is_that_of_the_sum(seed: int, count: int, density: int) -> None:
    rng = np.random.default_rng(seed)
    X = articles(rng, count, density)
    words = packed(X, rng.permutation(WIDTH)[:NUMBERED].astype(np.int64))
    sums = np.zeros(words.sums, np.float32)
    for _ in range(3):  # what one reader leaves must not reach the next
        reads = rng.permutation(count)[: int(rng.integers(1, count + 1))].astype(np.int32)
        h = rng.random(len(reads)).astype(np.float32)
        length = word_length(len(reads), reads, h, words.table, sums)
        wanted = np.linalg.norm((sparse.csr_matrix(h.astype(float)) @ X[reads].astype(float)).toarray())
        np.testing.assert_allclose(length, wanted, rtol=2e-5, atol=1e-6)
        assert not sums.any()


def test_terms_of_every_kind_are_kept() -> None:
    common = np.arange(NUMBERED, dtype=np.int64)  # a column's number is the column
    term = np.array([0, COMMON - 1, COMMON, NUMBERED - 1, NUMBERED, WIDTH - 1])
    X = sparse.csr_matrix((np.array([1, 2, 4, 8, 16, 32], np.float32), (np.zeros(6, int), term)), shape=(1, WIDTH))
    words = packed(X, common)
    length = word_length(
        1, np.zeros(1, np.int32), np.ones(1, np.float32), words.table, np.zeros(words.sums, np.float32)
    )
    np.testing.assert_allclose(length**2, 1 + 4 + 16 + 64 + 256 + 1024, rtol=1e-4)


def test_what_was_forgotten_leaves_room_for_others() -> None:
    rng = np.random.default_rng(0)
    common = np.arange(NUMBERED, dtype=np.int64)
    words = packed(articles(rng, 5, 40), common)
    words.clear()
    X = articles(rng, 5, 40)
    for row in range(5):
        words.append(row, X[row].indptr.astype(np.int64), X[row].indices.astype(np.int32), X[row].data, WIDTH)
    reads, h = np.arange(5, dtype=np.int32), np.ones(5, np.float32)
    length = word_length(5, reads, h, words.table, np.zeros(words.sums, np.float32))
    np.testing.assert_allclose(length, np.linalg.norm(X.sum(axis=0)), rtol=2e-5)
