"""Pictures drawn on the server: plain SVG without style or script, each with a sentence that says the same.

Colours come from classes of the stylesheet. A picture that stands beside its own table is `aria-hidden`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from markupsafe import Markup

WIDTH = 600  # units of the drawings that carry text


@dataclass(frozen=True)
class Segment:
    """A part of a bar: the class that colours it, and how much."""

    kind: str
    value: float


@dataclass(frozen=True)
class Mark:
    """Something on a line of time."""

    at: datetime
    kind: str
    label: str
    size: float = 1.0  # share of the line's height


def stacked(parts: Sequence[Segment], most: float) -> Markup:
    """A bar of positive parts, `most` being the whole width; the table beside it says the numbers."""
    scale, x, drawn = 100 / max(most, 1e-9), 0.0, Markup("")
    for one in parts:
        width = max(one.value, 0.0) * scale
        if width > 0.15:
            drawn += Markup('<rect class="s-{}" x="{:.2f}" width="{:.2f}" height="10"/>').format(
                one.kind, x, max(width - 0.35, 0.1)
            )
        x += width
    return _svg(drawn, "stacked", 100, 10, stretch=True)


def bar(value: float, most: float) -> Markup:
    """One plain bar."""
    width = 100 * max(value, 0.0) / max(most, 1e-9)
    drawn = Markup('<rect class="track" width="100" height="8"/><rect class="fill" width="{:.2f}" height="8"/>')
    return _svg(drawn.format(min(width, 100.0)), "bar", 100, 8, stretch=True)


def progress(value: float, goal: float, planned: float, what: str) -> Markup:
    """A bar of a share in [0, 1] towards a goal, marked by a line; the paler part is where it was to be by now."""
    drawn = Markup('<rect class="track" width="100" height="12"/>')
    for kind, share in (("planned", planned), ("fill", value)):
        drawn += Markup('<rect class="{}" width="{:.2f}" height="12"/>').format(kind, 100 * min(max(share, 0.0), 1.0))
    drawn += Markup('<line class="goal" x1="{0:.2f}" x2="{0:.2f}" y1="0" y2="12"/>').format(100 * min(goal, 1.0))
    return _svg(drawn, "progress", 100, 12, label=what, stretch=True)


def steps(points: Sequence[tuple[float, float]], lasts: float, goal: float, what: str) -> Markup:
    """A share in [0, 1] over time: (minutes, share) within `lasts` minutes, with the goal as a line."""
    most = max(goal, *(share for _, share in points), 1e-9) * 1.1
    drawn = Markup('<line class="reference" x1="0" x2="120" y1="{0:.1f}" y2="{0:.1f}"/>').format(27 - 25 * goal / most)
    if len(points) > 1:
        places = " ".join(
            f"{120 * min(minute / lasts, 1):.1f},{27 - 25 * share / most:.1f}" for minute, share in points
        )
        drawn += Markup('<polyline class="line" points="{}"/>').format(places)
    return _svg(drawn, "sparkline steps", 120, 28, label=what, stretch=True)


def sparkline(values: Sequence[float], reference: Sequence[float], what: str) -> Markup:
    """A line of values over a paler one of reference values, on a scale from 0."""
    most = max([*values, *reference, 1e-9])
    drawn = _line(reference, most, "reference") + _line(values, most, "line")
    return _svg(drawn, "sparkline", 120, 28, label=what, stretch=True)


def histogram(counts: Sequence[int], low: float, high: float, threshold: float, what: str) -> Markup:
    """Bars of counts over [low, high] with the threshold as a line."""
    most, width, drawn = max([*counts, 1]), WIDTH / max(len(counts), 1), Markup("")
    for place, count in enumerate(counts):
        middle = low + (place + 0.5) * (high - low) / max(len(counts), 1)
        height = 100 * count / most
        kind = "over" if middle >= threshold else "under"
        drawn += Markup('<rect class="{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>').format(
            kind, place * width, 100 - height, max(width - 1, 0.5), height
        )
    x = WIDTH * (threshold - low) / max(high - low, 1e-9)
    drawn += Markup('<line class="now" x1="{0:.1f}" x2="{0:.1f}" y1="0" y2="100"/>').format(x)
    return _svg(drawn, "histogram", WIDTH, 100, label=what, stretch=True)


def strip(values: Sequence[float], what: str) -> Markup:
    """One cell a persona, the darker the more: shares in [0, 1]."""
    drawn = Markup("")
    for place, value in enumerate(values):
        drawn += Markup('<rect class="level-{}" x="{}" width="9" height="18"/>').format(
            min(int(value * 5), 4), place * 10
        )
    return _svg(drawn, "strip", 10 * max(len(values), 1), 18, label=what, stretch=True)


def span(start_at: datetime, end_at: datetime | None, first_at: datetime, last_at: datetime, now: datetime) -> Markup:
    """A bar from start to end between two instants, with a line at now; the row beside it says the times."""
    x1, x2 = _place(start_at, first_at, last_at), _place(end_at or last_at, first_at, last_at)
    drawn = Markup(
        '<rect class="track" width="100" height="12"/><rect class="fill" x="{:.2f}" width="{:.2f}" height="12"/>'
    )
    drawn = drawn.format(x1, max(x2 - x1, 0.6))
    line = Markup('<line class="now" x1="{0:.2f}" x2="{0:.2f}" y1="0" y2="12"/>')
    return _svg(drawn + line.format(_place(now, first_at, last_at)), "span", 100, 12, stretch=True)


def timeline(
    marks: Sequence[Mark],
    first_at: datetime,
    last_at: datetime,
    now: datetime,
    what: str,
    bands: Sequence[tuple[datetime, datetime]] = (),
) -> Markup:
    """Marks along a line of time, over bands of quiet, with a line at now."""
    drawn = Markup('<line class="axis" x1="0" x2="{}" y1="60" y2="60"/>').format(WIDTH)
    for from_at, until_at in bands:
        x1, x2 = (WIDTH / 100 * _place(one, first_at, last_at) for one in (from_at, until_at))
        drawn += Markup('<rect class="band" x="{:.1f}" y="0" width="{:.1f}" height="60"/>').format(x1, max(x2 - x1, 0))
    for one in marks:
        x = WIDTH / 100 * _place(one.at, first_at, last_at)
        height = 6 + 48 * one.size
        drawn += Markup(
            '<rect class="m-{}" x="{:.1f}" y="{:.1f}" width="5" height="{:.1f}" rx="1"><title>{}</title></rect>'
        ).format(one.kind, min(max(x - 2.5, 0.0), WIDTH - 5), 60 - height, height, one.label)
    x = WIDTH / 100 * _place(now, first_at, last_at)
    drawn += Markup('<line class="now" x1="{0:.1f}" x2="{0:.1f}" y1="0" y2="60"/>').format(x)
    return _svg(drawn, "timeline", WIDTH, 61, label=what, stretch=True)


def bump(before: Sequence[int], after: Sequence[int], places: int) -> Markup:
    """Lines from the places of one list to those of another; what is on one alone comes from below or goes there."""
    high, gap = 24, 24 * (places + 1)
    drawn = Markup("")
    for one in dict.fromkeys([*after[:places], *before[:places]]):
        left = before.index(one) if one in before[:places] else None
        right = after.index(one) if one in after[:places] else None
        kind = "stays" if left == right else "enters" if left is None else "leaves" if right is None else "moves"
        y1 = gap if left is None else left * high
        y2 = gap if right is None else right * high
        path = "M4 {0:.0f}C90 {0:.0f} 70 {1:.0f} 156 {1:.0f}".format(y1 + 12, y2 + 12)
        drawn += Markup('<path class="{}" d="{}"/>').format(kind, path)
    return _svg(drawn, "bump", 160, gap + high, stretch=True)


def _line(values: Sequence[float], most: float, kind: str) -> Markup:
    if len(values) < 2:
        return Markup("")
    step = 120 / (len(values) - 1)
    points = " ".join(f"{place * step:.1f},{27 - 25 * value / most:.1f}" for place, value in enumerate(values))
    return Markup('<polyline class="{}" points="{}"/>').format(kind, points)


def _place(at: datetime, first_at: datetime, last_at: datetime) -> float:
    """Where an instant stands between two others, in percent, within 0 and 100."""
    return min(max(100 * ((at - first_at) / (last_at - first_at)), 0.0), 100.0)


def _svg(drawn: Markup, kind: str, width: float, height: float, *, label: str = "", stretch: bool = False) -> Markup:
    fit = Markup(' preserveAspectRatio="none"') if stretch else Markup("")
    told = Markup(' role="img" aria-label="{}"').format(label) if label else Markup(' aria-hidden="true"')
    return Markup('<svg class="picture {}" viewBox="0 0 {} {}"{}{}>{}</svg>').format(
        kind, f"{width:g}", f"{height:g}", fit, told, drawn
    )
