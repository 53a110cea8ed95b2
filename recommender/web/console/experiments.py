"""Experiments in the page: starting one, watching it, stopping it; what they find is said in sentences."""

from dataclasses import dataclass
from typing import Any

from fastapi import Request, Response

from data.errors import Conflict, InvalidInput, NotFound
from data.experiments import DRAFT, EXPERIMENT_KINDS, LIVE, ExperimentRow
from recommender.experiments import desk
from recommender.experiments.counts import Counts
from recommender.experiments.metrics import GUARDRAILS, RATES, rate_of
from recommender.experiments.report import Report
from recommender.web.console.desk import Desk
from recommender.web.console.forms import Form, FormError
from recommender.web.console.page import go, page
from recommender.web.console.route import console_router
from recommender.web.site import Site, site_of

router = console_router()
HOME = "/console/experiments"
KINDS = {
    "split": "split: half of them one version, half the other",
    "interleave": "interleaved: lists made of both in turns",
    "holdout": "holdout: half of them keep the version while others get what is live",
}
DEFAULTS = {"kind": "split", "against": "0", "percent": "20", "days": "14", "metric": "opens", "effect": "2"}
SHOWN = 20


@dataclass(frozen=True)
class Side:
    """One arm as its page shows it."""

    version: int
    readers: int
    lists: int
    rates: dict[str, float]  # by reader or by list; only what was counted


@dataclass(frozen=True)
class Watched:
    """A running experiment, or one that is over, with what it says now."""

    row: ExperimentRow
    said: Report
    sides: list[Side]

    @property
    def share(self) -> float:
        """How much of its time is over, in whole days."""
        return min(self.said.day / self.row.days, 1.0)


@router.get("/experiments")
def experiments(request: Request) -> Response:
    """Those there are, and a form for the next; `?size=1` also says how many readers it takes."""
    return _page(request, {})


@router.post("/experiments")
def start(request: Request) -> Response:
    """Begin one on a share of the readers."""
    site, form = site_of(request), request.state.form
    try:
        asked = _asked(form)
        key, reason = form.required("name", "a name", longest=100), form.required("reason", "what is to be found out")
        row = desk.start(
            site.store, key, **asked, author=request.state.person.email, reason=reason, now=site.clock.now(),
            kept_days=site.settings.served_days, draft_of=request.state.person.email,
        )  # fmt: skip
    except FormError as error:
        return _page(request, {error.name: str(error)})
    except (InvalidInput, NotFound) as error:
        return _page(request, {"experiment": _sentence(error)})
    except Conflict as error:
        return _page(request, {"name": _sentence(error)}, status=409)
    site.service.refresh()
    return go(f"{HOME}/{row.id}", "experiment")


@router.get("/experiments/{experiment_id}")
def watch(request: Request, experiment_id: int) -> Response:
    """One: what it says by the whole days that are over."""
    site = site_of(request)
    row = _row(site, experiment_id)
    said, counts = desk.look(site.store, row.key, now=site.clock.now())
    shown: dict[str, Any] = {"words": RATES, "kinds": KINDS, "is_on": row.is_on(site.clock.now())}
    return page(request, "console/experiment.html", one=Watched(row, said, _sides(row, counts)), **shown)


@router.post("/experiments/{experiment_id}/stop")
def stop(request: Request, experiment_id: int) -> Response:
    """End one now; its readers get the live version again."""
    site = site_of(request)
    row, by = _row(site, experiment_id), request.state.person.email
    reason = request.state.form.required("reason", "why it ends now: it stands in the history", longest=500)
    desk.stop(site.store, row.key, author=by, reason=reason, now=site.clock.now())
    site.service.refresh()
    return go(f"{HOME}/{row.id}", "experiment-stopped")


def _page(request: Request, faults: dict[str, str], *, status: int = 422) -> Response:
    site, now = site_of(request), site_of(request).clock.now()
    form = request.state.form
    rows = site.store.experiments()
    return page(
        request,
        "console/experiments.html",
        status=status if faults else 200,
        running=[(one, desk.look(site.store, one.key, now=now)[0].sentence) for one in rows if one.is_on(now)],
        over=[one for one in rows if not one.is_on(now)][:SHOWN],
        versions=site.store.weight_versions("for_you"),
        desk=Desk.of(request, "for_you"),
        kinds=KINDS,
        metrics=RATES,
        borne=GUARDRAILS,
        typed=DEFAULTS | form.as_dict(),
        size=_size(request) if form.text("size") and not faults else "",
        faults=faults,
    )


def _asked(form: Form) -> dict[str, Any]:
    """What the form asks for, in the words of `desk.start`."""
    kind = form.choice("kind", EXPERIMENT_KINDS)
    tried, against = _version(form, "tried"), _version(form, "against")
    if tried == against and kind != "holdout":
        raise FormError("against", "Choose another version than the one to try; Ranking makes drafts and versions.")
    return {
        "kind": kind,
        "versions": [tried, LIVE] if kind == "holdout" else [against, tried],
        "share": form.number("percent", 0.1, 100) / 100,
        "days": int(form.number("days", 1, desk.LONGEST_DAYS)),
        "metric": form.choice("metric", tuple(RATES)),
    }


def _version(form: Form, name: str) -> int:
    written = form.required(name, "a version")
    if written == "draft":
        return DRAFT
    if not written.isdecimal() or len(written) > 9:
        raise FormError(name, "Choose one of the versions.")
    return int(written)


def _size(request: Request) -> str:
    """How many readers it takes, in a sentence, or why that cannot be said."""
    site, form = site_of(request), request.state.form
    try:
        effect, days = form.number("effect", 0.1, 100, 2) / 100, int(form.number("days", 1, desk.LONGEST_DAYS, 14))
        metric = form.choice("metric", tuple(RATES), "opens")
        found = desk.size(site.store, effect_share=effect, days=days, now=site.clock.now(), metric=metric)
    except InvalidInput as error:
        return _sentence(error)
    return (
        f"A change of {effect:.1%} is found in 80 of 100 with {found.readers_an_arm:,} readers in each half. "
        f"All {found.readers_seen:,} readers of the last {days} days together would show {found.effect_share:.1%}."
    )


def _row(site: Site, number: int) -> ExperimentRow:
    found = next((one for one in site.store.experiments() if one.id == number), None)
    if found is None:
        raise NotFound(f"there is no experiment {number}; the page of experiments lists those there are")
    return found


def _sides(row: ExperimentRow, counts: Counts) -> list[Side]:
    """What readers of each arm did; nothing of interleaved lists, which belong to both."""
    if row.kind == "interleave":
        return []
    sides = []
    for number, arm in enumerate(row.arms):
        ours = counts.arm == number
        sums = {
            name: (float(counts.above(rate_of(name))[ours].sum()), float(counts.below(rate_of(name))[ours].sum()))
            for name in dict.fromkeys((row.metric, *row.guardrails))
        }
        rates = {name: above / below for name, (above, below) in sums.items() if below}
        sides.append(Side(arm.version, int(ours.sum()), int(counts.lists[ours].sum()), rates))
    return sides


def _sentence(error: Exception) -> str:
    text = str(error)
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")
