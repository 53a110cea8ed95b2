"""Compiled diversity places what the plain loop places, with texts and with a matrix of cosines."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import sparse

from recommender.mmr import MUST_SHOW, PIN, STEP, Alike, Caps, Pool, fill
from recommender.packed import Packed
from recommender.signals import closeness
from recommender.subject import SUBJECT
from recommender.vectors import Vectors, similarity


def fill_slowly(pool: Pool, k: int, most: float, caps: Caps) -> list[tuple[int, int]]:
    """(candidate, why) of each place, as one would write it."""
    n = len(pool.value)
    penalty, chosen, waiting = np.zeros(n), list[tuple[int, int]](), dict(pool.slots)
    out = np.zeros(n, bool)
    must = np.zeros(n, bool) if pool.must is None else pool.must
    tier = np.zeros(n, np.int8) if pool.tier is None else pool.tier
    matrix = None if pool.alike is None else pool.alike.matrix
    within = min(caps.must_show_within, k)
    for place in range(1, k + 1):
        recent = [one for one, _ in chosen[-(caps.span - 1) :]] if caps.span > 1 else []
        free = [one for one in range(n) if not out[one] and one not in waiting.values()]
        musts = [one for one in free if must[one]]
        left = within - place + 1 - sum(place < slot <= within for slot in waiting)
        told = [*recent, *waiting.values()]
        roomy = [one for one in free if room(pool.story, told, one, caps.story)]
        roomy = [one for one in roomy if tier[one] == min(tier[other] for other in roomy)]
        spread = [one for one in roomy if room(pool.source, recent, one, caps.source)]
        if place in waiting:
            pick, why = waiting.pop(place), PIN
        elif musts and left <= len(musts):
            pick, why = best(pool, penalty, musts), MUST_SHOW
        elif spread or roomy:
            pick, why = best(pool, penalty, spread or roomy), 0
        else:
            break
        chosen.append((pick, why))
        out[pick] = True
        if matrix is not None:
            penalty = np.maximum(penalty, most * closeness(matrix[pick]))
            out |= (matrix[pick] >= np.float32(caps.same)) & ~must
    return chosen + [(waiting[slot], PIN) for slot in sorted(waiting)]


def room(groups: NDArray[np.int64], others: list[int], one: int, cap: int) -> bool:
    return bool(groups[one] == 0 or sum(groups[other] == groups[one] for other in others) < cap)


def best(pool: Pool, penalty: NDArray[np.float64], some: list[int]) -> int:
    steps = np.round((pool.value - penalty) / STEP)
    return max(some, key=lambda one: (steps[one], -one))


def vectors(seed: int, n: int) -> Vectors:
    """Random texts, some without words, some without a direction, a few of them equal."""
    random = np.random.RandomState(seed)
    words = sparse.random(n, 30, 0.2, format="csr", dtype=np.float32, random_state=random)
    lengths = np.sqrt(np.asarray(words.multiply(words).sum(axis=1)).ravel())
    words = sparse.csr_matrix(sparse.diags(1 / np.where(lengths > 0, lengths, 1)) @ words, dtype=np.float32)
    dense = random.randn(n, 5).astype(np.float32)
    dense /= np.maximum(np.linalg.norm(dense, axis=1, keepdims=True), 1e-9)
    dense[random.rand(n) < 0.1] = 0
    dense = dense.astype(np.float16).astype(np.float32)
    kept = random.randint(0, max(n, 1), n) if n and seed % 3 == 0 else np.arange(n)
    return Vectors(words, sparse.csr_matrix((n, 4), dtype=np.float32), dense).rows(kept)


@st.composite
def pools(draw: st.DrawFn) -> Pool:
    n, seed = draw(st.integers(0, 40)), draw(st.integers(0, 10_000))
    rng = np.random.default_rng(seed)
    levels, groups = draw(st.sampled_from([1, 4, 1000])), draw(st.sampled_from([1, 2, 12]))
    tier = rng.integers(0, 2, n).astype(np.int8) if draw(st.booleans()) else None
    value = rng.integers(0, levels, n) / levels
    order = np.lexsort((-value, np.zeros(n) if tier is None else tier))
    pinned = rng.permutation(n)[: draw(st.integers(0, 3))]
    places = rng.permutation(draw(st.integers(3, 8)))[: len(pinned)] + 1
    must = rng.random(n) < draw(st.sampled_from([0.0, 0.2]))
    must[pinned] = False
    return Pool(
        value[order],
        rng.integers(0, groups, n),
        rng.integers(0, 2 * groups, n),
        Alike(matrix=similarity(vectors(seed, n), vectors(seed, n), SUBJECT)),
        None if tier is None else tier[order],
        must,
        dict(zip(places.tolist(), pinned.tolist(), strict=True)),
    )


def listed(pool: Pool, k: int, most: float, caps: Caps) -> list[tuple[int, int]]:
    pool = replace(pool, slots={place: one for place, one in pool.slots.items() if place <= k})
    chosen, why = fill(pool, k, most, caps)
    assert list(zip(chosen.tolist(), why.tolist(), strict=True)) == fill_slowly(pool, k, most, caps)
    return list(zip(chosen.tolist(), why.tolist(), strict=True))


most_of = st.sampled_from([0.0, 0.15, 2.0])
caps_of = st.builds(
    Caps, st.integers(0, 3), st.integers(0, 3), st.integers(0, 12), st.integers(0, 6), st.sampled_from([0.5, 0.85, 9.0])
)


@settings(max_examples=300, deadline=None)
@given(pools(), st.integers(0, 25), most_of, caps_of)
def test_the_compiled_loop_equals_the_plain_one(pool: Pool, k: int, most: float, caps: Caps) -> None:
    k = min(k, len(pool.value))
    listed(pool, k, most, caps)
    listed(replace(pool, alike=None), k, most, caps)


@settings(max_examples=100, deadline=None)
@given(pools(), st.integers(0, 10_000), st.integers(2, 25), most_of, caps_of)
def test_texts_place_what_their_cosines_place(pool: Pool, seed: int, k: int, most: float, caps: Caps) -> None:
    """Up to the last bits of a cosine: the values are far from the edge of a step."""
    n = len(pool.value)
    texts, k = vectors(seed, n), min(k, n)
    packed, slots = Packed.of(texts.rows(np.arange(n)[::-1])), np.arange(n)[::-1]
    cosine = packed.among(slots, slots)
    np.testing.assert_allclose(cosine, similarity(texts, texts, SUBJECT), atol=2e-6)
    near_same = np.abs(cosine - caps.same).min(initial=1.0) < 1e-5
    pool = replace(pool, slots={place: one for place, one in pool.slots.items() if place <= k})
    by_matrix, _ = fill(replace(pool, alike=Alike(matrix=cosine)), k, most, caps)
    by_texts, _ = fill(replace(pool, alike=Alike(packed=packed, slots=slots)), k, most, caps)
    gaps = np.abs((pool.value / STEP) % 1 - 0.5)
    if not near_same and most == 0.0 and gaps.min(initial=1.0) > 0.01:
        assert by_texts.tolist() == by_matrix.tolist()
    assert len(by_texts) == len(by_matrix) or near_same
    again, _ = fill(replace(pool, alike=Alike(packed=packed, slots=slots)), k, most, caps)
    assert again.tolist() == by_texts.tolist()  # nothing is left behind in the scratch


def matrix(*pairs: tuple[int, int, float], n: int) -> Alike:
    cosine = np.eye(n, dtype=np.float32)
    for one, other, value in pairs:
        cosine[one, other] = cosine[other, one] = value
    return Alike(matrix=cosine)


def test_a_double_gives_way_to_something_else() -> None:
    none = np.zeros(3, np.int64)
    one = Pool(np.array([1.0, 0.95, 0.9]), none, none, matrix((0, 1, 0.9), n=3))
    assert fill(one, 3, 0.5, Caps())[0].tolist() == [0, 2, 1]
    assert fill(one, 3, 0.0, Caps())[0].tolist() == [0, 1, 2]
    assert fill(one, 3, 0.0, Caps(same=0.9))[0].tolist() == [0, 2]


def test_a_full_story_never_follows_and_a_full_source_only_when_nothing_else_is_left() -> None:
    value, none = np.array([1.0, 0.9, 0.8, 0.7]), np.zeros(4, np.int64)
    same_story = Pool(value, none, np.array([7, 7, 8, 7]))
    assert fill(same_story, 4, 0.1, Caps(span=10))[0].tolist() == [0, 2]
    same_source = Pool(value, np.array([5, 5, 5, 6]), none)
    assert fill(same_source, 4, 0.1, Caps(source=1))[0].tolist() == [0, 3, 1, 2]


@pytest.mark.parametrize("within", [1, 2, 3])
def test_a_must_show_waits_no_longer_than_it_may(within: int) -> None:
    value, none = np.array([1.0, 0.9, 0.8, 0.1]), np.zeros(4, np.int64)
    pool = Pool(value, none, none, must=np.array([False, False, False, True]))
    chosen, why = fill(pool, 4, 0.0, Caps(must_show_within=within))
    assert chosen.tolist().index(3) == within - 1
    assert why[within - 1] == MUST_SHOW
