"""``newsbell evaluate``: figures on labelled sets, as a table or as JSON."""

import json
import math
from collections.abc import Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
from rich.console import Console
from rich.table import Table

from data.progress import track

WIDTH = 120  # a table cut to a narrow pipe's width cannot be read


class Format(StrEnum):
    """What is measured."""

    STORIES = "stories"
    RELATED = "related"


def mount(app: typer.Typer) -> None:
    """Add the command to an application."""
    app.command()(evaluate)


def evaluate(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Holds the labelled sets, or stories/ and related/.")],
    layout: Annotated[Format, typer.Option("--format", help="What to measure.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the rows as JSON.")] = False,
    quick: Annotated[bool, typer.Option("--quick", help="Stories: our defaults alone.")] = False,
) -> None:
    """Measure related articles or stories on labelled sets, beside plain scikit-learn on the same texts.

    Example: newsbell evaluate --format stories ../news-data
    """
    found = [row for rows in track(_measured(folder, layout, quick=quick), None, None, f"{layout}") for row in rows]
    if as_json:
        typer.echo(json.dumps([_plain(row) for row in found], indent=2))
    else:
        console = Console()
        console.width = max(console.width, WIDTH)
        console.print(_table(found))


def _measured(folder: Path, layout: Format, *, quick: bool) -> Iterator[list[Any]]:
    if layout is Format.STORIES:
        from recommender.evaluate.stories import measure_stories

        yield from measure_stories(folder, tune=not quick, plain=not quick)
    else:
        from recommender.evaluate.related import measure_related

        yield from measure_related(folder)


def _plain(row: NamedTuple) -> dict[str, Any]:
    """The row with nan as null, which JSON knows."""
    return {name: None if _missing(cell) else cell for name, cell in row._asdict().items()}


def _table(rows: Iterable[NamedTuple]) -> Table:
    found = list(rows)
    table = Table()
    for name in found[0]._fields:
        numeric = all(isinstance(getattr(row, name), int | float) for row in found)
        table.add_column(name, justify="right" if numeric else "left")
    for row in found:
        table.add_row(*(_cell(value) for value in row))
    return table


def _cell(value: object) -> str:
    if _missing(value):
        return "-"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _missing(value: object) -> bool:
    return isinstance(value, float) and math.isnan(value)
