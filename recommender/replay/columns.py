"""The features of a candidate by name, and the kernels that write them. Each name says to an editor what it is."""

# mypy: disable-error-code="no-untyped-def, no-untyped-call, misc"

import numba as nb
import numpy as np

from recommender.replay.counters import (
    CLICKS,
    EXPECTED,
    FACE_LIFE_H,
    HALF_LIVES_H,
    LIVES,
    READS,
    RING,
    SHOWN,
    age_kind,
    published_of,
)
from recommender.replay.log import HOUR_US, Log
from recommender.replay.own import SESSION_US
from recommender.replay.tables import slot_of

NEVER_H = 24.0 * 14
PRIOR_CLICKS = 1.0  # of expected clicks: how much is needed to leave the usual
PRIOR_SHOWN = 20.0
USUAL_RATE = 0.1
GROUP_LIFE = 4  # of HALF_LIVES_H
COMMON = 3.0  # readers that co-reads are shrunk by
_LIFE_NAMES = tuple(f"{hours:g}h" for hours in HALF_LIVES_H)


def candidate_names(log: Log) -> tuple[str, ...]:
    """Features that differ between the candidates of a slate."""
    counted = [
        f"{kind}_{life}"
        for life in _LIFE_NAMES
        for kind in ("reads", "clicks", "shown", "lift", "click_rate", "prominence")
    ]
    return (
        *counted, "quality_slow", "quality_fast", "trend_reads", "trend_shown",
        "lift_on_page", "shown_on_page", "page_share",
        "hours_since_read", "hours_since_click", "hours_since_shown", "hours_since_first", "age",
        *(f"{group}_lift" for group in log.group_names),
        "coread", "coread_top", "coread_beside",
        "shown_before", "hours_since_shown_to_reader", "opened_before", "hours_since_opened", "in_last_slate",
        "shown_this_visit", *(f"{group}_liking" for group in log.group_names), "age_liking",
        "gap_to_beside", "newness", *log.fact_names,
    )  # fmt: skip


CONTEXT = (
    "slate_size", "hour", "weekday", "device", "beside_article", "reader_reads", "slates_this_visit",
    "hours_since_visit", "reader_taste_age",
)  # fmt: skip


@nb.njit(nogil=True)
def write_counts(X, row, counters, item, at):
    """Decayed reads, clicks and exposures at every half-life, their ratios and trends. Gives the next column."""
    gap_h = (at - counters.touched[item]) / HOUR_US
    k = 0
    for life in range(LIVES):
        factor = np.exp2(-gap_h / HALF_LIVES_H[life])
        reads, clicks, shown, expected = (
            counters.heat[item, READS * LIVES + life] * factor,
            counters.heat[item, CLICKS * LIVES + life] * factor,
            counters.heat[item, SHOWN * LIVES + life] * factor,
            counters.heat[item, EXPECTED * LIVES + life] * factor,
        )
        X[row, k], X[row, k + 1], X[row, k + 2] = np.log1p(reads), np.log1p(clicks), np.log1p(shown)
        X[row, k + 3] = np.log((clicks + PRIOR_CLICKS) / (expected + PRIOR_CLICKS))
        X[row, k + 4] = (clicks + PRIOR_SHOWN * USUAL_RATE) / (shown + PRIOR_SHOWN)
        X[row, k + 5] = np.log((expected + 0.1) / (shown + 1.0))
        k += 6
    X[row, k], X[row, k + 1] = counters.quality[item, 0], counters.quality[item, 1]
    X[row, k + 2], X[row, k + 3] = X[row, 12] - X[row, 24], X[row, 14] - X[row, 26]  # an hour against half a day
    return k + 4


@nb.njit(nogil=True)
def write_faces(X, row, k, counters, item, at, beside):
    """How it does on this kind of page, front or beside an article: lift, exposures, the share of its exposures."""
    factor = np.exp2(-(at - counters.faces_touched[item]) / HOUR_US / FACE_LIFE_H)
    mine, other = counters.faces[item, 1 if beside >= 0 else 0], counters.faces[item, 0 if beside >= 0 else 1]
    X[row, k] = np.log((mine[0] * factor + PRIOR_CLICKS) / (mine[1] * factor + PRIOR_CLICKS))
    X[row, k + 1] = np.log1p(mine[2] * factor)
    X[row, k + 2] = np.log((mine[2] * factor + 1.0) / (other[2] * factor + 1.0))
    return k + 3


@nb.njit(nogil=True)
def _hours(at, then):
    """Hours since, squeezed; an instant of 0 is never."""
    if then == 0:
        return np.log1p(NEVER_H)
    return np.log1p(min((at - then) / HOUR_US, NEVER_H))


@nb.njit(nogil=True)
def write_times(X, row, k, counters, articles, clock, item, at):
    """Hours since things happened to an article, its age, and how its groups do."""
    for kind in range(3):
        X[row, k + kind] = _hours(at, counters.last[item, kind])
    X[row, k + 3] = _hours(at, counters.first[item])
    published = published_of(counters, articles, clock, item, at)
    age_h = (at - published) / HOUR_US
    X[row, k + 4] = np.log1p(max(age_h, 0.0))
    k += 5
    for kind in range(len(articles.groups)):
        code = articles.groups[kind, item]
        if code >= 0:
            group = len(counters.first) + code
            factor = np.exp2(-(at - counters.touched[group]) / HOUR_US / HALF_LIVES_H[GROUP_LIFE])
            clicks = counters.heat[group, CLICKS * LIVES + GROUP_LIFE] * factor
            expected = counters.heat[group, EXPECTED * LIVES + GROUP_LIFE] * factor
            X[row, k + kind] = np.log((clicks + 10.0) / (expected + 10.0))
    return k + len(articles.groups)


@nb.njit(nogil=True)
def _together(counters, item, other):
    """Readers of both, as a share of those of either (geometric mean, shrunk)."""
    slot = slot_of(counters.pairs, min(item, other), max(item, other), False)
    if slot < 0:
        return 0.0
    return counters.together[slot] / np.sqrt((counters.readers[item] + COMMON) * (counters.readers[other] + COMMON))


@nb.njit(nogil=True)
def write_coread(X, row, k, counters, own, reader, item, beside):
    """Read together with what the reader read: weighted mean, the greatest, and with the article it stands under."""
    total = weights = top = 0.0
    count = own.rings[reader]
    for back in range(min(count, RING)):
        other = own.ring[reader, (count - 1 - back) % RING]
        weight = 1.0 / (1.0 + 0.3 * back)
        weights += weight
        if other != item:
            found = _together(counters, item, other)
            total += weight * found
            top = max(top, found)
    X[row, k] = total / max(weights, 1.0)
    X[row, k + 1] = top
    X[row, k + 2] = _together(counters, item, beside) if beside >= 0 and beside != item else 0.0
    return k + 3


@nb.njit(nogil=True)
def write_own(X, row, k, own, reader, item, at, visiting):
    """What the reader did with this very article."""
    slot = slot_of(own.keys, reader, item, False)
    if slot < 0:
        X[row, k + 1] = X[row, k + 3] = np.log1p(NEVER_H)
        return k + 6
    X[row, k] = np.log1p(own.shown[slot])
    X[row, k + 1] = _hours(at, own.shown_at[slot])
    X[row, k + 2] = own.opened[slot]
    X[row, k + 3] = _hours(at, own.opened_at[slot])
    if own.shown_at[slot] > 0 and own.shown_at[slot] == own.slate_at[reader]:
        X[row, k + 4] = 1.0
    if visiting and own.visit_of[slot] == own.visits[reader]:
        X[row, k + 5] = own.visit[slot]
    return k + 6


@nb.njit(nogil=True)
def write_taste(X, row, k, counters, articles, clock, own, reader, item, at):
    """How much more the reader reads of the article's groups and age than others do (log ratio, shrunk)."""
    weight, kinds = own.weight[reader], len(articles.groups)
    for kind in range(kinds):
        code = articles.groups[kind, item]
        if code >= 0:
            X[row, k + kind] = np.log((own.groups[reader, code] + 0.5) / (weight + 5.0))
    published = published_of(counters, articles, clock, item, at)
    age = age_kind((at - published) / HOUR_US)
    total = counters.ages.sum() + 60.0
    usual = (counters.ages[age] + 10.0) / total
    X[row, k + kinds] = np.log((own.ages[reader, age] + 5.0 * usual) / (weight + 5.0) / usual)
    return k + kinds + 1


@nb.njit(nogil=True)
def write_facts(X, row, k, articles, clock, item, beside, at):
    """How new its serial number is, against the one it stands under and by the clock alone; then its facts."""
    if beside >= 0 and articles.serial[item] > 0:
        gap = float(articles.serial[item] - articles.serial[beside])
        X[row, k] = np.sign(gap) * np.log1p(abs(gap))
    if articles.serial[item] > 0:
        # Of the newest the straight line says that they are of the future: which of them is the newer still shows.
        hours = (clock[1] + (articles.serial[item] - clock[0]) / clock[2] - at) / HOUR_US
        X[row, k + 1] = np.sign(hours) * np.log1p(abs(hours))
    k += 2
    for fact in range(articles.facts.shape[1]):
        X[row, k + fact] = articles.facts[item, fact]
    return k + articles.facts.shape[1]


@nb.njit(nogil=True)
def write_context(X, first, end, k, own, slates, slate, visiting):
    """What all candidates of a slate share."""
    reader, at = slates.reader[slate], slates.at[slate]
    liked = 0.0
    for age in range(own.ages.shape[1]):
        liked += age * own.ages[reader, age] / max(own.weight[reader], 1.0)
    hours = at // HOUR_US
    for row in range(first, end):
        X[row, k] = np.log1p(end - first)
        X[row, k + 1], X[row, k + 2] = hours % 24, (hours // 24 + 3) % 7  # 1970 began on a Thursday: Monday is 0
        X[row, k + 3], X[row, k + 4] = slates.device[slate], slates.beside[slate] >= 0
        X[row, k + 5] = np.log1p(own.weight[reader])
        X[row, k + 6] = own.slates[reader] if visiting else 0
        X[row, k + 7] = _hours(at, own.slate_at[reader])
        X[row, k + 8] = liked
    return k + 9


@nb.njit(nogil=True)
def visiting_now(own, reader, at):
    """Whether the reader's last slate is of the same visit."""
    return own.slate_at[reader] > 0 and at - own.slate_at[reader] <= SESSION_US
