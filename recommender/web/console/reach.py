"""Reach targets on a story's page: setting one, what it would cost, how far it is, stopping it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from fastapi import Request, Response

from data.clock import instant
from data.errors import InvalidInput
from data.store.reach import TargetRow
from data.values import ArticleRow, RuleRow
from recommender.reach import Aim, Effect, effect
from recommender.web.console.page import go
from recommender.web.console.route import console_router
from recommender.web.console.trial import Trial
from recommender.web.gate import segment
from recommender.web.pages.render import segment as quoted
from recommender.web.site import Site, site_of

router = console_router()
MOST_BOOST = {"a little": 0.05, "some": 0.12, "a lot": 0.25}
TRIED = 25  # made-up readers on whom each strength is tried
SHOWN = 3


@dataclass(frozen=True)
class Progress:
    """A target as its page shows it."""

    row: TargetRow
    planned: float

    @property
    def is_on(self) -> bool:
        """Whether it still works."""
        return self.row.state == "on"

    @property
    def minutes(self) -> float:
        """How long it lasts."""
        return (self.row.ends_at - self.row.starts_at).total_seconds() / 60

    @property
    def points(self) -> list[tuple[float, float]]:
        """(minutes since the start, share reached)."""
        return [(0.0, 0.0), *((one[0], one[1]) for one in self.row.steps)]

    @property
    def sentence(self) -> str:
        """The bar in words."""
        row = self.row
        goal = f"reached {row.reached_share:.0%} of the readers expected; the target is {row.share:.0%}"
        return f"{goal}; by now it was to be {self.planned:.0%}" if self.is_on else goal

    @property
    def cost(self) -> str:
        """What it costs, in words."""
        row = self.row
        given = f"{row.cost_opens:,.0f}" if row.cost_opens >= 1 else "fewer than one"
        so_far = f"{given} expected open{'' if given == '1' else 's'} given up so far"
        return f"{so_far}; now {row.cost_share:.1%} of the opens of a list" if self.is_on else so_far


@router.post("/stories/{article}/reach")
def aim(request: Request, article: str) -> Response:
    """Set a target: a share of the active readers, by when, with how strong a boost at most."""
    site, form = site_of(request), request.state.form
    row = site.store.article(segment(article))
    now = site.clock.now()
    if row.retracted_at:
        raise InvalidInput("The publisher took this article back; it is shown nowhere.")
    site.store.aim(
        row.id,
        share=form.number("share", 1, 95) / 100,
        cap=MOST_BOOST[form.choice("most", tuple(MOST_BOOST), "a lot")],
        ends_at=now + timedelta(hours=form.number("hours", 0.25, 48)),
        by=request.state.person.email,
        reason=form.required("reason", "a reason: it stands in the history", longest=500),
        now=now,
    )
    site.service.refresh()
    return go(f"/console/stories/{quoted(row.key)}", "aimed")


@router.post("/reach/{target_id}/stop")
def stop(request: Request, target_id: int) -> Response:
    """Stop it and its boost."""
    site = site_of(request)
    target = site.store.target(target_id)
    site.store.stop_target(target_id, by=request.state.person.email, now=site.clock.now())
    site.service.refresh()
    (row,) = site.store.articles([target.article_id])
    return go(f"/console/stories/{quoted(row.key)}", "unaimed")


def aims_of(site: Site, article_ids: Iterable[int]) -> list[Progress]:
    """The targets on these articles, the newest first: those that run, and the last that are over."""
    found = [_progress(site, one) for one in site.store.targets_of(list(article_ids))]
    return [one for one in found if one.is_on] + [one for one in found if not one.is_on][:SHOWN]


def aims_on(site: Site) -> dict[int, Progress]:
    """Article -> the target that runs on it."""
    return {one.article_id: _progress(site, one) for one in site.store.open_targets()}


def effects(site: Site, trial: Trial, article: ArticleRow) -> list[tuple[str, Effect]]:
    """What each strength would do to made-up readers, in words and numbers; nothing where there is none."""
    pinned = trial.pinned()
    kind, value = ("story", article.story_id) if article.story_id else ("article", article.id)
    from_at, until_at = instant(pinned.at_us), instant(pinned.at_us) + timedelta(hours=1)
    window_h, personas = site.settings.window_days * 24, pinned.personas[:TRIED]
    found = []
    for words, strength in {"no boost": 0.0, **MOST_BOOST}.items():
        rule = RuleRow(-1, "boost", "for_you", kind, str(value), strength, None, from_at, until_at, "", "")
        tried = effect(pinned.snapshot, personas, rule, int(value), at_us=pinned.at_us, window_h=window_h)
        found.append((words, tried))
    return found


def _progress(site: Site, row: TargetRow) -> Progress:
    whole = Aim(row.share, row.cap, row.starts_at, row.ends_at, row.expected)
    return Progress(row, whole.planned(site.clock.now()))
