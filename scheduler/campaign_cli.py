"""The commands `campaign`: list, add."""

from typing import Annotated

import typer

campaign = typer.Typer(help="Campaigns: what sends alerts by itself.", no_args_is_help=True)


@campaign.command("list")
def list_() -> None:
    """Every campaign: its kind, state and local times.

    Example: newsbell campaign list
    """
    from data.campaigns import Campaigns
    from data.cli import open_store

    with open_store() as store:
        for one in Campaigns(store).standing():
            times = ", ".join(one.local_times) or (f"every {one.every_s} s" if one.kind == "follow_up" else "-")
            above = "" if one.approval_above is None else f"  approval above {one.approval_above:,}"
            typer.echo(f"{one.key:24} {one.kind:10} {one.state:7} {times}{above}")


@campaign.command()
def add(
    key: Annotated[str, typer.Argument(help="A name without spaces, like what-you-follow.")],
    kind: Annotated[
        str, typer.Option(help="digest, follow_up; manual or breaking: what the desk sends as.")
    ] = "digest",
    times: Annotated[str, typer.Option(help="Digest: local times, like 07:30,18:40.")] = "",
    weekdays: Annotated[str, typer.Option(help="Digest: 0 Monday to 6 Sunday, like 0,1,2; empty: every day.")] = "",
    send_time: Annotated[str, typer.Option(help="local_time, or best_hour: each reader's own.")] = "local_time",
    bar: Annotated[float, typer.Option(help="Least score worth an alert.")] = 0.5,
    jitter_s: Annotated[int, typer.Option(help="Seconds after the slot, up to which readers are spread.")] = 420,
    spread_s: Annotated[int, typer.Option(help="The same over a longer time, so that not all come at once.")] = 0,
    freshness_h: Annotated[float, typer.Option(help="How old an article may be, in hours.")] = 24.0,
    ttl_s: Annotated[int, typer.Option(help="How long a message may wait for a phone, in seconds.")] = 21_600,
    hold_s: Annotated[int, typer.Option(help="How long a plan waits so that a person can stop it, in seconds.")] = 60,
    every_s: Annotated[int, typer.Option(help="Follow-up: how often it looks, in seconds.")] = 900,
    approval_above: Annotated[
        int | None, typer.Option(help="Readers: an alert to more waits for a second person; left out: the newsroom's.")
    ] = None,
    *,
    at_least_once: Annotated[
        bool, typer.Option("--at-least-once", help="Send again what a vanished sender may have sent.")
    ] = False,
    paused: Annotated[bool, typer.Option("--paused", help="Begin paused.")] = False,
) -> None:
    """Add a campaign.

    Example: newsbell campaign add what-you-follow --kind follow_up --freshness-h 12 --bar 0
    """
    from data.alerts import CampaignRow
    from data.campaigns import Campaigns
    from data.cli import open_store
    from data.clock import SystemClock
    from scheduler.campaigns import check_campaign

    row = CampaignRow(
        0,
        key,
        key.replace("-", " ").capitalize(),
        kind=kind,
        state="paused" if paused else "on",
        local_times=tuple(one.strip() for one in times.split(",") if one.strip()),
        weekdays=_weekdays(weekdays),
        send_time=send_time,
        mode="at_least_once" if at_least_once else "at_most_once",
        bar=bar,
        jitter_s=jitter_s,
        spread_s=spread_s,
        freshness_h=freshness_h,
        ttl_s=ttl_s,
        hold_s=hold_s,
        every_s=every_s,
        approval_above=approval_above,
    )
    check_campaign(row)
    with open_store() as store:
        Campaigns(store).add(row, by="command line", now=SystemClock().now())
    shows = f"`newsbell plan {key} --dry-run` shows whom it would reach" if kind in ("digest", "follow_up") else ""
    typer.echo(f"{key} is {row.state}; {shows or 'the desk chooses it where it writes an alert'}")


@campaign.command()
def approval(
    key: Annotated[str, typer.Argument(help="The campaign.")],
    above: Annotated[str, typer.Argument(help="Readers: an alert to more waits for a second person; or: newsroom.")],
    reason: Annotated[str, typer.Option(help="Why; it stands in the history.")],
) -> None:
    """Set from how many readers on an alert of a campaign needs a second person.

    Example: newsbell campaign approval sport-desk 5000 --reason "a small audience that knows us"
    """
    from data.campaigns import Campaigns
    from data.cli import open_store
    from data.clock import SystemClock
    from data.errors import InvalidInput

    if above != "newsroom" and not above.isdecimal():
        raise InvalidInput(f"{above!r} is no number of readers; write one like 5000, or newsroom")
    found = None if above == "newsroom" else int(above)
    now = SystemClock().now()
    with open_store() as store:
        campaigns = Campaigns(store)
        campaigns.set_limits(key, policy={}, by="command line", reason=reason, now=now, approval_above=found)
    typer.echo(f"{key}: approval above {'what the newsroom says' if found is None else f'{found:,} readers'}")


def _weekdays(text: str) -> tuple[int, ...]:
    from data.errors import InvalidInput

    try:
        return tuple(int(one) for one in text.split(",") if one.strip())
    except ValueError:
        raise InvalidInput(f"--weekdays {text!r} are none; write them like 0,1,2 for Monday to Wednesday") from None


def mount(app: typer.Typer) -> None:
    """Add the commands of campaigns."""
    app.add_typer(campaign, name="campaign")
