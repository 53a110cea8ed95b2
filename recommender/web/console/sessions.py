"""The cookie of a signed-in browser, and where to go after signing in."""

from urllib.parse import quote

from fastapi import Request, Response

from data.store.people import PersonRow
from data.store.sessions import ABSOLUTE
from recommender.web.site import site_of

COOKIE = "newsbell_session"
HOME = "/console"
SIGN_IN = "/console/sign-in"
LONGEST_TOKEN = 200


def signed_in(request: Request) -> PersonRow | None:
    """Who is signed in, with the role of this moment."""
    token = token_of(request)
    site = site_of(request)
    return site.store.session_person(token, now=site.clock.now()) if token else None


def token_of(request: Request) -> str:
    """The token of the request's cookie, or ""."""
    token = request.cookies.get(COOKIE, "")
    return token if len(token) <= LONGEST_TOKEN else ""


def set_cookie(request: Request, response: Response, token: str) -> None:
    """Give the browser its token: out of reach of scripts, not sent by other sites' forms, only to the console."""
    response.set_cookie(
        COOKIE,
        token,
        max_age=int(ABSOLUTE.total_seconds()),
        path=HOME,
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="lax",
    )


def clear_cookie(response: Response) -> None:
    """Take the token away."""
    response.delete_cookie(COOKIE, path=HOME, httponly=True, samesite="lax")


def safe_target(wanted: str) -> str:
    """A page of the console to go to; anything that leads elsewhere becomes the first page."""
    plain = wanted.partition("?")[0].partition("#")[0]
    is_ours = plain == HOME or plain.startswith(HOME + "/")
    odd = any(c in wanted for c in "\\\r\n\t") or ".." in plain or "//" in plain or plain == SIGN_IN
    return wanted if is_ours and not odd and wanted.isprintable() else HOME


def sign_in_address(request: Request) -> str:
    """The sign-in page that leads back to what was asked for."""
    if request.method != "GET":
        return SIGN_IN
    query = f"?{request.url.query}" if request.url.query else ""
    return f"{SIGN_IN}?next={quote(request.url.path + query, safe='')}"
