"""Replays in the page: asking for one, watching it, coming back to it, reading what it found."""

from typing import Any

from fastapi import Request, Response

from data.errors import NotFound
from recommender.web.console.desk import Desk
from recommender.web.console.forms import FormError
from recommender.web.console.page import fragment, go, page
from recommender.web.console.replaying import worker_of
from recommender.web.console.route import console_router
from recommender.web.console.weights import Values, changed_words, live_values
from recommender.web.site import site_of

router = console_router()
SURFACES = ("for_you", "push")
KIND = "weights"
LONGEST_H = 72.0


@router.get("/replay")
def replays(request: Request) -> Response:
    """Those that were made, and a form for the next."""
    site, form = site_of(request), request.state.form
    surface = form.text("surface", "for_you")
    surface = surface if surface in SURFACES else "for_you"
    return page(
        request,
        "console/replays.html",
        surface=surface,
        surfaces=SURFACES,
        found=site.store.replays(KIND),
        versions=site.store.weight_versions(surface),
        desk=Desk.of(request, surface),
        longest_h=LONGEST_H,
    )


@router.post("/replay")
def ask(request: Request) -> Response:
    """Begin one: of the person's draft, or of a version, against what is live."""
    site, form = site_of(request), request.state.form
    surface = form.choice("surface", SURFACES, "for_you")
    desk, hours = Desk.of(request, surface), form.number("hours", 1, LONGEST_H, 24)
    name, values = _chosen(desk, form.text("of", "draft"))
    words = changed_words(desk.current, values) or ["nothing changed"]
    what = f"{name}: {', '.join(words[:4])}" + (" and more" if len(words) > 4 else "")
    args = {"surface": surface, "hours": hours, "live": _plain(desk.current), "tried": _plain(values)}
    number = site.store.ask_replay(KIND, surface, what, args, by=request.state.person.email, now=site.clock.now())
    worker_of(request).wake()
    return go(f"/console/replay/{number}")


@router.get("/replay/{replay_id}")
def replay(request: Request, replay_id: int) -> Response:
    """One: how far it is, or what it found; `?part=1` is the part that changes, for the script that asks again."""
    row = site_of(request).store.replay(replay_id)
    if row.state == "todo":  # asked for before this server was started anew
        worker_of(request).wake()
    if request.state.form.text("part"):
        return fragment(request, "console/replay-part.html", row=row)
    return page(request, "console/replay.html", row=row)


@router.post("/replay/{replay_id}/stop")
def stop(request: Request, replay_id: int) -> Response:
    """Stop it."""
    site = site_of(request)
    site.store.stop_replay(replay_id, by=request.state.person.email, now=site.clock.now())
    return go(f"/console/replay/{replay_id}", "replay-stopped")


def _chosen(desk: Desk, name: str) -> tuple[str, Values]:
    if name == "draft":
        if desk.draft is None:
            raise FormError("of", "You have no draft here; save one on the ranking page, or choose a version.")
        return f"draft of {desk.draft.author}", desk.values
    if not name.isdecimal():
        raise NotFound(f"there is no version {name[:20]!r}; the history lists those there are")
    return f"version {name}", live_values(desk.surface, desk.site.store.weight_version(desk.surface, int(name)))


def _plain(values: Values) -> dict[str, Any]:
    return {"weights": dict(values.weights), "options": dict(values.options)}
