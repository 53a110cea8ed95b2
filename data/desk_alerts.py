"""Alerts that the desk writes itself: draft -> asked -> sending | cancelled, every step with its audit entry.

A sent alert is a campaign of its own; the scheduler writes its deliveries when it finds the command. A test is a
campaign of kind `test` with one delivery, to a device flagged as a test device; senders refuse any other.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from hashlib import blake2b
from secrets import token_hex
from typing import Any

from sqlalchemy import Connection, Row, select, update

from data.alerts import CampaignRow, NewDelivery
from data.broadcasts import WINDOW_H, NewBroadcast, enter
from data.campaigns import Campaigns
from data.errors import Conflict, InvalidInput, NotAllowed, NotFound
from data.models import Alert, Article, Campaign, Command, Delivery, Device
from data.outbox import Outbox
from data.store import Store
from data.store.audit import note
from data.store.database import table
from data.store.story_desk import renew

ALERTS, CAMPAIGNS, DEVICES = table(Alert), table(Campaign), table(Device)
ARTICLES, DELIVERIES = table(Article), table(Delivery)
HOLD_S = 120
TTL_S = 3_600
TITLE_MOST, BODY_MOST = 65, 240  # what a locked phone shows; longer is cut when it is sent
TEST_PREFIX = "Test: "


@dataclass(frozen=True, slots=True)
class AlertRow:
    """An alert of the desk."""

    id: int
    article_id: int
    title: str
    body: str
    audience: dict[str, Any]
    policy: dict[str, Any]
    corrects: int | None
    state: str
    author: str
    reason: str
    approver: str
    campaign_id: int | None
    hold_until: datetime | None
    created_at: datetime
    kind: str = "manual"
    level: int = 3
    mode: str = "at_most_once"
    spread_s: int = 0
    way: str = "deliveries"  # or "broadcast": one message to a topic
    broadcast_id: int | None = None  # set as it leaves that way
    sends_as: str = ""  # key of the campaign of the desk whose rules it has; empty: none

    @property
    def topic(self) -> str | None:
        """Whom a broadcast of it is for: who follows this topic; None: everybody."""
        return str(self.audience["value"]).strip() if self.audience["kind"] == "topic" else None


@dataclass(frozen=True, slots=True)
class TestDevice:
    """A device that tests may ring."""

    id: int
    fid: str
    reader_id: int
    platform: str


class DeskAlerts:
    """What the desk writes, asks, sends and stops."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def all(self, *, limit: int = 50) -> list[AlertRow]:
        """The newest alerts, newest first."""
        with self.store.reading() as connection:
            return [_row(one) for one in connection.execute(select(ALERTS).order_by(ALERTS.c.id.desc()).limit(limit))]

    def get(self, alert_id: int) -> AlertRow:
        """One alert; NotFound if there is none of that number."""
        with self.store.reading() as connection:
            return _get(connection, alert_id)

    def write(
        self,
        article_id: int,
        title: str,
        body: str,
        *,
        audience: Mapping[str, Any],
        policy: Mapping[str, Any],
        by: str,
        reason: str,
        now: datetime,
        corrects: int | None = None,
        kind: str = "manual",
        level: int | None = None,
        mode: str = "at_most_once",
        spread_s: int = 0,
        sends_as: str = "",
    ) -> int:
        """A new draft; returns its number. InvalidInput for a text of a test: it must not reach the public.

        `kind` manual or breaking; `level` 1 to 3, 1 if it may ring in quiet hours. In `mode` at_least_once a message
        whose sender vanished goes again and replaces the first. `spread_s`: sends are spread over so long.
        `sends_as`: a campaign of the desk, whose approval threshold, time to live and collapse key it has.
        """
        check_text(title, body)
        level = (1 if policy.get("overrides_quiet") else 3) if level is None else level
        _check_way(kind, level, mode, spread_s)
        if sends_as:
            check_sends_as(Campaigns(self.store).get(sends_as))
        fields: dict[str, Any] = {
            "title": title,
            "body": body,
            "audience": dict(audience),
            "policy": dict(policy),
            "reason": reason,
        }
        fields |= {"kind": kind, "level": level, "mode": mode, "spread_s": spread_s}
        fields |= {"article_id": article_id, "corrects": corrects, "author": by, "approver": "", "state": "draft"}
        fields["sends_as"] = sends_as
        with self.store.transaction() as connection:
            made = self.store.insert(Alert).values(**fields, created_at=now).returning(ALERTS.c.id)
            number = int(connection.execute(made).scalar_one())
            after = {"title": title, "audience": dict(audience), **({"lifts": dict(policy)} if policy else {})}
            after |= {"sent as": sends_as} if sends_as else {}
            note(connection, by, "wrote", f"alert {number}", after=after, why=reason, now=now)
            return number

    def ask(self, alert_id: int, *, by: str, now: datetime) -> None:
        """Ask for somebody else's approval."""
        with self.store.transaction() as connection:
            _require(_get(connection, alert_id, lock=True), "draft")
            connection.execute(update(ALERTS).where(ALERTS.c.id == alert_id).values(state="asked"))
            note(connection, by, "asked to approve", f"alert {alert_id}", now=now)

    def send(
        self, alert_id: int, *, by: str, now: datetime, why: str = "", hold_s: int = HOLD_S, way: str = "deliveries"
    ) -> None:
        """Hand the alert to the scheduler, held for `hold_s`: campaign, command, state and audit entry together."""
        hold_until = now + timedelta(seconds=hold_s)
        with self.store.transaction() as connection:
            alert = _get(connection, alert_id, lock=True)
            _require(alert, "draft", "asked")
            campaign_id = self._campaign(connection, alert, now, hold_s)
            if alert.corrects is not None:
                _renew_story(connection, alert.article_id, now)
            values = {"state": "sending", "approver": by, "campaign_id": campaign_id, "hold_until": hold_until}
            values["way"] = way
            connection.execute(update(ALERTS).where(ALERTS.c.id == alert_id).values(**values))
            command = {"kind": "alert", "args": {"alert": alert_id}, "state": "todo", "author": by, "result": ""}
            connection.execute(self.store.insert(Command).values(**command, created_at=now))
            after = {"leaves": hold_until} | ({"way": way} if way != "deliveries" else {})
            note(connection, by, "sent", f"alert {alert_id}", after=after, why=why, now=now)

    def send_back(self, alert_id: int, *, why: str, now: datetime) -> None:  # sending -> asked
        """The scheduler refuses an alert that has no leave: it waits for a person again, and its campaign goes."""
        with self.store.transaction() as connection:
            alert = _get(connection, alert_id, lock=True)
            _require(alert, "sending")
            values = {"state": "asked", "approver": "", "campaign_id": None, "hold_until": None}
            connection.execute(update(ALERTS).where(ALERTS.c.id == alert_id).values(**values))
            connection.execute(CAMPAIGNS.delete().where(CAMPAIGNS.c.id == alert.campaign_id))
            note(connection, "newsbell", "sent back", f"alert {alert_id}", why=why, now=now)

    def cancel(self, alert_id: int, *, by: str, now: datetime) -> int:
        """Stop an alert: nothing of it that has not left will leave. Returns how many messages were stopped."""
        with self.store.transaction() as connection:
            alert = _get(connection, alert_id, lock=True)
            _require(alert, "draft", "asked", "sending")
            if alert.broadcast_id is not None:
                raise Conflict(f"alert {alert_id} has left as one message to a topic; send a correction")
            connection.execute(update(ALERTS).where(ALERTS.c.id == alert_id).values(state="cancelled"))
            if alert.campaign_id is not None:
                ours = update(CAMPAIGNS).where(CAMPAIGNS.c.id == alert.campaign_id)
                connection.execute(ours.values(state="paused"))
            note(connection, by, "cancelled", f"alert {alert_id}", now=now)
        if alert.campaign_id is None:
            return 0
        return Outbox(self.store).cancel(now=now, reason=f"cancelled by {by}", campaign_id=alert.campaign_id)

    # --- as one message to a topic ---

    def due_broadcasts(self, now: datetime) -> list[AlertRow]:
        """Alerts whose hold is over that leave as a broadcast and have not; those that are no news any more stay."""
        wanted = (ALERTS.c.state == "sending", ALERTS.c.way == "broadcast", ALERTS.c.broadcast_id.is_(None))
        fresh = ALERTS.c.hold_until > now - timedelta(seconds=TTL_S)
        query = select(ALERTS).join(CAMPAIGNS, CAMPAIGNS.c.id == ALERTS.c.campaign_id)
        query = query.where(*wanted, ALERTS.c.hold_until <= now, fresh, CAMPAIGNS.c.state == "on")
        with self.store.reading() as connection:
            return [_row(one) for one in connection.execute(query.order_by(ALERTS.c.id))]

    def leave(self, alert_id: int, one: NewBroadcast, *, now: datetime, window_h: float = WINDOW_H) -> int:
        """Write its broadcast into the ledger, in one transaction with the alert: now it cannot be cancelled any more.

        Conflict if it was cancelled, paused or sent meanwhile, or the topic was told of the story before.
        """
        with self.store.transaction() as connection:
            alert = _get(connection, alert_id, lock=True)
            _require(alert, "sending")
            query = select(CAMPAIGNS.c.state).where(CAMPAIGNS.c.id == alert.campaign_id)
            if alert.broadcast_id is not None or connection.execute(query).scalar() != "on":
                raise Conflict(f"alert {alert_id} has left, or push is paused")
            number = enter(connection, self.store, one, now, window_h=window_h)
            connection.execute(update(ALERTS).where(ALERTS.c.id == alert_id).values(broadcast_id=number))
            return number

    def give_up(self, alert_id: int, why: str, *, now: datetime) -> None:
        """Cancel an alert that could not leave, unless it has left or is over; the history says why."""
        with self.store.transaction() as connection:
            alert = _get(connection, alert_id, lock=True)
            if alert.state == "sending" and alert.broadcast_id is None:
                connection.execute(update(ALERTS).where(ALERTS.c.id == alert_id).values(state="cancelled"))
                note(connection, "newsbell", "could not send", f"alert {alert_id}", why=why, now=now)

    def apps(self) -> list[str]:
        """The Firebase projects that active devices belong to."""
        query = select(DEVICES.c.app).where(DEVICES.c.state == "active").distinct()
        with self.store.reading() as connection:
            return sorted(connection.execute(query).scalars())

    # --- tests ---

    def test_devices(self) -> list[TestDevice]:
        """The active devices that are flagged as test devices."""
        query = select(DEVICES).where(DEVICES.c.is_test, DEVICES.c.state == "active").order_by(DEVICES.c.id)
        with self.store.reading() as connection:
            return [TestDevice(row.id, row.fid, row.reader_id, row.platform) for row in connection.execute(query)]

    def send_test(self, alert_id: int, fid: str, *, by: str, now: datetime) -> None:
        """Ring one test device with the alert's text, marked as a test. NotAllowed for any other device."""
        alert = self.get(alert_id)
        device = next((one for one in self.test_devices() if one.fid == fid), None)
        if device is None:
            raise NotAllowed("This is no test device. The app registers one with is_test; a public device never is.")
        key = f"test-{alert_id}-{token_hex(4)}"
        message = {"title": f"{TEST_PREFIX}{alert.title}", "body": alert.body}
        campaigns, outbox = Campaigns(self.store), Outbox(self.store)
        campaigns.ensure([CampaignRow(id=0, key=key, name=message["title"], kind="test", message=message)], now=now)
        campaign = campaigns.get(key)
        plan_id = outbox.begin_plan(campaign, now=now, slots_from=now, slots_until=now)
        delivery = NewDelivery(
            key=blake2b(f"{key}\n{fid}".encode(), digest_size=16).hexdigest(),
            reader_id=device.reader_id,
            device_id=device.id,
            article_id=alert.article_id,
            story_id=None,
            update_no=0,
            slot=key,
            not_before_at=now,
            expires_at=now + timedelta(minutes=10),
        )
        outbox.add(plan_id, [delivery], now=now)
        outbox.finish_plan(plan_id, funnel={"SEND": 1})
        self.store.note(by, "sent a test of", f"alert {alert_id}", after={"device": fid[:8]}, now=now)

    def tests(self, alert_id: int) -> list[tuple[datetime, str, str]]:
        """The tests of an alert, newest first: when, what became of it, why."""
        query = select(DELIVERIES.c.planned_at, DELIVERIES.c.state, DELIVERIES.c.reason).join(CAMPAIGNS)
        query = query.where(CAMPAIGNS.c.kind == "test", CAMPAIGNS.c.key.like(f"test-{alert_id}-%"))
        with self.store.reading() as connection:
            rows = connection.execute(query.order_by(DELIVERIES.c.id.desc()).limit(5))
            return [(row.planned_at, row.state, row.reason) for row in rows]

    def _campaign(self, connection: Connection, alert: AlertRow, now: datetime, hold_s: int) -> int:
        base = _sent_as(connection, alert.sends_as) if alert.sends_as else CampaignRow(0, "", "", ttl_s=TTL_S)
        row = CampaignRow(
            id=0,
            key=f"alert-{alert.id}",
            name=alert.title,
            kind=alert.kind,
            mode=alert.mode,
            level=alert.level,
            spread_s=alert.spread_s,
            audience=alert.audience,
            ttl_s=base.ttl_s,
            hold_s=hold_s,
            collapse_key=base.collapse_key,
            approval_above=base.approval_above,
            policy=alert.policy,
            message={"title": alert.title, "body": alert.body},
        )
        fields = {name: value for name, value in asdict(row).items() if name != "id"} | {"created_at": now}
        made = self.store.insert(Campaign).values(**fields).returning(CAMPAIGNS.c.id)
        return int(connection.execute(made).scalar_one())


def check_sends_as(campaign: CampaignRow) -> None:
    """InvalidInput unless alerts of the desk can be sent as this campaign."""
    if campaign.kind not in ("manual", "breaking"):
        raise InvalidInput(f"{campaign.key} is a {campaign.kind}; an alert is sent as a manual or breaking campaign")


def check_text(title: str, body: str) -> None:
    """InvalidInput for an empty text, or one that says it is a test."""
    if not title.strip():
        raise InvalidInput("write a title: it is what a locked phone shows")
    words = f"{title} {body}".strip().casefold()
    if words.startswith(TEST_PREFIX.strip().casefold()) or words in {"test", "this is a test"}:
        raise InvalidInput("this is the text of a test; it cannot be sent to the public")


def _check_way(kind: str, level: int, mode: str, spread_s: int) -> None:
    if kind not in ("manual", "breaking"):
        raise InvalidInput(f"an alert of the desk is manual or breaking, not {kind!r}")
    if level not in (1, 2, 3):
        raise InvalidInput(f"level {level} is none; 1 is the most urgent, 3 the least")
    if mode not in ("at_most_once", "at_least_once"):
        raise InvalidInput(f"an alert is sent at_most_once or at_least_once, not {mode!r}")
    if not 0 <= spread_s <= 6 * 3_600:
        raise InvalidInput("an alert is spread over at most six hours")


def _sent_as(connection: Connection, key: str) -> Any:
    row = connection.execute(select(CAMPAIGNS).where(CAMPAIGNS.c.key == key)).first()
    if row is None or row.state != "on":
        raise Conflict(f"campaign {key!r} is paused or gone; resume it, or write the alert as another")
    return row


def _get(connection: Connection, alert_id: int, *, lock: bool = False) -> AlertRow:
    query = select(ALERTS).where(ALERTS.c.id == alert_id)
    row = connection.execute(query.with_for_update() if lock else query).first()
    if row is None:
        raise NotFound(f"no alert {alert_id}; the push page lists those there are")
    return _row(row)


def _row(row: Row[Any]) -> AlertRow:
    return AlertRow(**{name: getattr(row, name) for name in AlertRow.__dataclass_fields__})


def _require(alert: AlertRow, *states: str) -> None:
    if alert.state not in states:
        raise Conflict(f"alert {alert.id} is {alert.state} already; load its page again")


def _renew_story(connection: Connection, article_id: int, now: datetime) -> None:
    """A correction is a material update: readers who were told may be told again."""
    story = connection.execute(select(ARTICLES.c.story_id).where(ARTICLES.c.id == article_id)).scalar()
    if story is not None:
        renew(connection, story, now)
