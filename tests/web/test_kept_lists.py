"""What is answered from memory is what would be computed anew, whatever happened in between."""

import asyncio
import gzip
from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.clock import FixedClock, instant
from data.models import Rule
from data.settings import Settings
from data.store import Store
from data.wire import ArticleIn, EventIn, ReaderIn, ReaderPatch
from recommender.cards import age, aged
from recommender.service import Service, ensure_default_weights
from recommender.web.auth import Keys
from recommender.web.gate import Given
from recommender.web.hot import Hot
from recommender.web.limits import Limits
from recommender.web.memory import Memory
from recommender.web.metrics import Metrics
from recommender.web.shapes import ForYouQuery
from recommender.web.site import Site
from recommender.web.together import Together
from recommender.web.zipped import around, deflated

NOW = datetime(2026, 3, 2, 18, 30, tzinfo=UTC)
ARTICLES, READERS, TOPICS = 54, 6, 6


class Desk:
    """A server without sockets over a small newsroom, on a clock of its own."""

    def __init__(self, store: Store) -> None:
        self.store, self.clock = store, FixedClock(NOW)
        self.random = np.random.default_rng(7)
        self.events = 0
        ensure_default_weights(store, NOW)
        store.put_articles([self.article(number) for number in range(ARTICLES)], now=NOW)
        store.put_readers([ReaderIn(id=f"r{number}") for number in range(READERS)], now=NOW)
        for number in range(60):
            self.read(
                f"r{number % READERS}", int(self.random.integers(ARTICLES)), hours=float(self.random.random() * 50)
            )
        self.service = Service(store, Settings(index_dir=None), self.clock)
        self.service.refresh()
        site = Site(store, self.service, self.service.settings, self.clock, Keys(store, Limits()), Metrics())
        self.hot = Hot(site)

    def article(self, number: int, **fields: Any) -> ArticleIn:
        """An article on one of the topics; what is asked for twice is the same."""
        random = np.random.default_rng((1, number))
        topic = number % TOPICS
        words = [f"t{topic}w{word}x" for word in random.integers(0, 40, 25)] + [
            f"c{word}y" for word in random.integers(0, 400, 25)
        ]
        at = NOW - timedelta(hours=float(1 + 90 * random.random()))
        usual = {
            "id": f"a{number}", "url": f"https://news.example/{number}", "title": " ".join(words[:6]),
            "body": " ".join(words), "published_at": at, "source": {"id": f"s{number % 5}", "name": f"S{number % 5}"},
            "category": f"section-{topic}", "topics": [f"topic-{topic}"], "language": "en",
        }  # fmt: skip
        return ArticleIn.model_validate(usual | fields)

    def put(self, number: int, **fields: Any) -> None:
        self.store.put_articles([self.article(number, **fields)], now=self.clock.now())

    def read(self, reader: str, number: int, kind: str = "finish", hours: float = 0.01) -> None:
        self.events += 1
        at = self.clock.now() - timedelta(hours=hours)
        event = EventIn(id=f"e{self.events}", reader=reader, article=f"a{number}", kind=kind, at=at)  # type: ignore[arg-type]
        assert self.store.add_events([event], now=self.clock.now()).accepted == 1

    def block(self, number: int) -> None:
        rule = Rule(kind="block", target_key=f"a{number}", starts_at=NOW, author="x", reason="x")
        self.store.add_rule(rule, now=self.clock.now())

    def related(self, number: int) -> dict[str, Any]:
        return dict(msgspec.json.decode(asyncio.run(self.hot._beside((f"a{number}", 8, None))).body))

    def for_you(self, reader: str, limit: int = 20) -> dict[str, Any]:
        wanted = ForYouQuery(limit=limit)
        answer = asyncio.run(self.hot._for_you(reader, wanted, Given({"headers": []})))
        return dict(msgspec.json.decode(answer.body))

    def ask_all(self) -> None:
        """Every list as it is answered and as it is computed: the same but for the id and what time alone moved."""
        for number in range(ARTICLES):
            told = plain(self.related(number)["items"])
            made_us = self.hot.related_lists._memory._held[f"a{number}", 8, None][0].made_us
            fresh = self.service.related(f"a{number}", limit=8, is_served=False, at=instant(made_us))
            assert told == plain(fresh.items), number
        for reader in [*(f"r{number}" for number in range(READERS)), "nobody", "no-one"]:
            fresh_slate = self.service.for_you(reader)
            assert plain(self.for_you(reader)["items"]) == plain(fresh_slate.items), reader

    def kept(self) -> tuple[int, int]:
        """How many lists are kept: related and for-you."""
        return len(self.hot.related_lists), len(self.hot.for_you_lists)


def plain(cards: Any) -> Any:
    """Cards as they look after a journey as JSON; what is said of their age is of the minute, and of no concern."""
    read = msgspec.json.decode(msgspec.json.encode(cards))
    return [{name: value for name, value in card.items() if name not in ("age", "why")} for card in read]


@pytest.fixture
def desk(sqlite_store: Store) -> Desk:
    return Desk(sqlite_store)


Change = Callable[[Desk], Any]
CHANGES: dict[str, Change] = {
    "nothing": lambda desk: None,
    "a new article": lambda desk: desk.put(200),
    "an article of an old story": lambda desk: desk.put(
        201, title=desk.article(3).title, body=f"{desk.article(3).body} more"
    ),
    "other words": lambda desk: desk.put(5, title="Unlike", body="Nothing of this was told before by anybody here."),
    "another category": lambda desk: desk.put(6, category="section-0"),
    "news value": lambda desk: desk.put(7, news_value=5),
    "another address": lambda desk: desk.put(8, image_url="https://news.example/picture.jpg"),
    "a read": lambda desk: desk.read("r1", 9),
    "a hide": lambda desk: desk.read("r2", 10, kind="hide"),
    "less like this": lambda desk: desk.read("r3", 11, kind="less_like_this"),
    "an impression": lambda desk: desk.read("r4", 12, kind="impression"),
    "a mute": lambda desk: desk.store.patch_reader(
        "r1", ReaderPatch.model_validate({"add": {"muted_sources": ["s1"]}}), now=NOW
    ),
    "an undone read": lambda desk: desk.store.withdraw_event("e1"),
    "an erased reader": lambda desk: desk.store.erase_reader("r5"),
    "a rule": lambda desk: desk.block(13),
    "weights": lambda desk: desk.store.publish_weights(
        "for_you", {"freshness": 1.0}, {}, author="x", reason="x", now=NOW
    ),
    "an embargo that ends": lambda desk: desk.put(202, embargo_until=NOW + timedelta(seconds=30)),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_kept_list_is_the_one_that_would_be_made_now(desk: Desk, name: str) -> None:
    desk.ask_all()
    CHANGES[name](desk)
    desk.clock.advance(seconds=1.1)  # counted reads may wait for a second
    desk.ask_all()  # before this process took in what another wrote
    desk.service.refresh()
    desk.ask_all()


def test_any_number_of_changes_leaves_no_stale_list(desk: Desk) -> None:
    names = [name for name in CHANGES if name not in ("an undone read", "an erased reader")]
    for number in desk.random.permutation(len(names)).tolist():
        CHANGES[names[number]](desk)
        desk.clock.advance(seconds=1.1)
        desk.service.refresh()
        desk.ask_all()


def test_a_retracted_article_is_gone_before_anybody_took_that_in(desk: Desk) -> None:
    desk.ask_all()
    desk.store.retract_article("a3", now=NOW)
    assert all("a3" not in ids(desk.related(number)) for number in range(ARTICLES) if number != 3)
    assert all("a3" not in ids(desk.for_you(f"r{number}")) for number in range(READERS))
    with pytest.raises(Exception, match="retracted"):
        desk.related(3)


def test_a_new_article_ends_the_related_lists_near_it_and_no_others(desk: Desk) -> None:
    desk.ask_all()
    assert desk.kept() == (ARTICLES, READERS + 1)  # those nobody knows share one
    desk.put(200, body="Quinces, medlars and sorb apples ripen when everything else is over; cooks keep them in straw.",
             title="Late fruit", topics=[], category="garden")  # fmt: skip
    desk.service.refresh()
    desk.related(0)
    assert desk.kept()[0] == ARTICLES
    desk.put(206)  # of topic 2
    desk.service.refresh()
    desk.related(0)
    assert ARTICLES / TOPICS / 3 <= ARTICLES - desk.kept()[0] <= 3 * ARTICLES / TOPICS


def test_reads_end_the_related_lists_that_looked_at_what_was_read(desk: Desk) -> None:
    desk.ask_all()
    desk.read("r1", 9)
    desk.service.refresh()
    desk.clock.advance(seconds=1.1)
    before = hits(desk, "related")
    for number in range(ARTICLES):
        desk.related(number)
    assert 0.5 * ARTICLES < hits(desk, "related") - before < ARTICLES


def test_by_time_alone_a_list_ends_and_its_ages_are_said_anew_each_minute(desk: Desk) -> None:
    desk.related(0)
    desk.for_you("r0")
    for second in range(20, 290, 30):
        desk.clock.advance(seconds=30 if second > 20 else 20)
        told = {card["article_id"]: card["age"] for card in desk.related(0)["items"]}
        minute = desk.clock.now().replace(second=0)
        for card in desk.service.related("a0", limit=8, is_served=False, at=minute).items:
            between = [age(card.published_at, at, "en") for at in (minute, desk.clock.now())]
            assert told.get(card.article_id, card.age) in between
        told = {card["article_id"]: card["age"] for card in desk.for_you("r0")["items"]}
        for card in desk.service.for_you("r0").items:
            between = [age(card.published_at, at, "en") for at in (minute, desk.clock.now())]
            assert told.get(card.article_id, card.age) in between
    assert (hits(desk, "for_you"), hits(desk, "related")) == (9, 9)
    desk.clock.advance(seconds=61)
    desk.for_you("r0")
    desk.related(0)
    assert (hits(desk, "for_you"), hits(desk, "related")) == (9, 9)


def test_ages_said_anew_leave_everything_else_as_it_was(desk: Desk) -> None:
    for reader in ("r0", "r1", "nobody"):
        slate = desk.service.for_you(reader)
        assert slate.items
        items = msgspec.json.encode(slate.items)
        assert aged(items, desk.clock.now(), "en") == items
        later = desk.clock.now() + timedelta(hours=50)
        changed = msgspec.json.decode(aged(items, later, "de"))
        for card, told in zip(slate.items, changed, strict=True):
            assert told.pop("age") == age(card.published_at, later, "de") != card.age
        assert changed == [{k: v for k, v in one.items() if k != "age"} for one in msgspec.json.decode(items)]


def test_a_page_served_again_is_a_list_of_its_own(desk: Desk) -> None:
    desk.store.put_readers([ReaderIn(id="new")], now=NOW)
    desk.service.writer.start()
    first, again = desk.for_you("new", 2), desk.for_you("new", 2)
    assert hits(desk, "for_you") == 1
    assert first["items"] == again["items"]
    assert first["served_id"] != again["served_id"]
    follow = [desk.service.for_you("new", cursor=one["next"]) for one in (first, again)]
    assert [one.served_id for one in follow] == [first["served_id"], again["served_id"]]
    assert [card.article_id for card in follow[0].items] == [card.article_id for card in follow[1].items]
    desk.service.writer.stop()
    pages = [desk.store.served(one["served_id"])[0] for one in (first, again)]
    assert pages[0].article_ids == pages[1].article_ids
    assert pages[0].reader_id == pages[1].reader_id is not None
    with pytest.raises(Exception, match="another reader"):
        desk.service.for_you("r2", cursor=again["next"])


def test_readers_nobody_knows_share_a_list_and_no_cursor(desk: Desk) -> None:
    one, other = desk.for_you("nobody", 3), desk.for_you("no-one", 3)
    assert hits(desk, "for_you") == 1
    assert one["items"] == other["items"]
    assert desk.service.for_you("no-one", cursor=other["next"]).items
    with pytest.raises(Exception, match="another reader"):
        desk.service.for_you("no-one", cursor=one["next"])


def test_posting_known_events_again_forgets_nobody(desk: Desk) -> None:
    desk.ask_all()
    event = EventIn(id="e1", reader="r0", article="a0", kind="read", at=NOW)
    for _ in range(3):
        assert desk.store.add_events([event], now=NOW).duplicate == 1
    before = hits(desk, "for_you")
    for number in range(READERS):
        desk.for_you(f"r{number}")
    assert hits(desk, "for_you") - before == READERS


def ids(answer: dict[str, Any]) -> list[str]:
    return [card["article_id"] for card in answer["items"]]


def hits(desk: Desk, cache: str) -> int:
    return int(desk.hot.site.metrics._hits[cache, True]._value.get())


@given(head=st.binary(max_size=200), part=st.binary(max_size=5_000), tail=st.binary(max_size=700))
def test_gzip_around_a_compressed_middle_is_gzip_of_the_whole(head: bytes, part: bytes, tail: bytes) -> None:
    assert gzip.decompress(around(head, part, deflated(part), tail)) == head + part + tail


def test_what_is_asked_in_one_turn_is_one_question_begun_after_all_of_them() -> None:
    asked: list[set[str]] = []

    def ask(keys: Collection[str]) -> dict[str, str]:
        asked.append(set(keys))
        if "bad" in keys:
            raise ValueError("bad")
        return {key: key.upper() for key in keys}

    async def turns() -> None:
        together = Together(ask)
        assert await asyncio.gather(*(together(key) for key in "abca")) == ["A", "B", "C", "A"]
        assert await together("d") == "D"
        gone = asyncio.ensure_future(together("e"))
        stays = asyncio.ensure_future(together("f"))
        await asyncio.sleep(0)
        gone.cancel()
        assert await stays == "F"
        found = await asyncio.gather(together("bad"), together("g"), return_exceptions=True)
        assert [type(one) for one in found] == [ValueError, ValueError]

    asyncio.run(turns())
    assert asked == [{"a", "b", "c"}, {"d"}, {"e", "f"}, {"bad", "g"}]


class Stone:
    """So many bytes."""

    def __init__(self, nbytes: int) -> None:
        self.nbytes = nbytes


def test_a_memory_keeps_within_its_bytes_what_was_used_last() -> None:
    memory: Memory[str, Stone] = Memory(100)
    for key in "abc":
        memory.put(key, Stone(30))
    assert memory.get("a") is not None
    memory.put("d", Stone(30))
    assert [key for key, _ in memory.items()] == ["c", "a", "d"]
    memory.put("a", Stone(10))
    memory.drop("c")
    assert (memory.nbytes, len(memory)) == (40, 2)
    memory.put("e", Stone(101))
    assert (memory.nbytes, len(memory)) == (0, 0)
