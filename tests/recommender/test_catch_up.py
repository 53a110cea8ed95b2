"""Catching up and cold start: what stands first for one who was away, for one who is new, and in a new newsroom."""

import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.clock import FixedClock, micros
from data.settings import Settings
from data.store import Store
from data.values import Histories
from data.wire import ArticleIn, EventIn, ReaderIn
from recommender.catch_up import GAP_US, MOST_H, day_begin_us, last_visit_us, since_us
from recommender.rules import Choices
from recommender.service import Service
from recommender.signals import HOUR_US
from recommender.snapshot import NOBODY, ReaderView

NOW = datetime(2026, 3, 2, 20, 0, tzinfo=UTC)
NOW_US = micros(NOW)


def view(*hours_ago: float) -> ReaderView:
    """A reader who did something so many hours ago."""
    at_us = np.array([NOW_US - round(one * HOUR_US) for one in sorted(hours_ago)], np.int64)
    zeros = np.zeros(len(at_us), np.int64)
    history = Histories(
        np.zeros(1, np.int64), np.array([0, len(at_us)]), zeros, at_us, zeros.astype(np.int8), zeros.astype(np.float32)
    )
    return ReaderView(Choices(), history, NOBODY.impressions, 1)


def test_the_last_visit_ended_before_the_present_one_began() -> None:
    assert last_visit_us(view(9, 9.2, 12), NOW_US) == NOW_US - 9 * HOUR_US
    assert last_visit_us(view(0.1, 0.4, 0.8, 9), NOW_US) == NOW_US - 9 * HOUR_US  # this visit began 48 minutes ago
    assert last_visit_us(view(0.1), NOW_US) is None
    assert last_visit_us(NOBODY, NOW_US) is None
    assert last_visit_us(view(-1, 3), NOW_US) == NOW_US - 3 * HOUR_US  # a clock that runs ahead


@given(st.lists(st.floats(0, 100), max_size=12))
def test_the_last_visit_is_followed_by_a_pause(hours: list[float]) -> None:
    found = last_visit_us(view(*hours), NOW_US)
    times = sorted(NOW_US - round(one * HOUR_US) for one in hours)
    if found is not None:
        assert found in times
        later = [one for one in times if one > found] + [NOW_US]
        assert later[0] - found > GAP_US
        assert all(after - before <= GAP_US for before, after in itertools.pairwise(later))


def test_nobody_catches_up_on_more_than_two_days() -> None:
    assert since_us(NOW_US - 400 * HOUR_US, NOW_US) == NOW_US - int(MOST_H * HOUR_US)
    assert since_us(NOW_US - 3 * HOUR_US, NOW_US) == NOW_US - 3 * HOUR_US
    assert since_us(NOW_US + 1, NOW_US) is None
    assert since_us(None, NOW_US) is None


def test_a_day_begins_at_five_by_the_readers_clock() -> None:
    assert day_begin_us("UTC", NOW_US) == NOW_US - 15 * HOUR_US
    assert day_begin_us("Asia/Tokyo", NOW_US) == NOW_US  # it is five in the morning there
    assert day_begin_us("Asia/Tokyo", NOW_US - 1) == NOW_US - 24 * HOUR_US
    spring = micros(datetime(2026, 3, 29, 9, 0, tzinfo=UTC))  # clocks went forward at two
    assert day_begin_us("Europe/Prague", spring) == micros(datetime(2026, 3, 29, 3, 0, tzinfo=UTC))


@pytest.fixture
def newsroom(sqlite_store: Store) -> Callable[..., Service]:
    """A service over these articles: (key, hours ago, fields), each on a subject of its own."""

    def made(*articles: tuple[str, float, dict[str, Any]], **settings: Any) -> Service:
        batch = []
        for number, (key, hours, fields) in enumerate(articles):
            words = " ".join(f"w{word}x" for word in np.random.default_rng(number).integers(0, 10**6, 40))
            usual = {"title": words[:50], "body": words, "language": "en", "lifetime": "short"}
            batch.append(
                ArticleIn.model_validate(
                    {
                        "id": key, "url": f"https://news.example/{key}",
                        "published_at": NOW - timedelta(hours=hours), **usual, **fields,
                    }
                )
            )  # fmt: skip
        sqlite_store.put_articles(batch, now=NOW)
        service = Service(sqlite_store, Settings(index_dir=None, **settings), FixedClock(NOW))
        service.refresh()
        return service

    return made


def keys(service: Service, reader: str, **options: Any) -> list[str]:
    return [card.article_id for card in service.for_you(reader, **options).items]


def a_day(count: int = 20) -> list[tuple[str, float, dict[str, Any]]]:
    """A trickle of small news, one an hour, with a must-read in the morning; and the day before."""
    small = [(f"h{hour}", hour + 0.5, {"news_value": 2}) for hour in range(count)]
    return [*small, ("morning", 11.2, {"news_value": 5}), ("yesterday", 30.0, {"news_value": 5})]


def read(service: Service, reader: str, article: str, hours: float) -> None:
    event = EventIn(
        id=f"{reader}-{article}", reader=reader, article=article, kind="read", at=NOW - timedelta(hours=hours)
    )
    assert service.store.add_events([event], now=NOW).accepted == 1
    service.refresh()


def test_an_evening_reader_gets_the_mornings_must_reads_first(newsroom: Callable[..., Service]) -> None:
    service = newsroom(*a_day())
    read(service, "eve", "h19", 13.0)  # was here at seven
    ordinary, caught_up = keys(service, "eve", limit=8), keys(service, "eve", limit=8, since="last_visit")
    assert ordinary[0] == "h0"  # what is newest
    assert caught_up[0] == "morning"
    assert keys(service, "eve", limit=8, since=NOW - timedelta(hours=13)) == caught_up
    since_six = keys(service, "eve", limit=8, since=NOW - timedelta(hours=2))
    assert set(since_six[:2]) == {"h0", "h1"}  # in which order depends on directions that nothing tells apart


def test_what_was_missed_stands_before_everything_else(newsroom: Callable[..., Service]) -> None:
    service = newsroom(*a_day())
    read(service, "eve", "h19", 3.2)
    listed = keys(service, "eve", since="last_visit")
    assert set(listed[:3]) == {"h0", "h1", "h2"}
    assert listed[3] in ("morning", "yesterday")
    assert sorted(listed) == sorted(keys(service, "eve"))  # nothing is left out for it


def test_a_card_says_that_it_was_missed(newsroom: Callable[..., Service]) -> None:
    service = newsroom(*a_day())
    read(service, "eve", "h19", 13.0)
    cards = service.for_you("eve", since="last_visit").items
    said = {card.article_id: card.why for card in cards}
    assert said["morning"] == "While you were away: of high news value, and 11 hours old."
    assert not said["yesterday"].startswith("While")
    assert not any(card.why.startswith("While") for card in service.for_you("eve").items)


def test_without_a_last_visit_the_list_is_the_usual_one(newsroom: Callable[..., Service]) -> None:
    service = newsroom(*a_day())
    assert keys(service, "never-here", since="last_visit") == keys(service, "never-here")
    read(service, "here", "h5", 0.1)
    assert keys(service, "here", since="last_visit") == keys(service, "here")


def test_catching_up_continues_like_any_list(newsroom: Callable[..., Service]) -> None:
    service = newsroom(*a_day())
    read(service, "eve", "h19", 13.0)
    whole = keys(service, "eve", since="last_visit", limit=30)
    first = service.for_you("eve", limit=6, since="last_visit")
    rest = service.for_you("eve", limit=30, cursor=first.next)
    assert sorted(card.article_id for card in (*first.items, *rest.items)) == sorted(whole)


def test_languages_come_before_what_was_missed(newsroom: Callable[..., Service]) -> None:
    service = newsroom(*a_day(6), *[(f"cs{n}", n + 0.2, {"language": "cs", "news_value": 5}) for n in range(4)])
    read(service, "eve", "h5", 4.0)
    listed = keys(service, "eve", since="last_visit")
    assert [key.startswith("cs") for key in listed] == [False] * 7 + [True] * 4


# --- cold start


def test_a_new_newsroom_lists_by_news_value_freshness_and_story_size(newsroom: Callable[..., Service]) -> None:
    told = {
        "title": "Dam breaks above the valley",
        "body": "The dam above the valley broke at noon; villages flee. " * 3,
    }
    story = [(f"dam{n}", 2.0 + n / 10, {**told, "source": {"id": f"s{n}", "name": f"S{n}"}, "url": f"https://s{n}.example/d",
                                       "body": told["body"] + f"Outlet {n} reports."}) for n in range(4)]  # fmt: skip
    service = newsroom(("plain", 2.0, {}), ("old", 70.0, {}), ("valued", 2.0, {"news_value": 5}), *story)
    listed = keys(service, "anybody")
    assert listed[0] == "valued"
    assert listed[1].startswith("dam")
    assert listed[-1] == "old"
    assert all(card.parts and card.parts["popularity"] > 0 for card in service.for_you("anybody", explain=True).items)


def test_a_new_reader_gets_followed_topics_first(newsroom: Callable[..., Service]) -> None:
    service = newsroom(*a_day(8), ("chess", 6.0, {"topics": ["chess"]}))
    assert keys(service, "nobody")[0] != "chess"
    service.store.put_readers([ReaderIn(id="fan", followed_topics=["chess"])], now=NOW)
    card = service.for_you("fan").items[0]
    assert (card.article_id, "chess, which you follow" in card.why) == ("chess", True)


def test_a_new_reader_gets_the_language_of_the_phone(newsroom: Callable[..., Service]) -> None:
    service = newsroom(*a_day(6), ("cs", 20.0, {"language": "cs"}))
    assert keys(service, "nobody", locale="cs")[0] == "cs"
    assert keys(service, "nobody", locale="en")[0] != "cs"
    service.store.put_readers([ReaderIn(id="known", language="en")], now=NOW)
    assert keys(service, "known", locale="cs")[0] != "cs"  # what was chosen counts more


def test_a_new_readers_freshness_counts_by_their_own_day(newsroom: Callable[..., Service]) -> None:
    service = newsroom(("now", 0.2, {"news_value": 2}), ("morning", 11.0, {"news_value": 4}))
    assert keys(service, "nobody")[0] == "morning"  # of today, like the other, and worth more
    service.store.put_readers([ReaderIn(id="tokyo", zone="Asia/Tokyo")], now=NOW)
    assert keys(service, "tokyo")[0] == "now"  # there the day has just begun
    assert service.why("tokyo", "now").place == 1
    assert service.why("nobody", "morning").place == 1
