"""The compiled heart of a plan: for each reader the best candidate left, or why none is.

One reader at a time, all scratch reset behind it, so a reader ends the same alone and in any block. Candidates stand
in blocks of LANES by what they are worth to everybody; a block is looked at only while its bound can still win.
"""
# mypy: disable-error-code="call-arg"

from typing import Any

import numba as nb
import numpy as np

from recommender.postings.intrinsics import prefetch, widened
from recommender.push_similarity import LANES
from recommender.push_words import WORDS, ask_ahead, word_length
from recommender.ranking import SCORE_STEP
from recommender.signals import HALF_CLOSE
from recommender.subject import SUBJECT

MARGIN = np.float32(1e-5)  # float32 sums may pass a bound by less than this
FULL_SHARE = np.float32(0.8)  # of a similarity that texts make, where many reads stand behind it
NOTHING_NEW, ALREADY_READ, ALREADY_TOLD = np.int8(10), np.int8(7), np.int8(8)  # push.Verdict
_RANK = np.array([0, 0, 0, 0, 0, 0, 0, 2, 3, 0, 1], np.int8)  # by verdict: the later the check, the higher
READS_OF_A_LANGUAGE = 2  # one may be a slip of the finger
_STEP, _HALF = float(SCORE_STEP), np.float32(HALF_CLOSE)
WORD_SHARE, DENSE_SHARE = np.float32(SUBJECT.words), np.float32(SUBJECT.dense)
AFFINITY_PRIOR = np.float32(2.0)


def _in(dtype: Any, ndim: int = 1) -> Any:
    return nb.types.Array(dtype, ndim, "C", readonly=True)


_types: Any = nb.types
_I8, _I32, _I64, _F32, _U8 = (_in(one) for one in (nb.int8, nb.int32, nb.int64, nb.float32, nb.uint8))
_JIT: Any = {"cache": True, "nogil": True, "fastmath": {"contract"}}
_SUM: Any = {"cache": True, "nogil": True, "fastmath": {"contract", "reassoc"}}


@nb.njit(nb.void(_I8, _I64, _F32, nb.int64, nb.float64, _in(nb.float64), nb.float32[::1]), **_JIT)
def weigh(kind, at_us, dwell_s, now_us, half_life_us, of_kind, weight):  # type: ignore[no-untyped-def]
    """How much each event counts at `now_us`, as `profile.read_matrix` says, into weight (events,)."""
    for event in range(len(kind)):
        if at_us[event] > now_us:
            weight[event] = 0
            continue
        dwell = dwell_s[event] / 30.0
        glance = 1.0 if np.isnan(dwell) else 0.5 + 0.5 * min(max(dwell, 0.0), 1.0)
        weight[event] = of_kind[kind[event]] * glance * 0.5 ** ((now_us - at_us[event]) / half_life_us)


@nb.njit(nb.int64(nb.int64, nb.int64, _I32, _F32, nb.float32[::1], nb.int32[::1], nb.float32[::1]), **_JIT)
def _reads(first, last, place, weight, best, reads, h):  # type: ignore[no-untyped-def]
    """The places read and how much each counts: its strongest event. Returns how many."""
    count = 0
    for event in range(first, last):
        at, mine = place[event], weight[event]
        if at >= 0 and mine > 0:
            if best[at] == 0:
                reads[count] = at
                count += 1
            best[at] = max(best[at], mine)
    for k in range(count):
        h[k] = best[reads[k]]
        best[reads[k]] = 0
    return count


@nb.njit(nb.float64(nb.int64, _I32, _F32, _in(nb.uint16, 2), nb.float32[::1]), **_SUM)
def _dense_length(count, reads, h, dense, total):  # type: ignore[no-untyped-def]
    """Length of the sum of dense rows, given as the bits of float16."""
    total[:] = 0
    for k in range(count):
        row, weight = reads[k], h[k]
        for column in range(len(total)):
            total[column] += weight * widened(dense[row, column])
    square = np.float32(0)
    for column in range(len(total)):
        square += total[column] * total[column]
    return np.sqrt(square)


def _arrays(*kinds: Any) -> Any:
    """A tuple of writable arrays, each (dtype, axes)."""
    return _types.Tuple([nb.types.Array(dtype, ndim, "C") for dtype, ndim in kinds])


_i8, _i32, _i64, _f32, _u8 = ((one, 1) for one in (nb.int8, nb.int32, nb.int64, nb.float32, nb.uint8))
# verdict, instant, own language; reads: starts, place, kind, weight; alerts: starts, story, update; followed and muted
# items: starts, item
READERS = _arrays(_i8, _i64, _i32, _i64, _i32, _i8, _f32, _i64, _i32, _i64, _i64, _i32, _i64, _i32)
# worth to everybody, trust, category, source, story, update, published, language, rank among equals, 1 / views present
CANDIDATES = _arrays(_f32, _f32, _i32, _i32, _i32, _i64, _i64, _i32, _i64, (nb.float32, 2))
BOUNDS = _arrays(_f32, _f32, (nb.float32, 2))  # by block: most worth, most trust, most of 1 / views present
ITEMS = _arrays(_i64, _i32)  # starts, positions of the candidates an item names
# by place: S, most of S by block, packed words, dense, (category, source, story, language)
READS = _types.Tuple(
    [*_arrays((nb.float32, 4), (nb.float32, 3)).types, WORDS, *_arrays((nb.uint16, 2), (nb.int32, 2)).types]
)
# by place: best; reads, how much each counts; by term, by direction; by category, by source; by story: read, told;
# by language; by candidate: followed, muted; by block: bound; sums of a block
SCRATCH = _arrays(_f32, _i32, _f32, _f32, _f32, _f32, _f32, _u8, _i64, _i32, _f32, _f32, _f32, (nb.float32, 2))
FOUND = _arrays(_i8, _i64, _f32, (nb.float32, 2))  # verdict, chosen, score, (similarity, source, breadth)
PROFILE = _types.Tuple([nb.int64, *[nb.float32] * 7, nb.int64])
WEIGHTS = _types.UniTuple(nb.float32, 3)  # of similarity, source, breadth


@nb.njit(nb.void(nb.int64, nb.int64, nb.int32[::1], ITEMS, nb.float32[::1], nb.float32), **_JIT)
def _spread(first, last, named, items, marks, mark):  # type: ignore[no-untyped-def]
    """Set the marks of the candidates that the named items are about."""
    starts, positions = items
    for one in range(first, last):
        for at in range(starts[named[one]], starts[named[one] + 1]):
            marks[positions[at]] = mark


@nb.njit(nb.void(nb.int64, READERS, READS, ITEMS, _U8, nb.boolean, SCRATCH), **_JIT)
def _mark(reader, readers, tables, items, is_read, is_set, scratch):  # type: ignore[no-untyped-def]
    """What the reader knows, speaks, follows and does not want, set before judging and cleared behind it."""
    _, _, _, starts, place, kind, _, told_starts, told_story, update, follows, followed, mutes, muted = readers
    facts = tables[4]
    read, told, spoken = scratch[7], scratch[8], scratch[9]
    for event in range(starts[reader], starts[reader + 1]):
        at = place[event]
        if at >= 0 and is_read[kind[event]]:
            spoken[facts[at, 3]] = spoken[facts[at, 3]] + 1 if is_set else 0
            read[facts[at, 2]] = is_set
    for alert in range(told_starts[reader], told_starts[reader + 1]):
        one = told_story[alert]
        told[one] = max(told[one], update[alert]) if is_set else -1
    mark = np.float32(1 if is_set else 0)
    _spread(follows[reader], follows[reader + 1], followed, items, scratch[10], mark)
    _spread(mutes[reader], mutes[reader + 1], muted, items, scratch[11], mark)


@nb.njit(_types.UniTuple(nb.float32, 3)(nb.int64, READS, SCRATCH), **_JIT)
def _tastes(count, tables, scratch):  # type: ignore[no-untyped-def]
    """Weight of the reads by category and by source; of all, of the favourite category, of the favourite source."""
    facts, reads, h, liked, outlet = tables[4], scratch[1], scratch[2], scratch[5], scratch[6]
    evidence, favourite, paper = np.float32(0), np.float32(0), np.float32(0)
    for k in range(count):
        category, source = facts[reads[k], 0], facts[reads[k], 1]
        evidence += h[k]
        liked[category] += h[k]
        outlet[source] += h[k]
        favourite, paper = max(favourite, liked[category]), max(paper, outlet[source])
    return evidence, favourite, paper


@nb.njit(nb.void(nb.int64, nb.int32[::1], READS), **_JIT)
def _ask(count, reads, tables):  # type: ignore[no-untyped-def]
    """Have what the articles read are and the highest of each block on their way from memory meanwhile."""
    top, facts = tables[1], tables[4].reshape(-1)
    flat, width = top.reshape(-1), top.shape[1] * top.shape[2]
    ask_ahead(count, reads, tables[2])
    for k in range(count):
        prefetch(facts, 4 * np.int64(reads[k]))
    for k in range(count):
        for line in range(0, width, 16):
            prefetch(flat, reads[k] * width + line)


@nb.njit(PROFILE(nb.int64, READERS, READS, SCRATCH), **_JIT)
def _profile(reader, readers, tables, scratch):  # type: ignore[no-untyped-def]
    """How many reads; factors of words and directions; share of texts; 1 / evidence, 1 / favourite; paper; topics."""
    best, reads, h, sums, total = scratch[0], scratch[1], scratch[2], scratch[3], scratch[4]
    count = _reads(readers[3][reader], readers[3][reader + 1], readers[4], readers[6], best, reads, h)
    _ask(count, reads, tables)
    evidence, favourite, paper = _tastes(count, tables, scratch)
    words = word_length(count, reads, h, tables[2], sums)
    deep = _dense_length(count, reads, h, tables[3], total) if len(total) else 0.0
    a = WORD_SHARE / np.float32(words) if words > 0 else np.float32(0)
    b = DENSE_SHARE / np.float32(deep) if deep > 1e-9 else np.float32(0)
    share = FULL_SHARE - FULL_SHARE / (evidence + np.float32(1))
    known = np.float32(1) / max(evidence, np.float32(1e-9))
    drawn = np.float32(1) / max(favourite, np.float32(1e-9))
    follows = readers[10][reader + 1] > readers[10][reader]
    topic = np.float32(1 if count or follows else 0)
    return count, a, b, share, known, drawn, paper, topic, np.int64(words > 0) + 2 * np.int64(deep > 0)


@nb.njit(nb.float32(nb.float32, nb.float32, nb.float32), **_JIT)
def _similarity(cosine, topic, share):  # type: ignore[no-untyped-def]
    """`signals.similarity` of one pair; `share` is what texts make of it."""
    bounded = min(max(cosine, np.float32(0)), np.float32(1))
    close = (np.float32(1) + _HALF) * bounded / (bounded + _HALF)
    return min(max(share * close + (np.float32(1) - share) * topic, np.float32(0)), np.float32(1))


@nb.njit(nb.void(PROFILE, READS, BOUNDS, WEIGHTS, SCRATCH), **_JIT)
def _bound(profile, tables, bounds, weights, scratch):  # type: ignore[no-untyped-def]
    """What the best candidate of every block can reach at most."""
    count, a, b, share, _, _, _, topic, views = profile
    (base, trust, inverse), top = bounds, tables[1]
    reads, h, bound = scratch[1], scratch[2], scratch[12]
    bound[:] = 0
    for k in range(count):
        row, wide, deep = reads[k], a * h[k], b * h[k]
        for block in range(len(bound)):
            bound[block] += wide * top[row, 0, block]
        if deep:
            for block in range(len(bound)):
                bound[block] += deep * top[row, 1, block]
    zero = np.float32(0)
    for block in range(len(bound)):
        closest = _similarity(bound[block] * inverse[views, block], topic, share)
        liked = max(weights[1] * trust[block], zero) + max(weights[2], zero)
        bound[block] = base[block] + max(weights[0] * closest, zero) + liked


@nb.njit(nb.void(nb.int64, PROFILE, READS, CANDIDATES, nb.int32, SCRATCH), **_JIT)
def _signals(block, profile, tables, candidates, blank, scratch):  # type: ignore[no-untyped-def]
    """Similarity, source and breadth of the block's candidates, into rows 0 to 2 of the sums."""
    count, a, b, share, known, drawn, paper, _, views = profile
    _, trust, category, source, _, _, _, _, _, inverse = candidates
    S, reads, h, liked, outlet = tables[0], scratch[1], scratch[2], scratch[5], scratch[6]
    followed, sums = scratch[10], scratch[13]
    sums[:] = 0
    for k in range(count):
        row, weight = reads[k], h[k]
        for lane in range(LANES):
            sums[0, lane] += weight * S[block, row, 0, lane]
        if b:
            for lane in range(LANES):
                sums[1, lane] += weight * S[block, row, 1, lane]
    one = np.float32(1)
    for lane in range(LANES):
        at = block * LANES + lane
        mine = liked[category[at]]
        topic = max(np.float32(0) if category[at] == blank else mine * drawn, followed[at])
        cosine = (a * sums[0, lane] + b * sums[1, lane]) * inverse[views, at]
        sums[0, lane] = _similarity(cosine, topic, share)
        affinity = (outlet[source[at]] if source[at] else np.float32(0)) + AFFINITY_PRIOR / 2
        sums[1, lane] = trust[at] * (affinity / (paper + AFFINITY_PRIOR))
        sums[2, lane] = one - mine * known if count else np.float32(0)


@nb.njit(nb.int8(nb.int64, nb.int64, READERS, CANDIDATES, nb.int64, SCRATCH), **_JIT)
def _stands(at, reader, readers, candidates, window_us, scratch):  # type: ignore[no-untyped-def]
    """What keeps the candidate from the reader: NOTHING_NEW, ALREADY_READ, ALREADY_TOLD, or 0."""
    story, published, language = candidates[4][at], candidates[6][at], candidates[7][at]
    now = readers[1][reader]
    if published > now or published <= now - window_us or scratch[11][at] > 0:
        return NOTHING_NEW
    if language != readers[2][reader] and scratch[9][language] < READS_OF_A_LANGUAGE:
        return NOTHING_NEW
    if scratch[7][story]:
        return ALREADY_READ
    return ALREADY_TOLD if scratch[8][story] >= candidates[5][at] else np.int8(0)


@nb.njit(nb.int8(nb.int8, nb.int8), **_JIT)
def _later(reason, other):  # type: ignore[no-untyped-def]
    """The one of two checks that comes later."""
    return reason if _RANK[reason] >= _RANK[other] else other


@nb.njit(nb.int64(nb.float32[::1]), **_JIT)
def _highest(bound):  # type: ignore[no-untyped-def]
    best = 0
    for block in range(1, len(bound)):
        if bound[block] > bound[best]:
            best = block
    return best


@nb.njit(nb.int64(nb.float32[::1], nb.float32[:, ::1], WEIGHTS), **_JIT)
def _total(base, sums, weights):  # type: ignore[no-untyped-def]
    """Scores of the block's candidates from their signals, into row 3 of the sums."""
    for lane in range(LANES):
        sums[3, lane] = (
            base[lane] + weights[0] * sums[0, lane] + weights[1] * sums[1, lane] + weights[2] * sums[2, lane]
        )
    return 0


@nb.njit(nb.int8(nb.int64, PROFILE, READERS, READS, CANDIDATES, WEIGHTS, nb.int32, nb.int64, SCRATCH, FOUND), **_JIT)
def _choose(reader, profile, readers, tables, candidates, weights, blank, window_us, scratch, found):  # type: ignore[no-untyped-def]
    """The best candidate left, into `found`; returns 0, or why there is none: the check the furthest one failed."""
    base, order, bound, sums = candidates[0], candidates[8], scratch[12], scratch[13]
    best, best_step, reason, none = np.float32(-np.inf), -np.inf, NOTHING_NEW, np.float32(-np.inf)
    for _ in range(len(bound)):
        block = _highest(bound)
        if bound[block] + MARGIN < best:
            break
        bound[block] = none
        _signals(block, profile, tables, candidates, blank, scratch)
        _total(base[block * LANES : (block + 1) * LANES], sums, weights)
        while True:
            lane = _highest(sums[3])
            total, at = sums[3, lane], block * LANES + lane
            if total + MARGIN < best or total == none:
                break
            sums[3, lane] = none
            fails = _stands(at, reader, readers, candidates, window_us, scratch)
            if fails:
                reason = _later(reason, fails)
                continue
            step = np.round(np.float64(total) / _STEP)
            if step > best_step or (step == best_step and order[at] < found[1][reader]):
                best, best_step = max(best, total), step
                found[1][reader], found[2][reader] = order[at], total
                for one in range(3):
                    found[3][reader, one] = sums[one, lane]
    return np.int8(0) if best > none else reason


@nb.njit(nb.void(nb.int64, READS, SCRATCH), **_JIT)
def _forget(count, tables, scratch):  # type: ignore[no-untyped-def]
    facts, reads, liked, outlet = tables[4], scratch[1], scratch[5], scratch[6]
    for k in range(count):
        liked[facts[reads[k], 0]] = 0
        outlet[facts[reads[k], 1]] = 0


@nb.njit(nb.void(READERS, CANDIDATES, BOUNDS, ITEMS, READS, WEIGHTS, _U8, nb.int32, nb.int64, SCRATCH, FOUND), **_JIT)
def judge(readers, candidates, bounds, items, tables, weights, is_read, blank, window_us, scratch, found):  # type: ignore[no-untyped-def]
    """Judge the readers whose verdict is 0 so far: verdict, chosen, score and signals go into `found`."""
    for reader in range(len(readers[0])):
        if readers[0][reader] == 0:
            _mark(reader, readers, tables, items, is_read, True, scratch)
            profile = _profile(reader, readers, tables, scratch)
            _bound(profile, tables, bounds, weights, scratch)
            found[0][reader] = _choose(
                reader, profile, readers, tables, candidates, weights, blank, window_us, scratch, found
            )
            _forget(profile[0], tables, scratch)
            _mark(reader, readers, tables, items, is_read, False, scratch)


@nb.njit(_types.UniTuple(nb.float64, 4)(), **_JIT)
def compiled_for():  # type: ignore[no-untyped-def]
    """What of other files is part of the compiled code: a cache made for other values must not be used."""
    return float(LANES), float(_HALF), float(WORD_SHARE), float(DENSE_SHARE)
