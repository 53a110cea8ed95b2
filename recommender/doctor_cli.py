"""`newsbell doctor`: what an operator asks first."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from recommender.sizes import Size

AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Sizes = Annotated[
    bool, typer.Option("--sizes", help="Load the index and say how large it is, an article and a reader.")
]


def doctor(sizes: Sizes = False, as_json: AsJson = False) -> None:
    """Check the installation and say what is wrong.

    Example: newsbell doctor --sizes
    """
    from data.doctor import examine

    findings = examine()
    is_ok = all(finding.is_ok for finding in findings)
    weighed = _weighed() if sizes and is_ok else []
    if as_json:
        checks = [{"check": f.check, "ok": f.is_ok, "says": f.says} for f in findings]
        typer.echo(json.dumps({"checks": checks, "sizes": [asdict(one) for one in weighed]} if sizes else checks))
    else:
        for finding in findings:
            typer.echo(f"{'ok  ' if finding.is_ok else 'FAIL'}  {finding.check}: {finding.says}")
        for one in weighed:
            typer.echo(f"      {one.what:<26}{one.says()}")
    if not is_ok:
        raise typer.Exit(1)


def _weighed() -> list["Size"]:
    from data.cli import open_store
    from data.clock import SystemClock
    from data.settings import load_settings
    from recommender.sizes import measure

    settings = load_settings()
    with open_store(settings) as store:
        return measure(store, settings, SystemClock())
