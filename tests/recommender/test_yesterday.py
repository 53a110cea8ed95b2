"""Past sessions ranked again: what is known by hand, and nothing from after the session."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from data.clock import micros
from data.store import Store
from data.wire import EventIn
from recommender.follow import Follower
from recommender.snapshot import NOBODY, WEIGHTS
from recommender.whatif import Line, Listing, under
from recommender.yesterday import Past, _ndcg, _open_rate, push_again, rank_again

NOW = datetime(2026, 3, 2, 18, 30, tzinfo=UTC)
FRESH = {name: float(name == "freshness") for name in WEIGHTS["for_you"]}
VALUED = {name: float(name == "news_value") for name in WEIGHTS["for_you"]}


@pytest.fixture
def newsroom(sqlite_store: Store, article: Any) -> tuple[Any, dict[str, int]]:
    """Twenty articles, the older the more valued."""
    made = [
        article(f"n{n}", title=f"Word{n} thing{n} matter{n}", body=f"Only word{n} here, and other{n}.",
                published_at=NOW - timedelta(hours=n), news_value=5 if n > 15 else 1)
        for n in range(1, 21)
    ]  # fmt: skip
    sqlite_store.put_articles(made, now=NOW)
    follower = Follower(sqlite_store)
    follower.follow(NOW)
    return follower.snapshot, sqlite_store.article_ids([f"n{n}" for n in range(1, 21)])


def quiet(_share: float, _said: str) -> None:
    pass


def test_weights_that_put_first_what_was_opened_win(newsroom: Any) -> None:
    snapshot, ids = newsroom
    sessions = [Past(n, micros(NOW), NOBODY, opened=frozenset({ids["n1"]})) for n in range(1, 6)]
    live, tried = (under(snapshot, "for_you", weights, {"diversity": 0.0}) for weights in (VALUED, FRESH))
    found = rank_again(live, tried, sessions, quiet, window_h=240)
    measured = {one.name: one for one in found.measures}
    assert measured["nDCG@10"].tried.value == 1
    assert measured["nDCG@10"].live.value < 1
    assert measured["nDCG@10"].difference.low > 0
    assert measured["Median age of a first ten"].tried.value < measured["Median age of a first ten"].live.value
    assert found.requests == 5


def test_the_same_weights_are_told_to_be_the_same(newsroom: Any) -> None:
    snapshot, ids = newsroom
    sessions = [Past(n, micros(NOW) - n, NOBODY, opened=frozenset({ids[f"n{n}"]})) for n in range(1, 9)]
    found = rank_again(snapshot, snapshot, sessions, quiet, window_h=240)
    for one in found.measures:
        assert one.live == one.tried
        assert one.difference is None or tuple(one.difference) == (0, 0, 0)
    measured = {one.name: one for one in found.measures}
    assert measured["nDCG@10"].live.low <= measured["nDCG@10"].live.value <= measured["nDCG@10"].live.high


def test_what_comes_later_changes_nothing(newsroom: Any, sqlite_store: Store, article: Any) -> None:
    _, ids = newsroom
    at = NOW - timedelta(hours=2)
    session = [Past(1, micros(at), NOBODY, opened=frozenset({ids["n5"]}))]
    follower = Follower(sqlite_store)
    follower.follow(NOW)
    before = rank_again(follower.snapshot, follower.snapshot, session, quiet, window_h=240)
    late = article("late", title="Late word", body="Late.", published_at=NOW - timedelta(minutes=1), news_value=1)
    sqlite_store.put_articles([late], now=NOW)
    reads = [EventIn(id=f"e{n}", reader=f"r{n}", article="n9", kind="read", at=NOW) for n in range(30)]
    sqlite_store.add_events(reads, now=NOW)
    follower.follow(NOW)
    assert rank_again(follower.snapshot, follower.snapshot, session, quiet, window_h=240) == before


def test_no_session_and_no_candidate_are_no_error(newsroom: Any) -> None:
    snapshot, _ = newsroom
    assert rank_again(snapshot, snapshot, [], quiet, window_h=240).requests == 0
    ancient = [Past(1, micros(NOW - timedelta(days=900)), NOBODY, opened=frozenset({1}))]
    assert rank_again(snapshot, snapshot, ancient, quiet, window_h=240).requests == 1


def listed(*ids: int) -> Listing:
    return Listing(tuple(Line(one, 0.0, 0.0, "", {}, {}) for one in ids), (), (), (), must_reach=False)


def test_ndcg_counts_what_the_list_missed() -> None:
    assert _ndcg(listed(1, 2, 3), frozenset({1})) == 1
    assert _ndcg(listed(2, 1), frozenset({1})) == pytest.approx(1 / np.log2(3))
    assert _ndcg(listed(1, 2), frozenset({1, 9})) == pytest.approx(1 / (1 + 1 / np.log2(3)))
    assert _ndcg(listed(2, 3), frozenset({9})) == 0


def test_a_higher_bar_sends_less(newsroom: Any) -> None:
    snapshot, _ = newsroom
    slots = [Past(n, micros(NOW), NOBODY, bar=0.5, weight=10.0) for n in range(1, 11)]
    low = {name: value * 0.1 for name, value in WEIGHTS["push"].items()}
    live, tried = (under(snapshot, "push", weights, {}) for weights in (VALUED, low))
    scores, opened = np.linspace(0, 1, 50), (np.arange(50) >= 25) * 1.0
    found = push_again(live, tried, slots, (scores, opened), quiet, window_h=240)
    alerts, opens = found.measures
    assert (alerts.live.value, alerts.tried.value) == (100, 0)
    assert 0 < opens.live.value < 100
    assert opens.tried.value == 0
    nothing = push_again(live, tried, slots, (np.zeros(0), np.zeros(0)), quiet, window_h=240)
    assert len(nothing.measures) == 1


def test_like_scores_are_opened_alike() -> None:
    rate = _open_rate(np.linspace(0, 1, 100), (np.arange(100) >= 80) * 1.0)
    low, high = rate(np.array([0.1, 0.95]))
    assert low < 0.1
    assert high > 0.6
