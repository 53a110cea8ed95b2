"""The console's routers, as the application mounts them."""

from recommender.web.console import (
    compare,
    compose,
    experiments,
    history,
    now,
    personas,
    policy,
    publishing,
    push,
    ranking,
    reach,
    replay,
    rules,
    signin,
    stories,
    system,
    why,
)

PAGES = (
    signin,
    now,
    stories,
    reach,
    ranking,
    publishing,
    compose,
    push,
    policy,
    rules,
    why,
    personas,
    history,
    compare,
    replay,
    experiments,
    system,
)
ROUTERS = tuple(one.router for one in PAGES)
