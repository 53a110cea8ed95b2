"""Curves as an SVG that stands alone: one small panel a signal."""

from collections.abc import Mapping, Sequence
from html import escape

WIDTH, HEIGHT, COLUMNS, GAP = 220, 110, 4, 26


def curves_svg(curves: Mapping[str, Sequence[tuple[float, float]]]) -> str:
    """Steps of each curve over its own range; below each panel its name and what it adds at most."""
    rows = -(-len(curves) // COLUMNS)
    size = f'width="{COLUMNS * (WIDTH + GAP)}" height="{max(rows, 1) * (HEIGHT + 2 * GAP)}"'
    panels = [_panel(place, name, points) for place, (name, points) in enumerate(curves.items())]
    body = "".join(panels)
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="11">{body}</svg>'


def _panel(place: int, name: str, points: Sequence[tuple[float, float]]) -> str:
    left = (place % COLUMNS) * (WIDTH + GAP) + GAP / 2
    top = (place // COLUMNS) * (HEIGHT + 2 * GAP) + GAP / 2
    values = [value for _, value in points]
    low, high = min(values), max(values)
    edges = [edge for edge, _ in points[1:]]
    first, last = (edges[0], edges[-1]) if edges else (0.0, 1.0)
    span = max(last - first, 1e-9)
    first, last = first - 0.05 * span, last + 0.05 * span

    def at(x: float, y: float) -> str:
        across = left + WIDTH * (min(max(x, first), last) - first) / (last - first)
        return f"{across:.1f},{top + HEIGHT * (1 - (y - low) / max(high - low, 1e-9)):.1f}"

    steps = []
    for one, (edge, value) in enumerate(points):
        until = points[one + 1][0] if one + 1 < len(points) else last
        steps += [at(edge, value), at(until, value)]
    frame = f'<rect x="{left}" y="{top}" width="{WIDTH}" height="{HEIGHT}" fill="none" stroke="#bbb"/>'
    line = f'<polyline points="{" ".join(steps)}" fill="none" stroke="#1f5fa8" stroke-width="1.5"/>'
    label = f'<text x="{left}" y="{top + HEIGHT + 14}">{escape(name)} (+{high - low:.2f})</text>'
    return frame + line + label
