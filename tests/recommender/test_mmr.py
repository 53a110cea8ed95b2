"""Compiled diversity places what the plain loop places."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from recommender.mmr import Caps, Pool, fill, fill_slowly


def pool(seed: int, n: int, *, levels: int, groups: int) -> Pool:
    rng = np.random.default_rng(seed)
    rows = sparse.random(n, 30, 0.2, format="csr", dtype=np.float32, random_state=np.random.RandomState(seed))
    lengths = np.sqrt(np.asarray(rows.multiply(rows).sum(axis=1)).ravel())
    rows = sparse.csr_matrix(sparse.diags(1 / np.where(lengths > 0, lengths, 1)) @ rows, dtype=np.float32)
    value = rng.integers(0, levels, n) / levels
    value = np.sort(value)[::-1]
    return Pool(value, rng.integers(0, groups, n), rng.integers(0, 2 * groups, n), rows)


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    n=st.integers(0, 40),
    k=st.integers(0, 25),
    levels=st.sampled_from([1, 4, 1000]),
    groups=st.sampled_from([1, 2, 12]),
    most=st.sampled_from([0.0, 0.15, 2.0]),
    caps=st.builds(Caps, st.integers(1, 3), st.integers(1, 3), st.integers(1, 12)),
)
def test_the_compiled_loop_equals_the_plain_one(seed, n, k, levels, groups, most, caps) -> None:
    one = pool(seed, n, levels=levels, groups=groups)
    assert fill(one, k, most, caps).tolist() == fill_slowly(one, k, most, caps).tolist()


def test_a_double_gives_way_to_something_else() -> None:
    rows = sparse.csr_matrix(np.array([[1, 0], [1, 0], [0, 1]], np.float32))
    one = Pool(np.array([1.0, 0.95, 0.9]), np.zeros(3, np.int64), np.zeros(3, np.int64), rows)
    assert fill(one, 3, 0.5, Caps()).tolist() == [0, 2, 1]
    assert fill(one, 3, 0.0, Caps()).tolist() == [0, 1, 2]


def test_a_full_story_never_follows_and_a_full_source_only_when_nothing_else_is_left() -> None:
    rows = sparse.csr_matrix((4, 1), dtype=np.float32)
    value = np.array([1.0, 0.9, 0.8, 0.7])
    same_story = Pool(value, np.zeros(4, np.int64), np.array([7, 7, 8, 7]), rows)
    assert fill(same_story, 4, 0.1, Caps(span=10)).tolist() == [0, 2]
    same_source = Pool(value, np.array([5, 5, 5, 6]), np.zeros(4, np.int64), rows)
    assert fill(same_source, 4, 0.1, Caps(source=1)).tolist() == [0, 3, 1, 2]
