"""Version 1 of the API: articles and events in, related articles and for-you lists out."""

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Path, Request, Response
from starlette.concurrency import run_in_threadpool

from data.wire import ArticleIn
from recommender.web.auth import needs
from recommender.web.bodies import check_each, json_list
from recommender.web.describe import bulk, fails, not_modified, parameters
from recommender.web.gate import segment
from recommender.web.shapes import (
    ArticlesAnswer,
    EventsAnswer,
    ForYouAnswer,
    ForYouQuery,
    RelatedAnswer,
    RelatedQuery,
    identifier,
)
from recommender.web.site import site_of

router = APIRouter(prefix="/v1")
ELSEWHERE = "described here, answered by recommender.web.hot before the framework sees the request"
Id = Annotated[str, Path(description="The publisher's own string, percent-encoded (a slash as %2F)")]


def answer(value: Any, status: int = 200) -> Response:
    """A JSON answer, encoded once; nobody on the way may keep it."""
    headers = {"cache-control": "private, no-store"}
    return Response(msgspec.json.encode(value), status, headers, media_type="application/json")


@router.put(
    "/articles",
    tags=["articles"],
    dependencies=[Depends(needs("ingest"))],
    responses={200: {"model": ArticlesAnswer}, **fails(400, 401, 403, 413, 415, 422, 429, 503)},
    openapi_extra=bulk("ArticleIn"),
)
async def put_articles(request: Request) -> Response:
    """Add or update articles.

    Each item is checked alone: good ones are stored together in one transaction, the others come back with a reason.
    An article is known again by its id, its address or its text. The next list has them.
    """
    items = await json_list(request)
    return answer(await run_in_threadpool(_put_articles, request, items))


def _put_articles(request: Request, items: list[Any]) -> dict[str, Any]:
    site = site_of(request)
    checked = check_each(ArticleIn, items)
    result = site.store.put_articles(checked.good, now=site.clock.now())
    site.service.refresh()
    rejected = checked.all_rejected(result.rejected)
    return {"new": result.new, "changed": result.changed, "same": result.same, "rejected": rejected}


@router.delete(
    "/articles/{article}",
    tags=["articles"],
    status_code=204,
    dependencies=[Depends(needs("ingest"))],
    responses=fails(401, 403, 404, 422, 429, 503),
)
async def retract_article(request: Request, article: Id) -> Response:
    """Retract an article: it leaves every list and every alert that was not sent."""
    await run_in_threadpool(_retract, request, identifier(segment(article), "article id"))
    return Response(status_code=204)


def _retract(request: Request, key: str) -> None:
    site = site_of(request)
    site.store.retract_article(key, now=site.clock.now())
    site.service.refresh()


@router.post(
    "/events",
    tags=["events"],
    status_code=202,
    responses={202: {"model": EventsAnswer}, **fails(400, 401, 403, 413, 415, 422, 429, 503)},
    openapi_extra=bulk("EventIn"),
)
async def post_events() -> None:
    """Tell what readers did.

    Answered after the commit: what is accepted is on disk. Each item is checked alone; an event whose id is known
    already is a duplicate and changes nothing, so a batch may be sent again after any failure.
    """
    raise NotImplementedError(ELSEWHERE)


@router.delete(
    "/events/{event}",
    tags=["events"],
    status_code=204,
    dependencies=[Depends(needs("app"))],
    responses=fails(401, 403, 404, 422, 429, 503),
)
async def withdraw_event(request: Request, event: Id) -> Response:
    """Undo what a reader did: a hide, a less-like-this, a read. The next list is as if it had not happened."""
    await run_in_threadpool(site_of(request).store.withdraw_event, identifier(segment(event), "event id"))
    return Response(status_code=204)


@router.get(
    "/articles/{article}/related",
    tags=["lists"],
    responses={200: {"model": RelatedAnswer}, **not_modified(), **fails(401, 403, 404, 422, 429, 503)},
    openapi_extra={"parameters": parameters(RelatedQuery)},
)
async def related(article: Id) -> None:
    """List what to read after an article: the same subject, not the same story again.

    The answer has an `ETag`; send it as `If-None-Match` to get 304 while the list is the same.
    """
    raise NotImplementedError(ELSEWHERE)


@router.get(
    "/readers/{reader}/for-you",
    tags=["lists"],
    responses={200: {"model": ForYouAnswer}, **fails(401, 403, 410, 422, 429, 503)},
    openapi_extra={"parameters": parameters(ForYouQuery)},
)
async def for_you(reader: Id) -> None:
    """List what a reader may want to read now. A reader never seen gets the list for newcomers.

    `next` continues this very list for 30 minutes, whatever arrives meanwhile: send it as `cursor` with the same
    category and language. A call without a cursor begins a fresh list.
    """
    raise NotImplementedError(ELSEWHERE)
