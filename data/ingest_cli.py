"""The `ingest` command."""

import json
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from data.intake.items import Rejected
    from data.intake.load import Row

LISTED = 20  # documents and reasons listed at most; --rejected FILE holds them all


def ingest(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE...",
            help="Feed or news sitemap (address or file), JSON Feed, article JSONL (.gz too), or a directory of them.",
            show_default=False,
        ),
    ],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    allow_private: Annotated[
        bool, typer.Option("--allow-private", help="Fetch from private and loopback addresses too.")
    ] = False,
    batch: Annotated[int, typer.Option(min=1, max=500, help="Articles written in one transaction.")] = 500,
    rejected: Annotated[
        Path | None, typer.Option(help="Write every rejected item to this file, as JSONL.", show_default=False)
    ] = None,
    refetch: Annotated[bool, typer.Option("--refetch", help="Read feeds that did not change since, too.")] = False,
) -> None:
    """Read articles from feeds, sitemaps and files into the database.

    Safe to repeat: nothing is doubled, and what was interrupted is completed. Exits 1 if a source could not be read;
    rejected items are counted with their reasons and do not change the exit code.

    Example: newsbell ingest https://news.example/rss.xml articles.jsonl.gz
    """
    from data.cli import open_store
    from data.clock import SystemClock
    from data.intake.load import Loader
    from data.progress import track
    from data.settings import load_settings

    settings = load_settings(**({"allow_private_addresses": True} if allow_private else {}))
    with ExitStack() as stack:
        store = stack.enter_context(open_store(settings))
        note = _Rejections(stack, rejected)
        loader = Loader(store, settings, SystemClock(), batch=batch, refetch=refetch, on_rejected=note)
        loader.plan(sources)
        for _ in track(loader.steps(), loader.bytes_total or None, lambda: loader.bytes_done, "Reading"):
            pass
    rows = list(loader.rows.values())
    if as_json:
        typer.echo(json.dumps(summary(rows), ensure_ascii=False))
    else:
        _print(rows)
    for row in rows:
        for problem in row.failed:
            typer.echo(problem, err=True)
    if loader.has_failed:
        raise typer.Exit(1)


class _Rejections:
    """Writes each rejected item as a line, if there is a file to write to."""

    def __init__(self, stack: ExitStack, path: Path | None) -> None:
        from data.errors import InvalidInput

        try:
            self._file = stack.enter_context(path.open("w", encoding="utf-8")) if path else None
        except OSError as error:
            raise InvalidInput(f"--rejected {path} cannot be written: {error.strerror}") from None

    def __call__(self, place: str, item: "Rejected") -> None:
        if self._file:
            line = {"source": place, "where": item.where, "reason": item.reason}
            self._file.write(json.dumps(line) + "\n")


def summary(rows: "list[Row]") -> dict[str, Any]:
    """The result as `--json` prints it: totals, then one entry per source."""
    reasons: Counter[str] = Counter()
    for row in rows:
        reasons.update(row.rejected)
    totals = {name: sum(getattr(row, name) for row in rows) for name in ("new", "changed", "same")}
    return {
        **totals,
        "rejected": reasons.total(),
        "reasons": dict(reasons.most_common()),
        "sources": [_entry(row) for row in rows],
    }


def _entry(row: "Row") -> dict[str, Any]:
    return {
        "source": row.source,
        "documents": row.documents,
        "unchanged": row.unchanged,
        "new": row.new,
        "changed": row.changed,
        "same": row.same,
        "rejected": row.rejected.total(),
        "kinds": dict(row.kinds.most_common()),
        "warnings": dict(row.warnings.most_common()),
        "failed": row.failed,
        "skipped": row.skipped,
    }


def _print(rows: "list[Row]") -> None:
    result = summary(rows)
    counts = ", ".join(f"{result[name]:,} {name}" for name in ("new", "changed", "same", "rejected"))
    typer.echo(f"{counts}.")
    _table(rows)
    _listed("Rejected", [f"{number:,} x {reason}" for reason, number in result["reasons"].items()])
    notes: Counter[str] = Counter()
    for row in rows:
        notes.update(row.warnings)
    _listed("Noted", [f"{number:,} x {note}" for note, number in notes.most_common()])
    _listed("Passed over", [reason for row in rows for reason in row.skipped])


def _table(rows: "list[Row]") -> None:
    head = ("source", "documents", "new", "changed", "same", "rejected", "unread")
    lines = [
        (r.source, r.documents, r.new, r.changed, r.same, r.rejected.total(), len(r.failed) + len(r.skipped))
        for r in rows
    ]
    width = max(len(head[0]), *(len(line[0]) for line in lines))
    typer.echo(f"{head[0]:<{width}}" + "".join(f"{name:>11}" for name in head[1:]))
    for name, *numbers in lines:
        typer.echo(f"{name:<{width}}" + "".join(f"{number:>11,}" for number in numbers))


def _listed(title: str, lines: list[str]) -> None:
    if not lines:
        return
    typer.echo(f"{title}:")
    for line in lines[:LISTED]:
        typer.echo(f"  {line}")
    if len(lines) > LISTED:
        typer.echo(f"  and {len(lines) - LISTED:,} more")


def mount(app: typer.Typer) -> None:
    """Add this room's commands."""
    app.command()(ingest)
