"""``newsbell replay``: what weights, and what freshness, would have been worth on past lists."""

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from recommender.metrics.bootstrap import Interval

Delay = Annotated[
    str, typer.Option("--delay", help="How late others' reads count: 0, 5m, 1h, 1d, off; several by comma.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")]
Days = Annotated[int, typer.Option("--days", min=1, max=366, help="How many days of served lists.")]
Layout = Annotated[str | None, typer.Option("--layout", help="Of a public set: ebnerd or mind.", show_default=False)]
Folder = Annotated[
    Path | None, typer.Argument(metavar="[PATH]", help="The folder of the public set.", show_default=False)
]


def mount(app: typer.Typer) -> None:
    """Add the command to an application."""
    app.command()(replay)


def replay(
    folder: Folder = None,
    layout: Layout = None,
    delay: Delay = "5m",
    weights: Annotated[
        str | None,
        typer.Option("--weights", help="A JSON file of weights, or a version; else the live ones.", show_default=False),
    ] = None,
    days: Days = 1,
    as_json: AsJson = False,
) -> None:
    """Judge weights, or what freshness is worth, on lists of the past: told only what was known then.

    Example: newsbell replay --delay 0,5m,1h,1d --days 7
    """
    delays = {name: micros_of(name) for name in delay.split(",")}
    rows = _own(delays, weights, days) if layout is None else _of_layout(layout, folder, delays)
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
    else:
        show(rows)


def micros_of(delay: str) -> int:
    """Microseconds of 0, 30s, 5m, 1h, 1d or off."""
    from data.errors import InvalidInput
    from recommender.replay.causal import NEVER_US

    units = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
    text = delay.strip()
    if text == "off":
        return NEVER_US
    if text == "0":
        return 0
    if len(text) < 2 or text[-1] not in units or not text[:-1].isdecimal():
        raise InvalidInput(f"{delay!r} is no delay: write 0, 30s, 5m, 1h, 1d or off")
    return int(text[:-1]) * units[text[-1]] * 1_000_000


def _own(delays: "Mapping[str, int]", weights: str | None, days: int) -> list[dict[str, Any]]:
    import numpy as np

    from data.progress import meter
    from recommender.replay.weights import replay_weights

    with opened_log(days) as (store, log):
        live = log.snapshot.weights_of("for_you")
        tried = weights_from(store, weights) if weights else live
        options = options_with_model(store, log.snapshot, weights) if weights else None
        rows = []
        for name, delay_us in delays.items():
            with meter(f"delay {name}", len(log)) as more:
                found = replay_weights(
                    log,
                    tried,
                    random=np.random.default_rng(0),
                    options=options,
                    delay_us=delay_us,
                    progress=lambda *_, more=more: more(1),
                )
            counts = {"delay": name, "lists": found.slates, "opened": found.opened}
            figures = ("ndcg_10", "coverage", "median_age_h", "must_read_reach")
            rows.append(counts | {one: plain(getattr(found, one)) for one in figures})
        return rows


def options_with_model(store: Any, snapshot: Any, named: str) -> "Mapping[str, float]":
    """The live options, with the click model that a version names; a file of weights names none."""
    row = snapshot.weights.get("for_you")
    version = store.weight_version("for_you", int(named)).options if named.isdecimal() else {}
    return {**(row.options if row else {}), "interest_model": float(version.get("interest_model", 0))}


class opened_log:  # noqa: N801 used as a function
    """The store and the newsroom's own log of the last days, for a `with`."""

    def __init__(self, days: int) -> None:
        self.days = days

    def __enter__(self) -> Any:
        from contextlib import ExitStack
        from datetime import timedelta

        from data.cli import open_store
        from data.clock import SystemClock
        from data.settings import load_settings
        from recommender.replay.from_store import read_log
        from recommender.service import Service

        self._stack = ExitStack()
        settings = load_settings()
        store = self._stack.enter_context(open_store(settings))
        service = Service(store, settings, SystemClock())
        service.refresh()
        now = service.clock.now()
        hours = settings.window_days * 24.0
        return store, read_log(store, service.snapshot, now - timedelta(days=self.days), now, window_h=hours)

    def __exit__(self, *error: Any) -> None:
        self._stack.__exit__(*error)


def weights_from(store: Any, named: str) -> "Mapping[str, float]":
    """Weights of a version, or of a JSON file."""
    from data.errors import InvalidInput
    from data.store.versions import check_weights
    from recommender.signals import SIGNALS

    if named.isdecimal():
        return dict(store.weight_version("for_you", int(named)).weights)
    try:
        found = json.loads(Path(named).read_text())
        weights = {str(name): float(value) for name, value in found.items()}
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise InvalidInput(
            f"{named} holds no weights ({error}): give a version, or a file like {{'similarity': 0.3}}"
        ) from error
    if unknown := set(weights) - set(SIGNALS):
        raise InvalidInput(f"no such signals: {', '.join(sorted(unknown))}; there are {', '.join(SIGNALS)}")
    check_weights(weights)
    return weights


def _of_layout(layout: str, folder: Path | None, delays: "Mapping[str, int]") -> list[dict[str, Any]]:
    from data.errors import InvalidInput

    if layout not in ("ebnerd", "mind") or folder is None:
        raise InvalidInput("name a layout, ebnerd or mind, and the folder of the set")
    rows = []
    for name, delay_us in delays.items():
        rows += [{"delay": name, **row} for row in layout_rows(layout, folder, delay_us)]
    return rows


def layout_rows(layout: str, folder: Path, delay_us: int) -> list[dict[str, Any]]:
    """Figures of single signals and of the few-signal model on the tested part of a public set."""
    from recommender.learn.fitted import fit_weighted
    from recommender.learn.layouts import ebnerd_study, mind_study
    from recommender.learn.linear import fewest, fit_linear
    from recommender.learn.shapes import Shaping
    from recommender.replay.judged import judged

    if layout == "ebnerd":
        study = ebnerd_study(folder, delay_us).candidates_only()
        model = fit_weighted(study, study.holdout(1.0), Shaping(step=0.3, most=20))
        scores = {"reads, 12 h": study.features.column("reads_12h"), "20 weights": model.predict(study.features)}
    else:
        whole = mind_study(folder, delay_us).everything
        study = whole.only(fewest(whole, 15))
        scores = {
            "click rate, 4 h": whole.features.column("click_rate_4h"),
            "15 weights": fit_linear(study).predict(study.features.X),
            f"{len(whole.features.names)} weights": fit_linear(whole).predict(whole.features.X),
        }
    found = {name: judged(study.slates, score, among=study.tested) for name, score in scores.items()}
    return [{"by": name, **{one: plain(value) for one, value in row.items()}} for name, row in found.items()]


def plain(found: "Interval") -> list[float] | None:
    """Mean, low and high; None where nothing is known."""
    return None if math.isnan(found.mean) else [round(float(one), 5) for one in found]


def show(rows: list[dict[str, Any]]) -> None:
    """Print the rows as a table."""
    from rich.console import Console
    from rich.table import Table

    table = Table()
    for name in rows[0]:
        table.add_column(name)
    for row in rows:
        table.add_row(*(_cell(value) for value in row.values()))
    console = Console()
    console.width = max(console.width, 120)
    console.print(table)


def _cell(value: Any) -> str:
    if isinstance(value, list):
        mean, low, high = value
        return f"{mean:.3f} [{low:.3f}, {high:.3f}]"
    return "-" if value is None else str(value)
