"""Version 1 of the API: articles and events in, related articles and for-you lists out."""

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Path, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.routing import Route

from data.wire import ArticleIn, EventIn
from recommender.web.auth import check_reading, needs
from recommender.web.bodies import check_each, json_list, query
from recommender.web.describe import bulk, fails, parameters
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
Id = Annotated[str, Path(description="The publisher's own string, percent-encoded (a slash as %2F)", max_length=2_000)]


def answer(value: Any, status: int = 200) -> Response:
    """A JSON answer, encoded once."""
    return Response(msgspec.json.encode(value), status, media_type="application/json")


@router.put(
    "/articles",
    tags=["articles"],
    dependencies=[Depends(needs("ingest"))],
    responses={200: {"model": ArticlesAnswer}, **fails(400, 401, 403, 413, 415, 422)},
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
    responses=fails(401, 403, 404, 422),
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
    dependencies=[Depends(needs("app"))],
    responses={202: {"model": EventsAnswer}, **fails(400, 401, 403, 413, 415, 422)},
    openapi_extra=bulk("EventIn"),
)
async def post_events(request: Request) -> Response:
    """Tell what readers did.

    Answered after the commit: what is accepted is on disk. Each item is checked alone; an event whose id is known
    already is a duplicate and changes nothing, so a batch may be sent again after any failure.
    """
    items = await json_list(request)
    return answer(await run_in_threadpool(_post_events, request, items), 202)


def _post_events(request: Request, items: list[Any]) -> dict[str, Any]:
    site = site_of(request)
    checked = check_each(EventIn, items)
    result = site.store.add_events(checked.good, now=site.clock.now())
    rejected = checked.all_rejected(result.rejected)
    return {"accepted": result.accepted, "duplicate": result.duplicate, "rejected": rejected}


@router.get(
    "/articles/{article}/related",
    tags=["lists"],
    responses={200: {"model": RelatedAnswer}, **fails(401, 403, 404, 422)},
    openapi_extra={"parameters": parameters(RelatedQuery)},
)
async def related(request: Request, article: Id) -> Response:
    """List what to read after an article: the same subject, not the same story again."""
    check_reading(request)
    wanted = query(request, RelatedQuery)
    served = site_of(request).service.related(
        identifier(segment(article), "article id"), limit=wanted.limit, reader=wanted.reader, language=wanted.language
    )
    return answer(served)


@router.get(
    "/readers/{reader}/for-you",
    tags=["lists"],
    responses={200: {"model": ForYouAnswer}, **fails(401, 403, 422)},
    openapi_extra={"parameters": parameters(ForYouQuery)},
)
async def for_you(request: Request, reader: Id) -> Response:
    """List what a reader may want to read now. A reader never seen gets the list for newcomers."""
    check_reading(request)
    wanted = query(request, ForYouQuery)
    served = site_of(request).service.for_you(
        identifier(segment(reader), "reader id"),
        limit=wanted.limit,
        category=wanted.category,
        language=wanted.language,
        exclude=wanted.exclude,
        explain=wanted.explain,
    )
    return answer(served)


async def _related_fast(request: Request) -> Response:
    return await related(request, request.path_params["article"])


async def _for_you_fast(request: Request) -> Response:
    return await for_you(request, request.path_params["reader"])


# The same functions without FastAPI's dependency layer, which costs more than encoding the answer.
FAST_LANE = [
    Route("/v1/articles/{article}/related", _related_fast, methods=["GET"]),
    Route("/v1/readers/{reader}/for-you", _for_you_fast, methods=["GET"]),
]
