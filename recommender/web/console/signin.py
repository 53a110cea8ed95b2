"""Signing in and out."""

from fastapi import Request, Response

from recommender.web.console import sessions
from recommender.web.console.page import go, page
from recommender.web.console.route import console_router
from recommender.web.site import site_of

router = console_router()
LONGEST = 200


@router.get("/sign-in")
def sign_in_page(request: Request) -> Response:
    """Ask for email and password; who is signed in already goes on."""
    target = sessions.safe_target(request.state.form.text("next", sessions.HOME))
    if request.state.person is not None:
        return go(target)
    return page(request, "console/sign-in.html", target=target, email="", problem="")


@router.post("/sign-in")
def sign_in(request: Request) -> Response:
    """Check the password, and give the browser a new session: one it came with is over."""
    site, form = site_of(request), request.state.form
    target, now = sessions.safe_target(form.text("next", sessions.HOME)), site.clock.now()
    email, address = form.text("email")[:LONGEST], request.client.host if request.client else ""
    if not site.store.may_try(email, address, now=now):
        return _again(request, target, email, "Too many attempts. Wait a quarter of an hour, then try again.", 429)
    person = site.store.check_password(email, form.text("password")[:LONGEST])
    if person is None:
        site.store.note_failure(email, address, now=now)
        return _again(request, target, email, "Email and password do not match. Check both and try again.", 422)
    if old := sessions.token_of(request):
        site.store.end_session(old)
    response = go(target)
    sessions.set_cookie(request, response, site.store.open_session(person.id, now=now))
    return response


@router.post("/sign-out")
def sign_out(request: Request) -> Response:
    """End the session on every worker."""
    site_of(request).store.end_session(sessions.token_of(request))
    response = go(sessions.SIGN_IN, "signed-out")
    sessions.clear_cookie(response)
    return response


def _again(request: Request, target: str, email: str, problem: str, status: int) -> Response:
    answer = page(request, "console/sign-in.html", status=status, target=target, email=email, problem=problem)
    if status == 429:
        answer.headers["retry-after"] = "900"
    return answer
