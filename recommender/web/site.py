"""What every route works with."""

from dataclasses import dataclass

from fastapi import Request

from data.clock import Clock
from data.settings import Settings
from data.store import Store
from recommender.service import Service
from recommender.web.auth import Keys
from recommender.web.metrics import Metrics


@dataclass(frozen=True)
class Site:
    """One application's parts, made once by `create_app`."""

    store: Store
    service: Service
    settings: Settings
    clock: Clock
    keys: Keys
    metrics: Metrics


def site_of(request: Request) -> Site:
    """The parts of the application that a request came to."""
    site: Site = request.app.state.site
    return site
