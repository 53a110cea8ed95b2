"""The newsroom's push policy: sliders on a draft, what yesterday would have been under it, publishing with a reason."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import msgspec
from fastapi import Request, Response
from sqlalchemy import select

from data.commands import COMMANDS, Commands
from data.errors import Conflict
from data.policies import Policies
from recommender import policies
from recommender.push_policy import BOUNDS, BUILT_IN, HousePolicy
from recommender.web.console.forms import Form, FormError
from recommender.web.console.page import go, page
from recommender.web.console.route import console_router
from recommender.web.console.say import differences
from recommender.web.site import Site, site_of

router = console_router()
HOME = "/console/policy"
KIND = "replay_policy"
MINUTES, PERCENT = 60.0, 0.01


@dataclass(frozen=True)
class Limit:
    """One row of the page; `scale` is what one unit of the field stands for."""

    name: str
    label: str
    meaning: str
    most: float  # of the slider, in units of the field; the number may say more
    step: float = 1
    scale: float = 1

    @property
    def bounds(self) -> tuple[float, float]:
        """The least and the greatest number of the field."""
        low, high = BOUNDS[self.name]
        return low / self.scale, high / self.scale

    def shown(self, limits: HousePolicy) -> str:
        """The value as its field shows it."""
        return f"{float(getattr(limits, self.name)) / self.scale:g}"

    def read(self, form: Form) -> float:
        """The value a form says; FormError if it is none."""
        found = form.number(self.name, *self.bounds) * self.scale
        if isinstance(getattr(BUILT_IN, self.name), int):
            if found != int(found):
                raise FormError(self.name, "Write a whole number.")
            return int(found)
        return found


LIMITS = (
    Limit("personal_cap", "Personal alerts in 24 hours", "Digests and followed stories, to one reader.", 12),
    Limit("breaking_cap", "Breaking alerts in 24 hours", "To one reader.", 12),
    Limit("daily_cap", "All alerts in 24 hours", "Of every kind; a reader's own cap counts too.", 20),
    Limit("hourly_cap", "All alerts in an hour", "To one reader.", 6),
    Limit("weekly_budget", "Personal alerts in a week", "Spread over what is left of the week; 0: no such limit.", 60),
    Limit("personal_gap_s", "Minutes between personal alerts", "To one reader.", 480, 5, MINUTES),
    Limit("editorial_gap_s", "Minutes before an alert of the desk", "After any other.", 240, 5, MINUTES),
    Limit("first_cap", "Alerts in 24 hours to a new reader", "Who came a few days ago.", 10),
    Limit("first_days", "Days a reader is new", "", 30),
    Limit("stop_after", "Unopened alerts in a row, then a rest", "0: never.", 40),
    Limit("stop_days", "Days of that rest", "", 28),
    Limit("told_window_h", "Hours until a story may be told again", "Without news of it.", 168, 1),
    Limit("holdout_share", "Percent held out", "Who never get alerts, to know what alerts do.", 20, 0.5, PERCENT),
    Limit("approval_above", "Readers from which a second person approves", "An alert of the desk.", 10_000, 50),
)


@dataclass(frozen=True)
class Effect:
    """What a replayed day was under the live limits and under the draft."""

    day: str
    before: dict[str, Any]
    after: dict[str, Any]
    opens: dict[str, Any]

    @property
    def sends(self) -> tuple[int, int]:
        """Alerts, before and after."""
        return int(self.before["funnel"].get("SEND", 0)), int(self.after["funnel"].get("SEND", 0))

    @property
    def sentence(self) -> str:
        """The change in one line."""
        old, new = self.sends
        if old == new:
            return f"as many alerts: {old:,}"
        share = f"{abs(new - old) / old:.0%} {'more' if new > old else 'fewer'} alerts: " if old else "alerts: "
        return f"{share}{new:,} instead of {old:,}"

    @property
    def expected(self) -> list[tuple[str, str, str]]:
        """Opens live, under the draft, and the change, each with its interval; empty where nothing can be said."""
        found = []
        for name, key, sign in (("Live", "before", ""), ("Draft", "after", ""), ("Change", "difference", "+")):
            if one := self.opens.get(key):
                opens, low, high = (f"{number if sign else max(number, 0):{sign},.1f}" for number in one)
                found.append((name, opens, f"{low} to {high}"))
        return found

    @property
    def may_be_chance(self) -> bool:
        """Whether the interval of the change holds no change at all."""
        _, low, high = self.opens["difference"]
        return bool(low <= 0 <= high)

    @property
    def verdicts(self) -> list[tuple[str, int, int]]:
        """Readers by verdict, before and after."""
        names = dict.fromkeys([*self.before["funnel"], *self.after["funnel"]])
        return [(one, self.before["funnel"].get(one, 0), self.after["funnel"].get(one, 0)) for one in names]

    @property
    def by_alerts(self) -> list[tuple[int, int, int]]:
        """How many readers get one alert, two, and so on, before and after."""
        old, new = (one["readers_by_alerts"] for one in (self.before, self.after))
        counts = sorted({int(one) for one in (*old, *new)})
        return [(one, old.get(str(one), 0), new.get(str(one), 0)) for one in counts]


@dataclass(frozen=True)
class Asked:
    """The newest replay that somebody asked for."""

    state: str  # todo, doing, done, failed
    said: str
    effect: Effect | None

    @property
    def is_open(self) -> bool:
        """Whether the scheduler has still to do it."""
        return self.state in {"todo", "doing"}


@router.get("/policy")
def policy_page(request: Request) -> Response:
    """Every limit, live and drafted, with the effect that was replayed last."""
    return _page(request, {})


@router.post("/policy/draft")
def save(request: Request) -> Response:
    """Keep the numbers as a draft, and replay yesterday under them where that was pressed."""
    site, person, form = site_of(request), request.state.person, request.state.form
    found, faults = _read(form)
    if faults:
        return _page(request, faults)
    policies.save_draft(site.store, found, by=person.email, now=site.clock.now())
    if form.text("then") == "replay":
        if (asked := _asked(site, person.email)) and asked.is_open:
            raise Conflict("Your last replay has not been made yet; the scheduler makes one after the other.")
        day = (site.clock.now() - timedelta(days=1)).date().isoformat()
        args = {"day": day, "author": person.email}
        Commands(site.store).ask(KIND, args, author=person.email, now=site.clock.now())
        return go(HOME, "policy-replay")
    return go(HOME, "draft-limits")


@router.post("/policy/discard")
def discard(request: Request) -> Response:
    """Forget the draft."""
    Policies(site_of(request).store).discard_draft(request.state.person.email)
    return go(HOME, "discarded")


@router.post("/policy/publish")
def publish(request: Request) -> Response:
    """The draft as the next version, with a reason."""
    site, form = site_of(request), request.state.form
    try:
        reason = form.required("reason", "a reason: it stands in the history", longest=500)
    except FormError as error:
        return _page(request, {error.name: str(error)})
    Policies(site.store).publish_draft(by=request.state.person.email, reason=reason, now=site.clock.now())
    return go(HOME, "policy")


@router.post("/policy/restore")
def restore(request: Request) -> Response:
    """An old version's limits as a new version."""
    site, form = site_of(request), request.state.form
    version = int(form.number("version", 0, 1e9))
    reason = form.required("reason", "a reason: it stands in the history", longest=500)
    by = request.state.person.email
    Policies(site.store).restore(version, by=by, reason=f"{reason} (version {version} again)", now=site.clock.now())
    return go(HOME, "policy")


def _page(request: Request, faults: dict[str, str]) -> Response:
    site, email = site_of(request), request.state.person.email
    rows, live = Policies(site.store), policies.in_force(site.store)
    draft = rows.draft(email)
    tried = HousePolicy.of(draft.limits) if draft else live.limits
    return page(
        request,
        "console/limits.html",
        status=422 if faults else 200,
        limits=LIMITS,
        live=live,
        tried=tried,
        draft=draft,
        changes=_words(live.limits, tried),
        is_behind=draft is not None and draft.base_version != live.version,
        versions=_with_changes(rows),
        asked=_asked(site, email),
        faults=faults,
        typed=request.state.form.as_dict() if faults else {},
    )


def _read(form: Form) -> tuple[dict[str, float], dict[str, str]]:
    found: dict[str, float] = {}
    faults: dict[str, str] = {}
    for one in LIMITS:
        try:
            if one.name in form:
                found[one.name] = one.read(form)
        except FormError as error:
            faults[one.name] = str(error)
    return found, faults


def _asked(site: Site, email: str) -> Asked | None:
    query = select(COMMANDS).where(COMMANDS.c.kind == KIND, COMMANDS.c.author == email)
    with site.store.reading() as connection:
        row = connection.execute(query.order_by(COMMANDS.c.id.desc()).limit(1)).first()
    if row is None:
        return None
    if row.state != "done":
        return Asked(row.state, row.result, None)
    result = msgspec.json.decode(row.result)
    return Asked(row.state, "", Effect(result["day"], result["before"], result["after"], result.get("opens", {})))


def _words(before: HousePolicy, after: HousePolicy) -> list[str]:
    old, new = ({one.label: one.shown(limits) for one in LIMITS} for limits in (before, after))
    return differences(old, new)


def _with_changes(rows: Policies) -> list[tuple[Any, list[str]]]:
    """Each version with what it changed."""
    found = rows.history()[:12]
    limits = [policies.limits_of(row) for row in found]
    return [
        (row, _words(limits[place + 1], limits[place]) if place + 1 < len(found) else [])
        for place, row in enumerate(found)
    ]
