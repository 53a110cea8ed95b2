"""Where to begin a search is only guessed: what is found is what the search without a guess finds."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from recommender import sounding
from recommender.postings import Postings
from recommender.sounding import EVERY, Soundings

ROWS, STEP = 1_500, 1e-6


def rows_of(seed: int, n: int = ROWS, subjects: int = 3) -> sparse.csr_matrix:
    """Rows of length 1 about a few subjects; their weights take few values, so that scores tie."""
    random = np.random.default_rng(seed)
    dense = np.zeros((n, 60), np.float32)
    for row in range(n):
        own = 15 * random.integers(subjects) + random.integers(0, 15, 6)
        dense[row, np.append(own, 45 + random.integers(0, 15, 3))] = random.integers(1, 4, 9)
    return sparse.csr_matrix(dense / np.linalg.norm(dense, axis=1, keepdims=True))


def postings_of(seed: int, parts: list[int]) -> Postings:
    """Rows in segments of these lengths, the third of which are dead."""
    made = Postings()
    for number, part in enumerate(parts):
        made = made.add(rows_of(seed + number, part))
    return made.remove(np.arange(0, len(made), 3))


def order_of(postings: Postings, seed: int) -> dict[str, Any]:
    random = np.random.default_rng(seed)
    return {"ties": random.integers(0, 5, len(postings)), "numbers": random.permutation(len(postings))}


@pytest.fixture(autouse=True)
def _small_segments_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sounding, "LEAST", 9 * 200)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 1_000), st.sampled_from([64, 100, 300, 900]), st.sampled_from([0.0, 0.08, 0.6]), st.data())
def test_the_nearest_are_the_same_with_and_without_a_sample(
    seed: int, k: int, minimum: float, data: st.DataObject
) -> None:
    postings = postings_of(seed, data.draw(st.sampled_from([[ROWS], [900, 600], [100, 1_400], [700, 90, 400]])))
    soundings, order = Soundings(), order_of(postings, seed)
    soundings.prepare(postings.segments)
    row = data.draw(st.integers(0, len(postings) - 1))
    plain = postings.nearest(row, k, minimum=minimum, step=STEP, **order)
    found = soundings.nearest(postings, row, k, minimum=minimum, step=STEP, **order)
    np.testing.assert_array_equal(found.rows, plain.rows)
    np.testing.assert_array_equal(found.scores, plain.scores)


@pytest.mark.parametrize("too_high", [0.5, 0.9, 0.999, 2.0])
def test_a_guess_that_is_too_high_changes_nothing(too_high: float, monkeypatch: pytest.MonkeyPatch) -> None:
    postings, soundings = postings_of(1, [ROWS]), Soundings()
    order = order_of(postings, 1)
    monkeypatch.setattr(soundings, "depth", lambda *_: too_high)
    plain = postings.nearest(7, 300, minimum=0.08, step=STEP, **order)
    assert plain.scores[-1] < too_high
    found = soundings.nearest(postings, 7, 300, minimum=0.08, step=STEP, **order)
    np.testing.assert_array_equal(found.rows, plain.rows)


@pytest.mark.parametrize("step", [1e-6, 0.05, 0.2])
@pytest.mark.parametrize("seed", range(4))
def test_a_guess_among_scores_that_count_as_equal_changes_nothing(
    step: float, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is newer comes first among equal scores, though its score is the lower by less than a step."""
    postings, soundings = postings_of(seed, [ROWS]), Soundings()
    order = order_of(postings, seed)
    for row in range(0, ROWS, 150):
        plain = postings.nearest(row, 100, minimum=0.08, step=step, **order)
        for guess in (plain.scores[-1], plain.scores.min(), plain.scores[-1] - step / 3, plain.scores[50]):
            monkeypatch.setattr(soundings, "depth", lambda *_, guess=guess: max(float(guess), 0.08))
            found = soundings.nearest(postings, row, 100, minimum=0.08, step=step, **order)
            np.testing.assert_array_equal(found.rows, plain.rows)


def test_a_guess_is_seldom_too_high_and_spares_most_of_the_search() -> None:
    postings, soundings = Postings.build(rows_of(3, 20_000, subjects=1)), Soundings()
    soundings.prepare(postings.segments)
    guesses, last = [], []
    for row in range(0, 20_000, 100):
        guesses.append(soundings.depth(postings, row, 300, 0.08))
        last.append(float(postings.nearest(row, 300, minimum=0.08).scores[-1]))
    assert np.mean(np.array(guesses) > np.array(last)) < 0.05
    assert np.mean(np.array(guesses) > 0.8 * np.array(last)) > 0.95


def test_without_samples_or_for_few_nothing_is_guessed() -> None:
    postings, soundings = postings_of(2, [ROWS]), Soundings()
    assert soundings.depth(postings, 5, 300, 0.08) == 0.08
    soundings.prepare(postings.segments)
    assert soundings.depth(postings, 5, 300, 0.08) > 0.08
    assert soundings.depth(postings, 5, EVERY // 2, 0.08) == 0.08
    other = postings_of(4, [ROWS])  # a snapshot whose segments are others by now
    assert soundings.depth(other, 5, 300, 0.08) == 0.08


def test_a_row_does_not_count_as_its_own_neighbour() -> None:
    postings, soundings = postings_of(5, [400, 1_100]), Soundings()
    soundings.prepare(postings.segments)
    for row in (0, EVERY, 400 + EVERY):
        assert soundings.depth(postings, row, EVERY, 0.08) < 0.999
