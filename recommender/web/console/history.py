"""What was changed by whom and why; versions of weights, and putting one back."""

import csv
import io
from datetime import datetime

import msgspec
from fastapi import Request, Response

from data.errors import NotFound
from data.experiments import ExperimentRow
from data.values import WeightRow
from recommender.experiments import desk
from recommender.snapshot import SURFACES
from recommender.web.console.page import go, page
from recommender.web.console.route import console_router
from recommender.web.console.say import differences
from recommender.web.site import Site, site_of

router = console_router()
PAGE = 100
ENDED = 3  # experiments shown that are over
MOST_ROWS = 100_000
FORMULA = ("=", "+", "-", "@", "\t")  # a cell that begins so is run by spreadsheet programs


@router.get("/history")
def history(request: Request) -> Response:
    """Versions of one surface and the audit log, searched."""
    site, form = site_of(request), request.state.form
    surface = form.text("surface", "for_you")
    surface = surface if surface in SURFACES else "for_you"
    search, before = form.text("q", longest=200), form.text("before")
    changes = site.store.changes(limit=PAGE, search=search, before_id=int(before) if before.isdecimal() else None)
    versions = site.store.weight_versions(surface)
    return page(
        request,
        "console/history.html",
        surface=surface,
        versions=_spans(versions),
        changes=changes,
        q=search,
        experiments=_experiments(site) if surface == "for_you" else [],
        most=PAGE,
    )


@router.get("/history.csv")
def history_csv(request: Request) -> Response:
    """The audit log for a spreadsheet, oldest first."""
    rows = site_of(request).store.changes(limit=MOST_ROWS, search=request.state.form.text("q", longest=200))
    written = io.StringIO()
    table = csv.writer(written)
    table.writerow(["at", "who", "what", "target", "before", "after", "why"])
    for row in reversed(rows):
        before, after = (msgspec.json.encode(one).decode() if one else "" for one in (row.before, row.after))
        cells = (row.at.isoformat(), row.person, row.what, row.target, before, after, row.why)
        table.writerow([f"'{cell}" if cell.startswith(FORMULA) else cell for cell in cells])
    headers = {"content-disposition": 'attachment; filename="newsbell-changes.csv"'}
    return Response(written.getvalue(), 200, headers, "text/csv; charset=utf-8")


@router.post("/history/{surface}/restore")
def restore(request: Request, surface: str) -> Response:
    """Publish an old version's numbers as a new version."""
    site, form = site_of(request), request.state.form
    if surface not in SURFACES:
        raise NotFound(f"there is no surface {surface[:40]!r}; there are {', '.join(SURFACES)}")
    number = int(form.number("version", 1, 1e9))
    reason = form.required("reason", "a reason: it stands in the history", longest=500)
    old = site.store.weight_version(surface, number)
    site.store.publish_weights(
        surface,
        old.weights,
        old.options,
        author=request.state.person.email,
        reason=f"{reason} (version {number} again)",
        now=site.clock.now(),
    )
    site.service.refresh()
    return go("/console/history", "restored", surface=surface)


def _experiments(site: Site) -> list[tuple[ExperimentRow, str]]:
    """Those that run with what they say now, and the last that are over with how they ended."""
    now = site.clock.now()
    rows = site.store.experiments()
    running = [(one, desk.look(site.store, one.key, now=now)[0].sentence) for one in rows if one.is_on(now)]
    return running + [(one, one.outcome) for one in rows if not one.is_on(now)][:ENDED]


def _spans(versions: list[WeightRow]) -> list[tuple[WeightRow, datetime | None, list[str]]]:
    """Each version with the instant at which the next one went live, and what it changed."""
    found = []
    for place, row in enumerate(versions):
        newer = versions[place - 1].created_at if place else None
        older = versions[place + 1] if place + 1 < len(versions) else None
        changed = differences(older.weights | older.options, row.weights | row.options) if older else []
        found.append((row, newer, changed))
    return found
