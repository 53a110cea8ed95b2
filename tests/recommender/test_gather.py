"""Compiled products of sparse rows with one vector."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from recommender.gather import products


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(0, 50), terms=st.integers(1, 300), share=st.floats(0, 1))
def test_products_are_scipys(seed: int, n: int, terms: int, share: float) -> None:
    random = np.random.RandomState(seed)
    rows = sparse.random(n, terms, share, format="csr", dtype=np.float32, random_state=random)
    dense = random.rand(terms).astype(np.float32)
    np.testing.assert_allclose(products(rows, dense), rows @ dense, rtol=1e-5, atol=1e-6)


def test_a_row_alone_gives_what_it_gives_among_others() -> None:
    rows = sparse.random(40, 200, 0.3, format="csr", dtype=np.float32, random_state=np.random.RandomState(1))
    dense = np.random.default_rng(1).random(200, np.float32)
    alone = np.concatenate([products(rows[[place]], dense) for place in range(40)])
    assert alone.tolist() == products(rows, dense).tolist()


def test_a_vector_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="3 terms"):
        products(sparse.csr_matrix((2, 3), dtype=np.float32), np.zeros(2, np.float32))
