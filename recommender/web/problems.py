"""Every error answer of the API, in one form: `application/problem+json` (RFC 9457)."""

import logging
from collections.abc import Iterable
from http import HTTPStatus
from math import ceil

import msgspec
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field, ValidationError
from sqlalchemy.exc import OperationalError
from starlette.exceptions import HTTPException
from starlette.routing import Match

from data import errors
from data.wire import where_of
from recommender.web.pages.render import render

MEDIA_TYPE = "application/problem+json"
STATUS_OF: dict[type[errors.NewsbellError], int] = {
    errors.TooLarge: 413,
    errors.InvalidInput: 422,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.NotAllowed: 403,
    errors.Expired: 410,
    errors.TooMany: 429,
    errors.Overloaded: 503,
    errors.DatabaseNotReady: 503,
}
LONGEST_MESSAGE = 500  # a message quotes the caller's own words: never send back a book
log = logging.getLogger(__name__)


class Fault(BaseModel):
    """One thing that is wrong: where in the request, and what to do about it."""

    where: str = Field(description="A dotted place in the body, or the name of a query parameter")
    message: str


class Problem(BaseModel):
    """An error answer. `detail` says what to do next."""

    type: str = Field(description="A link to the description of this kind of problem")
    title: str
    status: int
    detail: str
    errors: list[Fault]


def respond(
    request: Request,
    status: int,
    detail: str,
    *,
    faults: Iterable[Fault] = (),
    headers: dict[str, str] | None = None,
) -> Response:
    """The answer for one error: a page for a person in a browser, a problem for a program."""
    is_program = request.url.path.startswith("/v1/") or "text/html" not in request.headers.get("accept", "")
    if is_program:
        return problem(status, detail, faults=faults, headers=headers)
    answer = render("message.html", status=status, language="en", code=status, detail=detail, faults=list(faults))
    answer.headers.update(headers or {})
    return answer


def problem(
    status: int, detail: str, *, faults: Iterable[Fault] = (), headers: dict[str, str] | None = None
) -> Response:
    """The answer for one error. An unknown status takes its title from HTTP."""
    title = HTTPStatus(status).phrase
    body = {
        "type": "/docs#problem-" + str(status),
        "title": title,
        "status": status,
        "detail": detail[:LONGEST_MESSAGE],
        "errors": [{"where": f.where[:LONGEST_MESSAGE], "message": f.message[:LONGEST_MESSAGE]} for f in faults],
    }
    return Response(msgspec.json.encode(body), status, headers, MEDIA_TYPE)


class InvalidRequest(errors.InvalidInput):
    """A body or query with named faults."""

    def __init__(self, detail: str, faults: Iterable[Fault]) -> None:
        super().__init__(detail)
        self.faults = tuple(faults)


def invalid(error: ValidationError, what: str) -> InvalidRequest:
    """The request error of a shape that does not validate; `what` names it: "query", "reader"."""
    return InvalidRequest(f"The {what} is not right: see errors.", faults_of(error))


def faults_of(error: ValidationError) -> list[Fault]:
    """The faults of a validation error, without the values that were sent."""
    return [Fault(where=where_of(item), message=item["msg"].removeprefix("Value error, ")) for item in error.errors()]


def status_of(error: errors.NewsbellError) -> int:
    """The HTTP status of one of our errors: that of its nearest class in the tree."""
    return next((STATUS_OF[kind] for kind in type(error).__mro__ if kind in STATUS_OF), 500)


def answer_to(request: Request, error: Exception) -> Response:
    """The answer to a request that ended in an error, whatever it is."""
    kinds = ((errors.NewsbellError, _ours), (HTTPException, _http), (OperationalError, _database))
    return next((answer for kind, answer in kinds if isinstance(error, kind)), _unforeseen)(request, error)


def _ours(request: Request, error: Exception) -> Response:
    assert isinstance(error, errors.NewsbellError)  # noqa: S101
    headers = {}
    if isinstance(error, errors.TooMany):
        headers["Retry-After"] = str(ceil(error.after_s))
    if isinstance(error, errors.Overloaded):
        headers["Retry-After"] = "1"
    return respond(request, status_of(error), str(error), faults=getattr(error, "faults", ()), headers=headers)


def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101
    headers = dict(error.headers or {})
    detail = error.detail
    if error.status_code == HTTPStatus.NOT_FOUND and detail == HTTPStatus.NOT_FOUND.phrase:
        detail = "There is nothing at this address; /docs lists the calls."
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(sorted(methods_at(request)))
        detail = f"{request.method} is not possible here; this address takes {headers['Allow']}."
    return respond(request, error.status_code, detail, headers=headers)


def methods_at(request: Request) -> set[str]:
    """The methods that some route takes at the address of a request."""
    found: set[str] = set()
    for method in ("GET", "HEAD", "PUT", "POST", "PATCH", "DELETE"):
        scope = {**request.scope, "method": method}
        if any(route.matches(scope)[0] is Match.FULL for route in request.app.router.routes):
            found.add(method)
    return found


def _request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    faults = [Fault(where=where_of(item), message=item["msg"]) for item in error.errors()]
    return respond(request, 422, "The request is not right: see errors.", faults=faults)


def _database(request: Request, error: Exception) -> Response:
    log.error("the database did not answer: %s", type(error).__name__)
    return respond(request, 503, "The database did not answer; try again shortly.", headers={"Retry-After": "1"})


def _unforeseen(request: Request, error: Exception) -> Response:
    log.error("unforeseen error: %s", type(error).__name__, exc_info=error)
    request.app.state.site.metrics.failed(error)
    return respond(request, 500, "Something went wrong on our side; the log says more.")


def install(app: FastAPI) -> None:
    """Make every error of `app` a problem answer."""

    async def answer(request: Request, error: Exception) -> Response:
        return answer_to(request, error)

    async def invalid(request: Request, error: Exception) -> Response:
        return _request(request, error)

    for kind in (errors.NewsbellError, HTTPException, OperationalError, Exception):
        app.add_exception_handler(kind, answer)
    app.add_exception_handler(RequestValidationError, invalid)
