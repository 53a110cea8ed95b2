"""The console's routers, as the application mounts them."""

from recommender.web.console import ranking, signin

ROUTERS = (signin.router, ranking.router)
