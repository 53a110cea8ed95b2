"""Serving by assignment: each reader gets their arm's version, on every page, and the log says which."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from data.clock import FixedClock
from data.experiments import LIVE
from data.models import Rule
from data.sample import Newsroom
from data.settings import Settings
from data.store import Store
from recommender.experiments import desk
from recommender.experiments.interleave import BOTH, FIRST, SECOND
from recommender.experiments.serving import arm_of
from recommender.service import Service, ensure_default_weights

NOW = datetime(2026, 3, 2, 18, 30, tzinfo=UTC)
FRESH = {"freshness": 1.0}
READERS = [f"reader-{number}" for number in range(40)]


@pytest.fixture
def store(sqlite_store: Store, newsroom: Newsroom) -> Store:
    """The sample's articles, live version 1, and version 2 that looks at freshness alone."""
    sqlite_store.put_articles(newsroom.articles, now=NOW)
    ensure_default_weights(sqlite_store, NOW)
    live = sqlite_store.live_weights("for_you")
    assert live
    sqlite_store.save_draft("for_you", "ed", base_version=1, weights=FRESH, options=live.options, now=NOW)
    assert sqlite_store.try_draft("for_you", "ed", now=NOW) == 2
    return sqlite_store


@pytest.fixture
def service(store: Store, settings: Settings) -> Iterator[Service]:
    made = Service(store, settings, FixedClock(NOW))
    made.refresh()
    made.writer.start()
    yield made
    made.writer.stop()


def begin(store: Store, service: Service, kind: str = "split", **given: object) -> None:
    asked: dict[str, object] = {"versions": [LIVE, 2], "share": 1.0, "days": 7, "author": "ed", "reason": "to see"}
    desk.start(store, "fresh", kind=kind, now=NOW, **(asked | given))  # type: ignore[arg-type]
    service.refresh()


def ids(service: Service, reader: str, **given: object) -> list[str]:
    return [card.article_id for card in service.for_you(reader, **given).items]  # type: ignore[arg-type]


def test_a_version_for_an_experiment_is_not_live(store: Store) -> None:
    live = store.live_weights("for_you")
    assert live
    assert live.version == 1
    assert store.weight_version("for_you", 2).weights == FRESH


def test_readers_get_their_arms_version_and_the_log_says_so(store: Store, service: Service) -> None:
    before = ids(service, "anybody")
    begin(store, service)
    row = store.experiment("fresh")
    arms = [arm_of(row, reader) for reader in READERS]
    lists = [service.for_you(reader) for reader in READERS]
    service.writer.stop()
    for arm, served in zip(arms, lists, strict=True):
        shown = [card.article_id for card in served.items]
        assert (shown == before) == (arm == 0)
        assert store.served(served.served_id)[0].weight_version == arm + 1
    assert 0 < sum(arms) < len(READERS)


def test_the_next_page_is_of_the_same_version(store: Store, service: Service) -> None:
    begin(store, service)
    row = store.experiment("fresh")
    reader = next(one for one in READERS if arm_of(row, one) == 1)
    whole = ids(service, reader, limit=12)
    first = service.for_you(reader, limit=6)
    second = service.for_you(reader, limit=6, cursor=first.next)
    service.writer.stop()
    assert [card.article_id for card in (*first.items, *second.items)][:6] == whole[:6]
    assert [page.weight_version for page in store.served(first.served_id)] == [2, 2]


def test_an_answer_explains_itself_by_the_version_that_gave_it(store: Store, service: Service) -> None:
    begin(store, service)
    row = store.experiment("fresh")
    reader = next(one for one in READERS if arm_of(row, one) == 1)
    card = service.for_you(reader, explain=True).items[0]
    assert card.parts
    assert {name for name, adds in card.parts.items() if adds} == {"freshness"}
    why = service.why(reader, card.article_id)
    assert (why.place, why.weights_version) == (1, 2)


def test_after_the_end_or_a_stop_everybody_gets_the_live_version(store: Store, service: Service) -> None:
    before = [ids(service, reader) for reader in READERS]
    begin(store, service, days=1)
    assert [ids(service, reader) for reader in READERS] != before
    store.stop_experiment("fresh", by="ed", reason="enough", outcome="", now=NOW)
    service.refresh()
    assert [ids(service, reader) for reader in READERS] == before


def test_an_experiment_ends_by_itself_when_its_time_is_over(store: Store, service: Service) -> None:
    begin(store, service, days=1)
    trials = service.snapshot.trials
    at_us = int((NOW + timedelta(days=1)).timestamp() * 1e6)
    assert all(trials.seat("for_you", reader, at_us - 1) for reader in READERS)
    assert not any(trials.seat("for_you", reader, at_us) for reader in READERS)


def test_only_the_share_takes_part_and_other_surfaces_do_not(store: Store, service: Service) -> None:
    begin(store, service, share=0.25)
    trials, at_us = service.snapshot.trials, int(NOW.timestamp() * 1e6)
    many = [f"r{number}" for number in range(4_000)]
    assert sum(trials.seat("for_you", one, at_us) is not None for one in many) / 4_000 == pytest.approx(0.25, abs=0.03)
    assert not any(trials.seat("related", one, at_us) for one in many)


def test_an_interleaved_list_holds_what_both_want_and_who_chose_it(store: Store, service: Service) -> None:
    alone = ids(service, "r")
    begin(store, service, "interleave")
    served = service.for_you("r", limit=20, explain=True)
    service.writer.stop()
    (page,) = store.served(served.served_id)
    assert page.teams
    assert len(page.teams) == len(page.article_ids) == len(served.items)
    assert {FIRST, SECOND} <= set(page.teams) <= {FIRST, SECOND, BOTH}
    chosen = dict(zip([card.article_id for card in served.items], page.teams, strict=True))
    ours = [one for one in alone if chosen.get(one) == FIRST]
    assert ours == [one for one, team in chosen.items() if team == FIRST]  # in the order of the version alone
    assert page.weight_version == 1


def test_each_place_of_an_interleaved_list_is_explained_by_who_chose_it(store: Store, service: Service) -> None:
    begin(store, service, "interleave")
    served = service.for_you("r", limit=20, explain=True)
    service.writer.stop()
    (page,) = store.served(served.served_id)
    for card, team in zip(served.items, page.teams or (), strict=True):
        assert card.parts is not None
        assert card.score == pytest.approx(sum(card.parts.values()), abs=1e-5)
        assert ({name for name, adds in card.parts.items() if adds} <= {"freshness"}) == (team == SECOND)


def test_stories_and_pins_hold_on_interleaved_lists(store: Store, service: Service, newsroom: Newsroom) -> None:
    pinned = next(one for one in newsroom.articles if one.id == ids(service, "r", limit=20)[15]).id
    pin = Rule(kind="pin", target_key=pinned, slot=2, starts_at=NOW, ends_at=NOW + timedelta(hours=1))
    store.add_rule(pin)
    begin(store, service, "interleave")
    for number in range(10):
        items = service.for_you(f"r{number}").items
        assert items[1].article_id == pinned
        stories = [card.story_id for card in items if card.story_id]
        assert len(set(stories)) == len(stories)
