"""The console's routers, as the application mounts them."""

from recommender.web.console import compare, history, now, personas, ranking, signin, why

ROUTERS = tuple(one.router for one in (signin, now, ranking, why, personas, history, compare))
