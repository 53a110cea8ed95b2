"""Alerts that the desk wrote: the same verdicts as any plan, for the readers who are meant."""

from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

import numpy as np

from data.alerts import CampaignRow
from data.broadcasts import NewBroadcast
from data.campaigns import Campaigns
from data.clock import micros
from data.desk_alerts import TTL_S, AlertRow, DeskAlerts
from data.errors import NewsbellError
from data.store import Store
from data.store.people import ROLES
from data.values import ArticleRow, IntArray
from recommender.approval import count_meant, threshold
from recommender.audience import meant
from recommender.columns import fold_name
from recommender.policies import in_force
from recommender.push import Candidates
from recommender.push_desk import DeskChoice
from scheduler.broadcast import Broadcaster
from scheduler.plan_report import Report, Run
from scheduler.planning import Planner
from scheduler.slots import Slot


def plan_alert(
    planner: Planner, alert_id: int, *, now: datetime, fence: int | None = None, may_broadcast: bool = False
) -> str:
    """Write the deliveries of an alert; one that was cancelled meanwhile gets none. Says what was done.

    One that needs a second person, or may not ring at night, and has no leave for it goes back to `asked`.
    One that leaves as a broadcast has no deliveries, unless the sender cannot broadcast.
    """
    alerts = DeskAlerts(planner.store)
    alert = alerts.get(alert_id)
    if alert.state != "sending" or alert.campaign_id is None:
        return f"alert {alert_id} is {alert.state}"
    if lacks := missing_leave(planner.store, alert):
        alerts.send_back(alert_id, why=lacks, now=now)
        return f"alert {alert_id} was not sent: {lacks}"
    if alert.way == "broadcast" and may_broadcast:
        return f"alert {alert_id} leaves as one message when its hold is over"
    report = _plan(planner, alert, now, fence)
    if alerts.get(alert_id).state != "sending":  # cancelled while this was going on
        planner.outbox.cancel(now=now, reason="cancelled while planning", campaign_id=alert.campaign_id)
        return f"alert {alert_id} was cancelled"
    return f"alert {alert_id}: {report.deliveries} deliveries held"


def broadcast_due(store: Store, broadcaster: Broadcaster, *, now: datetime) -> list[str]:
    """Send the alerts whose hold is over and that go to a topic, each once; says how each ended."""
    alerts, said = DeskAlerts(store), []
    for alert in alerts.due_broadcasts(now):
        if lacks := missing_leave(store, alert):
            alerts.send_back(alert.id, why=lacks, now=now)
            said.append(f"alert {alert.id} was not broadcast: {lacks}")
            continue
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


def _leave(alerts: DeskAlerts, alert_id: int, one: NewBroadcast, now: datetime, window_h: float) -> int:
    return alerts.leave(alert_id, one, now=now, window_h=window_h)


def missing_leave(store: Store, alert: AlertRow) -> str:
    """What an alert lacks to be sent, or nothing: a second person, or the rank that ringing at night takes."""
    limits, roles = in_force(store).limits, {one.email: one.role for one in store.people()}
    rank = ROLES.index(roles.get(alert.approver, ROLES[0]))
    if alert.policy.get("overrides_quiet"):
        if alert.level > limits.quiet_level:
            return f"level {alert.level} may not ring in quiet hours; the policy allows it up to {limits.quiet_level}"
        if roles and rank < ROLES.index("lead"):
            return "only a lead may let an alert ring in quiet hours"
    leads = {email for email, role in roles.items() if ROLES.index(role) >= ROLES.index("lead")}
    if alert.approver == alert.author and leads - {alert.author}:
        reach, above = count_meant(store, alert.audience), threshold(store, alert.sends_as)
        if reach > above:
            return f"{reach:,} readers are meant; more than {above:,} need a second person"
    return ""


def _plan(planner: Planner, alert: AlertRow, now: datetime, fence: int | None) -> Report:
    campaign = next(one for one in Campaigns(planner.store).all() if one.id == alert.campaign_id)
    return planner.run(desk_run(planner.store, campaign, alert, now, fence=fence), after=now)


def desk_run(store: Store, campaign: CampaignRow, alert: AlertRow, now: datetime, **options: Any) -> Run:
    """An alert's plan: whoever is meant, when its hold is over."""
    article = store.articles([alert.article_id])[0]
    at = max(alert.hold_until or alert.created_at, now)
    zones = Campaigns(store).readers_by_zone()
    return Run(
        campaign,
        dict.fromkeys(zones, Slot(campaign.key, at)),
        now,
        desk=desk_choice(store, article),
        meant=partial(meant, audience=alert.audience),
        **options,
    )


def desk_choice(store: Store, article: ArticleRow) -> DeskChoice:
    """The chosen article as the only candidate."""
    number, renewed_us = store.renewals().get(article.story_id or 0, (0, 0))
    story = article.story_id or -article.id
    members = store.story_articles(article.story_id) if article.story_id else [article.id]
    topics = frozenset(fold_name(one) for one in (*article.topics, article.category or "") if one)
    candidates = Candidates(
        article_id=_one(article.id),
        story_id=_one(story),
        update_no=_one(number),
        published_at_us=_one(micros(article.published_at)),
        language=np.zeros(1, np.intp),
        source_key=(article.source.key if article.source else "",),
        topics=(topics,),
        window_us=2**62,
    )
    return DeskChoice(candidates, np.array(members, np.int64), renewed_us)


def _one(value: int) -> IntArray:
    return np.array([value], np.int64)
