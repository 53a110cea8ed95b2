"""``newsbell learn``: weights taught by the newsroom's own readers, as a draft for the editors."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from recommender.replay.cli import AsJson, Days, Delay

AUTHOR = "newsbell learn"


def mount(app: typer.Typer) -> None:
    """Add the command to an application."""
    app.command()(learn)


def learn(
    days: Days = 28,
    delay: Delay = "0",
    keep: Annotated[
        Path | None, typer.Option("--keep", help="Also write what was learned into this folder.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Learn for-you weights from what readers opened, and leave them as a draft beside the live ones.

    Nothing is published. The latest quarter of the lists is held back: both weights are judged on it.

    Example: newsbell learn --days 28
    """
    import numpy as np

    from data.clock import SystemClock
    from recommender.learn.own import learn_weights
    from recommender.replay.cli import micros_of, opened_log

    with opened_log(days) as (store, log):
        live = log.snapshot.weights_of("for_you")
        learned = learn_weights(log, live, random=np.random.default_rng(0), delay_us=micros_of(delay))
        row = log.snapshot.weights.get("for_you")
        store.save_draft(
            "for_you", AUTHOR, base_version=log.snapshot.version_of("for_you"), weights=learned.weights,
            options=row.options if row else {}, now=SystemClock().now(),
        )  # fmt: skip
    told = _told(learned)
    if keep:
        _keep(keep, told)
    if as_json:
        typer.echo(json.dumps(told, indent=2))
    else:
        _say(told)


def _told(learned: Any) -> dict[str, Any]:
    from data.clock import instant
    from recommender.replay.cli import plain

    figures = ("ndcg_10", "coverage", "median_age_h", "must_read_reach")
    return {
        "weights": learned.weights,
        "from": instant(learned.from_us).isoformat(),
        "until": instant(learned.until_us).isoformat(),
        "lists": learned.slates,
        "opened": learned.opened,
        **{
            name: {one: plain(getattr(found, one)) for one in figures} | {"lists": found.slates}
            for name, found in (("learned", learned.learned), ("live", learned.live))
        },
    }


def _keep(folder: Path, told: dict[str, Any]) -> None:
    import hashlib

    folder.mkdir(parents=True, exist_ok=True)
    content = json.dumps(told, indent=2)
    digest = hashlib.sha256(content.encode()).hexdigest()
    (folder / f"weights-{digest[:12]}.json").write_text(content)


def _say(told: dict[str, Any]) -> None:
    from recommender.replay.cli import show

    show([{"weights": name, **{one: value for one, value in told[name].items() if one != "lists"}}
          for name in ("learned", "live")])  # fmt: skip
    parts = ", ".join(f"{name} {value:g}" for name, value in told["weights"].items() if value)
    typer.echo(f"Learned from {told['lists']} lists, on {told['opened']} of which something was opened: {parts}.")
    typer.echo("It waits as a draft of for_you; compare and publish it in the console.")
