"""`newsbell serve`: the API and the pages."""

from typing import Annotated

import typer


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on [default: NEWSBELL_HOST]")] = None,
    port: Annotated[int | None, typer.Option(help="Port; 0 takes a free one [default: NEWSBELL_PORT]")] = None,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Worker processes")] = 1,
) -> None:
    """Serve the API and the pages until stopped.

    Example: newsbell serve --port 8080 --workers 2
    """
    from data.settings import load_settings
    from data.store import Store
    from recommender.web.server import run

    given = {name: value for name, value in {"host": host, "port": port}.items() if value is not None}
    settings = load_settings(**given)
    with Store.open(settings.database_url) as store:
        store.check()
    run(settings, workers=workers, announce=lambda url: typer.echo(f"Serving {url}", err=True))


def mount(app: typer.Typer) -> None:
    """Add this room's command."""
    app.command()(serve)
