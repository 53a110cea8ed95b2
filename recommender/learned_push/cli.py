"""``newsbell alert-habits``: what alerts taught about this newsroom's readers."""

import json
from typing import Annotated, Any

import typer

WORDS = {
    "score": "a score higher by 0.1",
    "hour": "an hour twice as usual",
    "fatigue": "one alert more of late",
    "habit": "opening twice as often as others",
    "ignored": "one alert more not opened",
}
STEPS = {"score": 0.1, "hour": 0.693, "habit": 0.693}  # else 1; log 2 is a doubling


def alert_habits(
    days: Annotated[int, typer.Option(min=1, help="How many days of alerts to learn from.")] = 60,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Say what sent alerts teach: what makes an open likelier, what drives readers away, their hours.

    Example: newsbell alert-habits --days 60
    """
    from data.cli import open_store
    from data.clock import SystemClock
    from recommender.learned_push.from_store import taught

    with open_store() as store:
        found = taught(store, now=SystemClock().now(), days=days)
    if as_json:
        typer.echo(json.dumps(_plain(found)))
        return
    typer.echo(f"{found.alerts:,} alerts to {found.readers:,} readers, {found.opened_share:.1%} opened.")
    for title, odds in (("The odds of an open", found.model.opens), ("The odds of leaving", found.model.leaves)):
        typer.echo(f"\n{title}, times")
        for name, effect in zip(odds.names, odds.effects, strict=True):
            typer.echo(f"{2.718281828 ** (effect * STEPS.get(name, 1.0)):>7.2f}  for {WORDS[name]}")
    typer.echo(f"\nSaid and true differ by {found.calibration_error:.3f} on the last quarter of the alerts.")
    hours = sorted(range(24), key=lambda hour: -found.best[hour])[:3]
    typer.echo("Best hours: " + ", ".join(f"{hour:02}:00 for {found.best[hour]:.0%}" for hour in hours) + ".")


def _plain(found: Any) -> dict[str, Any]:
    values = {name: getattr(found, name) for name in ("alerts", "readers", "opened_share", "calibration_error")}
    models = {name: getattr(found.model, name).to_json() for name in ("usual", "opens", "leaves")}
    return {**values, "model": models, "population": found.population.tolist(), "best_hours": found.best.tolist()}


def mount(app: typer.Typer) -> None:
    """Add the command to an application."""
    app.command()(alert_habits)
