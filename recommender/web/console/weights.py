"""The numbers an editor may turn on a surface: names, bounds, what they were and what they are."""

from collections.abc import Mapping
from dataclasses import dataclass

from data.store.versions import HIGHEST_WEIGHT
from data.values import WeightRow
from recommender.ranking import Options
from recommender.signals import SIGNALS
from recommender.snapshot import OPTIONS, WEIGHTS
from recommender.web.console.forms import Form, FormError
from recommender.web.console.say import MEANINGS, differences, label

BALANCE_STEP = 0.05  # what "more personal" moves from the newsroom's judgement to the reader's taste
MOST_DIVERSITY, MOST_OF_A_SOURCE = 0.6, 10
BOUNDS = {"diversity": (0.0, MOST_DIVERSITY, 0.01), "source_cap": (1.0, float(MOST_OF_A_SOURCE), 1.0)}
WEIGHT_BOUNDS = (0.0, HIGHEST_WEIGHT, 0.01)
NO_LEARNED_MODEL = "interest"  # shown once something fills the signal


@dataclass(frozen=True)
class Setting:
    """One row of the page: a weight or an option."""

    name: str
    label: str
    meaning: str
    value: float
    live: float
    low: float
    high: float
    step: float
    is_weight: bool

    @property
    def is_changed(self) -> bool:
        """Whether the draft differs from the live value."""
        return abs(self.value - self.live) > 1e-9

    @property
    def written(self) -> str:
        """The value as its field shows it."""
        return f"{self.value:.0f}" if self.step >= 1 else f"{self.value:.2f}"

    @property
    def live_written(self) -> str:
        """The live value in the same form."""
        return f"{self.live:.0f}" if self.step >= 1 else f"{self.live:.2f}"


@dataclass(frozen=True)
class Values:
    """Weights and options of a surface, whole."""

    weights: Mapping[str, float]
    options: Mapping[str, float]

    def over(self, weights: Mapping[str, float], options: Mapping[str, float]) -> "Values":
        """These with others on top."""
        return Values({**self.weights, **weights}, {**self.options, **options})

    def read(self, form: Form) -> tuple["Values", dict[str, str]]:
        """These with what a form says on top, and the fields it says wrong."""
        weights, options = dict(self.weights), dict(self.options)
        faults: dict[str, str] = {}
        for name in SIGNALS:
            _read(form, name, WEIGHT_BOUNDS, weights, faults)
        for name, bounds in BOUNDS.items():
            _read(form, name, bounds, options, faults)
        if not faults and not any(weights.values()):
            faults["similarity"] = "Give at least one signal a weight; with none nothing can be ranked."
        _balance(form.text("balance"), weights)
        return Values(weights, options), faults


def live_values(surface: str, row: WeightRow) -> Values:
    """The live version whole: what it leaves out is as built in."""
    options = Options.of(row.options, OPTIONS[surface])
    weights = {name: float(row.weights.get(name, 0.0)) for name in SIGNALS} if row.weights else dict(WEIGHTS[surface])
    return Values(weights, {name: float(value) for name, value in vars(options).items()})


def settings_of(surface: str, live: WeightRow, values: Values) -> list[Setting]:
    """The rows of the page, weights first."""
    current = live_values(surface, live)
    rows = []
    for name in SIGNALS:
        if name == NO_LEARNED_MODEL and not (values.weights.get(name) or current.weights.get(name)):
            continue
        rows.append(_setting(name, values.weights[name], current.weights[name], WEIGHT_BOUNDS, is_weight=True))
    for name, bounds in BOUNDS.items():
        rows.append(_setting(name, values.options[name], current.options[name], bounds, is_weight=False))
    return rows


def changed_words(before: Values, after: Values) -> list[str]:
    """What differs, in words."""
    return differences({**before.weights, **before.options}, {**after.weights, **after.options})


def rebased(base: WeightRow, mine: Values, live: WeightRow) -> Values:
    """What I changed against the base, on top of what is live now."""
    weights = {name: value for name, value in mine.weights.items() if value != base.weights.get(name)}
    options = {name: value for name, value in mine.options.items() if value != base.options.get(name)}
    return Values({**live.weights, **weights}, {**live.options, **options})


def _setting(name: str, value: float, live: float, bounds: tuple[float, float, float], *, is_weight: bool) -> Setting:
    return Setting(name, label(name), MEANINGS[name], float(value), float(live), *bounds, is_weight)


def _read(
    form: Form, name: str, bounds: tuple[float, float, float], into: dict[str, float], faults: dict[str, str]
) -> None:
    if name not in form:
        return
    try:
        found = form.number(name, bounds[0], bounds[1])
    except FormError as error:
        faults[name] = str(error)
        return
    into[name] = float(round(found)) if bounds[2] >= 1 else round(found, 4)


def _balance(wanted: str, weights: dict[str, float]) -> None:
    """Move weight between the reader's taste and the newsroom's judgement; the sum stays."""
    gives, takes = {"reader": ("news_value", "similarity"), "newsroom": ("similarity", "news_value")}.get(
        wanted, ("", "")
    )
    if gives:
        step = min(BALANCE_STEP, weights[gives], HIGHEST_WEIGHT - weights[takes])
        weights[gives], weights[takes] = round(weights[gives] - step, 4), round(weights[takes] + step, 4)
