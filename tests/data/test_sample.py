"""The sample newsroom keeps its promises: counts, times, voices, traps, and the same answer for the same seed."""

import re
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from difflib import SequenceMatcher
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from data.clock import zone_names
from data.errors import InvalidTime
from data.sample import Newsroom, generate
from data.sample.sheets import load_sheets
from data.store import Store

NOW = datetime(2026, 3, 29, 4, 30, tzinfo=UTC)  # within Europe's spring change of clocks
ROOT = Path(__file__).parents[2]
ICONS = ROOT / "recommender/web/static/icons"
PAGE = ROOT / "docs/sample-newsroom.md"


@pytest.fixture(scope="module")
def newsroom() -> Newsroom:
    return generate(1, now=NOW)


def test_same_seed_and_now_give_the_same_newsroom(newsroom: Newsroom) -> None:
    assert generate(1, now=NOW) == newsroom


def test_another_seed_writes_other_text_about_the_same_stories(newsroom: Newsroom) -> None:
    other = generate(2, now=NOW)
    assert {article.title for article in other.articles} == {article.title for article in newsroom.articles}
    same = {article.body for article in newsroom.articles} & {article.body for article in other.articles}
    assert len(same) < len(newsroom.articles) / 20


def test_now_without_an_offset_is_refused() -> None:
    with pytest.raises(InvalidTime, match="offset"):
        generate(1, now=datetime(2026, 3, 29, 4, 30))


def test_it_is_as_large_as_promised(newsroom: Newsroom) -> None:
    assert len(newsroom.articles) >= 400
    assert len(set(newsroom.labels.values())) >= 60
    assert len({article.category for article in newsroom.articles}) == 10
    assert len(newsroom.readers) == 200
    assert len({reader.zone for reader in newsroom.readers}) >= 12
    assert {article.news_value for article in newsroom.articles} >= {1, 2, 3, 4, 5}
    assert {article.lifetime for article in newsroom.articles} == {"short", "medium", "long"}
    assert {article.language for article in newsroom.articles} == {"en", "da", "ja", "cs"}


def test_keys_and_addresses_are_unique_and_reserved(newsroom: Newsroom) -> None:
    assert len({article.id for article in newsroom.articles}) == len(newsroom.articles) == len(newsroom.labels)
    assert len({article.url for article in newsroom.articles}) == len(newsroom.articles)
    assert all(re.match(r"https://[a-z-]+\.example/", article.url) for article in newsroom.articles)
    assert len({event.id for event in newsroom.events}) == len(newsroom.events)


def test_keys_and_addresses_do_not_give_the_story_away(newsroom: Newsroom) -> None:
    for article in newsroom.articles:
        assert newsroom.labels[article.id] not in article.id


def test_every_source_appears_in_several_stories_and_has_an_icon(newsroom: Newsroom) -> None:
    stories = defaultdict(set)
    for article in newsroom.articles:
        assert article.source is not None
        stories[article.source.id].add(newsroom.labels[article.id])
    assert {source.key for source in newsroom.sources} == set(stories)
    assert min(map(len, stories.values())) >= 4
    for source in newsroom.sources:
        icon = (ICONS / f"{source.key}.svg").read_text()
        assert source.source().icon_url == f"/static/icons/{source.key}.svg"
        assert "<svg" in icon
        assert not re.search("href|<script", icon)


def test_most_stories_have_four_or_more_articles_of_three_or_more_outlets(newsroom: Newsroom) -> None:
    outlets = defaultdict(list)
    for article in newsroom.articles:
        assert article.source is not None
        outlets[newsroom.labels[article.id]].append(article.source.id)
    broad = [story for story, keys in outlets.items() if len(keys) >= 4 and len(set(keys)) >= 3]
    small = [story for story, keys in outlets.items() if len(keys) <= 3]
    assert len(broad) > len(outlets) * 0.7
    assert len(small) >= 5
    assert max(map(len, outlets.values())) <= 10


def test_articles_fill_ten_days_and_the_newest_is_minutes_old(newsroom: Newsroom) -> None:
    times = [article.published_at for article in newsroom.articles if article.id not in newsroom.embargoed]
    assert NOW - timedelta(minutes=15) < max(times) < NOW
    assert NOW - timedelta(days=10) < min(times) < NOW - timedelta(days=9)
    assert all(article.updated_at is None or article.updated_at <= NOW for article in newsroom.articles)


def test_only_the_embargoed_article_lies_ahead(newsroom: Newsroom) -> None:
    ahead = {article.id for article in newsroom.articles if article.published_at > NOW}
    assert ahead == newsroom.embargoed
    assert len(ahead) == 1
    for article in newsroom.articles:
        assert (article.embargo_until is not None) == (article.id in ahead)


def test_the_traps_are_there_once_each(newsroom: Newsroom) -> None:
    bare = {article.id for article in newsroom.articles if not article.body and not article.summary}
    assert bare == newsroom.title_only
    assert len(newsroom.title_only) == len(newsroom.retracted) == 1
    assert newsroom.retracted < set(newsroom.labels)


def test_reports_are_of_readable_length(newsroom: Newsroom) -> None:
    spaced = [article for article in newsroom.articles if article.body and article.language != "ja"]
    lengths = [len(article.body.split()) for article in spaced]
    assert min(lengths) >= 70
    assert max(lengths) <= 250


def test_no_two_articles_are_alike_but_the_syndicated_copies(newsroom: Newsroom) -> None:
    by_key = {article.id: article for article in newsroom.articles}
    originals = [article for article in newsroom.articles if article.id not in newsroom.syndicated and article.body]
    assert max(Counter(article.body for article in originals).values()) == 1
    assert max(Counter(article.title for article in originals).values()) == 1
    assert len(newsroom.syndicated) >= 4
    for copy_key, key in newsroom.syndicated.items():
        assert by_key[copy_key].source != by_key[key].source
        assert by_key[copy_key].title == by_key[key].title
        assert by_key[copy_key].body.startswith(by_key[key].body)
        assert by_key[copy_key].published_at > by_key[key].published_at
        assert newsroom.labels[copy_key] == newsroom.labels[key]


def test_outlets_word_the_same_event_differently(newsroom: Newsroom) -> None:
    stories = defaultdict(list)
    for article in newsroom.articles:
        if article.body and article.language == "en" and article.id not in newsroom.syndicated:
            stories[newsroom.labels[article.id]].append(article)
    for articles in stories.values():
        for first, second in pairwise(articles):
            assert SequenceMatcher(None, first.body.split(), second.body.split(), autojunk=False).ratio() < 0.9


def test_sentences_are_finished(newsroom: Newsroom) -> None:
    for article in newsroom.articles:
        text = f"{article.title}\n\n{article.summary}\n\n{article.body}"
        assert not re.search(r"[\[\]{}|@]|::|\.\.|  ", text), article.id
        for paragraph in filter(None, article.body.split("\n\n")):
            assert paragraph.endswith((".", "。", "”", '"', "“", "」")), (article.id, paragraph)
        if article.language == "en":
            assert not re.search(r"\b(\w+) \1\b", text), article.id
            assert not re.search(r"\. [a-z]", text), article.id


def test_reader_keys_are_opaque_and_zones_valid(newsroom: Newsroom) -> None:
    assert all(re.fullmatch(r"reader-\d{3}", reader.id) for reader in newsroom.readers)
    assert {reader.zone for reader in newsroom.readers} <= zone_names()


def test_readers_differ_in_what_they_allow(newsroom: Newsroom) -> None:
    assert 5 <= sum(not reader.push for reader in newsroom.readers) <= 50
    assert len({(reader.quiet_from, reader.quiet_until) for reader in newsroom.readers}) > 5
    assert any(reader.followed_topics for reader in newsroom.readers)
    assert any(reader.muted_topics for reader in newsroom.readers)
    assert {reader.language for reader in newsroom.readers} == {"en", "da", "ja", "cs"}
    for reader in newsroom.readers:
        assert not set(reader.followed_topics) & set(reader.muted_topics)


def test_most_readers_have_one_or_two_devices(newsroom: Newsroom) -> None:
    owned = Counter(key for key, _ in newsroom.devices)
    assert set(owned) < {reader.id for reader in newsroom.readers}
    assert 150 <= len(owned) <= 190
    assert set(owned.values()) == {1, 2}
    assert len({device.fid for _, device in newsroom.devices}) == len(newsroom.devices)
    assert all(re.fullmatch(r"[cdef][\w-]{21}", device.fid, re.ASCII) for _, device in newsroom.devices)
    assert {device.platform for _, device in newsroom.devices} == {"android", "ios", "web"}


def test_events_follow_publication_and_keep_waking_hours(newsroom: Newsroom) -> None:
    published = {article.id: article.published_at for article in newsroom.articles}
    zones = {reader.id: ZoneInfo(reader.zone) for reader in newsroom.readers}
    for event in newsroom.events:
        assert published[event.article] < event.at < NOW
        assert 7 <= event.at.astimezone(zones[event.reader]).hour < 23
        assert event.article not in newsroom.embargoed
    assert newsroom.events == sorted(newsroom.events, key=lambda event: event.at)


def test_what_is_read_was_opened_and_what_is_opened_was_shown(newsroom: Newsroom) -> None:
    first: dict[tuple[str, str, str], datetime] = {}
    for event in newsroom.events:
        first.setdefault((event.reader, event.article, event.kind), event.at)
    for (reader, article, kind), at in first.items():
        before = {"open": "impression", "read": "open", "finish": "read"}.get(kind)
        assert before is None or first[reader, article, before] <= at
    assert all((event.dwell_s is not None) == (event.kind in {"read", "finish"}) for event in newsroom.events)


def test_some_readers_are_cold_and_reading_favours_large_stories(newsroom: Newsroom) -> None:
    active = {event.reader for event in newsroom.events}
    assert 8 <= len(newsroom.readers) - len(active) <= 30
    size = Counter(newsroom.labels.values())
    reads = [event.article for event in newsroom.events if event.kind == "read"]
    read_size = sum(size[newsroom.labels[article]] for article in reads) / len(reads)
    mean_size = sum(size[story] for story in newsroom.labels.values()) / len(newsroom.labels)
    assert read_size > mean_size * 1.05
    top_tenth = sum(count for _, count in Counter(reads).most_common(len(newsroom.articles) // 10))
    assert top_tenth > len(reads) * 0.2


def test_readers_open_what_they_follow_more_often(newsroom: Newsroom) -> None:
    topics = {article.id: set(article.topics) for article in newsroom.articles}
    follows = {reader.id: set(reader.followed_topics) for reader in newsroom.readers if reader.followed_topics}
    shown: Counter[bool] = Counter()
    opened: Counter[bool] = Counter()
    for event in newsroom.events:
        if event.reader in follows:
            followed = bool(topics[event.article] & follows[event.reader])
            shown[followed] += event.kind == "impression"
            opened[followed] += event.kind == "open"
    assert opened[True] / shown[True] > 1.3 * opened[False] / shown[False]


def test_every_outlet_has_something_to_tell_at_each_stage_it_reports() -> None:
    for sheet in load_sheets():
        for piece in sheet.pieces:
            told = [fact for fact in sheet.facts if fact.stage == piece.stage]
            assert any(not fact.letters or piece.letter in fact.letters for fact in told), (sheet.slug, piece)


@pytest.mark.parametrize("now", [datetime(2026, 11, 1, 0, 1, tzinfo=UTC), datetime(2027, 7, 9, 17, 59, 59, tzinfo=UTC)])
def test_times_hold_at_any_hour_and_season(now: datetime) -> None:
    newsroom = generate(3, now=now)
    ages = [now - article.published_at for article in newsroom.articles if article.id not in newsroom.embargoed]
    assert timedelta(0) < min(ages) < timedelta(minutes=15)
    assert max(ages) < timedelta(days=10)
    assert all(article.published_at > now for article in newsroom.articles if article.id in newsroom.embargoed)
    assert now - timedelta(hours=24) < newsroom.events[-1].at < now


def test_a_store_takes_everything_as_new(newsroom: Newsroom, store: Store) -> None:
    put = store.put_articles(newsroom.articles, now=NOW)
    assert (put.new, put.changed, put.same, put.rejected) == (len(newsroom.articles), 0, 0, ())
    assert store.put_readers(newsroom.readers, now=NOW) == len(newsroom.readers)
    assert store.put_devices(newsroom.devices, now=NOW) == len(newsroom.devices)
    few = newsroom.events[-1000:]
    added = store.add_events(few, now=NOW)
    assert (added.accepted, added.rejected) == (len(few), ())
    for key in newsroom.retracted:
        store.retract_article(key, now=NOW)


def test_the_page_about_it_tells_the_truth(newsroom: Newsroom) -> None:
    page = PAGE.read_text()
    stories = set(newsroom.labels.values())
    assert f"{len(stories)} stories, {len(newsroom.articles)} articles, {len(newsroom.readers)} readers" in page
    assert f"{len({reader.zone for reader in newsroom.readers})} time zones" in page
    look_for = page.split("## What to look for")[1].split("## The readers")[0]
    assert set(re.findall(r"`([a-z-]+)`", look_for)) <= stories
    assert all(f"`{source.key}`" in page for source in newsroom.sources)
