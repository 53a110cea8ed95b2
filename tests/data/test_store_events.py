"""Readers, devices and the read log."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from data.errors import NotFound
from data.store import Store
from data.store.reader_state import Revision
from data.wire import DeviceIn, EventIn, ReaderIn

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def event(key: str, reader: str = "r1", article: str = "a1", **fields: Any) -> EventIn:
    given = {"id": key, "reader": reader, "article": article, "kind": "read", "at": NOW - timedelta(hours=1)}
    return EventIn.model_validate(given | fields)


@pytest.fixture
def ready(store: Store, article: Any) -> Store:
    store.put_articles([article("a1"), article("a2")], now=NOW)
    return store


def test_an_event_counts_once_however_often_it_is_posted(ready: Store) -> None:
    first = ready.add_events([event("e1"), event("e2"), event("e1")], now=NOW)
    again = ready.add_events([event("e2"), event("e3")], now=NOW)
    assert (first.accepted, first.duplicate) == (2, 1)
    assert (again.accepted, again.duplicate) == (1, 1)
    assert ready.count_events() == 3


def test_bad_events_are_rejected_with_reasons_and_the_rest_goes_in(ready: Store) -> None:
    batch = [event("e1", article="nope"), event("e2", at=NOW + timedelta(hours=2)), event("e3")]
    result = ready.add_events(batch, now=NOW)
    assert result.accepted == 1
    assert [index for index, _ in result.rejected] == [0, 1]
    assert "unknown" in result.rejected[0][1]
    assert "in the future" in result.rejected[1][1]


def test_a_reader_never_seen_is_created_by_the_first_event(ready: Store) -> None:
    assert ready.reader("r9") is None
    ready.add_events([event("e1", reader="r9")], now=NOW)
    made = ready.reader("r9")
    assert made is not None
    assert made.zone == "UTC"


def test_histories_are_newest_first_limited_and_without_impressions(ready: Store) -> None:
    events = [event(f"e{n}", at=NOW - timedelta(minutes=n), article="a1" if n % 2 else "a2") for n in range(10)]
    events.append(event("i1", kind="impression", at=NOW))
    events.append(event("o1", reader="r2", kind="open", dwell_s=3.5))
    ready.add_events(events, now=NOW)
    ids = [ready.reader(key).id for key in ("r1", "r2")]  # type: ignore[union-attr]
    got = ready.histories([*ids, 999], limit=4)
    assert got.indptr.tolist() == [0, 4, 5, 5]
    assert np.all(np.diff(got.of(0).at_us) < 0)
    assert got.of(1).dwell_s.tolist() == [3.5]
    assert ready.histories(ids[:1], limit=4).at_us.tolist() == got.of(0).at_us.tolist()
    early = ready.histories(ids[:1], until=NOW - timedelta(minutes=8))
    assert len(early.at_us) == 2


def test_event_batches_are_seen_once_and_in_order(ready: Store) -> None:
    start = ready.event_batch()
    for number in range(5):
        ready.add_events([event(f"e{number}-{part}") for part in range(3)], now=NOW)
    first = ready.events_since(start, limit=4)
    rest = ready.events_since(first.last)
    assert len(first.at_us) + len(rest.at_us) == 15
    assert len(first.at_us) % 3 == 0
    assert rest.last == ready.event_batch()
    assert len(ready.events_since(rest.last).at_us) == 0


def test_a_reader_is_written_whole_and_read_back(store: Store) -> None:
    given = ReaderIn(id="r1", zone="Asia/Tokyo", language="ja", muted_topics=["golf"], quiet_from="21:30")  # type: ignore[arg-type]
    store.put_readers([given], now=NOW)
    store.put_readers([given.model_copy(update={"daily_cap": 2})], now=NOW)
    held = store.reader("r1")
    assert held is not None
    assert (held.zone, held.quiet_from, held.muted_topics, held.daily_cap) == ("Asia/Tokyo", "21:30", ("golf",), 2)
    assert [reader.key for page in store.reader_pages(size=1) for reader in page] == ["r1"]


def test_a_device_moves_to_whoever_signs_in(store: Store) -> None:
    store.put_device("r1", DeviceIn(fid="f1", platform="ios"), now=NOW)
    store.put_device("r2", DeviceIn(fid="f1", platform="ios"), now=NOW)
    ids = [store.reader(key).id for key in ("r1", "r2")]  # type: ignore[union-attr]
    assert [device.reader_id for device in store.devices_of(ids)] == [ids[1]]
    with pytest.raises(NotFound):
        store.delete_device("r1", "f1")
    store.delete_device("r2", "f1")
    assert store.devices_of(ids) == []


def test_only_the_hash_of_a_key_is_kept(store: Store) -> None:
    secret = store.create_key("ingest", "wire desk", now=NOW)
    assert store.key_role(secret) == "ingest"
    assert store.key_role(secret[:-1] + ("A" if secret[-1] != "A" else "B")) is None
    assert store.key_role("nonsense") is None


def test_publishing_weights_moves_the_live_pointer(store: Store) -> None:
    assert store.live_weights("for_you") is None
    for value in (0.5, 0.8):
        store.publish_weights("for_you", {"freshness": value}, {}, author="ada", reason="try", now=NOW)
    live = store.live_weights("for_you")
    assert live is not None
    assert (live.version, live.weights) == (2, {"freshness": 0.8})


def test_feed_state_is_remembered(store: Store) -> None:
    url = "https://news.example/feed"
    assert store.feed(url) is None
    store.put_feed(url, etag='"1"', last_modified=None, fetched_at=NOW)
    store.put_feed(url, etag='"2"', last_modified=None, fetched_at=NOW)
    assert store.feed(url).etag == '"2"'  # type: ignore[union-attr]


def test_what_is_kept_of_readers_is_as_fresh_as_the_rows(store: Store, article: Any) -> None:
    """Another process writes; this one asks the same readers again and again."""
    store.put_articles([article(f"a{number}", title=f"Title {number} of its own") for number in range(5)], now=NOW)
    url = store.engine.url.render_as_string(hide_password=False)
    with Store.open(url) as other:
        for step in range(30):
            reader = f"r{step % 3}"
            fields = {"id": f"e{step}", "reader": reader, "article": f"a{step % 5}", "at": NOW.isoformat()}
            kind = "impression" if step % 4 == 0 else "read"
            other.add_events([EventIn.model_validate(fields | {"kind": kind})], now=NOW)
            if step % 7 == 3:
                other.withdraw_event(f"e{step}")
            if step % 11 == 10:
                other.erase_reader("r1")
            for key in ("r0", "r1", "r2"):
                mine, fresh = store.reader_state(key), other.reader_state(key, until=NOW + timedelta(days=1))
                assert (mine is None) == (fresh is None)
                if mine and fresh:
                    assert mine.row == fresh.row
                    for one, two in ((mine.reads, fresh.reads), (mine.impressions, fresh.impressions)):
                        assert one.article_id.tolist() == two.article_id.tolist()
                        assert one.kind.tolist() == two.kind.tolist()


def test_a_revision_changes_with_what_a_reader_chose_and_did_and_with_nothing_else(ready: Store) -> None:
    with Store.open(ready.engine.url.render_as_string(hide_password=False)) as other:
        ready.add_events([event("e1", reader="r1"), event("e2", reader="r2")], now=NOW)
        readers = ["r1", "r2", "nobody"]

        def told() -> dict[str, tuple[Revision, int]]:
            found = ready.reader_revisions(readers)
            assert found == {key: ready.reader_revision(key) for key in readers}
            return found

        def changed(before: dict[str, tuple[Revision, int]]) -> set[str]:
            after = told()
            return {key for key in readers if after[key][0] != before[key][0]}

        before = told()
        other.add_events([event("e3", reader="r1")], now=NOW)
        assert changed(before) == {"r1"}
        before = told()
        other.add_events([event("e3", reader="r1")], now=NOW)  # known already
        assert changed(before) == set()
        other.put_readers([ReaderIn(id="r2", muted_topics=["golf"])], now=NOW)
        assert changed(before) == {"r2"}
        before = told()
        other.withdraw_event("e3")
        assert "r1" in changed(before)
        assert not before["nobody"][0].is_known
