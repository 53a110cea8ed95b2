"""Commands that create, fill and check the database."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from data.settings import Settings
    from data.store import Store

AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


@contextmanager
def open_store(settings: "Settings | None" = None, *, check: bool = True) -> Iterator["Store"]:
    """The store of the environment, closed at the end; says so if it is not migrated."""
    from data.settings import load_settings
    from data.store import Store

    with Store.open((settings or load_settings()).database_url) as store:
        if check:
            store.check()
        yield store


def init(as_json: AsJson = False) -> None:
    """Create the database, or bring it up to date.

    Example: NEWSBELL_DATABASE_URL=sqlite:///var/newsbell.db newsbell init
    """
    with open_store(check=False) as store:
        ran = store.migrate()
    if as_json:
        typer.echo(json.dumps({"migrations": ran}))
    else:
        typer.echo(f"Ran {', '.join(ran)}." if ran else "The database is up to date.")


def import_events(
    file: Annotated[Path, typer.Argument(help="JSONL, one event a line; .gz is read too.")], as_json: AsJson = False
) -> None:
    """Append the events of a JSONL file; an event that is known already changes nothing.

    Example: newsbell import-events reads.jsonl.gz
    """
    from data.bulk import import_events as run

    with open_store() as store:
        _report(run(store, file), as_json)


def import_readers(
    file: Annotated[Path, typer.Argument(help="JSONL, one reader a line; .gz is read too.")], as_json: AsJson = False
) -> None:
    """Write the readers of a JSONL file, by id.

    Example: newsbell import-readers readers.jsonl
    """
    from data.bulk import import_readers as run

    with open_store() as store:
        _report(run(store, file), as_json)


def _report(result: "dict[str, object]", as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(result))
        return
    reasons = result.pop("reasons")
    typer.echo(", ".join(f"{number:,} {name}" for name, number in result.items()) + ".")
    for reason, number in reasons.items():  # type: ignore[attr-defined]
        typer.echo(f"  {number:,} x {reason}")


keys = typer.Typer(no_args_is_help=True, help="API keys: create, revoke.")


@keys.command("create")
def create_key(
    role: Annotated[str, typer.Option(help="app, ingest or operator.")],
    label: Annotated[str, typer.Option(help="Whose key it is.")] = "",
    rate: Annotated[float | None, typer.Option(min=0.1, help="Most requests a second; without it as set.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make an API key and print its secret, this once.

    Example: newsbell keys create --role app --label android
    """
    from data.clock import SystemClock

    if role not in {"app", "ingest", "operator"}:
        raise typer.BadParameter(f"{role!r} is no role; use app, ingest or operator", param_hint="--role")
    with open_store() as store:
        secret = store.create_key(role, label, now=SystemClock().now(), rate_per_s=rate)
    typer.echo(json.dumps({"role": role, "label": label, "key": secret}) if as_json else secret)


@keys.command("revoke")
def revoke_key(
    prefix: Annotated[str, typer.Argument(help="The eight characters of the key behind nb_.")], as_json: AsJson = False
) -> None:
    """Make an API key useless; every worker knows within five seconds.

    Example: newsbell keys revoke 1a2b3c4d
    """
    from data.clock import SystemClock

    with open_store() as store:
        store.revoke_key(prefix, now=SystemClock().now())
    typer.echo(json.dumps({"revoked": prefix}) if as_json else f"Revoked nb_{prefix}.")


def export_reader(
    reader: Annotated[str, typer.Argument(help="The reader's id, as the app sends it.")],
) -> None:
    """Print everything held on a reader, as JSON.

    Example: newsbell export-reader reader-17 > reader-17.json
    """
    with open_store() as store:
        typer.echo(json.dumps(store.export_reader(reader), indent=1, ensure_ascii=False))


def erase_reader(
    reader: Annotated[str, typer.Argument(help="The reader's id, as the app sends it.")], as_json: AsJson = False
) -> None:
    """Remove a reader with devices, events, deliveries and served lists. There is no way back.

    Example: newsbell erase-reader reader-17
    """
    with open_store() as store:
        removed = store.erase_reader(reader)
    counts = ", ".join(f"{number:,} {name}" for name, number in removed.items())
    typer.echo(json.dumps(removed) if as_json else f"Removed the reader: {counts}.")


people = typer.Typer(no_args_is_help=True, help="People who may sign in: add.")
ROLES = ("viewer", "editor", "push_editor", "lead", "operator")  # of data.store.people, which the help does not load


@people.command("add")
def add_person(
    email: Annotated[str, typer.Argument(help="Their address, which is also their name here.")],
    role: Annotated[str, typer.Option(help=", ".join(ROLES) + ".")],
    as_json: AsJson = False,
) -> None:
    """Let somebody sign in to the console and print their password, this once.

    Example: newsbell people add ada@herald.example --role editor
    """
    import secrets

    from data.clock import SystemClock

    if role not in ROLES:
        raise typer.BadParameter(f"{role!r} is no role; use {', '.join(ROLES)}", param_hint="--role")
    password = secrets.token_urlsafe(12)
    with open_store() as store:
        store.add_person(email, role, password, now=SystemClock().now())
    typer.echo(json.dumps({"email": email, "role": role, "password": password}) if as_json else password)


def mount(app: typer.Typer) -> None:
    """Add this room's commands."""
    for command in (init, import_events, import_readers, export_reader, erase_reader):
        app.command()(command)
    app.add_typer(keys, name="keys")
    app.add_typer(people, name="people")
