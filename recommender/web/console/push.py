"""The alert desk: today on a line of time, plans as funnels, alerts of the desk's own, how much is too much."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from fastapi import Request, Response

from data.alerts import CampaignRow, PlanRow
from data.campaigns import Campaigns
from data.clock import zone
from data.desk_alerts import DeskAlerts
from data.outbox import Outbox
from data.plans import Plans
from recommender.policies import in_force
from recommender.push import Verdict
from recommender.web.console.forms import FormError
from recommender.web.console.page import go, page, standing
from recommender.web.console.route import console_router
from recommender.web.console.trial import trial_of
from recommender.web.pictures import Mark
from recommender.web.site import Site, site_of

router = console_router()
PLANS = 6
BAR_STEPS = 24
STEPS = (
    (Verdict.OPTED_OUT, "opted in"),
    (Verdict.NO_DEVICE, "with a device"),
    (Verdict.HOLDOUT, "not held out"),
    (Verdict.QUIET_HOURS, "awake"),
    (Verdict.STOP_LOSS, "opening some"),
    (Verdict.DAILY_CAP, "under the cap"),
    (Verdict.TOO_SOON, "not told just now"),
    (Verdict.WEEKLY_BUDGET, "within the week's budget"),
    (Verdict.NOTHING_NEW, "something for them"),
    (Verdict.ALREADY_READ, "something unread"),
    (Verdict.ALREADY_TOLD, "something untold"),
    (Verdict.BELOW_BAR, "above the bar"),
)
LIMITS = {  # field of the policy or campaign -> label, lowest, highest, meaning
    "daily_cap": ("Alerts in 24 hours", 1, 50, "A reader's own cap counts too; the smaller one holds."),
    "min_gap_min": ("Minutes between two alerts", 0, 1440, "To one reader."),
    "hold_s": ("Hold, seconds", 0, 3600, "Time to cancel before anything leaves."),
    "bar": ("Bar", 0, 1, "The least score worth an alert."),
    "freshness_h": ("Hours an article stays news", 1, 168, "Older ones are no candidates."),
}


@dataclass(frozen=True)
class Step:
    """One step of a funnel: how many readers passed it, and how many it stopped."""

    label: str
    left: int
    stopped: int


@dataclass(frozen=True)
class Run:
    """One plan as the page shows it."""

    plan: PlanRow
    campaign: CampaignRow
    steps: list[Step]
    total: int
    sent: int
    states: dict[str, int]


@router.get("/push")
def push_page(request: Request) -> Response:
    """Everything about today's alerts."""
    site = site_of(request)
    now, outbox = site.clock.now(), Outbox(site.store)
    campaigns = {one.id: one for one in Campaigns(site.store).all()}
    plans = [one for one in outbox.plans(limit=40) if one.campaign_id in campaigns]
    runs = [_run(outbox, one, campaigns[one.campaign_id]) for one in plans]
    first_at, last_at = _today(site, now)
    marks = _marks(site, first_at, last_at)
    return page(
        request,
        "console/push.html",
        campaigns=standing(site),
        runs=[one for one in runs if one.campaign.kind not in {"manual", "test"}][:PLANS],
        alerts=DeskAlerts(site.store).all(limit=12),
        marks=marks,
        first_at=first_at,
        last_at=last_at,
        bands=_quiet(first_at),
        said_line=_line_words(marks),
    )


@router.post("/push/cancel")
def cancel(request: Request) -> Response:
    """Stop what has not left of a plan."""
    site, now = site_of(request), site_of(request).clock.now()
    plan_id, by = int(request.state.form.number("plan", 1, 1e12)), request.state.person.email
    Plans(site.store).cancel(plan_id=plan_id)
    stopped = Outbox(site.store).cancel(now=now, reason=f"cancelled by {by}", plan_id=plan_id)
    site.store.note(by, "cancelled", f"plan {plan_id}", after={"stopped": stopped}, now=now)
    return go("/console/push", "cancelled")


@router.post("/push/approve")
def approve(request: Request) -> Response:
    """Let a plan go that reaches more readers than its campaign may alert without a person."""
    site, form = site_of(request), request.state.form
    plan_id, by = int(form.number("plan", 1, 1e12)), request.state.person.email
    reason = form.text("reason", longest=500)
    Plans(site.store).approve(plan_id, by=by, reason=reason, now=site.clock.now())
    return go("/console/push", "approved")


@router.get("/push/{campaign}/policy")
def policy_page(request: Request, campaign: str) -> Response:
    """The limits of a campaign, and where the bar stands among the best scores of its last plan."""
    return _policy_page(request, campaign, {})


@router.post("/push/{campaign}/policy")
def save_policy(request: Request, campaign: str) -> Response:
    """Write the limits; the next plan obeys them."""
    site, form = site_of(request), request.state.form
    found: dict[str, float] = {}
    faults: dict[str, str] = {}
    for name, (_, low, high, _) in LIMITS.items():
        try:
            found[name] = form.number(name, low, high)
        except FormError as error:
            faults[name] = str(error)
    try:
        reason = form.required("reason", "a reason: it stands in the history", longest=500)
    except FormError as error:
        faults["reason"] = str(error)
    above: float | None = None
    try:
        above = form.number("approval_above", 0, 1e9) if form.text("approval_above") else None
    except FormError as error:
        faults["approval_above"] = str(error)
    if faults:
        return _policy_page(request, campaign, faults)
    policy = {"daily_cap": int(found["daily_cap"]), "min_gap_s": found["min_gap_min"] * 60}
    fields: dict[str, float | None] = {name: found[name] for name in ("bar", "freshness_h")}
    fields |= {"hold_s": int(found["hold_s"])}
    if "approval_above" in form:
        fields["approval_above"] = None if above is None else int(above)
    Campaigns(site.store).set_limits(
        campaign, policy=policy, by=request.state.person.email, reason=reason, now=site.clock.now(), **fields
    )
    return go(f"/console/push/{campaign}/policy", "policy")


def _policy_page(request: Request, key: str, faults: dict[str, str]) -> Response:
    site = site_of(request)
    campaign = Campaigns(site.store).get(key)
    values = {
        "daily_cap": campaign.policy.get("daily_cap", 10),
        "min_gap_min": round(campaign.policy.get("min_gap_s", 7_200) / 60),
        "hold_s": campaign.hold_s,
        "bar": campaign.bar,
        "freshness_h": campaign.freshness_h,
    }
    best = [trial_of(request).live("push", one).lines[:1] for one in trial_of(request).pinned().personas]
    scores = [lines[0].score for lines in best if lines]
    counts = [0] * BAR_STEPS
    for one in scores:
        counts[min(int(max(one, 0) * BAR_STEPS), BAR_STEPS - 1)] += 1
    return page(
        request,
        "console/policy.html",
        status=422 if faults else 200,
        campaign=campaign,
        limits=LIMITS,
        newsroom_above=in_force(site.store).limits.approval_above,
        values=values,
        faults=faults,
        typed=request.state.form.as_dict() if faults else {},
        counts=counts,
        above=sum(one >= campaign.bar for one in scores),
        tried=len(scores),
    )


def _run(outbox: Outbox, plan: PlanRow, campaign: CampaignRow) -> Run:
    total = sum(count for name, count in plan.funnel.items() if name in Verdict.__members__)
    left, steps = total, []
    for verdict, words in STEPS:
        stopped = plan.funnel.get(verdict.name, 0)
        left -= stopped
        if stopped or verdict == Verdict.BELOW_BAR:
            steps.append(Step(words, left, stopped))
    return Run(plan, campaign, steps, total, plan.funnel.get("SEND", 0), outbox.counts(plan.id))


def _today(site: Site, now: datetime) -> tuple[datetime, datetime]:
    """From six in the morning to midnight of this day, or the whole day before six."""
    local = now.astimezone(zone(site.settings.zone))
    first = local.replace(hour=6 if local.hour >= 6 else 0, minute=0, second=0, microsecond=0)
    return first, first.replace(hour=0) + timedelta(days=1)


def _quiet(first_at: datetime) -> list[tuple[datetime, datetime]]:
    """The quiet hours that readers have unless they choose others."""
    day = first_at.replace(hour=0)
    return [(day, day.replace(hour=7)), (day.replace(hour=22), day + timedelta(days=1))]


def _marks(site: Site, first_at: datetime, last_at: datetime) -> list[Mark]:
    """Deliveries by quarter of an hour and what became of them."""
    quarters = Outbox(site.store).by_quarter(first_at, last_at)
    most = max((count for _, _, count in quarters), default=1)
    return [Mark(at, kind, f"{at:%H:%M}: {count} {kind}", (count / most) ** 0.5) for at, kind, count in quarters]


def _line_words(marks: list[Mark]) -> str:
    if not marks:
        return "Alerts of today: none planned, held or sent"
    words = "; ".join(one.label for one in marks[:12])
    return f"Alerts of today by quarter of an hour (UTC): {words}" + ("; and more" if len(marks) > 12 else "")
