"""The console's routers, as the application mounts them."""

from recommender.web.console import (
    compare,
    compose,
    history,
    now,
    personas,
    push,
    ranking,
    reach,
    rules,
    signin,
    stories,
    system,
    why,
)

ROUTERS = tuple(
    one.router
    for one in (signin, now, stories, reach, ranking, compose, push, rules, why, personas, history, compare, system)
)
