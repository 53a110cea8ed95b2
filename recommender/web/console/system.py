"""For operators: what runs, how large it is, who may sign in; and the page with every component once."""

from datetime import timedelta

from fastapi import Request, Response
from sqlalchemy import select

from data.broadcasts import Broadcasts
from data.commands import COMMANDS
from data.leases import LEADER
from data.models import Lease
from data.outbox import Outbox
from data.settings import Settings
from data.store.database import table
from data.store.people import ROLES
from recommender.web.console.now import silent_feeds
from recommender.web.console.page import go, page
from recommender.web.console.route import console_router
from recommender.web.console.trial import trial_of
from recommender.web.pictures import Mark
from recommender.web.site import Site, site_of
from recommender.whatif import guardrails, moves

router = console_router()
SECRET = ("database_url", "fcm_credentials", "oidc_secret")


@router.get("/system")
def system(request: Request) -> Response:
    """Index, feeds, scheduler, outbox, devices, database, settings, people."""
    site, now = site_of(request), site_of(request).clock.now()
    snapshot = site.service.snapshot
    return page(
        request,
        "console/system.html",
        index={
            "Articles in the index": len(snapshot.index.columns),
            "Segments": len(snapshot.index.segments),
            "Articles in the database": site.store.count_articles(),
            "Readers": site.store.count_readers(),
        },
        feeds=site.store.feeds(),
        silent=dict(silent_feeds(site, now)),
        leader=_leader(site),
        commands=_commands(site),
        outbox=Outbox(site.store).counts(),
        broadcasts=Broadcasts(site.store).counts(),
        devices=site.store.count_devices(),
        sizes=sorted(site.store.table_bytes().items(), key=lambda one: -one[1]),
        settings=_settings(site.settings),
        people=site.store.people(),
        roles=ROLES,
    )


@router.post("/system/people")
def set_role(request: Request) -> Response:
    """Give somebody another role."""
    site, form = site_of(request), request.state.form
    email, role = form.required("email", "an email", longest=200), form.choice("role", ROLES)
    site.store.set_role(email, role, by=request.state.person.email, now=site.clock.now())
    return go("/console/system", "person")


@router.get("/patterns")
def patterns(request: Request) -> Response:
    """Every component once, with made-up contents where the newsroom has none."""
    site, trial = site_of(request), trial_of(request)
    now = site.clock.now()
    personas = trial.personas()
    listing = trial.live("for_you", personas[0]) if personas else None
    return page(
        request,
        "console/patterns.html",
        moved=moves(listing, listing)[:2] if listing else (),
        articles=trial.articles(list(listing.ids)) if listing else {},
        most=max((one.score for one in listing.lines), default=1.0) if listing else 1.0,
        rails=guardrails([listing] if listing else []),
        marks=[
            Mark(now - timedelta(hours=2), "sent", "40 sent"),
            Mark(now + timedelta(hours=3), "held", "12 held", 0.6),
        ],
        span=(now - timedelta(hours=6), now + timedelta(hours=6)),
        faults={"example": "Write a number from 0 to 1."},
    )


def _leader(site: Site) -> tuple[str, object] | None:
    leases = table(Lease)
    with site.store.reading() as connection:
        row = connection.execute(select(leases).where(leases.c.name == LEADER)).first()
    return (row.holder, row.until_at) if row else None


def _commands(site: Site) -> list[object]:
    with site.store.reading() as connection:
        return list(connection.execute(select(COMMANDS).order_by(COMMANDS.c.id.desc()).limit(10)))


def _settings(settings: Settings) -> dict[str, str]:
    """The settings in force; what may hold a secret only says whether it is set."""
    shown = {}
    for name, value in settings.model_dump().items():
        shown[name] = ("set" if value else "not set") if name in SECRET else str(value)
    return shown
