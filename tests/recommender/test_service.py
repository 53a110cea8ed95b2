"""The live snapshot: every committed row is in the next answer, in this process and in the others."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from data.clock import FixedClock
from data.errors import NotFound
from data.models import Rule
from data.sample import Newsroom
from data.settings import Settings
from data.store import Store
from data.wire import ArticleIn, EventIn, ReaderIn
from recommender.service import Service, ensure_default_weights

NOW = datetime(2026, 3, 2, 18, 30, tzinfo=UTC)
SUBJECTS = (
    "trade tariffs negotiation minister",
    "volcano eruption island evacuation",
    "tennis final grand slam champion",
)


@pytest.fixture
def news(article: Any) -> list[ArticleIn]:
    """Nine articles on three subjects, three outlets each, hours apart."""
    return [
        article(
            f"n{number}",
            title=f"{SUBJECTS[number % 3]} report {'abc'[number // 3]}",
            body=f"{SUBJECTS[number % 3]} {['first', 'second', 'third'][number // 3]} account of the day",
            source={"id": f"s{number // 3}", "name": f"Source {number // 3}"},
            category="abc"[number % 3],
            published_at=NOW - timedelta(hours=1 + number),
        )
        for number in range(9)
    ]


def service_on(store: Store, settings: Settings) -> Service:
    service = Service(store, settings, FixedClock(NOW))
    service.refresh()
    return service


def keys(answer: Any) -> list[str]:
    return [card.article_id for card in answer.items]


def event(key: str, article: str, kind: str = "read", reader: str = "r1", minutes: float = 1) -> EventIn:
    at = NOW - timedelta(minutes=minutes)
    return EventIn.model_validate({"id": key, "reader": reader, "article": article, "kind": kind, "at": at})


def test_an_article_is_in_the_next_answer(
    store: Store, settings: Settings, news: list[ArticleIn], article: Any
) -> None:
    store.put_articles(news, now=NOW)
    service = service_on(store, settings)
    body = "Steel makers warn of layoffs in three towns as exporters count the cost of the new duties."
    fresh = article("fresh", title="What tariffs mean for trade", body=body, published_at=NOW - timedelta(minutes=5))
    store.put_articles([fresh], now=NOW)
    service.refresh()
    assert "fresh" in keys(service.for_you("r1"))
    assert "fresh" in keys(service.related("n0"))


def test_an_article_asked_about_at_once_is_taken_in_at_once(
    sqlite_store: Store, settings: Settings, article: Any
) -> None:
    service = service_on(sqlite_store, settings)
    sqlite_store.put_articles([article("new")], now=NOW)
    assert service.related("new").items == ()


def test_a_read_is_excluded_from_the_very_next_answer_with_its_story(
    store: Store, settings: Settings, news: list[ArticleIn]
) -> None:
    store.put_articles(news, now=NOW)
    service = service_on(store, settings)
    first = service.for_you("r1").items[0]
    store.add_events([event("e1", first.article_id)], now=NOW)
    after = service.for_you("r1")
    assert first.article_id not in keys(after)
    assert first.story_id not in {card.story_id for card in after.items}


def test_a_read_leans_the_next_answer_towards_its_subject(sample_service: Service, newsroom: Newsroom) -> None:
    """Property of the whole: for most subjects, reading three articles lifts that category."""
    store, lifted, asked = sample_service.store, 0, 0
    for category in ("science", "sport", "politics", "technology", "health"):
        about = [one.id for one in newsroom.articles if one.category == category and one.language == "en"][:3]
        reader, old = f"leaning-{category}", newsroom.articles[0].id
        far = event(f"{reader}-far", old, reader=reader, minutes=60 * 24 * 60)  # no newcomer: those get their day
        store.add_events([far], now=NOW)
        before = [card.category for card in sample_service.for_you(reader, limit=10).items].count(category)
        store.add_events([event(f"{reader}-{one}", one, reader=reader) for one in about], now=NOW)
        after = [card.category for card in sample_service.for_you(reader, limit=10).items].count(category)
        lifted, asked = lifted + (after > before), asked + 1
    assert lifted >= asked - 1


def test_a_retracted_article_is_gone_even_before_the_snapshot_knows(
    sqlite_store: Store, settings: Settings, news: list[ArticleIn]
) -> None:
    sqlite_store.put_articles(news, now=NOW)
    service = service_on(sqlite_store, settings)
    sqlite_store.retract_article("n0", now=NOW)
    assert "n0" not in keys(service.for_you("r1"))
    with pytest.raises(NotFound, match="retracted"):
        service.related("n0")
    service.refresh()
    assert "n0" not in keys(service.for_you("r1"))


def test_an_embargoed_article_appears_when_its_time_has_come(
    sqlite_store: Store, settings: Settings, article: Any
) -> None:
    later = NOW + timedelta(hours=2)
    sqlite_store.put_articles([article("secret", embargo_until=later, published_at=NOW - timedelta(hours=1))], now=NOW)
    service = service_on(sqlite_store, settings)
    assert keys(service.for_you("r1")) == []
    assert keys(service.for_you("r1", at=later + timedelta(minutes=1))) == ["secret"]


def test_two_processes_agree_on_stories(store: Store, settings: Settings, news: list[ArticleIn]) -> None:
    one, two = service_on(store, settings), service_on(store, settings)
    for batch in (news[:4], news[4:]):
        store.put_articles(batch, now=NOW)
        one.refresh()
        two.refresh()
    one.refresh()
    stories = [{card.article_id: card.story_id for card in s.related("n0", limit=9).items} for s in (one, two)]
    assert stories[0] == stories[1]
    assert {text.story_id for text in store.article_texts(0)} != {0}


def test_a_background_thread_follows_the_rows(sqlite_store: Store, settings: Settings, article: Any) -> None:
    service = Service(sqlite_store, settings, FixedClock(NOW))
    service.start()
    try:
        sqlite_store.put_articles([article("x", published_at=NOW - timedelta(hours=1))], now=NOW)
        until = time.monotonic() + 20
        while not service.for_you("r1").items and time.monotonic() < until:
            time.sleep(0.02)
        assert keys(service.for_you("r1")) == ["x"]
    finally:
        service.stop()


def test_popularity_follows_the_reads_of_others(sqlite_store: Store, settings: Settings, news: list[ArticleIn]) -> None:
    sqlite_store.put_articles(news, now=NOW)
    service = service_on(sqlite_store, settings)
    before = {card.article_id: card.parts for card in service.for_you("r1", explain=True).items}
    shown = next(iter(before))
    others = [event(f"e{n}", shown, reader=f"other-{n}", minutes=n) for n in range(30)]
    sqlite_store.add_events(others, now=NOW)
    service.refresh()
    after = {card.article_id: card.parts for card in service.for_you("r1", explain=True).items}
    assert after[shown]["popularity"] > before[shown]["popularity"]  # type: ignore[index]


def test_a_block_takes_exactly_its_target_off(sqlite_store: Store, settings: Settings, news: list[ArticleIn]) -> None:
    sqlite_store.put_articles(news, now=NOW)
    service = service_on(sqlite_store, settings)
    before = service.for_you("r1", limit=9)
    target = before.items[0]
    rule = Rule(kind="block", target="article", target_key=target.article_id, starts_at=NOW - timedelta(minutes=1))
    sqlite_store.add_rule(rule)
    service.refresh()
    assert target.article_id not in keys(service.for_you("r1", limit=9))
    found = service.why("r1", target.article_id)
    assert (found.verdict, found.place) == ("blocked", None)
    assert [one.applies for one in found.rules] == [True]


def test_parts_sum_to_the_score(sample_service: Service) -> None:
    for reader in ("reader-001", "reader-050", "nobody"):
        for card in sample_service.for_you(reader, explain=True).items:
            assert card.parts is not None
            assert sum(card.parts.values()) == pytest.approx(card.score, abs=1e-5)


def test_the_explanation_is_the_list_unsummed(sample_service: Service) -> None:
    listed = sample_service.for_you("reader-001", explain=True)
    for place, card in enumerate(listed.items[:5], 1):
        found = sample_service.why("reader-001", card.article_id)
        assert (found.place, found.verdict, found.sentence) == (place, "listed", card.why)
        assert found.score == pytest.approx(card.score)
        assert sum(part.adds for part in found.parts) + found.adjust == pytest.approx(found.score, abs=1e-5)


def test_an_absent_article_is_told_with_its_reason(sample_service: Service, newsroom: Newsroom) -> None:
    read = next(one for one in newsroom.events if one.kind == "read")
    assert sample_service.why(read.reader, read.article).verdict in {"read", "read_story"}
    retracted = next(iter(newsroom.retracted))
    assert sample_service.why("reader-001", retracted).verdict == "retracted"
    embargoed = next(iter(newsroom.embargoed))
    assert sample_service.why("reader-001", embargoed).verdict in {"embargoed", "not_yet"}
    with pytest.raises(NotFound):
        sample_service.why("reader-001", "no such article")


def test_an_unknown_reader_gets_the_newcomers_list(sample_service: Service) -> None:
    newcomers = sample_service.for_you("never seen before")
    assert len(newcomers.items) == 20
    assert len({card.story_id for card in newcomers.items[:10]}) == 10


def test_muted_topics_and_sources_stay_away(sqlite_store: Store, settings: Settings, news: list[ArticleIn]) -> None:
    sqlite_store.put_articles(news, now=NOW)
    sqlite_store.put_readers([ReaderIn(id="r1", muted_topics=["B"], muted_sources=["s0"])], now=NOW)
    service = service_on(sqlite_store, settings)
    shown = service.for_you("r1", limit=9).items
    assert shown
    assert all(card.category != "b" and card.source and card.source.id != "s0" for card in shown)


def test_exclude_and_category_narrow_the_list(sample_service: Service) -> None:
    first = keys(sample_service.for_you("reader-001", limit=5))
    assert not set(first) & set(keys(sample_service.for_you("reader-001", limit=5, exclude=first)))
    sport = sample_service.for_you("reader-001", category="sport", limit=5).items
    assert {card.category for card in sport} == {"sport"}


def test_an_empty_newsroom_answers_with_empty_lists(sqlite_store: Store, settings: Settings) -> None:
    service = service_on(sqlite_store, settings)
    assert service.for_you("r1").items == ()
    with pytest.raises(NotFound):
        service.related("nothing")


def test_default_weights_are_published_once(sqlite_store: Store) -> None:
    ensure_default_weights(sqlite_store, NOW)
    ensure_default_weights(sqlite_store, NOW)
    live = sqlite_store.live_weights("for_you")
    assert live is not None
    assert (live.version, round(sum(live.weights.values()), 6)) == (1, 1.0)


def test_stories_of_the_sample_are_found(sample_service: Service, newsroom: Newsroom) -> None:
    """Nearly every pair of articles in one found story is of one event, and nearly every event is one story."""
    ids = sample_service.store.article_ids(newsroom.labels)
    rows = {row.id: row.story_id for row in sample_service.store.articles(ids.values())}
    label = {newsroom.labels[key]: set() for key in ids}  # type: dict[str, set[Any]]
    for key, number in ids.items():
        label[newsroom.labels[key]].add(rows[number])
    assert sum(len(stories) == 1 for stories in label.values()) >= 0.85 * len(label)


def test_related_are_mostly_other_angles_or_near_subjects(sample_service: Service, newsroom: Newsroom) -> None:
    """The first related article of a story with several angles is of the same event for most articles."""
    asked = [one for one in newsroom.articles[::12] if one.language == "en" and one.id not in newsroom.embargoed]
    firsts = []
    for one in asked:
        if one.id in newsroom.retracted:
            continue
        answer = sample_service.related(one.id, limit=3)
        if answer.items and answer.fallback is None:
            firsts.append(newsroom.labels[answer.items[0].article_id] == newsroom.labels[one.id])
    assert sum(firsts) >= 0.7 * len(firsts)
    assert len(firsts) >= 0.5 * len(asked)
