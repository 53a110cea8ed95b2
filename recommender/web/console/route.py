"""What every request to the console passes: sign-in, permission, origin; and what every answer carries."""

import logging
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse

from data.errors import NewsbellError, NotAllowed, TooLarge
from data.store.people import PersonRow
from recommender.web.console import access, csrf, sessions
from recommender.web.console.forms import LARGEST_FORM, Form

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": CSP,
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cache-control": "no-store",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
log = logging.getLogger(__name__)
Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class ConsoleRoute(APIRoute):
    """A route that is guarded by the table of permissions; its handlers find `request.state.person` and `.form`."""

    def get_route_handler(self) -> Handler:
        answer = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            response = await self._guarded(request, answer)
            response.headers.update(HEADERS)
            return response

        return guarded

    async def _guarded(self, request: Request, answer: Handler) -> Response:
        request.state.person = None
        try:
            role = access.least_role(request.method, self.path)
            csrf.check_origin(request)
            request.state.person = await run_in_threadpool(sessions.signed_in, request)
            if request.state.person is None and role != access.ANYBODY:
                return RedirectResponse(sessions.sign_in_address(request), 303)
            if role != access.ANYBODY:
                access.check(request.state.person, role)
            request.state.form = Form.parse(await _body(request))
            return await answer(request)
        except NewsbellError as error:
            return await run_in_threadpool(_told, request, error)


async def _body(request: Request) -> bytes:
    """The body of a form; a query is a form too."""
    if request.method in csrf.SAFE:
        return str(request.url.query).encode()
    length = request.headers.get("content-length", "0")
    if length.isdigit() and int(length) > LARGEST_FORM:
        raise TooLarge(f"The form is larger than {LARGEST_FORM:,} bytes; shorten what you wrote.")
    return await request.body()


def _told(request: Request, error: NewsbellError) -> Response:
    from recommender.web.console.page import page
    from recommender.web.problems import status_of

    person: PersonRow | None = request.state.person
    if isinstance(error, NotAllowed):
        log.warning("refused %s of the console to %s", request.method, person.role if person else "nobody")
    status = status_of(error)
    return page(request, "console/message.html", status=status, title="This did not work", detail=str(error))


def console_router() -> APIRouter:
    """A router of the console's pages: guarded, and not part of the API's description."""
    return APIRouter(prefix="/console", include_in_schema=False, route_class=ConsoleRoute)
