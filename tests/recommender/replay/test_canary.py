"""The leak canary: altering any event at or after t changes no score given at t. A planted leak is caught."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recommender.replay.alike import with_alike
from recommender.replay.causal import DELAYS_US
from recommender.replay.causal import replay as causal_pass
from recommender.replay.log import HOUR_US, Log
from recommender.replay.nearby import nearby_lift
from recommender.replay.past import past_of
from recommender.replay.relative import with_relative
from recommender.replay.surprise import surprise_features
from recommender.replay.texts import Words, close_features, word_features
from recommender.replay.towers import Training, fit_towers, tower_feature

Features = Callable[[Log], Any]
MINUTE_US = HOUR_US // 60


def leaks(features: Features, log: Log, altered: Callable[[Log, int], Log], slates: Any) -> list[int]:
    """The slates of which some feature knows what happened at or after them.

    Of the slate itself everything but its candidates is altered, so its clicks are too.
    """
    found, before = [], features(log)
    for slate in slates:
        at = int(log.slates.at[slate])
        other = altered(log, at)
        item = other.slates.item.copy()
        part = slice(int(log.slates.start[slate]), int(log.slates.start[slate + 1]))
        item[part] = log.slates.item[part]
        after = features(replace(other, slates=other.slates._replace(item=item)))
        if not np.array_equal(before[part], after[part]):
            found.append(int(slate))
    return found


def altered(log: Log, at: int) -> Log:
    late = log.slates.at >= at
    items = np.repeat(late, np.diff(log.slates.start))
    read = log.reads.at >= at
    slates = log.slates._replace(
        clicked=np.where(items, 1 - log.slates.clicked, log.slates.clicked).astype(np.uint8),
        item=np.where(items, (log.slates.item + 7) % len(log.ids), log.slates.item).astype(np.int32),
    )
    reads = log.reads._replace(
        item=np.where(read, (log.reads.item + 3) % len(log.ids), log.reads.item).astype(np.int32),
        reader=np.where(read, (log.reads.reader + 1) % len(log.readers), log.reads.reader).astype(np.int32),
    )
    return replace(log, slates=slates, reads=reads)


def counted(delay_us: int) -> Features:
    return lambda log: with_relative(causal_pass(log, delay_us), log.slates.start).X


def peeking(log: Log) -> Any:
    """The planted leak: clicks of the minute that follows count as if they had been there."""
    X = causal_pass(log, 0).X.copy()
    slate_of = log.slate_of
    for one in range(len(X)):
        at = log.slates.at[slate_of[one]]
        near = (log.slates.at[slate_of] > at) & (log.slates.at[slate_of] <= at + MINUTE_US)
        X[one, 0] += log.slates.clicked[near & (log.slates.item == log.slates.item[one])].sum()
    return X


def _words(log: Log) -> Words:
    rng = np.random.default_rng(0)
    terms = rng.integers(0, 12, (len(log.ids), 3)).astype(np.int32)
    starts = np.arange(0, 3 * len(log.ids) + 1, 3)
    return Words(starts, terms.ravel(), np.full(terms.size, 3**-0.5, np.float32))


@pytest.mark.parametrize("delay", DELAYS_US)
def test_no_counter_knows_what_comes(log: Log, delay: str) -> None:
    assert leaks(counted(DELAYS_US[delay]), log, altered, range(0, len(log), 7)) == []


def test_no_feature_of_texts_knows_what_comes(log: Log) -> None:
    def texts(some: Log) -> Any:
        words, past = _words(some), past_of(some)
        learned = [word_features(some, words, 0, unseen=unseen, past=past) for unseen in (False, True)]
        return np.concatenate([close_features(some, None, words, past), *learned], 1)

    assert leaks(texts, log, altered, range(0, len(log), 7)) == []


def test_no_surprise_knows_what_comes(log: Log) -> None:
    score = np.random.default_rng(1).random(len(log.slates.item)).astype(np.float32)
    assert leaks(lambda some: surprise_features(some, score, 0), log, altered, range(0, len(log), 7)) == []


def test_no_tower_knows_what_comes(log: Log) -> None:
    first, how = len(log) // 2, Training(rank=4, passes=1)
    until, apart = int(log.slates.at[first]), np.arange(len(log.ids)) % 3 == 0

    def products(some: Log) -> Any:
        words = _words(some)
        return tower_feature(some, words, fit_towers(some, words, until, apart, how), 0, past_of(some), how)

    assert leaks(products, log, altered, range(first, len(log), 7)) == []


def test_no_lift_of_like_articles_knows_what_comes(log: Log) -> None:
    """A slate may be altered to show articles that were never shown: sums in another order differ in the last place."""
    dense = np.random.default_rng(2).normal(size=(len(log.ids), 4)).astype(np.float32)
    dense /= np.linalg.norm(dense, axis=1, keepdims=True)

    def lifts(some: Log) -> Any:
        return nearby_lift(some, dense, 0).round(4)

    assert leaks(lifts, log, altered, range(0, len(log), 7)) == []


def test_no_opening_by_those_alike_is_known_before_it_happens(log: Log) -> None:
    first = len(log) // 2
    shown = log.slates.start[first]

    def alike(some: Log) -> Any:
        features = with_alike(causal_pass(some, 0, from_slate=first), some, 0, first)
        return np.concatenate([np.zeros((shown, features.X.shape[1]), np.float32), features.X])

    assert leaks(alike, log, altered, range(first, len(log), 7)) == []


def test_a_planted_leak_of_one_minute_is_caught(log: Log) -> None:
    crowded = replace(log, slates=log.slates._replace(at=log.slates.at[0] + np.arange(len(log)) * MINUTE_US // 2))
    assert leaks(peeking, crowded, altered, range(0, len(log), 3))
    assert leaks(counted(0), crowded, altered, range(0, len(log), 3)) == []


def test_a_delay_holds_back_what_is_younger(log: Log) -> None:
    """Clicks of other readers' slates younger than the delay change nothing."""
    middle = len(log) // 2
    at, reader = int(log.slates.at[middle]), log.slates.reader[middle]
    young = (log.slates.at > at - HOUR_US) & (log.slates.at < at) & (log.slates.reader != reader)
    assert young.any()
    items = np.repeat(young, np.diff(log.slates.start))
    clicked = np.where(items, 1 - log.slates.clicked, log.slates.clicked).astype(np.uint8)
    other = replace(log, slates=log.slates._replace(clicked=clicked))
    part = slice(int(log.slates.start[middle]), int(log.slates.start[middle + 1]))
    np.testing.assert_array_equal(counted(HOUR_US)(log)[part], counted(HOUR_US)(other)[part])
    assert not np.array_equal(counted(0)(log)[part], counted(0)(other)[part])


def test_off_knows_nothing_of_other_readers(log: Log) -> None:
    middle = len(log) // 2
    others = log.slates.reader != log.slates.reader[middle]
    items = np.repeat(others, np.diff(log.slates.start))
    clicked = np.where(items, 1 - log.slates.clicked, log.slates.clicked).astype(np.uint8)
    other = replace(log, slates=log.slates._replace(clicked=clicked))
    part = slice(int(log.slates.start[middle]), int(log.slates.start[middle + 1]))
    off = counted(DELAYS_US["off"])
    np.testing.assert_array_equal(off(log)[part], off(other)[part])


def test_a_pass_over_the_past_alone_gives_the_same(log: Log) -> None:
    middle = int(log.slates.at[len(log) // 2])
    short = log.until(middle)
    np.testing.assert_array_equal(counted(0)(short), counted(0)(log)[: len(short.slates.item)])


def test_real_slates_know_nothing_of_what_comes(shared_data: Path) -> None:
    from recommender.replay import ebnerd

    whole = ebnerd.load(shared_data / "ebnerd", ["train"], ["train"])
    log = whole.until(int(whole.slates.at[0]) + 6 * HOUR_US)
    assert len(log) > 100
    assert leaks(counted(DELAYS_US["5m"]), log, altered, [len(log) // 2, len(log) - 1]) == []
