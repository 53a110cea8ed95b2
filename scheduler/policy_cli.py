"""The commands `policy` (show, set, history, restore, replay) and `update-story`."""

from datetime import date, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from scheduler.policy_replay import Compared

policy = typer.Typer(help="How much is too much: the newsroom's push policy, version by version.", no_args_is_help=True)
WHO = "command line"


@policy.command()
def show(
    version: Annotated[int | None, typer.Option(help="This version; without it the one in force.")] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Every limit of a version, and where it differs from the built-in one.

    Example: newsbell policy show
    """
    from data.cli import open_store
    from data.policies import Policies
    from recommender.policies import limits_of
    from recommender.push_policy import BUILT_IN

    with open_store() as store:
        row = Policies(store).live() if version is None else Policies(store).get(version)
    limits, usual = limits_of(row).as_dict(), BUILT_IN.as_dict()
    if as_json:
        _print_json({"version": row.version, "live": row.live, "limits": limits, "author": row.author})
        return
    typer.echo(f"version {row.version}, {'in force' if row.live else 'not in force'}, by {row.author}: {row.reason}")
    for name, value in limits.items():
        typer.echo(f"{name:20} {value:>10g}" + (f"   (built in: {usual[name]:g})" if value != usual[name] else ""))


@policy.command("set")
def set_(
    changes: Annotated[list[str], typer.Argument(help="LIMIT=NUMBER, like daily_cap=8.")],
    reason: Annotated[str, typer.Option(help="Why; it is kept with the version.")] = "",
    *,
    draft: Annotated[bool, typer.Option("--draft", help="Keep it as a draft; nothing changes yet.")] = False,
) -> None:
    """Change limits: a new version, in force with the next plan and the next claim.

    Example: newsbell policy set personal_cap=3 --reason "too many opt-outs"
    """
    from data.cli import open_store
    from data.clock import SystemClock
    from data.policies import Policies
    from recommender import policies

    given, now = _numbers(changes), SystemClock().now()
    with open_store() as store:
        if draft:
            policies.save_draft(store, {**Policies(store).live().limits, **given}, by=WHO, now=now)
            typer.echo("draft kept; `newsbell policy replay --draft` shows what it would do")
            return
        made = policies.change(store, given, by=WHO, reason=reason, now=now)
    typer.echo(f"version {made.version} is in force")


@policy.command()
def publish(reason: Annotated[str, typer.Option(help="Why; it is kept with the version.")] = "") -> None:
    """Put the draft of the command line in force.

    Example: newsbell policy publish --reason "calmer evenings"
    """
    from data.cli import open_store
    from data.clock import SystemClock
    from data.policies import Policies

    with open_store() as store:
        made = Policies(store).publish_draft(by=WHO, reason=reason, now=SystemClock().now())
    typer.echo(f"version {made.version} is in force")


@policy.command()
def history() -> None:
    """Every version: who, when, why and what it changes.

    Example: newsbell policy history
    """
    from data.cli import open_store
    from data.policies import Policies

    with open_store() as store:
        rows = Policies(store).history()
    for row in rows:
        when = f"{row.created_at:%Y-%m-%d %H:%M}" if row.created_at else "-"
        limits = ", ".join(f"{name}={value:g}" for name, value in sorted(row.limits.items())) or "the built-in limits"
        typer.echo(f"{row.version:4} {'*' if row.live else ' '} {when:16} {row.author}: {row.reason} [{limits}]")


@policy.command()
def restore(
    version: Annotated[int, typer.Argument(help="The version to take again; 0: the built-in limits.")],
    reason: Annotated[str, typer.Option(help="Why; it is kept with the version.")] = "",
) -> None:
    """Take an old version's limits again, as a new version.

    Example: newsbell policy restore 2 --reason "back to before the election"
    """
    from data.cli import open_store
    from data.clock import SystemClock
    from data.policies import Policies

    with open_store() as store:
        made = Policies(store).restore(version, by=WHO, reason=reason, now=SystemClock().now())
    typer.echo(f"version {made.version} is in force")


@policy.command()
def replay(
    version: Annotated[int | None, typer.Option(help="This version, beside the one in force.")] = None,
    day: Annotated[str | None, typer.Option(help="The plans of this UTC date; without it yesterday's.")] = None,
    *,
    draft: Annotated[bool, typer.Option("--draft", help="The draft of the command line.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """What a day's plans would have been under another policy. Writes nothing.

    Example: newsbell policy replay --draft --day 2026-03-02
    """
    from data.cli import open_store
    from data.clock import FixedClock, SystemClock
    from data.settings import load_settings
    from recommender.service import Service
    from scheduler.planning import Planner
    from scheduler.policy_replay import compare, named

    settings, now = load_settings(), SystemClock().now()
    when = _day(day) if day else now.date() - timedelta(days=1)
    with open_store(settings) as store:
        service = Service(store, settings, FixedClock(now))
        service.refresh()
        other = named(store, version=version, author=WHO if draft else None)
        found = compare(Planner(store, lambda: service.snapshot), when, other)
    if as_json:
        _print_json(found.as_dict())
        return
    for line in compared(found):
        typer.echo(line)


def compared(found: "Compared") -> list[str]:
    """Two replays side by side, for people."""
    day, before, after, opens = found.day, found.before, found.after, found.opens
    names = sorted({*before.funnel, *after.funnel}, key=lambda one: (one != "SEND", one))
    lines = [f"plans of {day}: version {before.version}, then {'the draft' if after.version < 0 else after.version}"]
    lines += [f"{name:16} {before.funnel[name]:>10,} {after.funnel[name]:>10,}" for name in names]
    alerts = sorted({*before.readers_by_alerts, *after.readers_by_alerts})
    pairs = [(many, before.readers_by_alerts.get(many, 0), after.readers_by_alerts.get(many, 0)) for many in alerts]
    lines += [f"readers with {many:<3} {one:>10,} {other:>10,}" for many, one, other in pairs]
    if opens.before and opens.after and opens.difference:
        lines.append(f"{'opens expected':16} {opens.before.opens:>10,.1f} {opens.after.opens:>10,.1f}")
        for word, one in (("live", opens.before), ("other", opens.after), ("difference", opens.difference)):
            lines.append(f"  {word:14} {one.low:,.1f} to {one.high:,.1f}")
    lines.append(opens.said)
    return lines if names else [f"no plan was made on {day}"]


def update_story(
    story: Annotated[int, typer.Argument(help="Number of the story, as its page shows it.")],
    reason: Annotated[str, typer.Option(help="What is new; it is kept in the log of changes.")] = "",
) -> None:
    """Say that a story has materially changed: whoever was told of it, or read it, may be told again.

    Example: newsbell update-story 4711 --reason "the verdict is in"
    """
    from data.cli import open_store
    from data.clock import SystemClock

    with open_store() as store:
        number = store.renew_story(story, by=WHO, reason=reason, now=SystemClock().now())
    typer.echo(f"story {story} has update {number}")


def mount(app: typer.Typer) -> None:
    """Add the commands of the policy."""
    app.add_typer(policy, name="policy")
    app.command("update-story")(update_story)


def _numbers(changes: list[str]) -> dict[str, float]:
    from data.errors import InvalidInput

    found = {}
    for one in changes:
        name, _, value = one.partition("=")
        try:
            found[name.strip()] = float(value)
        except ValueError:
            raise InvalidInput(f"{one!r} is no change of a limit; write it like daily_cap=8") from None
    return found


def _day(text: str) -> date:
    from data.errors import InvalidTime

    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InvalidTime(f"--day {text!r} is no date; write it like 2026-03-02") from None


def _print_json(value: Any) -> None:
    import json

    typer.echo(json.dumps(value))
