"""Commands and campaigns, on SQLite and PostgreSQL."""

from datetime import UTC, datetime, timedelta

import pytest

from data.alerts import CampaignRow
from data.campaigns import Campaigns
from data.commands import Commands
from data.errors import NotFound
from data.store import Store
from data.wire import ReaderIn

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)


def test_a_command_is_taken_once_and_its_end_is_kept(store: Store) -> None:
    commands = Commands(store)
    number = commands.ask("pause", {"campaign": "morning"}, author="editor@example.org", now=NOW)
    (taken,) = commands.take()
    assert (taken.id, taken.kind, taken.args) == (number, "pause", {"campaign": "morning"})
    assert commands.take() == []
    commands.finish(number, now=NOW, result="done")


def test_writing_the_defaults_again_changes_nothing_people_changed(store: Store) -> None:
    campaigns = Campaigns(store)
    campaigns.ensure([CampaignRow(id=0, key="morning", name="Morning", bar=0.4)], now=NOW)
    campaigns.set_state("morning", "paused")
    campaigns.ensure([CampaignRow(id=0, key="morning", name="Other")], now=NOW)
    found = campaigns.get("morning")
    assert (found.name, found.state, found.bar, found.created_at) == ("Morning", "paused", 0.4, NOW)


def test_an_unknown_campaign_is_answered_with_those_there_are(store: Store) -> None:
    Campaigns(store).ensure([CampaignRow(id=0, key="morning", name="Morning")], now=NOW)
    with pytest.raises(NotFound, match="there are: morning"):
        Campaigns(store).get("mourning")


def test_planning_never_moves_back(store: Store) -> None:
    campaigns = Campaigns(store)
    campaigns.ensure([CampaignRow(id=0, key="morning", name="Morning")], now=NOW)
    morning = campaigns.get("morning")
    assert campaigns.planned_until(morning) is None
    campaigns.mark_planned(morning, NOW)
    campaigns.mark_planned(morning, NOW - timedelta(hours=1))
    assert campaigns.planned_until(morning) == NOW


def test_zones_are_counted_by_readers(store: Store) -> None:
    zones = ["Asia/Tokyo", "Asia/Tokyo", "UTC"]
    store.put_readers([ReaderIn(id=f"r{i}", zone=zone) for i, zone in enumerate(zones)], now=NOW)
    assert Campaigns(store).readers_by_zone() == {"Asia/Tokyo": 2, "UTC": 1}
