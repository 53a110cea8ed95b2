"""Commands that rank and explain."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from recommender.doctor_cli import doctor

if TYPE_CHECKING:
    from recommender.cards import Card
    from recommender.service import Service
    from recommender.why import Explanation

Limit = Annotated[int, typer.Option("-k", "--limit", min=1, max=1_000, help="How many articles.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
At = Annotated[
    str | None,
    typer.Option(
        "--at", metavar="TIME", help="Rank as of this instant, like 2026-03-01T07:30:00+01:00.", show_default=False
    ),
]
Explain = Annotated[bool, typer.Option("--explain", help="Show what each signal adds to the score.")]


def related(
    article: Annotated[str, typer.Argument(metavar="ARTICLE", help="The publisher's id of the article.")],
    limit: Limit = 10,
    explain: Explain = False,
    as_json: AsJson = False,
    at: At = None,
) -> None:
    """List what to read after an article.

    Example: newsbell related a-4711 -k 5 --explain
    """
    with _service() as service:
        found = service.related(article, limit=limit, at=_instant(at), explain=explain)
    if as_json:
        _print_json(found)
        return
    if found.fallback:
        typer.echo(f"Nothing is related enough. {found.fallback}:")
    _print_cards(found.items, explain)


def for_you(
    reader: Annotated[str, typer.Argument(metavar="READER", help="The app's id of the reader; an unknown one is new.")],
    limit: Limit = 20,
    explain: Explain = False,
    as_json: AsJson = False,
    at: At = None,
) -> None:
    """List what a reader may want to read now.

    Example: newsbell for-you reader-007 -k 5
    """
    with _service() as service:
        found = service.for_you(reader, limit=limit, at=_instant(at), explain=explain)
    if as_json:
        _print_json(found)
    else:
        _print_cards(found.items, explain)


def why(
    reader: Annotated[str, typer.Argument(metavar="READER", help="The app's id of the reader.")],
    article: Annotated[str, typer.Argument(metavar="ARTICLE", help="The publisher's id of the article.")],
    surface: Annotated[str, typer.Option(help="The list in question.")] = "for_you",
    limit: Limit = 20,
    as_json: AsJson = False,
    at: At = None,
) -> None:
    """Explain why an article is on a reader's list, or why it is not.

    Example: newsbell why reader-007 a-4711 --surface for_you
    """
    with _service() as service:
        found = service.why(reader, article, surface=surface, limit=limit, at=_instant(at))
    if as_json:
        _print_json(found)
    else:
        _print_explanation(found)


@contextmanager
def _service() -> "Iterator[Service]":
    """A service that has taken in every row, showing how it goes."""
    from data.cli import open_store
    from data.clock import SystemClock
    from data.progress import meter
    from data.settings import load_settings
    from recommender.service import Service

    settings = load_settings()
    with open_store(settings) as store, meter("Reading the articles", store.count_articles()) as advance:
        service = Service(store, settings, SystemClock(), progress=advance)
        service.refresh()
        advance(0)
        yield service


def _instant(text: str | None) -> datetime | None:
    from data.clock import parse_instant

    return parse_instant(text) if text else None


def _print_json(found: Any) -> None:
    typer.echo(json.dumps(asdict(found), default=str, ensure_ascii=False))


def _print_cards(cards: "tuple[Card, ...]", explain: bool) -> None:
    if not cards:
        typer.echo("Nothing to show.")
    for place, card in enumerate(cards, 1):
        source = card.source.name if card.source else "no source"
        typer.echo(f"{place:>3}. {card.title}")
        typer.echo(f"     {source}, {card.age} [{card.article_id}]")
        typer.echo(f"     {card.why}")
        if explain and card.parts is not None:
            adds = " + ".join(f"{name} {value:.3f}" for name, value in card.parts.items() if value)
            typer.echo(f"     {card.score:.3f} = {adds}")


def _print_explanation(found: "Explanation") -> None:
    typer.echo(found.title)
    typer.echo(f"{f'Number {found.place}. ' if found.place else ''}{found.sentence}")
    if found.score is not None:
        typer.echo(f"\n{'signal':<14}{'value':>8}{'weight':>8}{'adds':>8}")
        for part in found.parts:
            typer.echo(f"{part.signal:<14}{part.value:>8.3f}{part.weight:>8.3f}{part.adds:>8.3f}")
        if found.adjust:
            typer.echo(f"{'the desk':<14}{'':>16}{found.adjust:>8.3f}")
        typer.echo(f"{'score':<14}{'':>16}{found.score:>8.3f}")
    for read in found.nearest:
        typer.echo(f"\nRead {read.read_at:%Y-%m-%d %H:%M}Z: {read.title} (likeness {read.similarity:.2f})")
        typer.echo(f"  shared: {', '.join(read.terms)}")
    for rule in found.rules:
        state = "applies" if rule.applies else "does not apply"
        typer.echo(f"\nRule {rule.id}: {rule.kind} {rule.target} {rule.target_key} {state}. {rule.reason}")


def mount(app: typer.Typer) -> None:
    """Add this room's commands."""
    app.command()(related)
    app.command()(for_you)
    app.command()(why)
    app.command()(doctor)
