"""``newsbell experiment``: start, list, look at and stop comparisons of weights on real readers."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from data.experiments import ExperimentRow
    from recommender.experiments.report import Report

experiment = typer.Typer(no_args_is_help=True, help="Compare versions of weights on real readers.")
Name = Annotated[str, typer.Argument(metavar="NAME", help="The experiment's name.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
By = Annotated[str, typer.Option("--by", help="Who does it, for the audit log.")]


@experiment.command()
def start(
    name: Name,
    reason: Annotated[str, typer.Option(help="What is to be found out.")],
    version: Annotated[int | None, typer.Option(help="The version to try.", show_default=False)] = None,
    draft: Annotated[
        str | None, typer.Option(metavar="EMAIL", help="Try this person's draft instead.", show_default=False)
    ] = None,
    against: Annotated[int, typer.Option(help="The version to compare with; 0: the live one.")] = 0,
    kind: Annotated[str, typer.Option(help="split, interleave or holdout.")] = "split",
    share: Annotated[float, typer.Option(help="Share of the readers that take part, both arms together.")] = 0.2,
    days: Annotated[int, typer.Option(help="How many days it lasts at most.")] = 14,
    metric: Annotated[str, typer.Option(help="What decides: opens, finishes, hides or visits.")] = "opens",
    by: By = "command line",
    as_json: AsJson = False,
) -> None:
    """Start an experiment on the for-you lists of a share of the readers.

    Example: newsbell experiment start fresher --version 7 --reason "does more freshness pay?" --share 0.2
    """
    from data.cli import open_store
    from data.clock import SystemClock
    from data.errors import InvalidInput
    from data.experiments import DRAFT
    from data.settings import load_settings
    from recommender.experiments import desk

    now, settings = SystemClock().now(), load_settings()
    if (version is None) == (draft is None):
        raise InvalidInput("say what to try: --version N, or --draft EMAIL for somebody's draft")
    with open_store(settings) as store:
        tried = DRAFT if version is None else version
        versions = [tried, 0] if kind == "holdout" else [against, tried]
        row = desk.start(
            store, name, versions=versions, share=share, days=days, author=by, reason=reason, now=now, kind=kind,
            metric=metric, kept_days=settings.served_days, draft_of=draft or "",
        )  # fmt: skip
    if as_json:
        _print_json(_plain(row))
        return
    typer.echo(f"{row.key} runs until {row.ends_at:%Y-%m-%d %H:%M}Z on {row.buckets / 1000:.1%} of the readers.")


@experiment.command(name="list")
def list_all(as_json: AsJson = False) -> None:
    """List experiments, newest first.

    Example: newsbell experiment list
    """
    from data.cli import open_store

    with open_store() as store:
        rows = store.experiments()
    if as_json:
        _print_json([_plain(row) for row in rows])
        return
    for row in rows:
        arms = " and ".join("live" if one.version == 0 else f"{one.version}" for one in row.arms)
        until = f"{row.starts_at:%Y-%m-%d} to {row.stopped_at or row.ends_at:%Y-%m-%d}"
        typer.echo(f"{row.key}: {row.kind} of {arms}, {row.buckets / 1000:.1%} of the readers, {until}, {row.state}")
        if row.outcome:
            typer.echo(f"  {row.outcome}")
    if not rows:
        typer.echo("No experiments yet.")


@experiment.command()
def look(name: Name, as_json: AsJson = False) -> None:
    """Say what an experiment shows by now, as often as you like.

    Example: newsbell experiment look fresher
    """
    from data.cli import open_store
    from data.clock import SystemClock
    from recommender.experiments import desk

    with open_store() as store:
        found, _ = desk.look(store, name, now=SystemClock().now())
    _tell(found, as_json)


@experiment.command()
def stop(
    name: Name,
    reason: Annotated[str, typer.Option(help="Why it ends now.")],
    by: By = "command line",
    as_json: AsJson = False,
) -> None:
    """End an experiment now; its readers get the live version again.

    Example: newsbell experiment stop fresher --reason "version 7 goes live"
    """
    from data.cli import open_store
    from data.clock import SystemClock
    from recommender.experiments import desk

    with open_store() as store:
        found = desk.stop(store, name, author=by, reason=reason, now=SystemClock().now())
    _tell(found, as_json)


@experiment.command()
def size(
    effect: Annotated[float, typer.Option(help="The relative change that must be found, like 0.02.")] = 0.02,
    days: Annotated[int, typer.Option(help="How many days the experiment would last.")] = 14,
    metric: Annotated[str, typer.Option(help="What decides: opens, finishes, hides or visits.")] = "opens",
    as_json: AsJson = False,
) -> None:
    """Say how many readers an experiment needs, from the log of as many days before now.

    Example: newsbell experiment size --effect 0.02 --days 14
    """
    from data.cli import open_store
    from data.clock import SystemClock
    from recommender.experiments import desk

    with open_store() as store:
        found = desk.size(store, effect_share=effect, days=days, now=SystemClock().now(), metric=metric)
    if as_json:
        _print_json(asdict(found))
        return
    typer.echo(f"A change of {effect:.1%} is found in 80 of 100 with {found.readers_an_arm:,} readers an arm.")
    typer.echo(f"The {found.readers_seen:,} of the last {days} days would show {found.effect_share:.1%}.")


def _tell(found: "Report", as_json: bool) -> None:
    if as_json:
        _print_json(asdict(found))
    else:
        typer.echo(found.sentence)


def _plain(row: "ExperimentRow") -> dict[str, Any]:
    return {name: value for name, value in asdict(row).items() if name not in {"id", "salt"}}


def _print_json(value: Any) -> None:
    typer.echo(json.dumps(_finite(value), default=str, ensure_ascii=False))


def _finite(value: Any) -> Any:
    """The value with what JSON does not know, infinities, as null."""
    if isinstance(value, dict):
        return {name: _finite(one) for name, one in value.items()}
    if isinstance(value, float) and value in {float("inf"), float("-inf")}:
        return None
    return value


def mount(app: typer.Typer) -> None:
    """Add the commands to an application."""
    app.add_typer(experiment, name="experiment")
