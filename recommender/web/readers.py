"""Version 1 of the API: readers' choices and their devices; and whether the server is well."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.responses import PlainTextResponse

from data.errors import DatabaseNotReady, NotFound
from data.wire import DeviceIn, ReaderIn, ReaderPatch
from recommender.web.api import Id, answer
from recommender.web.auth import needs
from recommender.web.bodies import json_item, query
from recommender.web.describe import body, fails, parameters
from recommender.web.gate import segment
from recommender.web.metrics import TYPE
from recommender.web.shapes import Health, ReaderAnswer, ReaderExport, ReaderQuery, identifier, reader_answer
from recommender.web.site import site_of

router = APIRouter(prefix="/v1", tags=["readers"], dependencies=[Depends(needs("app"))])
health = APIRouter(tags=["health"])
STALE_S = 120.0  # a worker that learns a large vocabulary anew takes this long, and answers meanwhile
DeviceId = Annotated[str, Path(description="The Firebase installation id")]


@router.put(
    "/readers/{reader}",
    responses={200: {"model": ReaderAnswer}, **fails(400, 401, 403, 413, 415, 422, 429, 503)},
    openapi_extra=body("ReaderIn"),
)
async def put_reader(request: Request, reader: Id) -> Response:
    """Set a reader's choices, whole: whatever is left out gets its default."""
    key = identifier(segment(reader), "reader id")
    wanted = await json_item(request, ReaderIn, id=key)
    site = site_of(request)
    await run_in_threadpool(site.store.put_readers, [wanted], now=site.clock.now())
    return await _choices(request, key)


@router.get(
    "/readers/{reader}",
    responses={200: {"model": ReaderAnswer | ReaderExport}, **fails(401, 403, 404, 422, 429, 503)},
    openapi_extra={"parameters": parameters(ReaderQuery)},
)
async def get_reader(request: Request, reader: Id) -> Response:
    """A reader's choices; with `export=true` everything held on the reader."""
    key = identifier(segment(reader), "reader id")
    if query(request, ReaderQuery).export:
        return answer(await run_in_threadpool(site_of(request).store.export_reader, key))
    return await _choices(request, key)


@router.patch(
    "/readers/{reader}",
    responses={200: {"model": ReaderAnswer}, **fails(400, 401, 403, 404, 413, 415, 422, 429, 503)},
    openapi_extra=body("ReaderPatch"),
)
async def patch_reader(request: Request, reader: Id) -> Response:
    """Change some of a reader's choices: what is left out stays, null gives the default again.

    `add` and `remove` change single entries of the lists: to mute a source and to undo it.
    """
    key = identifier(segment(reader), "reader id")
    wanted = await json_item(request, ReaderPatch)
    site = site_of(request)
    await run_in_threadpool(site.store.patch_reader, key, wanted, now=site.clock.now())
    return await _choices(request, key)


@router.delete("/readers/{reader}", status_code=204, responses=fails(401, 403, 404, 422, 429, 503))
async def erase_reader(request: Request, reader: Id) -> Response:
    """Erase a reader: choices, devices, events, deliveries, served lists. There is no way back."""
    await run_in_threadpool(site_of(request).store.erase_reader, identifier(segment(reader), "reader id"))
    return Response(status_code=204)


async def _choices(request: Request, key: str) -> Response:
    row = await run_in_threadpool(site_of(request).store.reader, key)
    if row is None:
        raise NotFound(f"reader {key!r} is unknown; a PUT or the reader's first event makes it known")
    return answer(reader_answer(row))


@router.put(
    "/readers/{reader}/devices/{fid}",
    status_code=204,
    responses=fails(400, 401, 403, 413, 415, 422, 429, 503),
    openapi_extra=body("DeviceIn"),
)
async def put_device(request: Request, reader: Id, fid: DeviceId) -> Response:
    """Register an installation of the app with a reader. One known elsewhere moves to this reader."""
    key, device = identifier(segment(reader), "reader id"), identifier(segment(fid), "device id")
    wanted = await json_item(request, DeviceIn, fid=device)
    site = site_of(request)
    await run_in_threadpool(site.store.put_device, key, wanted, now=site.clock.now())
    return Response(status_code=204)


@router.delete("/readers/{reader}/devices/{fid}", status_code=204, responses=fails(401, 403, 404, 422, 429, 503))
async def delete_device(request: Request, reader: Id, fid: DeviceId) -> Response:
    """Forget an installation: the reader signed out, or removed the app."""
    key, device = identifier(segment(reader), "reader id"), identifier(segment(fid), "device id")
    await run_in_threadpool(site_of(request).store.delete_device, key, device)
    return Response(status_code=204)


@health.get("/healthz", responses={200: {"model": Health}})
async def live() -> Response:
    """The process answers."""
    return answer({"status": "ok"})


@health.get("/readyz", responses={200: {"model": Health}, **fails(503)})
async def ready(request: Request) -> Response:
    """The database is of this program's version and answers, and the index follows it."""
    site = site_of(request)
    await run_in_threadpool(site.store.check)
    if (behind_s := site.service.behind_s) > STALE_S:
        raise DatabaseNotReady(f"the index has not followed the database for {behind_s:.0f} s; see the log")
    return answer({"status": "ready"})


@health.get("/metrics", response_class=PlainTextResponse)
async def metrics(request: Request) -> Response:
    """Counters for Prometheus, of all workers together."""
    return Response(await run_in_threadpool(site_of(request).metrics.page), media_type=TYPE)
