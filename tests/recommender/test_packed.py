"""Packed texts give the cosines of `vectors.similarity`, whatever stands around them."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from recommender.packed import Packed
from recommender.subject import SUBJECT
from recommender.vectors import Vectors, similarity

seeds = st.integers(0, 10_000)


def texts(seed: int, n: int, terms: int = 300, share: float = 0.2, directions: int = 7) -> Vectors:
    """Random texts of length 1, some without words, some without a direction; none has any where `directions` is 0."""
    random = np.random.RandomState(seed)
    words = sparse.random(n, terms, share, format="csr", dtype=np.float32, random_state=random)
    lengths = np.sqrt(np.asarray(words.multiply(words).sum(axis=1)).ravel())
    words = sparse.csr_matrix(sparse.diags(1 / np.where(lengths > 0, lengths, 1)) @ words, dtype=np.float32)
    dense = random.randn(n, directions).astype(np.float32)
    dense /= np.maximum(np.linalg.norm(dense, axis=1, keepdims=True), 1e-9)
    dense[random.rand(n) < 0.2] = 0
    halves = dense.astype(np.float16).astype(np.float32)
    return Vectors(words, sparse.csr_matrix((n, 4), dtype=np.float32), halves if directions else None)


@settings(max_examples=60, deadline=None)
@given(seeds, st.integers(0, 30), st.integers(1, 300), st.sampled_from([0.0, 0.02, 0.5]), st.sampled_from([0, 7]))
def test_cosines_are_those_of_the_plain_vectors(seed: int, n: int, terms: int, share: float, directions: int) -> None:
    vectors = texts(seed, n, terms, share, directions)
    packed, slots = Packed.of(vectors), np.arange(n)
    expected = similarity(vectors, vectors, SUBJECT)
    np.testing.assert_allclose(packed.among(slots, slots), expected, atol=1e-6)
    np.testing.assert_array_equal(packed.among(slots[::2], slots), packed.among(slots, slots)[::2])


@settings(max_examples=60, deadline=None)
@given(seeds, st.integers(1, 30), st.integers(0, 12), st.sampled_from([0, 7]))
def test_a_profile_is_the_weighted_sum_of_its_reads(seed: int, n: int, count: int, directions: int) -> None:
    vectors, random = texts(seed, n, directions=directions), np.random.default_rng(seed)
    reads, weights = random.integers(0, n, count), random.random(count, np.float32)
    words = sparse.csr_matrix(weights[None, :] @ vectors.words[reads]) if count else sparse.csr_matrix((1, 300))
    words = sparse.csr_matrix(words / max(np.sqrt((words.data**2).sum()), 1e-9), dtype=np.float32)
    dense = None if vectors.dense is None else weights[None, :] @ vectors.dense[reads]
    dense = None if dense is None else (dense / max(float(np.linalg.norm(dense)), 1e-9)).astype(np.float32)
    profile = Vectors(words, sparse.csr_matrix((1, 4), dtype=np.float32), dense)
    found = Packed.of(vectors).summed(reads, weights).cosines(np.arange(n))
    np.testing.assert_allclose(found, similarity(profile, vectors, SUBJECT)[0], atol=2e-6)


@given(seeds)
def test_a_text_alone_has_the_cosine_it_has_among_others(seed: int) -> None:
    """To the last bit, also for the same text in another slot."""
    vectors = texts(seed, 20)
    packed = Packed.of(vectors.rows(np.append(np.arange(20), np.arange(20))))
    profile = packed.summed(np.array([1, 5]), np.array([1.0, 0.3], np.float32))
    together = profile.cosines(np.arange(40))
    assert together[:20].tolist() == together[20:].tolist()
    assert np.concatenate([profile.cosines(np.array([one])) for one in range(40)]).tolist() == together.tolist()


@settings(max_examples=60, deadline=None)
@given(seeds, st.integers(0, 5), st.sampled_from([0, 7]), st.floats(-0.2, 1))
def test_only_texts_that_cannot_reach_the_bar_are_left_out(seed: int, count: int, directions: int, bar: float) -> None:
    """Those told have the cosine they have without a bar, to the last bit; all that reach it are told."""
    vectors, random = texts(seed, 40, directions=directions), np.random.default_rng(seed)
    profile = Packed.of(vectors).summed(random.integers(0, 40, count), np.ones(count, np.float32))
    cosine, least = profile.cosines(np.arange(40)), np.where(random.random(40) < 0.3, -1, bar).astype(np.float32)
    found = profile.reaching(np.arange(40), least)
    told = ~np.isnan(found)
    assert found[told].tolist() == cosine[told].tolist()
    assert told[cosine >= least].all()


def test_words_of_texts_that_point_elsewhere_are_not_read() -> None:
    """Whatever they say, they cannot bring the cosine to the bar."""
    words = sparse.csr_matrix(np.full((3, 4), 0.5, np.float32))
    dense = np.array([[1, 0], [0, 1], [0.6, 0.8]], np.float32)
    packed = Packed.of(Vectors(words, sparse.csr_matrix((3, 4), dtype=np.float32), dense))
    found = packed.summed(np.array([0]), np.ones(1, np.float32)).reaching(np.arange(3), np.full(3, 0.7, np.float32))
    expected = [1.0, np.nan, SUBJECT.words + 0.6 * SUBJECT.dense]
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_texts_longer_than_the_usual_room_are_compared_like_any_other() -> None:
    """5,000 terms a text: more than the room that one thread holds ready, for terms and for rows side by side."""
    vectors = texts(3, 40, terms=10_000, share=0.5)
    packed, slots = Packed.of(vectors), np.arange(40)
    for _ in range(2):  # what the first left behind must not show in the second
        np.testing.assert_allclose(packed.among(slots, slots), similarity(vectors, vectors, SUBJECT), atol=3e-6)
