"""A plan for people: the funnel, and why somebody gets an alert or not."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from data.clock import zone
from recommender.push import Verdict
from scheduler.plan_report import MISSED, PLANNED_BEFORE, Ending, Report

if TYPE_CHECKING:
    from rich.table import Table

# After each step, whom it kept from an alert.
STEPS: tuple[tuple[str, tuple[Verdict, ...]], ...] = (
    ("opted in", (Verdict.OPTED_OUT,)),
    ("reachable", (Verdict.NO_DEVICE, Verdict.HOLDOUT)),
    ("awake", (Verdict.QUIET_HOURS,)),
    ("under cap and gap", (Verdict.STOP_LOSS, Verdict.DAILY_CAP, Verdict.TOO_SOON, Verdict.WEEKLY_BUDGET)),
    ("something new", (Verdict.NOTHING_NEW, Verdict.ALREADY_READ, Verdict.ALREADY_TOLD)),
    ("above the bar", (Verdict.BELOW_BAR,)),
)
WIDE = 110  # columns of a terminal in which the zones fit too
Titles = Mapping[int, tuple[str, str]]


def steps(report: Report) -> list[tuple[str, int, str]]:
    """(step, readers left, who fell out there), from all judged readers down to those who get an alert."""
    left = sum(number for name, number in report.funnel.items() if name in Verdict.__members__)
    found = [("due", left, "")]
    for step, reasons in STEPS:
        out = {reason.name: report.funnel[reason.name] for reason in reasons if report.funnel[reason.name]}
        left -= sum(out.values())
        found.append((step, left, ", ".join(f"{name} {number:,}" for name, number in out.items())))
    return found


def show(report: Report, titles: Titles, *, everybody: bool) -> None:
    """Print a report as tables."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console()
    console.print(f"[bold]{escape(report.campaign.name)}[/bold], {_heading(report)}", highlight=False)
    funnel = Table("step", "readers", "kept from an alert here")
    funnel.columns[1].justify = "right"
    for step, left, out in steps(report):
        funnel.add_row(step, f"{left:,}", out)
    console.print(funnel)
    listed = report.endings if everybody else report.examples()
    if listed:
        console.print(_why(listed, titles, with_zone=console.width >= WIDE))
    console.print(_footer(report), highlight=False, markup=False)


def as_dict(report: Report, titles: Titles, *, everybody: bool) -> dict[str, Any]:
    """A report as JSON: `funnel` counts readers by verdict."""
    return {
        "campaign": report.campaign.key,
        "planned_at": report.planned_at.isoformat(),
        "plan_id": report.plan_id,
        "candidates": report.candidates,
        "bar": report.campaign.bar,
        "funnel": {name: report.funnel[name] for name in (*Verdict.__members__, MISSED, PLANNED_BEFORE)},
        "deliveries": report.deliveries,
        "is_asked": report.is_asked,
        "readers": [_as_dict(one, titles) for one in (report.endings if everybody else report.examples())],
    }


def _as_dict(one: Ending, titles: Titles) -> dict[str, Any]:
    return {
        "reader": one.reader,
        "verdict": one.verdict,
        "slot": one.slot,
        "zone": one.zone,
        "send_at": one.send_at.isoformat(),
        "article": titles.get(one.article_id, (None, None))[0],
        "score": one.score,
        "parts": one.parts,
    }


def _heading(report: Report) -> str:
    days = sorted({one.slot.replace("T", " ") for one in report.endings})
    slots = ", ".join(days[:3]) or "no slot is due"
    return (
        f"{slots} local time, as of {report.planned_at:%Y-%m-%d %H:%M} UTC: {report.candidates:,} stories considered, "
        f"bar {report.campaign.bar:.2f}"
    )


def _footer(report: Report) -> str:
    notes = []
    if report.funnel[MISSED]:
        notes.append(f"{report.funnel[MISSED]:,} readers' slots passed the catch-up unplanned.")
    if report.funnel[PLANNED_BEFORE]:
        notes.append(f"{report.funnel[PLANNED_BEFORE]:,} readers' slots are in the outbox already.")
    if report.plan_id is not None:
        notes.append(f"Plan {report.plan_id}: {report.deliveries:,} deliveries written to the outbox.")
        if report.is_asked:
            notes.append(
                "It alerts more readers than its campaign may without a person: a lead approves it on the Push page."
            )
    else:
        notes.append("Nothing was written.")
    return " ".join(notes)


def _why(listed: Sequence[Ending], titles: Titles, *, with_zone: bool) -> "Table":
    from rich.markup import escape
    from rich.table import Table

    made = Table("verdict", "reader", "local time", "score", "article")
    for column in made.columns[:-1]:
        column.no_wrap = True
    for one in listed:
        wall = one.send_at.astimezone(zone(one.zone))
        local = f"{wall:%a %H:%M} {one.zone}" if with_zone else f"{wall:%a %H:%M}"
        score = f"{one.score:.2f}" if one.article_id else ""
        title = titles.get(one.article_id, ("", ""))[1]
        made.add_row(one.verdict, escape(one.reader), local, score, escape(title))
    return made
