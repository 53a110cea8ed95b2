"""Publishing a draft: its words, its reach and guardrails, a reason, now or at a time."""

from fastapi import Request, Response

from recommender.web.console import access
from recommender.web.console.desk import Desk
from recommender.web.console.forms import FormError
from recommender.web.console.page import go, page
from recommender.web.console.ranking import HOME, interest_under, known, reach_under
from recommender.web.console.route import console_router
from recommender.web.site import site_of

router = console_router()


@router.get("/ranking/{surface}/publish")
def publish_page(request: Request, surface: str) -> Response:
    """The draft in words, its reach and guardrails, and a field for the reason."""
    known(surface)
    return _publish_page(request, surface, {})


@router.post("/ranking/{surface}/publish")
def publish(request: Request, surface: str) -> Response:
    """Make the draft live now or at a time; a broken guardrail needs a lead."""
    known(surface)
    site, form, person = site_of(request), request.state.form, request.state.person
    desk, now = Desk.of(request, surface), site.clock.now()
    try:
        reason = form.required("reason", "a reason: it stands in the history", longest=500)
        at = form.time("publish_at", now, site.settings.zone) if form.text("publish_at") else None
    except FormError as error:
        return _publish_page(request, surface, {error.name: str(error)})
    found = reach_under(request, surface, desk.values)["reach"]
    if not found.is_safe:
        access.check(person, "lead")
    if at:
        site.store.schedule_draft(surface, person.email, publish_at=at, reason=reason, now=now)
        return go(f"{HOME}/{surface}", "scheduled")
    site.store.publish_draft(surface, person.email, reason=reason, now=now)
    site.service.refresh()
    return go(f"{HOME}/{surface}", "published")


def _publish_page(request: Request, surface: str, faults: dict[str, str]) -> Response:
    desk = Desk.of(request, surface)
    return page(
        request,
        "console/publish.html",
        status=422 if faults else 200,
        surface=surface,
        desk=desk,
        faults=faults,
        typed=request.state.form.as_dict(),
        interest=interest_under(request, surface, desk.values),
        **reach_under(request, surface, desk.values),
    )
