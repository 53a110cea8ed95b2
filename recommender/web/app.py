"""The web application: one factory that puts API, pages and problems together."""

import gc
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from fastapi import APIRouter, FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.middleware.cors import CORSMiddleware
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from data import logs
from data.clock import Clock, SystemClock
from data.settings import Settings, load_settings
from data.store import Store
from recommender.service import Service
from recommender.web import api, limits, problems, readers
from recommender.web.auth import Keys
from recommender.web.console.mount import ROUTERS as CONSOLE
from recommender.web.describe import describe
from recommender.web.front import Front
from recommender.web.limits import Limits
from recommender.web.metrics import Metrics
from recommender.web.pages import article, docs, home
from recommender.web.site import Site

STATIC = Path(__file__).parent / "static"
VERSION = "1"
DESCRIPTION = (
    "Articles and reads go in; related articles and for-you lists come out. Identifiers are the publisher's own "
    "strings of 1 to 200 characters; times are RFC 3339 with an offset, anything else is rejected."
)


def create_app(store: Store, service: Service, settings: Settings, clock: Clock) -> ASGIApp:
    """The application over an open, migrated store. The service starts and stops with it; the store stays open."""
    app = FastAPI(
        title="Newsbell",
        version=VERSION,
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        lifespan=_life(service),
    )
    metrics = service.observer = Metrics()
    site = Site(store, service, settings, clock, Keys(store, Limits(limits.file()), settings.rate_per_s), metrics)
    app.state.site = site
    app.openapi = lambda: describe(app)  # type: ignore[method-assign]
    app.router.redirect_slashes = False
    for router in routers(settings):
        app.include_router(router)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    problems.install(app)
    return _with_cors(app, site)


def _with_cors(app: FastAPI, site: Site) -> ASGIApp:
    """Answers that web pages of other origins may read; only those the settings name."""
    origins = [origin.strip() for origin in site.settings.cors_origins.split(",") if origin.strip()]
    if not origins:
        return Front(app, site)
    return CORSMiddleware(
        Front(app, site, is_first=False),
        allow_origins=origins,
        allow_methods=["GET", "PUT", "POST", "PATCH", "DELETE"],
        allow_headers=["Authorization", "Content-Type", "If-None-Match", "X-Request-Id"],
        expose_headers=["ETag", "Retry-After", "X-Request-Id"],
    )


def routers(settings: Settings) -> list[APIRouter]:
    """What is served: the reader's pages only where reading is open to the public."""
    pages = [home.router, article.router] if settings.public_reads else [docs.front_door]
    return [api.router, readers.router, readers.health, docs.router, *pages, *CONSOLE]


def _life(service: Service) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        await run_in_threadpool(service.start)
        try:
            yield
        finally:
            await run_in_threadpool(service.stop)

    return life


def from_environment() -> ASGIApp:
    """The application of one worker process, from the environment. DatabaseNotReady says to run `newsbell init`."""
    settings, clock = load_settings(), SystemClock()
    logs.configure(settings)
    store = Store.open(settings.database_url)
    store.check()
    made = create_app(store, Service(store, settings, clock), settings, clock)
    gc.collect()
    gc.freeze()  # modules, models and routes stay: looking them through again and again is an eighth of a small request
    return made
