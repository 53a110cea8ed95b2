"""`newsbell demo` and `newsbell run`: everything at once, in one process group."""

import os
import socket
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from data.errors import NewsbellError

if TYPE_CHECKING:
    from data.settings import Settings
    from data.store import Store
    from scheduler.processes import Group

DEMO_DATABASE = "sqlite:///var/demo.db"
READY_S = 60.0
EVENTS_A_TIME = 5_000


def demo(
    port: Annotated[int, typer.Option(help="Port of the pages and the API; 0 takes a free one.")] = 8000,
    keep: Annotated[bool, typer.Option("--keep", help="Go on with the demo database of last time.")] = False,
) -> None:
    """Serve a populated newsroom: reader's pages, API and scheduler. Needs no credentials; sends nothing.

    The newsroom is made anew at every start, in var/demo.db, with times up to this minute.

    Example: newsbell demo --port 8080
    """
    from data.settings import load_settings
    from scheduler.processes import Child, Group

    url = os.environ.get("NEWSBELL_DATABASE_URL", DEMO_DATABASE)
    port = _free_port(port)
    settings = load_settings(database_url=url, public_reads=True, host="127.0.0.1", port=port, sender="log")
    if url == DEMO_DATABASE and not keep:
        _remove_demo_database()
    key, passwords = _prepare(settings)
    environment = os.environ | _environment(settings)
    group = Group([Child(["serve"], environment), Child(["work"], environment | {"NEWSBELL_LOG_LEVEL": "WARNING"})])
    group.start()
    _wait_until_ready(f"http://127.0.0.1:{port}/readyz", group)
    _welcome(port, key, passwords)
    group.run()


def run() -> None:
    """Run everything on this machine: API, pages, scheduler and sender.

    Example: newsbell init && newsbell run
    """
    from data.cli import open_store
    from scheduler.processes import Child, Group

    with open_store():
        pass  # says what is wrong before two processes do
    group = Group([Child(["serve"], os.environ), Child(["work"], os.environ)])
    group.start()
    group.run()


def _free_port(port: int) -> int:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise NewsbellError(f"port {port} is taken; stop what listens there, or use --port 0") from None
        return int(probe.getsockname()[1])


def _remove_demo_database() -> None:
    for ending in ("", "-wal", "-shm"):
        Path(DEMO_DATABASE.removeprefix("sqlite:///") + ending).unlink(missing_ok=True)


def _environment(settings: "Settings") -> dict[str, str]:
    return {
        "NEWSBELL_DATABASE_URL": settings.database_url,
        "NEWSBELL_HOST": settings.host,
        "NEWSBELL_PORT": str(settings.port),
        "NEWSBELL_SENDER": "log",
        "NEWSBELL_PUBLIC_READS": "true",
    }


def _prepare(settings: "Settings") -> tuple[str, dict[str, str]]:
    """Fill the database unless it holds a newsroom already; print the morning's plan.

    Returns a new app key, and the passwords of those who may sign in.
    """
    from data.clock import SystemClock
    from data.store import Store
    from recommender.service import Service
    from scheduler.push_cli import print_plan_of_day

    clock = SystemClock()
    with Store.open(settings.database_url) as store:
        store.migrate()
        if not store.count_articles():
            fill(store)
        service = Service(store, settings, clock)
        service.refresh()
        print_plan_of_day(store, service, "morning-digest", now=clock.now())
        passwords = _people(store)
        return store.create_key("app", "demo", now=clock.now()), passwords


def _people(store: "Store") -> dict[str, str]:
    """An editor who writes alerts, and a lead who approves them; and a phone on the desk that tests may ring."""
    import secrets

    from data.clock import SystemClock
    from data.wire import DeviceIn
    from recommender.service import ensure_default_weights
    from scheduler.campaigns import ensure_default_campaigns

    now, passwords = SystemClock().now(), {}
    for email, role in (("editor@newsbell.example", "push_editor"), ("lead@newsbell.example", "lead")):
        passwords[email] = secrets.token_urlsafe(9)
        store.add_person(email, role, passwords[email], now=now)
    desk_phone = DeviceIn(fid="desk-test-phone", platform="android", is_test=True)
    store.put_device("desk", desk_phone, now=now)
    ensure_default_weights(store, now)
    ensure_default_campaigns(store, now)
    return passwords


def fill(store: "Store") -> None:
    """Write the sample newsroom, dated up to now."""
    from data.clock import SystemClock
    from data.progress import track
    from data.sample import generate

    now = SystemClock().now()
    newsroom = generate(seed=1, now=now)
    steps = [newsroom.events[at : at + EVENTS_A_TIME] for at in range(0, len(newsroom.events), EVENTS_A_TIME)]
    store.put_articles(newsroom.articles, now=now)
    store.put_readers(newsroom.readers, now=now)
    store.put_devices(newsroom.devices, now=now)
    for batch in track(steps, len(steps), None, "Filling the newsroom"):
        store.add_events(batch, now=now)
    for key in newsroom.retracted:
        store.retract_article(key, now=now)
    typer.echo(
        f"A newsroom of {len(newsroom.articles):,} articles, {len(newsroom.readers):,} readers "
        f"and {len(newsroom.events):,} events."
    )


def _wait_until_ready(url: str, group: "Group") -> None:
    """Return once the API answers; NewsbellError if it does not in time."""
    until_s = time.monotonic() + READY_S
    while time.monotonic() < until_s:
        try:
            with urllib.request.urlopen(url, timeout=2):  # noqa: S310  our own address
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    group.stop()
    raise NewsbellError(f"the API did not come up within {READY_S:.0f} s; see its messages above")


def _welcome(port: int, key: str, passwords: dict[str, str]) -> None:
    base = f"http://127.0.0.1:{port}"
    people = "\n".join(f"  Sign in as      {email}  {password}" for email, password in passwords.items())
    typer.echo(
        f"""
Newsbell is running.

  Reader's page   {base}/
  Editors' desk   {base}/console
{people}
  API             {base}/docs
  App key         {key}

  curl -H 'Authorization: Bearer {key}' '{base}/v1/readers/reader-007/for-you?limit=3'

Ctrl-C stops everything."""
    )


def mount(app: typer.Typer) -> None:
    """Add the commands that start everything."""
    app.command()(demo)
    app.command()(run)
