"""Where every request enters: an id, the hot calls at once, the rest by the framework; headers, counts, logs."""

import logging
from time import perf_counter

from fastapi import FastAPI, Request
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope, Send

from data.logs import REQUEST_ID
from recommender.web import tracing
from recommender.web.gate import SAFE_HEADERS, Given, keep_encoded_slashes, limited, refusal, request_id_of
from recommender.web.hot import Answer, Hot
from recommender.web.joined import WHOLE, Whole
from recommender.web.problems import answer_to, problem
from recommender.web.shortcut import Shortcut
from recommender.web.site import Site

log = logging.getLogger("newsbell.request")
GONE = 499  # nobody waited for the answer; counted, never sent


class Front:
    """The application as a server sees it. `framework` is what answers everything but the hot calls.

    Where nothing stands between it and the server (`is_first`), finished answers are handed over as they are.
    """

    def __init__(self, framework: FastAPI, site: Site, *, is_first: bool = True) -> None:
        self.framework, self.site, self.is_first = framework, site, is_first
        self._hot = Hot(site)
        self.shortcut = Shortcut(self._hot, site) if is_first else None
        self._cold = GZipMiddleware(framework, minimum_size=1_000, compresslevel=5)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.framework(scope, receive, send)
            return
        start = perf_counter()
        headers = Given(scope)
        request_id = request_id_of(headers)
        token = REQUEST_ID.set(request_id)
        told = _Told(send, request_id, _whole_of(scope) if self.is_first else None)
        route = "unmatched"
        try:
            with tracing.span(scope, headers) as span:
                route = await self._answer(scope, headers, receive, told)
                span.end(route, told.status)
        except ClientDisconnect:
            told.status = GONE
        finally:
            seconds = perf_counter() - start
            self.site.metrics.answered(route, scope["method"], told.status, seconds)
            if self.site.settings.access_log:
                extra = {"route": route, "status": told.status, "ms": round(seconds * 1e3, 1)}
                log.info("%s", scope["method"], extra=extra)
            REQUEST_ID.reset(token)

    async def _answer(self, scope: Scope, headers: Given, receive: Receive, told: "_Told") -> str:
        """Answer by one way or the other; returns the route."""
        scope["app"] = self.framework
        keep_encoded_slashes(scope)
        refused = refusal(scope["path"], headers)
        found = self._hot.find(scope)
        if refused:
            await problem(*refused)(scope, receive, told)
        elif found:
            route, call, name = found
            try:
                answer = await call(scope, headers, receive, name)
            except ClientDisconnect:
                raise
            except Exception as error:
                await answer_to(Request(scope, receive), error)(scope, receive, told)
            else:
                await told.whole(answer)
            return route
        else:
            return await self._answer_cold(scope, receive, told)
        return found[0] if found else "refused"

    async def _answer_cold(self, scope: Scope, receive: Receive, told: "_Told") -> str:
        try:
            await self._cold(scope, limited(receive), told)
        except ClientDisconnect:
            raise
        except Exception:  # logged where it was made an answer
            if not told.status:
                raise
        route = scope.get("route")
        return getattr(route, "path", "") or "unmatched"


class _Told:
    """`send` that adds what every answer carries and keeps the status."""

    def __init__(self, send: Send, request_id: str, write: Whole | None) -> None:
        self._send, self._id, self._write, self.status = send, request_id.encode(), write, 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = [*message["headers"], *SAFE_HEADERS, (b"x-request-id", self._id)]
            message = {**message, "headers": headers}
        await self._send(message)

    async def whole(self, answer: Answer) -> None:
        """Send a finished answer: to our own server by one call."""
        self.status = answer.status
        if self._write is not None and self._write(answer.status, answer.head(self._id), answer.body):
            return
        headers = [*answer.headers, *SAFE_HEADERS, (b"x-request-id", self._id)]
        if answer.status != 304:
            headers.append((b"content-length", str(len(answer.body)).encode()))
        await self._send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await self._send({"type": "http.response.body", "body": answer.body})


def _whole_of(scope: Scope) -> Whole | None:
    """What our own server takes finished answers by, None under another one."""
    extensions = scope.get("extensions")
    held = extensions.get(WHOLE) if extensions else None
    return held["write"] if held else None
