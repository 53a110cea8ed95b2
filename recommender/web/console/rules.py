"""Everything that overrides the algorithm: what is in effect, what meets what, adding, extending, ending."""

from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
from fastapi import Request, Response

from data.clock import instant
from data.models import Rule
from data.values import RuleRow
from recommender.conflicts import conflicts
from recommender.rules import resolve
from recommender.web.console.forms import Form, FormError
from recommender.web.console.page import go, page
from recommender.web.console.route import console_router
from recommender.web.console.rule_words import PRECEDENCE, conflict_words, names_of
from recommender.web.console.trial import trial_of
from recommender.web.site import Site, site_of
from recommender.whatif import TOP, listing

router = console_router()
KINDS = ("pin", "must_show", "boost", "bury", "block", "embargo")
SURFACES = ("all", "for_you", "related", "push")
TARGETS = ("article", "story", "source", "topic")
STRENGTHS = {"a little": 0.05, "some": 0.12, "a lot": 0.25}
LASTS_H = {"pin": 3, "must_show": 6, "boost": 24, "bury": 24, "block": 0, "embargo": 6}
BEFORE, AHEAD = timedelta(hours=6), timedelta(hours=24)
LATER = timedelta(hours=3)


@router.get("/rules")
def rules(request: Request) -> Response:
    """The rules of six hours ago until tomorrow, by surface and kind, on a line of time."""
    site, form, now = site_of(request), request.state.form, site_of(request).clock.now()
    found = site.store.rules_between(now - BEFORE, now + AHEAD)
    if form.text("mine"):
        found = [one for one in found if one.author == request.state.person.email]
    named = names_of(site, found)
    current = [one for one in found if one.ends_at is None or one.ends_at > now]
    groups = {surface: sorted((r for r in found if r.surface == surface), key=_order) for surface in SURFACES}
    return page(
        request,
        "console/rules.html",
        groups={surface: rows for surface, rows in groups.items() if rows},
        clashes=[conflict_words(one, named, site.settings.zone) for one in conflicts(current)],
        named=named,
        first_at=now - BEFORE,
        last_at=now + AHEAD,
        later=now + LATER,
        precedence=PRECEDENCE,
        mine=bool(form.text("mine")),
    )


@router.get("/rules/new")
def new_rule(request: Request) -> Response:
    """A short form, filled in as far as the address says, and what the rule would do to the made-up readers."""
    return _form(request, {})


@router.post("/rules/new")
def add_rule(request: Request) -> Response:
    """Write the rule."""
    site, form = site_of(request), request.state.form
    try:
        form.required("reason", "a reason: the next person will ask for it", longest=500)
        row = _read(site, form, request.state.person.email)
    except FormError as error:
        return _form(request, {error.name: str(error)})
    fields = {name: getattr(row, name) for name in RuleRow.__dataclass_fields__ if name != "id"}
    site.store.add_rule(Rule(**fields), now=site.clock.now())
    site.service.refresh()
    return go("/console/rules", "rule")


@router.post("/rules/{rule_id}/end")
def end_rule(request: Request, rule_id: int) -> Response:
    """End it now."""
    site = site_of(request)
    site.store.end_rule(rule_id, now=site.clock.now(), by=request.state.person.email)
    site.service.refresh()
    return go("/console/rules", "ended")


@router.post("/rules/{rule_id}/extend")
def extend_rule(request: Request, rule_id: int) -> Response:
    """Let it end at another time."""
    site, form, now = site_of(request), request.state.form, site_of(request).clock.now()
    ends_at = form.time("ends_at", now, site.settings.zone)
    site.store.extend_rule(rule_id, ends_at=ends_at, now=now, by=request.state.person.email)
    site.service.refresh()
    return go("/console/rules", "extended")


def _form(request: Request, faults: dict[str, str]) -> Response:
    site, form = site_of(request), request.state.form
    now = site.clock.now()
    kind = form.text("kind", "pin") if form.text("kind", "pin") in KINDS else "pin"
    target, key = form.text("target", "article"), form.text("target_key")
    lasts_h = LASTS_H[kind]
    tried = None
    if key and not faults:
        try:
            tried = _effect(request, _read(site, form, request.state.person.email))
        except FormError as error:
            faults = {error.name: str(error)} if request.method == "POST" else {}
    named = names_of(site, [_blank(target, key, now)]) if key else {}
    return page(
        request,
        "console/rule.html",
        status=422 if faults else 200,
        kind=kind,
        kinds=KINDS,
        targets=TARGETS,
        strengths=STRENGTHS,
        where=SURFACES,
        target=target,
        key=key,
        title=named.get((target, key), ""),
        until=now + timedelta(hours=lasts_h) if lasts_h else None,
        form=form,
        faults=faults,
        tried=tried,
    )


def _read(site: Site, form: Form, author: str) -> RuleRow:
    """The form as a rule; FormError names the field that cannot be taken."""
    now = site.clock.now()
    kind, target = form.choice("kind", KINDS, "pin"), form.choice("target", TARGETS, "article")
    key = form.required("target_key", "what the rule is about", longest=200)
    _check_target(site, target, key)
    ends_at = None
    if form.text("until") or (kind != "block" and "until" in form):
        ends_at = form.time("until", now, site.settings.zone, "until when")
    elif kind != "block":
        ends_at = now + timedelta(hours=LASTS_H[kind])
    strong = kind in {"boost", "bury"}
    slot = int(form.number("slot", 1, 3, 1)) if kind == "pin" else None
    return RuleRow(
        id=0,
        kind=kind,
        surface=form.choice("surface", SURFACES, "all"),
        target=target,
        target_key=key,
        strength=STRENGTHS[form.choice("strength", tuple(STRENGTHS), "some")] if strong else 0.0,
        slot=slot,
        starts_at=now,
        ends_at=ends_at,
        author=author,
        reason=form.text("reason", longest=500),
    )


def _check_target(site: Site, target: str, key: str) -> None:
    known = True
    if target == "article":
        known = bool(site.store.article_ids([key]))
    elif target == "source":
        known = any(one.key == key for one in site.store.sources().values())
    elif target == "story":
        known = key.isdecimal() and bool(site.store.story_articles(int(key)))
    if not known:
        raise FormError("target_key", f"There is no {target} “{key}”; take it from the stories page.")


def _effect(request: Request, row: RuleRow) -> dict[str, int] | None:
    """In the first ten of how many made-up readers the target stands, without the rule and with it."""
    site, trial = site_of(request), trial_of(request)
    if row.surface not in {"all", "for_you"}:
        return None
    pinned = trial.pinned()
    at = instant(pinned.at_us)
    ids = site.store.article_ids([row.target_key]) if row.target == "article" else {}
    sources = {one.key: number for number, one in site.store.sources().items()}
    found = resolve([replace(row, id=-1, starts_at=min(row.starts_at, at))], "for_you", ids, sources)
    if not found:
        return None
    index = pinned.snapshot.index
    tried = replace(
        pinned.snapshot, rules={**pinned.snapshot.rules, "for_you": (*pinned.snapshot.rules.get("for_you", ()), *found)}
    )
    counts = {"before": 0, "after": 0, "of": len(pinned.personas)}
    for persona in pinned.personas:
        after = listing(tried, "for_you", persona, at_us=pinned.at_us, window_h=site.settings.window_days * 24)
        for name, one in (("before", trial.live("for_you", persona)), ("after", after)):
            rows = index.rows_of(np.array(one.ids[:TOP], np.int64))
            counts[name] += bool(len(rows) and found[0].matches(index, rows[rows >= 0]).any())
    return counts


def _blank(target: str, key: str, now: datetime) -> RuleRow:
    return RuleRow(0, "pin", "all", target, key, 0.0, None, now, None, "", "")


def _order(rule: RuleRow) -> tuple[int, datetime]:
    return ("block", "embargo", "pin", "must_show", "boost", "bury").index(rule.kind), rule.starts_at
