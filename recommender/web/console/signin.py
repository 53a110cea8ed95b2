"""Signing in and out."""

from hmac import compare_digest
from urllib.parse import urlsplit

from fastapi import Request, Response
from starlette.responses import RedirectResponse

from data.errors import InvalidInput, NotAllowed, NotFound
from recommender.web.console import sessions
from recommender.web.console.forms import Form
from recommender.web.console.oidc import LASTS_S, Provider, Trip
from recommender.web.console.page import go, page
from recommender.web.console.route import console_router
from recommender.web.site import site_of

router = console_router()
LONGEST = 200
TRIP = "newsbell_trip"


@router.get("/sign-in")
def sign_in_page(request: Request) -> Response:
    """Ask for email and password; who is signed in already goes on."""
    target = sessions.safe_target(request.state.form.text("next", sessions.HOME))
    if request.state.person is not None:
        return go(target)
    return _page(request, target, "", "")


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


@router.get("/sign-in/provider")
def leave(request: Request) -> Response:
    """Off to the sign-in provider, with a sealed note of what was begun here."""
    site = site_of(request)
    trip = Trip.begin(
        sessions.safe_target(request.state.form.text("next", sessions.HOME)), site.clock.now().timestamp()
    )
    response = RedirectResponse(provider_of(request).address(trip, _back(request)), 303)
    sealed, is_secure = trip.sealed(site.store.secret("oidc")), request.url.scheme == "https"
    response.set_cookie(
        TRIP, sealed, max_age=LASTS_S, path=sessions.SIGN_IN, secure=is_secure, httponly=True, samesite="lax"
    )
    return response


@router.get("/sign-in/back")
def back(request: Request) -> Response:
    """Back from the sign-in provider: a new session, if everything fits what was begun in this browser."""
    site, form, now = site_of(request), request.state.form, site_of(request).clock.now()
    provider, address = provider_of(request), request.client.host if request.client else ""
    if not site.store.may_try("", address, now=now):
        return _again(request, sessions.HOME, "", "Too many attempts. Wait a quarter of an hour, then try again.", 429)
    try:
        trip = Trip.opened(request.cookies.get(TRIP, ""), site.store.secret("oidc"), now.timestamp())
        found = provider.identity(trip, _code(form, trip), _back(request))
        person = site.store.person_from(found.subject, found.email, found.role, now=now)
    except (NotAllowed, InvalidInput) as error:
        site.store.note_failure("", address, now=now)
        refused = _again(request, sessions.HOME, "", str(error), 403)
        refused.delete_cookie(TRIP, path=sessions.SIGN_IN)
        return refused
    if old := sessions.token_of(request):
        site.store.end_session(old)
    response = go(sessions.safe_target(trip.target))
    sessions.set_cookie(request, response, site.store.open_session(person.id, now=now))
    response.delete_cookie(TRIP, path=sessions.SIGN_IN)
    return response


@router.post("/sign-out")
def sign_out(request: Request) -> Response:
    """End the session on every worker."""
    site_of(request).store.end_session(sessions.token_of(request))
    response = go(sessions.SIGN_IN, "signed-out")
    sessions.clear_cookie(response)
    return response


def _code(form: Form, trip: Trip) -> str:
    """The code of an answer to what was begun here."""
    if form.text("error") or not compare_digest(form.text("state").encode(), trip.state.encode()):
        raise NotAllowed("The sign-in provider did not let you in, or answered another sign-in.")
    return form.required("code", "a code")


def provider_of(request: Request) -> Provider:
    """The provider of the settings, made once; NotFound where none is set."""
    state, settings = request.app.state, site_of(request).settings
    if not settings.oidc_issuer:
        raise NotFound("no sign-in provider is set; sign in with email and password")
    if not hasattr(state, "oidc"):
        state.oidc = Provider(settings)
    found: Provider = state.oidc
    return found


def _provider(request: Request) -> str:
    """The host of the provider, for the button; "" where none is set."""
    return urlsplit(site_of(request).settings.oidc_issuer).hostname or ""


def _back(request: Request) -> str:
    return f"{str(request.base_url).rstrip('/')}{sessions.SIGN_IN}/back"


def _again(request: Request, target: str, email: str, problem: str, status: int) -> Response:
    answer = _page(request, target, email, problem, status)
    if status == 429:
        answer.headers["retry-after"] = "900"
    return answer


def _page(request: Request, target: str, email: str, problem: str, status: int = 200) -> Response:
    shown = {"target": target, "email": email, "problem": problem, "provider": _provider(request)}
    return page(request, "console/sign-in.html", status=status, **shown)
