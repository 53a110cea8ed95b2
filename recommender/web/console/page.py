"""Rendering a page of the console: the frame that all share, and how times and numbers are written."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode

from fastapi import Request, Response
from jinja2 import Environment, pass_context
from jinja2.runtime import Context
from markupsafe import Markup
from starlette.responses import RedirectResponse

from data.campaigns import Campaigns
from data.clock import zone
from data.store.audit import ChangeRow
from data.store.people import PersonRow
from recommender.cards import age
from recommender.snapshot import SURFACES
from recommender.web import pictures
from recommender.web.console.access import may, words
from recommender.web.console.rule_words import does
from recommender.web.console.say import SAID, change_words, difference_words, label, strength_words
from recommender.web.pages.render import environment as site_environment
from recommender.web.site import Site, site_of

NAV = (
    ("/console", "Now"),
    ("/console/stories", "Stories"),
    ("/console/ranking/for_you", "Ranking"),
    ("/console/push", "Push"),
    ("/console/rules", "Rules"),
    ("/console/history", "History"),
    ("/console/system", "System"),
)


@dataclass(frozen=True)
class Shell:
    """What stands around every page."""

    person: PersonRow | None
    now: datetime
    zone: str
    path: str
    versions: dict[str, int]
    paused: tuple[str, ...]  # names of campaigns that are paused
    campaigns: int
    last: ChangeRow | None
    said: str

    @property
    def is_done_here(self) -> bool:
        """Whether what the page just told is the last change, which can be undone beside the words."""
        mine = self.last is not None and self.person is not None and self.last.person == self.person.email
        return mine and self.said in (SAID["published"], SAID["restored"], SAID["rule"])

    @property
    def push_state(self) -> str:
        """On, Paused, or how many campaigns are."""
        if not self.paused:
            return "On"
        return "Paused" if len(self.paused) == self.campaigns else f"{len(self.paused)} of {self.campaigns} paused"

    def may(self, role: str) -> bool:
        """Whether the person holds a role."""
        return may(self.person, role)


def page(request: Request, template: str, *, status: int = 200, **values: Any) -> Response:
    """A page inside the frame."""
    body = environment().get_template(template).render(**values, shell=shell_of(request))
    return Response(body, status, media_type="text/html")


def fragment(request: Request, template: str, **values: Any) -> Response:
    """A part of a page, for the script that puts it in its place."""
    site = site_of(request)
    shell = Shell(request.state.person, site.clock.now(), site.settings.zone, "", {}, (), 0, None, "")
    return Response(environment().get_template(template).render(**values, shell=shell), media_type="text/html")


def go(path: str, said: str = "", **query: str | int) -> Response:
    """After a change: show a page, with a word about what happened."""
    given = query | ({"said": said} if said else {})
    return RedirectResponse(f"{path}?{urlencode(given)}" if given else path, 303)


def shell_of(request: Request) -> Shell:
    """The frame of a request; somebody who is not signed in sees none of the newsroom."""
    site, person = site_of(request), request.state.person
    now, path = site.clock.now(), request.url.path
    form = getattr(request.state, "form", None)
    said = SAID.get(form.text("said"), "") if form and request.method == "GET" else ""
    if person is None:
        return Shell(None, now, site.settings.zone, path, {}, (), 0, None, said)
    campaigns = standing(site)
    paused = tuple(one.name for one in campaigns if one.state == "paused")
    last = site.store.changes(limit=1)
    return Shell(
        person, now, site.settings.zone, path, versions(site), paused, len(campaigns), last[0] if last else None, said
    )


def standing(site: Site) -> list[Any]:
    """The campaigns that people set up; alerts that the desk wrote are campaigns of one use."""
    return Campaigns(site.store).standing()


def versions(site: Site) -> dict[str, int]:
    """The live version of every surface."""
    found = {surface: site.store.live_weights(surface) for surface in SURFACES}
    return {surface: row.version if row else 0 for surface, row in found.items()}


@lru_cache(maxsize=1)
def environment() -> Environment:
    """The templates with the console's filters."""
    made = site_environment()
    filters = (
        clock,
        when,
        ago,
        stamp,
        iso,
        thin,
        percent,
        label,
        words,
        change_words,
        strength_words,
        local_input,
        difference_words,
    )
    made.filters |= {one.__name__: one for one in filters} | {"rule_does": does}
    made.globals |= {
        "nav": NAV,
        "picture": pictures,
        "surfaces": SURFACES,
        "segments": segments,
        "segment_of": pictures.Segment,
    }
    return made


@pass_context
def clock(context: Context, at: datetime) -> str:
    """Like 14:05, in the newsroom's zone."""
    return f"{_local(context, at):%H:%M}"


@pass_context
def when(context: Context, at: datetime) -> str:
    """14:05 of the same day, "Tue 14:05" within a week, else the date too."""
    there, here = _local(context, at), _local(context, context["shell"].now)
    if there.date() == here.date():
        return f"{there:%H:%M}"
    if abs(there - here) < timedelta(days=6):
        return f"{there:%a %H:%M}"
    return f"{there:%Y-%m-%d %H:%M}"


@pass_context
def ago(context: Context, at: datetime) -> Markup:
    """Like "3 hours ago", with the instant itself for who points at it."""
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        at.isoformat(), f"{_local(context, at):%Y-%m-%d %H:%M %Z}", age(at, context["shell"].now, "en")
    )


@pass_context
def stamp(context: Context, at: datetime) -> Markup:
    """The time as `when` says it, with the instant itself."""
    words = when(context, at)
    return Markup('<time datetime="{}">{}</time>').format(at.isoformat(), words)


@pass_context
def local_input(context: Context, at: datetime) -> str:
    """The value of a datetime-local field."""
    return f"{_local(context, at):%Y-%m-%dT%H:%M}"


def segments(adds: Mapping[str, float]) -> list[pictures.Segment]:
    """The parts of a score as a stacked bar draws them."""
    return [pictures.Segment(name, value) for name, value in adds.items()]


def iso(at: datetime) -> str:
    """RFC 3339."""
    return at.isoformat(timespec="seconds")


def thin(number: float) -> str:
    """A whole number in groups of three with thin spaces."""
    return f"{number:,.0f}".replace(",", "\u202f")


def percent(share: float) -> str:
    """Like "31 %"."""
    return f"{100 * share:.0f}\u00a0%"


def _local(context: Context, at: datetime) -> datetime:
    return at.astimezone(zone(context["shell"].zone))
