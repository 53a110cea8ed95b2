"""Context: neighbours lift what shares no word, time lifts what appeared together, neither invents a score."""

import numpy as np
import pytest

from recommender.neighbours import Context, closeness, neighbour_weights, smoothed

ALL = np.arange(4)
# 0 and 1 are alike, 1 and 2 are alike, 0 and 2 share nothing; 3 stands alone.
SCORES = np.array([[0, 0.8, 0, 0], [0.8, 0, 0.8, 0], [0, 0.8, 0, 0], [0, 0, 0, 0]], dtype=np.float32)
TWO = Context(neighbours=2, share=0.5)


def test_a_neighbour_lifts_a_text_that_shares_nothing() -> None:
    weights = neighbour_weights(SCORES, ALL, TWO)
    found = smoothed(SCORES, weights, TWO)
    assert found[0, 2] > 0.1
    assert found[0, 3] == 0


def test_weights_of_each_text_sum_to_one_and_itself_comes_first() -> None:
    weights = neighbour_weights(SCORES, ALL, TWO)
    assert np.asarray(weights.sum(axis=1)).ravel() == pytest.approx(1.0)
    assert (weights.argmax(axis=1) == ALL[:, None]).all()


def test_blocks_give_the_same_as_all_at_once() -> None:
    whole = neighbour_weights(SCORES, ALL, TWO).toarray()
    parts = [neighbour_weights(SCORES[rows], rows, TWO).toarray() for rows in (ALL[:1], ALL[1:])]
    assert np.array_equal(np.vstack(parts), whole)


def test_no_share_leaves_the_scores_alone() -> None:
    weights = neighbour_weights(SCORES, ALL, TWO)
    assert np.allclose(smoothed(SCORES, weights, Context(share=0.0)), SCORES)


def test_closeness_fades_with_hours_and_is_symmetric() -> None:
    hours = np.array([0.0, 48.0, 1e6])
    found = closeness(hours, hours, Context(closeness=0.3, closeness_h=48.0))
    assert found[0].tolist() == pytest.approx([1.3, 1 + 0.3 / np.e, 1.0])
    assert np.array_equal(found, found.T)
