"""The commands `plan`, `drain` and `work`."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

if TYPE_CHECKING:
    from data.settings import Settings
    from data.store import Store
    from recommender.service import Service
    from scheduler.plan_report import Report

MESSAGES = Path("var/messages.jsonl")
DRAIN_EVERY_S = 1.0


def plan(
    campaign: Annotated[str, typer.Argument(help="Key of a campaign, like morning-digest.")],
    *,
    at: Annotated[
        str | None, typer.Option(help="Plan as of this instant, for slots due in the catch-up before it.")
    ] = None,
    for_day: Annotated[
        str | None, typer.Option(help="Plan every reader's slot of this local date, like 2026-03-02.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Judge everybody, write nothing.")] = False,
    everybody: Annotated[bool, typer.Option("--all", help="List every reader, not only examples.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Judge who gets an alert and who does not, and why; write the alerts to the outbox.

    Without --at and --for-day: what fell due by now; with --dry-run, the whole of the campaign's next day, every
    reader judged at their own local time with what is known now.

    Example: newsbell plan morning-digest --dry-run
    """
    from data.cli import open_store
    from data.clock import SystemClock, parse_instant
    from data.errors import InvalidInput
    from data.settings import load_settings
    from scheduler.plan_table import as_dict, show

    if at and for_day:
        raise InvalidInput("--at and --for-day exclude each other; give one of them")
    settings = load_settings()
    now = parse_instant(at) if at else SystemClock().now()
    with open_store(settings) as store:
        report = _plan(
            store,
            settings,
            campaign,
            now,
            _day(for_day),
            is_instant=at is not None,
            dry_run=dry_run,
            everybody=everybody,
        )
        titles = _titles(store, report, everybody)
    if as_json:
        import json

        typer.echo(json.dumps(as_dict(report, titles, everybody=everybody), ensure_ascii=False))
    else:
        show(report, titles, everybody=everybody)


def drain(
    *,
    once: Annotated[bool, typer.Option("--once", help="Send what is ready, then end.")] = False,
    messages: Annotated[
        Path | None, typer.Option(help="Append the messages to this file instead of printing them.")
    ] = None,
    show_tokens: Annotated[
        bool, typer.Option("--show-tokens", help="Print legacy device tokens in full; they are secrets.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the counts as JSON, as the last line.")] = False,
) -> None:
    """Send what is ready; without --once, go on until stopped.

    The log sender prints each message as one line of the JSON that would be posted to FCM.

    Example: newsbell drain --once
    """
    from data.cli import open_store
    from data.clock import SystemClock
    from data.settings import load_settings
    from scheduler.delivery import Deliverer, Drained
    from scheduler.message import Composer
    from scheduler.sender import make_sender
    from scheduler.template import read_look

    settings, clock, total = load_settings(), SystemClock(), Drained()
    with _stream(messages) as stream, open_store(settings) as store:
        deliverer = Deliverer(
            store,
            make_sender(settings, stream, store=store, show_tokens=show_tokens),
            clock,
            composer=Composer(read_look(settings.fcm_look)),
        )
        try:
            while True:
                deliverer.outbox.recover(clock.now())
                total.include(deliverer.drain())
                if once:
                    break
                time.sleep(DRAIN_EVERY_S)
        except KeyboardInterrupt:
            pass
    if as_json:
        import json

        typer.echo(json.dumps(vars(total)))
    else:
        typer.echo(total.sentence(), err=True)


def work(
    messages: Annotated[Path, typer.Option(help="Where the log sender appends the messages.")] = MESSAGES,
) -> None:
    """Plan and send until stopped. Any number may run: one leads, the others stand by.

    Example: newsbell work
    """
    from data.cli import open_store
    from data.clock import SystemClock
    from data.logs import configure
    from data.settings import load_settings
    from recommender.service import Service
    from scheduler.campaigns import ensure_default_campaigns
    from scheduler.runner import Runner
    from scheduler.sender import make_sender

    settings, clock = load_settings(), SystemClock()
    configure(settings)
    with _stream(messages) as stream, open_store(settings) as store:
        ensure_default_campaigns(store, clock.now())
        service = Service(store, settings, clock)
        sender = make_sender(settings, stream, store=store)
        Runner(store, settings, clock, sender=sender, snapshot=_snapshots(service)).run_until_signal()


def print_plan_of_day(store: "Store", service: "Service", campaign: str, *, now: datetime) -> None:
    """Print the funnel of the campaign's next day, every reader at their own local time; writes no plan."""
    from data.campaigns import Campaigns
    from scheduler.campaigns import ensure_default_campaigns
    from scheduler.plan_table import show
    from scheduler.planning import Planner
    from scheduler.slots import day_ahead

    ensure_default_campaigns(store, now)
    found = Campaigns(store).get(campaign)
    report = Planner(store, _snapshots(service)).for_day(found, day_ahead(found, now.date()), now, is_written=False)
    show(report, _titles(store, report, everybody=False), everybody=False)


def mount(app: typer.Typer) -> None:
    """Add the commands that plan and send."""
    for command in (plan, drain, work):
        app.command()(command)


def _plan(
    store: "Store",
    settings: "Settings",
    campaign: str,
    now: datetime,
    day: date | None,
    *,
    is_instant: bool,
    dry_run: bool,
    everybody: bool,
) -> "Report":
    from data.campaigns import Campaigns
    from data.clock import FixedClock
    from scheduler.campaigns import ensure_default_campaigns
    from scheduler.planning import Planner
    from scheduler.slots import day_ahead

    ensure_default_campaigns(store, now)
    found = Campaigns(store).get(campaign)
    from recommender.service import Service  # the news is read only for a campaign that exists

    planner = Planner(store, _snapshots(Service(store, settings, FixedClock(now))), dask=settings.dask)
    options = {"is_written": not dry_run, "keeps_all": everybody}
    if day is None and dry_run and not is_instant:
        day = day_ahead(found, now.date())
    return planner.for_day(found, day, now, **options) if day else planner.at(found, now, **options)


def _snapshots(service: "Service") -> Any:
    def fresh() -> Any:
        service.refresh()
        return service.snapshot

    return fresh


def _day(text: str | None) -> date | None:
    from data.errors import InvalidTime

    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise InvalidTime(f"--for-day {text!r} is no date; write it like 2026-03-02") from None


def _titles(store: "Store", report: "Report", everybody: bool) -> dict[int, tuple[str, str]]:
    """Article number -> (key, title) of what the listed readers would get."""
    endings = report.endings if everybody else report.examples()
    wanted = {one.article_id for one in endings} - {0}
    return {one.id: (one.key, one.title) for one in store.articles(sorted(wanted))}


@contextmanager
def _stream(path: Path | None) -> Iterator[TextIO]:
    from scheduler.sender import open_messages

    if path is None:
        yield sys.stdout
        return
    with open_messages(path) as stream:
        yield stream
