"""Where every request enters: an id, the hot calls at once, the rest by the framework; headers, counts, logs."""

import logging
import re
from time import perf_counter

from fastapi import FastAPI, Request
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope, Send

from data.logs import REQUEST_ID
from recommender.ids import fresh_id
from recommender.web import tracing
from recommender.web.gate import SAFE_HEADERS, Given, keep_encoded_slashes, limited, refusal
from recommender.web.hot import Answer, Call, Hot
from recommender.web.problems import answer_to, problem
from recommender.web.site import Site

log = logging.getLogger("newsbell.request")
_ID = re.compile(r"[\w.:-]{1,64}\Z")
GONE = 499  # nobody waited for the answer; counted, never sent


class Front:
    """The application as a server sees it. `framework` is what answers everything but the hot calls."""

    def __init__(self, framework: FastAPI, site: Site) -> None:
        self.framework, self.site = framework, site
        self._hot = Hot(site)
        self._cold = GZipMiddleware(framework, minimum_size=1_000, compresslevel=5)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.framework(scope, receive, send)
            return
        start = perf_counter()
        headers = Given(scope)
        given = headers.get(b"x-request-id")
        request_id = given if given and _ID.match(given) else fresh_id()
        token = REQUEST_ID.set(request_id)
        told = _Told(send, request_id)
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
            await self._answer_hot(found[1], found[2], scope, headers, receive, told)
        else:
            return await self._answer_cold(scope, receive, told)
        return found[0] if found else "refused"

    async def _answer_hot(
        self, call: Call, name: str, scope: Scope, headers: Given, receive: Receive, told: "_Told"
    ) -> None:
        try:
            answer = await call(scope, headers, receive, name)
        except ClientDisconnect:
            raise
        except Exception as error:
            await answer_to(Request(scope, receive), error)(scope, receive, told)
        else:
            await told.whole(answer)

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

    def __init__(self, send: Send, request_id: str) -> None:
        self._send, self.status = send, 0
        self._headers = (*SAFE_HEADERS, (b"x-request-id", request_id.encode()))

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message = {**message, "headers": [*message["headers"], *self._headers]}
        await self._send(message)

    async def whole(self, answer: Answer) -> None:
        """Send a finished answer."""
        self.status = answer.status
        headers = [*answer.headers, *self._headers]
        if answer.status != 304:
            headers.append((b"content-length", str(len(answer.body)).encode()))
        await self._send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await self._send({"type": "http.response.body", "body": answer.body})
