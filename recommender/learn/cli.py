"""``newsbell learn``: weights taught by the newsroom's own readers, as a draft for the editors."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from recommender.replay.cli import AsJson, Days, Delay

AUTHOR = "newsbell learn"
SIDES = ("learned", "without", "live")  # what is judged side by side; "without" the click model


def mount(app: typer.Typer) -> None:
    """Add the command to an application."""
    app.command()(learn)


def learn(
    days: Days = 28,
    delay: Delay = "0",
    keep: Annotated[
        Path | None, typer.Option("--keep", help="Also write what was learned into this folder.", show_default=False)
    ] = None,
    with_interest: Annotated[
        bool, typer.Option("--interest", help="Learn a click model too, and a weight for its answer.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Learn for-you weights from what readers opened, and leave them as a draft beside the live ones.

    Nothing is published. The latest quarter of the lists is held back: both weights are judged on it. With --interest
    a click model is kept in NEWSBELL_MODELS_DIR, and the draft names it.

    Example: newsbell learn --days 28
    """
    import numpy as np

    from data.clock import SystemClock
    from recommender.learn.own import learn_weights
    from recommender.replay.cli import micros_of, opened_log

    with opened_log(days) as (store, log):
        live, row = log.snapshot.weights_of("for_you"), log.snapshot.weights.get("for_you")
        options = dict(row.options) if row else {}
        given: dict[str, Any] = {"random": np.random.default_rng(0), "delay_us": micros_of(delay)}
        learned, options = _with_interest(store, log, options, given) if with_interest else (None, options)
        learned = learned or learn_weights(log, live, **given)
        store.save_draft(
            "for_you", AUTHOR, base_version=log.snapshot.version_of("for_you"), weights=learned.weights,
            options=options, now=SystemClock().now(),
        )  # fmt: skip
    told = _told(learned)
    if keep:
        _keep(keep, told)
    if as_json:
        typer.echo(json.dumps(told, indent=2))
    else:
        _say(told)


def _with_interest(
    store: Any, log: Any, options: dict[str, float], given: dict[str, Any]
) -> tuple[Any, dict[str, float]]:
    """What was learned with a click model, which is kept, and the options of a draft that names it.

    None where no click model is any good: then weights are learned alone.
    """
    from data.errors import InvalidSettings
    from data.settings import load_settings
    from recommender import interest_files
    from recommender.learn.interest import NothingHolds, learn_interest

    folder = load_settings().models_dir
    if folder is None:
        raise InvalidSettings("NEWSBELL_MODELS_DIR is empty, so no click model can be kept: name a folder")
    try:
        learned = learn_interest(log, log.snapshot.weights_of("for_you"), options=options, **given)
    except NothingHolds as error:
        typer.echo(str(error), err=True)
        return None, options
    number = interest_files.save(folder, learned.model)
    rows = [*store.weight_versions("for_you"), *store.drafts("for_you")]
    interest_files.forget(folder, {number, *(int(row.options.get("interest_model", 0)) for row in rows)})
    return learned, options | {"interest_model": float(number)}


def _told(learned: Any) -> dict[str, Any]:
    from data.clock import instant
    from recommender.replay.cli import plain

    figures = ("ndcg_10", "coverage", "median_age_h", "must_read_reach")
    replays = {name: getattr(learned, name) for name in SIDES if hasattr(learned, name)}
    model = getattr(learned, "model", None)
    return {
        "weights": learned.weights,
        "from": instant(learned.from_us).isoformat(),
        "until": instant(learned.until_us).isoformat(),
        "lists": learned.slates,
        "opened": learned.opened,
        **{
            name: {one: plain(getattr(found, one)) for one in figures} | {"lists": found.slates}
            for name, found in replays.items()
        },
        **({"gain": dict(model.gain), "trees": len(model.feature)} if model else {}),
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
          for name in SIDES if name in told])  # fmt: skip
    parts = ", ".join(f"{name} {value:g}" for name, value in told["weights"].items() if value)
    typer.echo(f"Learned from {told['lists']} lists, on {told['opened']} of which something was opened: {parts}.")
    if gain := told.get("gain"):
        shares = ", ".join(f"{name} {share:.0%}" for name, share in sorted(gain.items(), key=lambda one: -one[1]))
        typer.echo(f"The click model has {told['trees']} trees; what it knows comes from {shares}.")
    typer.echo("It waits as a draft of for_you; compare and publish it in the console.")
