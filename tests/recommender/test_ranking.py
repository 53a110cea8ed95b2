"""The algebra of a ranking: permutations, sums, weights, pins, caps."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from data.values import FloatArray
from recommender.ranking import Candidates, Likeness, Options, Placement, Query, by_score, rank, score
from recommender.signals import SIGNALS

PLAIN = Options(diversity=0.0, source_cap=99, story_cap=99)
seeds = st.integers(0, 10_000)
limits = st.integers(0, 30)


class Alike(Likeness):
    """Cosines from a matrix."""

    def __init__(self, cosine: FloatArray) -> None:
        self.cosine = cosine

    def among(self, rows: NDArray[np.intp]) -> Callable[[int], FloatArray]:
        return lambda one: self.cosine[rows[one], rows]


def candidates(seed: int, count: int = 25) -> Candidates:
    """Random ones, coarse enough that ties occur; none is the same text as another."""
    random = np.random.default_rng(seed)
    cosine = 0.8 * random.random((count, count)).astype(np.float32)
    return Candidates(
        random.permutation(count).astype(np.int64) + 1,
        random.integers(0, 5, count),
        random.integers(0, 5, count),
        random.integers(0, 9, count),
        random.integers(0, 3, (count, 8)).astype(np.float32) / 2,
        Alike((cosine + cosine.T) / 2),
    )


def only(whole: Candidates, rows: NDArray[np.intp]) -> Candidates:
    arrays = (whole.id, whole.published_at_us, whole.source_id, whole.story_id, whole.S)
    return Candidates(*(values[rows] for values in arrays))


def weights(seed: int) -> dict[str, float]:
    return dict(zip(SIGNALS, np.random.default_rng(seed).integers(0, 5, 8) / 4, strict=True))


def placement(seed: int, count: int = 25) -> Placement:
    random = np.random.default_rng(seed)
    chosen = random.permutation(count)
    pins = {int(one): int(slot) for one, slot in zip(chosen[:3], random.integers(1, 4, 3), strict=True)}
    must = frozenset(map(int, chosen[3 : 3 + random.integers(0, 4)]))
    return Placement(random.uniform(-0.3, 0.3, count).astype(np.float32), pins, must)


@given(seeds, limits)
def test_the_order_is_a_permutation_whatever_the_rules(seed: int, limit: int) -> None:
    found = rank(Query(weights(seed), limit), candidates(seed), placement(seed))
    assert sorted(found.order.tolist()) == list(range(25))
    assert found.served <= min(limit, 25)


@given(seeds)
def test_parts_and_the_desk_sum_to_the_score(seed: int) -> None:
    found = rank(Query(weights(seed), 10), candidates(seed), placement(seed))
    np.testing.assert_allclose(found.parts.sum(axis=1) + found.adjust, found.score, atol=1e-6)


@given(seeds, st.sampled_from(SIGNALS), st.floats(0, 3))
def test_raising_a_weight_never_lowers_the_best_in_its_signal(seed: int, signal: str, more: float) -> None:
    given_candidates, old = candidates(seed), weights(seed)
    column = given_candidates.S[:, SIGNALS.index(signal)]
    new = old | {signal: old[signal] + more}
    before, after = (rank(Query(one, 25, PLAIN), given_candidates) for one in (old, new))
    for best in np.flatnonzero(column == column.max()):
        # Those that share the greatest value rise together, so the tie order among them stays.
        assert np.flatnonzero(after.order == best)[0] <= np.flatnonzero(before.order == best)[0]


@given(seeds, seeds)
def test_pins_hold_for_every_weight_set(seed: int, other: int) -> None:
    pins = placement(seed).pinned
    slots = sorted(set(pins.values()))
    for used in (weights(seed), weights(other), {}):
        found = rank(Query(used, 10), candidates(seed), placement(seed))
        pinned_at = {int(one): place for place, one in enumerate(found.order, 1) if int(one) in pins}
        assert set(pinned_at) == set(pins)
        assert set(slots) <= set(pinned_at.values())  # two pins of one slot: the second stands just below
        assert all(found.held[one] == "pin" for one in pins)
        first_of = {slot: one for one, slot in reversed(list(pins.items()))}
        assert all(pinned_at[one] == slot for slot, one in first_of.items() if _is_free(pins, one, slot))


def _is_free(pins: dict[int, int], one: int, slot: int) -> bool:
    """Whether no earlier pin was pushed down onto the slot."""
    earlier = list(pins)[: list(pins).index(one)]
    return all(pins[other] > slot for other in earlier)


@given(seeds, limits)
def test_must_show_stands_high_enough(seed: int, limit: int) -> None:
    placed = replace(placement(seed), pinned={})
    found = rank(Query(weights(seed), limit), candidates(seed), placed)
    within = found.order[: min(limit, Options().must_show_within)].tolist()
    assert len(placed.must_show & set(within)) == min(len(placed.must_show), len(within))


@given(seeds)
def test_leaving_one_out_moves_no_other_past_another(seed: int) -> None:
    """A block is exactly its target: the rest keep their order (diversity aside)."""
    whole = candidates(seed)
    before = rank(Query(weights(seed), 25, PLAIN), whole).order
    kept = np.delete(np.arange(25), seed % 25)
    after = kept[rank(Query(weights(seed), 25, PLAIN), only(whole, kept)).order]
    assert after.tolist() == [one for one in before.tolist() if one != seed % 25]


@given(seeds)
def test_batch_and_scalar_agree(seed: int) -> None:
    S = np.stack([candidates(seed + i).S for i in range(4)])
    together = score(S, weights(seed))
    for one, alone in zip(S, together, strict=True):
        np.testing.assert_allclose(score(one, weights(seed)), alone, atol=1e-6)


@given(seeds, st.integers(1, 12), st.integers(1, 12))
def test_a_longer_list_continues_the_shorter(seed: int, short: int, more: int) -> None:
    """What a second page rests on: the first places do not depend on how many were asked for."""
    one, other = (rank(Query(weights(seed), limit), candidates(seed)) for limit in (short, short + more))
    assert other.order[: one.served].tolist() == one.order[: one.served].tolist()


@given(seeds, limits)
def test_no_story_twice_and_no_source_too_often_while_others_are_left(seed: int, limit: int) -> None:
    given_candidates = candidates(seed)
    options = Options(span=10, source_cap=2)
    found = rank(Query(weights(seed), limit, options), given_candidates)
    page = found.order[: found.served]
    for start in range(max(1, len(page) - 9)):
        stories = given_candidates.story_id[page[start : start + 10]]
        stories = stories[stories != 0]
        assert len(set(stories.tolist())) == len(stories)
    if found.served < min(limit, 25):  # only further articles of stories just told were left
        left = given_candidates.story_id[found.order[found.served :]]
        assert set(left.tolist()) <= set(given_candidates.story_id[page[-9:]].tolist())


def test_the_source_cap_gives_way_where_only_one_source_is_left() -> None:
    one_source = replace(candidates(1), source_id=np.ones(25, np.int64), story_id=np.zeros(25, np.int64))
    assert rank(Query(weights(1), 20), one_source).served == 20


def test_one_story_filling_the_pool_does_not_empty_the_page() -> None:
    crowd = candidates(3, 300)
    story = np.where(np.arange(300) < 280, 7, np.arange(300))
    S = crowd.S.copy()
    S[:280] = 1.0
    found = rank(Query({"similarity": 1.0}, 10), replace(crowd, story_id=story, S=S))
    assert found.served == 10


def test_likeness_costs_at_most_the_share_the_option_says() -> None:
    """Three equals, two of them twins: the third comes between; with a clear lead it does not."""
    S = np.zeros((3, 8), np.float32)
    S[:, 0] = (0.9, 0.85, 0.8)
    cosine = np.eye(3, dtype=np.float32)
    cosine[0, 1] = cosine[1, 0] = 0.84
    ids, zeros = np.arange(1, 4), np.zeros(3, np.int64)
    made = Candidates(ids, zeros, zeros, zeros, S, Alike(cosine))
    query = Query({"similarity": 1.0}, 3, Options(diversity=0.15))
    assert rank(query, made).order.tolist() == [0, 2, 1]
    assert rank(replace(query, options=Options(diversity=0.04)), made).order.tolist() == [0, 1, 2]


def test_the_same_text_comes_once_and_after_the_list() -> None:
    S = np.zeros((3, 8), np.float32)
    S[:, 0] = (0.9, 0.89, 0.1)
    cosine = np.eye(3, dtype=np.float32)
    cosine[0, 1] = cosine[1, 0] = 0.9
    ids, zeros = np.arange(1, 4), np.zeros(3, np.int64)
    found = rank(Query({"similarity": 1.0}, 3), Candidates(ids, zeros, zeros, zeros, S, Alike(cosine)))
    assert (found.order.tolist(), found.served) == ([0, 2, 1], 2)


@given(seeds, limits)
def test_a_later_tier_comes_only_where_the_earlier_does_not_fill_the_places(seed: int, limit: int) -> None:
    whole = candidates(seed)
    tier = np.random.default_rng(seed).integers(0, 2, 25).astype(np.int8)
    found = rank(Query(weights(seed), limit, PLAIN), replace(whole, tier=tier))
    assert np.all(np.diff(tier[found.order]) >= 0)
    alone = rank(Query(weights(seed), limit, PLAIN), only(whole, np.flatnonzero(tier == 0)))
    assert np.flatnonzero(tier == 0)[alone.order].tolist() == found.order[: len(alone.order)].tolist()


def test_ties_go_to_the_newer_then_to_the_smaller_id() -> None:
    scores = np.array([0.5, 0.5, 0.5, 0.5 + 1e-9, 0.7], np.float32)
    assert by_score(scores, np.array([1, 2, 2, 1, 0]), np.array([9, 8, 7, 5, 1])).tolist() == [4, 2, 1, 3, 0]


def test_options_take_known_names_and_keep_their_kind() -> None:
    made = Options.of({"source_cap": 2.0, "diversity": 0.5, "charm": 1.0})
    assert (made.source_cap, made.diversity, made.span) == (2, 0.5, 10)
    assert isinstance(made.source_cap, int)


@pytest.mark.parametrize("limit", [0, 5])
def test_nothing_to_rank_is_an_empty_list(limit: int) -> None:
    none = only(candidates(1), np.zeros(0, np.intp))
    found = rank(Query(weights(1), limit), none)
    assert (found.order.tolist(), found.served) == ([], 0)
