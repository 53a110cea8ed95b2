"""Made-up readers: always the same for the same news, and ranked like real ones."""

import numpy as np

from data.clock import SystemClock, micros
from data.sample.articles import draft_articles
from data.settings import Settings
from data.store import Store
from recommender.personas import SEEDED, seeded
from recommender.service import Service
from recommender.snapshot import Snapshot
from recommender.whatif import listing, moves, under


def snapshot_of(store: Store, count: int) -> tuple[Snapshot, int]:
    clock = SystemClock()
    now = clock.now()
    store.put_articles([one.article for one in draft_articles(1, now)[::-1][:count]], now=now)
    service = Service(store, Settings(index_dir=None), clock)
    service.refresh()
    return service.snapshot, micros(now)


def test_no_news_no_personas(sqlite_store: Store) -> None:
    snapshot, at_us = snapshot_of(sqlite_store, 0)
    assert seeded(snapshot, at_us) == ()


def test_personas_are_the_same_again_differ_and_read_only_the_past(sqlite_store: Store) -> None:
    snapshot, at_us = snapshot_of(sqlite_store, 150)
    personas = seeded(snapshot, at_us)
    assert personas == seeded(snapshot, at_us)
    assert len({one.key for one in personas}) == len({one.name for one in personas}) == SEEDED
    assert len({one.reads for one in personas}) > SEEDED / 2
    assert any(not one.reads for one in personas)
    published = snapshot.index.columns.published_at_us
    for one in personas:
        history = one.view(at_us).history
        rows = snapshot.index.rows_of(history.article_id)
        assert (rows >= 0).all()
        assert (history.at_us >= published[rows]).all()
        assert (np.diff(history.at_us) <= 0).all()


def test_a_list_under_the_live_weights_is_the_live_list_and_adds_up(sqlite_store: Store) -> None:
    snapshot, at_us = snapshot_of(sqlite_store, 150)
    persona = seeded(snapshot, at_us)[0]
    for surface in ("for_you", "push"):
        options = {name: float(value) for name, value in vars(snapshot.options_of(surface)).items()}
        same = under(snapshot, surface, snapshot.weights_of(surface), options)
        before = listing(snapshot, surface, persona, at_us=at_us)
        after = listing(same, surface, persona, at_us=at_us)
        assert before.ids == after.ids
        assert not [one for one in moves(before, after) if one.is_moved]
        for line in before.lines:
            assert abs(sum(line.adds.values()) + line.adjust - line.score) < 1e-5


def test_only_freshness_orders_by_age(sqlite_store: Store) -> None:
    snapshot, at_us = snapshot_of(sqlite_store, 150)
    newcomer = next(one for one in seeded(snapshot, at_us) if not one.reads and not one.followed_topics)
    found = listing(under(snapshot, "for_you", {"freshness": 1.0}, {"diversity": 0}), "for_you", newcomer, at_us=at_us)
    scores = [line.score for line in found.lines]
    assert scores == sorted(scores, reverse=True)
    assert set(found.lines[0].adds.values()) != {0.0}
