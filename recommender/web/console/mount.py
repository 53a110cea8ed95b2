"""The console's routers, as the application mounts them."""

from recommender.web.console import compare, history, now, personas, ranking, rules, signin, stories, why

ROUTERS = tuple(one.router for one in (signin, now, stories, ranking, rules, why, personas, history, compare))
