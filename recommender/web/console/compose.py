"""Writing an alert: text as a locked phone shows it, whom it reaches, test, approval, hold."""

from typing import Any

from fastapi import Request, Response

from data.alerts import CampaignRow
from data.broadcasts import Broadcasts
from data.campaigns import Campaigns
from data.desk_alerts import BODY_MOST, HOLD_S, TITLE_MOST, AlertRow, DeskAlerts
from data.errors import InvalidInput, NotAllowed
from data.outbox import Outbox
from data.store.people import ROLES
from recommender.approval import threshold
from recommender.audience import KINDS, Estimate, check_audience
from recommender.push import Policy
from recommender.web.console import access
from recommender.web.console.audiences import estimate
from recommender.web.console.forms import Form, FormError
from recommender.web.console.now import standing_paused
from recommender.web.console.page import fragment, go, page
from recommender.web.console.results import results
from recommender.web.console.route import console_router
from recommender.web.console.trial import trial_of
from recommender.web.site import Site, site_of

router = console_router()
BROADCAST_ABOVE = 10_000  # readers who are meant: from here on one message to a topic, where limits are lifted
OFFERED = 60
LIFTED = {"overrides_quiet": True, "daily_cap": 50, "min_gap_s": 0.0}  # a reader's own cap still holds


@router.get("/push/new")
def compose(request: Request) -> Response:
    """The form, filled with the article of the address."""
    return _compose(request, {})


@router.get("/push/preview")
def preview(request: Request) -> Response:
    """Lock screens and reach of what is being written."""
    form = request.state.form
    shown: dict[str, Any] = {"reach": _reach(request, form), "above": _above(request, form), "faults": {}}
    return fragment(request, "console/phones.html", **_written(form), **shown)


@router.post("/push/new")
def write(request: Request) -> Response:
    """Keep it as a draft: nothing is sent yet."""
    site, form, person = site_of(request), request.state.form, request.state.person
    try:
        article = site.store.article(form.required("article", "an article", longest=200))
        title = form.required("title", "a title: it is what a locked phone shows", longest=TITLE_MOST)
        body = form.text("body", longest=BODY_MOST)
        audience, base = _audience(form), _sends_as(site, form)
        policy = (base.policy if base else {}) | _policy(form)
        if policy.get("overrides_quiet"):
            access.check(person, "lead")
            form.required("reason", "why the limits are lifted", longest=500)
        number = DeskAlerts(site.store).write(
            article.id,
            title,
            body,
            audience=audience,
            policy=policy,
            by=person.email,
            reason=form.text("reason", longest=500),
            now=site.clock.now(),
            corrects=int(form.text("corrects")) if form.text("corrects").isdecimal() else None,
            **_way_of(base, policy),
        )
    except FormError as error:
        return _compose(request, {error.name: str(error)})
    except InvalidInput as error:
        return _compose(request, {"title": str(error)})
    return go(f"/console/push/alerts/{number}", "alert")


@router.get("/push/alerts/{alert_id}")
def alert_page(request: Request, alert_id: int) -> Response:
    """One alert: what it says, whom it reaches, what may be done with it, how it went."""
    site = site_of(request)
    alerts = DeskAlerts(site.store)
    alert = alerts.get(alert_id)
    found = estimate(site.store, alert.audience, Policy.of(alert.policy), site.clock.now())
    article = trial_of(request).articles([alert.article_id]).get(alert.article_id)
    plans = Outbox(site.store).plans(alert.campaign_id, limit=1) if alert.campaign_id else []
    sent = Broadcasts(site.store).get(alert.broadcast_id) if alert.broadcast_id else None
    return page(
        request,
        "console/alert.html",
        alert=alert,
        article=article,
        title=alert.title,
        body=alert.body,
        reach=found,
        devices=alerts.test_devices(),
        tests=alerts.tests(alert.id),
        needs=_needs(site, alert, found, request.state.person.email),
        states=Outbox(site.store).counts(plans[0].id) if plans else {},
        results=results(site.store, alert, plans[0]) if plans else None,
        way=alert.way if alert.state == "sending" else _way(site, alert, found),
        sent=sent,
        threshold=threshold(site.store, alert.sends_as),
        hold_s=HOLD_S,
        changes=site.store.changes(limit=20, target=f"alert {alert.id}"),
    )


@router.post("/push/alerts/{alert_id}/test")
def test(request: Request, alert_id: int) -> Response:
    """Ring one test device."""
    site, form = site_of(request), request.state.form
    device = form.required("device", "a test device", longest=200)
    DeskAlerts(site.store).send_test(alert_id, device, by=request.state.person.email, now=site.clock.now())
    return go(f"/console/push/alerts/{alert_id}", "test")


@router.post("/push/alerts/{alert_id}/ask")
def ask(request: Request, alert_id: int) -> Response:
    """Ask somebody else to approve it."""
    site = site_of(request)
    DeskAlerts(site.store).ask(alert_id, by=request.state.person.email, now=site.clock.now())
    return go(f"/console/push/alerts/{alert_id}", "asked")


@router.post("/push/alerts/{alert_id}/send")
def send(request: Request, alert_id: int) -> Response:
    """Hand it over, on hold; a large one needs a lead who did not write it."""
    site, person, now = site_of(request), request.state.person, site_of(request).clock.now()
    alerts = DeskAlerts(site.store)
    alert = alerts.get(alert_id)
    if standing_paused(site):
        raise NotAllowed("Push is paused. Resume it first, on the first page.")
    found = estimate(site.store, alert.audience, Policy.of(alert.policy), now)
    needs = _needs(site, alert, found, person.email)
    why = request.state.form.text("reason", longest=500)
    if needs == "approval":
        access.check(person, "lead")
        if person.email == alert.author:
            raise NotAllowed("Whoever wrote it cannot approve it; ask somebody else.")
        why = f"approved; {why}" if why else "approved"
    elif needs == "alone":
        access.check(person, "lead")
        if request.state.form.text("sure") != "yes":
            raise InvalidInput("Tick that you have read it again: nobody else is here to approve it.")
        why = f"without a second person, nobody else may approve; {why}".rstrip("; ")
    alerts.send(alert_id, by=person.email, now=now, why=why, way=_way(site, alert, found))
    return go(f"/console/push/alerts/{alert_id}", "held")


@router.post("/push/alerts/{alert_id}/cancel")
def cancel(request: Request, alert_id: int) -> Response:
    """Stop it."""
    site = site_of(request)
    DeskAlerts(site.store).cancel(alert_id, by=request.state.person.email, now=site.clock.now())
    return go(f"/console/push/alerts/{alert_id}", "cancelled")


def _needs(site: Site, alert: AlertRow, found: Estimate, email: str) -> str:
    """What sending takes: nothing, "approval" by another lead, or "alone" where there is no other."""
    if found.meant <= threshold(site.store, alert.sends_as) and not alert.policy.get("overrides_quiet"):
        return ""
    leads = {one.email for one in site.store.people() if ROLES.index(one.role) >= ROLES.index("lead")}
    return "alone" if alert.author == email and leads <= {email} and leads else "approval"


def _way(site: Site, alert: AlertRow, found: Estimate) -> str:
    """How an alert leaves: to each device, where every limit is looked at, or as one message to a topic.

    A topic knows no quiet hours, caps or holdout: only an alert whose limits are lifted may go there, one that is for
    everybody or a topic, to many, and where all devices belong to one Firebase project.
    """
    is_wide = alert.audience["kind"] in {"everyone", "topic"} and found.meant > BROADCAST_ABOVE
    is_lifted = bool(alert.policy.get("overrides_quiet"))
    return "broadcast" if is_wide and is_lifted and len(DeskAlerts(site.store).apps()) == 1 else "deliveries"


def _compose(request: Request, faults: dict[str, str]) -> Response:
    site, form, trial = site_of(request), request.state.form, trial_of(request)
    newest = trial.articles(list(site.store.article_ids(site.store.newest_keys(OFFERED)).values()))
    key = form.text("article", longest=200)
    chosen = site.store.article(key) if key and site.store.article_ids([key]) else None
    if chosen is None and not faults:
        chosen = next(iter(newest.values()), None)
    written = _written(form)
    if chosen and not form.text("title"):
        written |= {"title": chosen.title[:TITLE_MOST], "body": chosen.summary[:BODY_MOST]}
    return page(
        request,
        "console/compose.html",
        status=422 if faults else 200,
        newest=list(newest.values()),
        article=chosen,
        kinds=KINDS,
        campaigns=_campaigns(site),
        above=_above(request, form),
        form=form,
        faults=faults,
        reach=_reach(request, form),
        title_most=TITLE_MOST,
        body_most=BODY_MOST,
        **written,
    )


def _written(form: Form) -> dict[str, Any]:
    return {"title": form.text("title")[:200], "body": form.text("body")[:500]}


def _reach(request: Request, form: Form) -> Estimate | None:
    site = site_of(request)
    try:
        audience = _audience(form)
    except FormError:
        return None
    return estimate(site.store, audience, Policy.of(_policy(form)), site.clock.now())


def _above(request: Request, form: Form) -> int:
    """From how many readers on what is being written would need a second person."""
    return threshold(site_of(request).store, form.text("sends_as", longest=200))


def _audience(form: Form) -> dict[str, str]:
    kind = form.text("audience", "everyone")
    made = {"kind": kind} if kind == "everyone" else {"kind": kind, "value": form.text("value", longest=100)}
    try:
        check_audience(made)
    except InvalidInput as error:
        raise FormError("value", str(error)[:1].upper() + str(error)[1:] + ".") from None
    return made


def _campaigns(site: Site) -> list[CampaignRow]:
    """The campaigns that an alert can be sent as."""
    return [one for one in Campaigns(site.store).standing() if one.kind in ("manual", "breaking")]


def _sends_as(site: Site, form: Form) -> CampaignRow | None:
    key = form.text("sends_as", longest=200)
    found = next((one for one in _campaigns(site) if one.key == key), None)
    if key and found is None:
        raise FormError("sends_as", "Choose one of the campaigns.")
    return found


def _way_of(base: CampaignRow | None, policy: dict[str, Any]) -> dict[str, Any]:
    """What an alert has of the campaign it is sent as."""
    if base is None:
        return {}
    level = None if policy.get("overrides_quiet") else base.level
    return {"sends_as": base.key, "kind": base.kind, "level": level, "mode": base.mode, "spread_s": base.spread_s}


def _policy(form: Form) -> dict[str, Any]:
    if form.text("lift") == "yes":
        return dict(LIFTED)
    return {"min_gap_s": 0.0} if form.text("corrects") else {}  # a correction cannot wait for the gap
