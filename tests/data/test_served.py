"""Served pages, what is held on a reader, keys and the signing secret; on both databases."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from data.errors import InvalidInput, NotFound
from data.models import Delivery, Device, Event, Served
from data.store import Store
from data.store.database import table
from data.values import ServedPage
from data.wire import DeviceIn, EventIn, ReaderIn, ReaderPatch

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def page(reader_id: int | None, first: int = 0, **fields: Any) -> ServedPage:
    given = {"served_id": "list-1", "surface": "for_you", "article_id": None, "served_at": NOW, "article_ids": (1, 2)}
    return ServedPage(reader_id=reader_id, first=first, weight_version=3, **(given | fields))


@pytest.fixture
def held(store: Store, article: Any) -> Store:
    """A store that holds two readers with a device, an event and a served page each."""
    store.put_articles([article("a1"), article("a2", title="Ferry workers vote")], now=NOW)
    store.put_readers([ReaderIn(id="r1"), ReaderIn(id="r2", followed_topics=["trams"])], now=NOW)
    for number in (1, 2):
        store.put_device(f"r{number}", DeviceIn(fid=f"f{number}", platform="ios", token="t"), now=NOW)
        event = {"id": f"e{number}", "reader": f"r{number}", "article": "a1", "kind": "read", "at": NOW.isoformat()}
        store.add_events([EventIn.model_validate(event)], now=NOW)
        row = store.reader(f"r{number}")
        assert row
        store.add_served([page(row.id, propensity=(0.9, 0.1))])
    return store


def test_pages_come_back_in_the_order_of_places(store: Store) -> None:
    pages = [page(None, first=20), page(None, first=0), page(None, served_id="other")]
    assert store.add_served(pages) == 3
    assert store.served("list-1") == [pages[1], pages[0]]
    assert store.served_since(NOW) == pages
    assert store.served_since(NOW + timedelta(seconds=1)) == []
    assert store.forget_served(NOW) == 0
    assert store.forget_served(NOW + timedelta(seconds=1)) == 3


def test_the_page_of_a_reader_erased_meanwhile_is_left_out_and_no_other(held: Store) -> None:
    row = held.reader("r1")
    assert row
    held.erase_reader("r1")
    assert held.add_served([page(row.id), page(None, served_id="kept")]) == 1
    assert len(held.served("kept")) == 1


def test_the_export_holds_everything_by_the_publishers_names(held: Store) -> None:
    found = held.export_reader("r2")
    assert found["reader"]["key"] == "r2"
    assert found["reader"]["followed_topics"] == ["trams"]
    assert found["devices"][0]["fid"] == "f2"
    assert found["events"] == [
        {"key": "e2", "kind": "read", "article": "a1", "at": NOW.isoformat(), "received_at": NOW.isoformat()}
    ]
    assert found["served"][0]["articles"] == ["a1", "a2"]
    assert found["deliveries"] == []
    with pytest.raises(NotFound):
        held.export_reader("nobody")


def test_erasing_removes_one_reader_from_every_table_and_no_other(held: Store) -> None:
    other = held.export_reader("r2")
    assert held.erase_reader("r1") == {"devices": 1, "events": 1, "deliveries": 0, "served": 1}
    assert held.reader("r1") is None
    with held.reading() as connection:
        for model in (Device, Event, Served, Delivery):
            assert connection.execute(select(func.count()).select_from(table(model))).scalar_one() <= 1
    assert held.export_reader("r2") == other
    with pytest.raises(NotFound):
        held.erase_reader("r1")


def test_a_withdrawn_event_is_as_if_it_had_not_happened(held: Store) -> None:
    held.withdraw_event("e1")
    state = held.reader_state("r1")
    assert state
    assert len(state.reads.at_us) == 0
    with pytest.raises(NotFound):
        held.withdraw_event("e1")


def test_a_change_touches_what_it_names_and_its_undoing_undoes_it(held: Store) -> None:
    def change(**fields: Any) -> Any:
        held.patch_reader("r2", ReaderPatch.model_validate(fields), now=NOW)
        return held.reader("r2")

    before = held.reader("r2")
    muted = change(add={"muted_sources": ["s1", "s1"], "muted_topics": ["sport"]}, push=False)
    assert (muted.muted_sources, muted.muted_topics, muted.push) == (("s1",), ("sport",), False)
    assert muted.followed_topics == ("trams",)
    undone = change(remove={"muted_sources": ["s1", "never"], "muted_topics": ["sport"]}, push=None)
    assert undone == before
    with pytest.raises(NotFound):
        held.patch_reader("nobody", ReaderPatch(daily_cap=1), now=NOW)
    with pytest.raises(InvalidInput, match="muted_topics"):
        change(muted_topics=[f"t{number}" for number in range(500)], add={"muted_topics": ["one more"]})
    assert held.reader("r2") == before


def test_the_secret_is_the_same_for_every_process(store: Store) -> None:
    first = store.secret("cursor")
    assert len(first) == 32
    with Store.open(store.engine.url.render_as_string(hide_password=False)) as other:
        assert other.secret("cursor") == first
        assert other.secret("other") != first


def test_a_key_has_a_rate_and_can_be_revoked(store: Store) -> None:
    secret = store.create_key("app", now=NOW, rate_per_s=5)
    found = store.find_key(secret)
    assert found
    assert (found.role, found.rate_per_s) == ("app", 5)
    assert store.find_key(secret + "x") is None
    store.revoke_key(secret.split("_")[1], now=NOW)
    assert store.find_key(secret) is None
    with pytest.raises(NotFound):
        store.revoke_key(secret.split("_")[1], now=NOW)
