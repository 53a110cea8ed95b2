"""Exploration: seldom, on the last place, a new article on its merits; with the probability that is logged."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from data.clock import FixedClock, micros
from data.settings import Settings
from data.store import Store
from data.wire import ArticleIn
from recommender.explore import FROM, MOST_SHARE, explore
from recommender.for_you import Ask, Ranked, for_you
from recommender.service import Service, ensure_default_weights
from recommender.snapshot import NOBODY, WEIGHTS

NOW = datetime(2026, 3, 2, 20, 0, tzinfo=UTC)


@pytest.fixture
def service(sqlite_store: Store) -> Service:
    """Sixty articles of the last two days, each on a subject of its own."""
    batch = []
    for number in range(60):
        words = " ".join(f"w{word}x" for word in np.random.default_rng(number).integers(0, 10**6, 40))
        fields: dict[str, Any] = {
            "id": f"a{number}", "url": f"https://news.example/{number}", "title": words[:40], "body": words,
            "published_at": NOW - timedelta(hours=0.8 * number + 0.1), "language": "en",
        }  # fmt: skip
        batch.append(ArticleIn.model_validate(fields))
    sqlite_store.put_articles(batch, now=NOW)
    ensure_default_weights(sqlite_store, NOW)
    made = Service(sqlite_store, Settings(index_dir=None), FixedClock(NOW))
    made.refresh()
    return made


def share(service: Service, value: float) -> Ranked:
    weights = dict(WEIGHTS["for_you"])
    service.store.publish_weights("for_you", weights, {"explore_share": value}, author="x", reason="x", now=NOW)
    service.refresh()
    return for_you(service.snapshot, NOBODY, Ask(limit=10), at_us=micros(NOW))


def test_by_default_nothing_is_left_to_chance(service: Service) -> None:
    ranked = for_you(service.snapshot, NOBODY, Ask(limit=10), at_us=micros(NOW))
    for seed in range(50):
        found = explore(service.snapshot, ranked, micros(NOW), np.random.default_rng(seed))
        assert found.ranked is ranked
        assert found.propensity is None


def test_the_last_place_is_given_as_often_as_is_logged(service: Service) -> None:
    ranked = share(service, 0.1)
    found = [explore(service.snapshot, ranked, micros(NOW), np.random.default_rng(seed)) for seed in range(2_000)]
    tried = [int(one.ranked.head[-1]) for one in found if one.ranked.head[-1] != ranked.head[-1]]
    assert 150 <= len(tried) <= 250
    assert len(set(tried)) == FROM
    for one in found:
        assert one.propensity is not None
        assert (one.ranked.head[:-1] == ranked.head[:-1]).all()
        is_tried = one.ranked.head[-1] != ranked.head[-1]
        assert one.propensity == (1.0,) * 9 + ((0.1 / FROM,) if is_tried else (0.9,))
    new = service.snapshot.index.columns.published_at_us[ranked.rows[tried]]
    assert new.min() > micros(NOW - timedelta(hours=24))


def test_no_more_than_a_fifth_of_the_pages_explores(service: Service) -> None:
    ranked = share(service, 1.0)
    found = explore(service.snapshot, ranked, micros(NOW), np.random.default_rng(1)).propensity
    assert found is not None
    assert found[-1] in (1 - MOST_SHARE, MOST_SHARE / FROM)


def test_an_explored_page_is_logged_and_continues_without_a_hole(service: Service) -> None:
    share(service, 0.2)
    service.writer.start()
    slates = [service.for_you("r1", limit=10) for _ in range(40)]
    service.writer.stop()
    tried = [slate for slate in slates if any("few readers first" in card.why for card in slate.items)]
    assert 1 <= len(tried) <= 20
    for slate in tried:
        page = service.store.served(slate.served_id)[0]
        assert page.propensity is not None
        assert page.propensity[-1] == pytest.approx(0.2 / FROM)
        rest = service.for_you("r1", limit=60, cursor=slate.next)
        both = [card.article_id for card in (*slate.items, *rest.items)]
        assert len(both) == len(set(both)) == 60


def test_the_same_served_id_decides_the_same(service: Service) -> None:
    ranked = share(service, 0.2)
    for seed in range(20):
        one, other = (explore(service.snapshot, ranked, micros(NOW), np.random.default_rng(seed)) for _ in range(2))
        assert (one.ranked.head == other.ranked.head).all()
