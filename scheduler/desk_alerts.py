"""Alerts that the desk wrote: whoever is meant gets a held delivery; every limit is looked at again when it leaves."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from hashlib import blake2b

from data.alerts import CampaignRow, NewDelivery
from data.broadcasts import NewBroadcast
from data.campaigns import Campaigns
from data.desk_alerts import TTL_S, AlertRow, DeskAlerts
from data.errors import NewsbellError
from data.outbox import Outbox
from data.store import Store
from data.values import ArticleRow, DeviceRow, ReaderRow
from recommender.audience import is_meant
from recommender.push import Policy, is_holdout
from scheduler.broadcast import Broadcaster

PAGE = 2_000


def plan_alert(
    store: Store, alert_id: int, *, now: datetime, fence: int | None = None, may_broadcast: bool = False
) -> str:
    """Write the deliveries of an alert; one that was cancelled meanwhile gets none. Says what was done.

    An alert that leaves as a broadcast has no deliveries, unless the sender cannot broadcast.
    """
    alerts, outbox = DeskAlerts(store), Outbox(store)
    alert = alerts.get(alert_id)
    if alert.state != "sending" or alert.campaign_id is None:
        return f"alert {alert_id} is {alert.state}"
    if alert.way == "broadcast" and may_broadcast:
        return f"alert {alert_id} leaves as one message when its hold is over"
    campaign = next(one for one in Campaigns(store).all() if one.id == alert.campaign_id)
    article = store.articles([alert.article_id])[0]
    update_no = outbox.update_nos().get(article.story_id or 0, 0)
    plan_id = outbox.begin_plan(campaign, now=now, slots_from=now, slots_until=now, fence=fence)
    funnel, made = Counter[str](), 0
    for readers in store.reader_pages(size=PAGE, push_only=True):
        page = list(_deliveries(store, campaign, alert, article, update_no, readers, funnel))
        made += outbox.add(plan_id, page, now=now, hold=True, fence=fence)
    outbox.finish_plan(plan_id, funnel=dict(funnel), fence=fence)
    if alerts.get(alert_id).state != "sending":  # cancelled while this was going on
        outbox.cancel(now=now, reason="cancelled while planning", campaign_id=campaign.id)
        return f"alert {alert_id} was cancelled"
    return f"alert {alert_id}: {made} deliveries held"


def broadcast_due(store: Store, broadcaster: Broadcaster, *, now: datetime) -> list[str]:
    """Send the alerts whose hold is over and that go to a topic, each once; says how each ended."""
    alerts, said = DeskAlerts(store), []
    for alert in alerts.due_broadcasts(now):
        (article,) = store.articles([alert.article_id])
        told = replace(article, title=alert.title, summary=alert.body)
        apps = alerts.apps()
        try:
            outcome = broadcaster.send(
                told,
                topic=alert.topic,
                app=apps[0] if apps else "",
                ttl_s=TTL_S,
                author=alert.author,
                enter=partial(_leave, alerts, alert.id),
            )
            said.append(f"alert {alert.id} as a broadcast: {outcome.state}")
        except NewsbellError as error:  # retracted, cancelled this moment, or told before
            alerts.give_up(alert.id, str(error), now=now)
            said.append(f"alert {alert.id} was not broadcast: {error}")
    return said


def _leave(alerts: DeskAlerts, alert_id: int, one: NewBroadcast, now: datetime) -> int:
    return alerts.leave(alert_id, one, now=now)


def _deliveries(
    store: Store,
    campaign: CampaignRow,
    alert: AlertRow,
    article: ArticleRow,
    update_no: int,
    readers: Sequence[ReaderRow],
    funnel: Counter[str],
) -> Iterator[NewDelivery]:
    meant = [one for one in readers if is_meant(one, alert.audience)]
    held_out = is_holdout([one.key for one in meant], Policy.of(campaign.policy).holdout_share)
    devices: dict[int, list[DeviceRow]] = defaultdict(list)
    for device in store.devices_of([one.id for one in meant]):
        devices[device.reader_id].append(device)
    not_before_at = alert.hold_until or alert.created_at
    for reader, is_out in zip(meant, held_out.tolist(), strict=True):
        verdict = "HOLDOUT" if is_out else "SEND" if devices[reader.id] else "NO_DEVICE"
        funnel[verdict] += 1
        for device in devices[reader.id] if verdict == "SEND" else ():
            yield NewDelivery(
                key=blake2b(f"{campaign.key}\n{device.fid}".encode(), digest_size=16).hexdigest(),
                reader_id=reader.id,
                device_id=device.id,
                article_id=article.id,
                story_id=article.story_id,
                update_no=update_no,
                slot=campaign.key,
                not_before_at=not_before_at,
                expires_at=not_before_at + timedelta(seconds=campaign.ttl_s),
            )
