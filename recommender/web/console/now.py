"""The first page: is everything all right, and what needs me?"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from fastapi import Request, Response

from data.campaigns import Campaigns
from data.desk_alerts import DeskAlerts
from data.outbox import Outbox
from data.values import ArticleRow
from recommender.conflicts import conflicts
from recommender.web.console.page import go, page, standing
from recommender.web.console.route import console_router
from recommender.web.console.rule_words import conflict_words, names_of
from recommender.web.console.trial import Trial, trial_of
from recommender.web.site import Site, site_of

router = console_router()
READS = ("open", "read", "finish")
SOON = timedelta(hours=1)
SILENT = timedelta(hours=3)
PINNED_PERSONAS, HEADLINES = 3, 5


@dataclass(frozen=True)
class Measure:
    """A number of the last 24 hours beside the same hours a week before."""

    name: str
    total: int
    before: int
    hours: list[int]
    hours_before: list[int]

    @property
    def sentence(self) -> str:
        """The sparkline in words."""
        return f"{self.name}, hour by hour over 24 hours: {self.total:,} in all; {self.before:,} a week before"


@router.get("")
def now_page(request: Request) -> Response:
    """What waits, what readers see, how the day goes."""
    site, trial = site_of(request), trial_of(request)
    at = site.clock.now()
    rules = site.store.rules_between(at, at + timedelta(hours=24))
    named, alerts = names_of(site, rules), DeskAlerts(site.store).all()
    return page(
        request,
        "console/now.html",
        ending=[one for one in rules if one.ends_at and one.ends_at <= at + SOON],
        clashes=[conflict_words(one, named, site.settings.zone) for one in conflicts(rules)],
        named=named,
        silent=silent_feeds(site, at),
        waiting=[one for one in alerts if one.state == "asked"],
        asked=[one for one in Outbox(site.store).plans(limit=40) if one.state == "asked"],
        holds=[one for one in alerts if one.state == "sending" and one.hold_until and one.hold_until > at],
        seen=_seen(trial),
        pulse=pulse(site, at),
    )


@router.post("/push/pause")
def pause(request: Request) -> Response:
    """Stop every campaign, or one, with the next claim of a sender."""
    form = request.state.form
    reason = form.required("reason", "a reason: it stands in the history", longest=500)
    _switch(request, "paused", reason)
    return go(switched_on(form.text("back")), "paused")


@router.post("/push/resume")
def resume(request: Request) -> Response:
    """Let campaigns run again."""
    form = request.state.form
    _switch(request, "on", form.text("reason", longest=500))
    return go(switched_on(form.text("back")), "resumed")


def switched_on(back: str) -> str:
    """The page a switch was pressed on."""
    return "/console/push" if back == "push" else "/console"


def _switch(request: Request, state: str, reason: str) -> None:
    site, key = site_of(request), request.state.form.text("campaign") or None
    Campaigns(site.store).switch(state, by=request.state.person.email, reason=reason, now=site.clock.now(), key=key)


def _seen(trial: Trial) -> list[tuple[str, str, list[ArticleRow]]]:
    """The first headlines of a few personas: key, name and about, articles."""
    found = []
    for persona in trial.personas()[:PINNED_PERSONAS]:
        ids = trial.live("for_you", persona).ids[:HEADLINES]
        articles = trial.articles(list(ids))
        found.append(
            (persona.key, f"{persona.name}: {persona.about}", [articles[one] for one in ids if one in articles])
        )
    return found


def pulse(site: Site, at: datetime) -> list[Measure]:
    """Reads, sends and opens of alerts."""
    store, week = site.store, timedelta(days=7)
    found = []
    for name, kinds in (("Reads", READS), ("Alert opens", ("push_open",)), ("Alerts dismissed", ("push_dismiss",))):
        hours, before = store.hourly_events(kinds, at), store.hourly_events(kinds, at - week)
        found.append(Measure(name, sum(hours), sum(before), hours, before))
    hours, before = store.hourly_sends(at), store.hourly_sends(at - week)
    return [found[0], Measure("Alerts sent", sum(hours), sum(before), hours, before), *found[1:]]


def standing_paused(site: Site) -> bool:
    """Whether every campaign that runs by itself is paused."""
    campaigns = standing(site)
    return bool(campaigns) and all(one.state == "paused" for one in campaigns)


def silent_feeds(site: Site, at: datetime) -> list[tuple[str, str]]:
    """Feeds that failed last time or were not asked for long: address and why."""
    found = []
    for feed in site.store.feeds():
        if feed.error:
            found.append((feed.url, feed.error))
        elif feed.fetched_at is None or feed.fetched_at < at - SILENT:
            found.append((feed.url, "not fetched for three hours or more"))
    return found
