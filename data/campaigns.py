"""Campaigns as rows, and how far each has been planned."""

from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Row, and_, func, insert, select, update

from data.alerts import CampaignRow
from data.clock import instant, micros
from data.errors import Conflict, NotFound
from data.leases import require_fence
from data.models import Alert, Campaign, Change, Counter, Reader
from data.store import Store
from data.store.audit import note
from data.store.database import table

ALERTS, CAMPAIGNS, CHANGES = table(Alert), table(Campaign), table(Change)
COUNTERS, READERS = table(Counter), table(Reader)


class Campaigns:
    """The campaigns of this newsroom."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def ensure(self, campaigns: Iterable[CampaignRow], *, now: datetime) -> None:
        """Write the campaigns whose key is not known; those that exist stay as people left them."""
        rows = [{k: v for k, v in asdict(one).items() if k != "id"} | {"created_at": now} for one in campaigns]
        with self.store.transaction() as connection:
            connection.execute(self.store.insert(Campaign).on_conflict_do_nothing(), rows)

    def add(self, campaign: CampaignRow, *, by: str, now: datetime) -> None:
        """A new campaign and its audit entry; Conflict if there is one of that key."""
        row = {k: v for k, v in asdict(campaign).items() if k != "id"} | {"created_at": now}
        with self.store.transaction() as connection:
            made = self.store.insert(Campaign).values(**row).on_conflict_do_nothing().returning(CAMPAIGNS.c.id)
            if connection.execute(made).first() is None:
                raise Conflict(f"there is a campaign {campaign.key!r} already; choose another key")
            after = {"kind": campaign.kind, "local_times": list(campaign.local_times), "state": campaign.state}
            note(connection, by, "added", f"campaign {campaign.key}", after=after, now=now)

    def get(self, key: str) -> CampaignRow:
        """One campaign by key; NotFound names those that exist."""
        known = {one.key: one for one in self.all()}
        if key not in known:
            there = ", ".join(sorted(known)) or "none yet; `newsbell init` writes the first"
            raise NotFound(f"no campaign {key!r}; there are: {there}")
        return known[key]

    def all(self) -> list[CampaignRow]:
        """Every campaign, oldest first."""
        with self.store.reading() as connection:
            return [_campaign_row(row) for row in connection.execute(select(CAMPAIGNS).order_by(CAMPAIGNS.c.id))]

    def standing(self) -> list[CampaignRow]:
        """The campaigns that people set up, oldest first: all but those that sending an alert, or a test, made."""
        made = select(ALERTS.c.campaign_id).where(ALERTS.c.campaign_id.is_not(None))
        query = select(CAMPAIGNS).where(CAMPAIGNS.c.kind != "test", CAMPAIGNS.c.id.not_in(made))
        with self.store.reading() as connection:
            return [_campaign_row(row) for row in connection.execute(query.order_by(CAMPAIGNS.c.id))]

    def set_state(self, key: str, state: str) -> None:
        """Switch a campaign `on` or `paused`; senders obey with their next claim."""
        campaign = self.get(key)
        with self.store.transaction() as connection:
            connection.execute(update(CAMPAIGNS).where(CAMPAIGNS.c.id == campaign.id).values(state=state))

    def raise_alarm(self, key: str, why: str, *, now: datetime, pauses: bool) -> None:
        """Write into the log of changes what the operator must know of a campaign, and pause it if it must stop."""
        after = {"state": "paused"} if pauses else {}
        change = {"at": now, "person": "newsbell", "what": "campaign", "target": key, "why": why}
        with self.store.transaction() as connection:
            if pauses:
                connection.execute(update(CAMPAIGNS).where(CAMPAIGNS.c.key == key).values(state="paused"))
            connection.execute(insert(CHANGES).values(**change, before=None, after=after))

    def switch(self, state: str, *, by: str, reason: str, now: datetime, key: str | None = None) -> int:
        """Switch one campaign, or all, `on` or `paused`, and note it, in one transaction. Returns how many changed.

        Senders obey with their next claim; NotFound where `key` names no campaign.
        """
        which = CAMPAIGNS.c.state != state
        if key is not None:
            which = and_(which, CAMPAIGNS.c.id == self.get(key).id)
        what = "paused push" if state == "paused" else "resumed push"
        with self.store.transaction() as connection:
            changed = connection.execute(update(CAMPAIGNS).where(which).values(state=state).returning(CAMPAIGNS.c.key))
            keys = sorted(changed.scalars())
            note(connection, by, what, key or "all campaigns", after={"campaigns": keys}, why=reason, now=now)
        return len(keys)

    def set_limits(
        self, key: str, *, policy: dict[str, Any], by: str, reason: str, now: datetime, **fields: float | None
    ) -> None:
        """Write how much is too much for a campaign, and note it, in one transaction."""
        campaign = self.get(key)
        old = asdict(campaign)
        values: dict[str, Any] = {**fields, "policy": {**campaign.policy, **policy}}
        flat_old = {**campaign.policy, **{name: old[name] for name in fields}}
        flat_new = {**values["policy"], **fields}
        changed = [name for name in flat_new if flat_old.get(name) != flat_new[name]]
        before, after = ({name: one.get(name) for name in changed} for one in (flat_old, flat_new))
        with self.store.transaction() as connection:
            connection.execute(update(CAMPAIGNS).where(CAMPAIGNS.c.id == campaign.id).values(**values))
            note(connection, by, "set the limits of", key, before=before, after=after, why=reason, now=now)

    def planned_until(self, campaign: CampaignRow) -> datetime | None:
        """Slots up to here have been planned; None before the first tick."""
        query = select(COUNTERS.c.value).where(COUNTERS.c.name == _counter(campaign))
        with self.store.reading() as connection:
            value = connection.execute(query).scalar()
        return None if value is None else instant(value)

    def mark_planned(self, campaign: CampaignRow, until: datetime, *, fence: int | None = None) -> None:
        """Remember that slots up to `until` are planned; never moves back."""
        name, value = _counter(campaign), micros(until)
        with self.store.transaction() as connection:
            require_fence(connection, fence)
            connection.execute(self.store.insert(Counter).values(name=name, value=value).on_conflict_do_nothing())
            further = update(COUNTERS).where(COUNTERS.c.name == name, COUNTERS.c.value < value)
            connection.execute(further.values(value=value))

    def readers_by_zone(self) -> dict[str, int]:
        """How many readers live in each time zone."""
        query = select(READERS.c.zone, func.count()).group_by(READERS.c.zone)
        with self.store.reading() as connection:
            return {zone: int(number) for zone, number in connection.execute(query)}


def _counter(campaign: CampaignRow) -> str:
    return f"planned_until:{campaign.id}"


def _campaign_row(row: Row[Any]) -> CampaignRow:
    fields = {name: getattr(row, name) for name in CampaignRow.__dataclass_fields__}
    return CampaignRow(
        **fields | {"local_times": tuple(row.local_times), "weekdays": tuple(row.weekdays), "policy": dict(row.policy)}
    )
