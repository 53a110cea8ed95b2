"""The command `broadcast`."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from data.alerts import Outcome
    from data.settings import Settings
    from data.store import Store


def broadcast(
    article: Annotated[str, typer.Argument(help="Key of an article.")],
    *,
    topic: Annotated[str | None, typer.Option(help="To those who follow this topic; without it to everybody.")] = None,
    app_key: Annotated[str, typer.Option("--app", help="Of the Firebase project to send through.")] = "",
    ttl_s: Annotated[int, typer.Option(min=0, max=86_400, help="Seconds the message may wait for a phone.")] = 3_600,
    author: Annotated[str, typer.Option(help="Who sends it, for the ledger.")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Tell everybody, or everybody who follows a topic, of an article: one request to an FCM topic.

    Personal alerts know of it: nobody is told of the same story again, and it counts against caps and gaps.

    Example: newsbell broadcast harbour-fire --topic traffic --yes
    """
    from data.cli import open_store
    from data.clock import SystemClock
    from data.settings import load_settings
    from scheduler.broadcast import EVERYONE, Broadcaster
    from scheduler.template import read_look

    settings = load_settings()
    with open_store(settings) as store:
        found = store.article(article)
        if not yes:
            typer.confirm(f"Send {found.title!r} to topic {topic or EVERYONE!r}?", abort=True)

        def post(app: str, body: bytes) -> "Outcome":
            return _post(settings, store, app, body)

        broadcaster = Broadcaster(store, post, SystemClock(), read_look(settings.fcm_look))
        outcome = broadcaster.send(found, topic=topic, app=app_key, ttl_s=ttl_s, author=author)
    typer.echo(outcome.state if not outcome.reason else f"{outcome.state}: {outcome.reason}")
    if outcome.state != "sent":
        raise typer.Exit(1)


def mount(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(broadcast)


def _post(settings: "Settings", store: "Store", app: str, body: bytes) -> "Outcome":
    import sys

    from data.alerts import Outcome
    from data.errors import InvalidSettings
    from scheduler.sender import make_sender

    if settings.sender == "log":
        typer.echo(body.decode())
        return Outcome("sent", "log/broadcast")
    if settings.sender == "firebase":
        raise InvalidSettings("broadcasts need NEWSBELL_SENDER=fcm or log")
    from scheduler.fcm import FcmSender

    sender = make_sender(settings, sys.stdout, store=store)
    assert isinstance(sender, FcmSender)  # noqa: S101  of the three there are
    try:
        return sender.post(app, body)
    finally:
        sender.close()
