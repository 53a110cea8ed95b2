"""The desk: what came in, how much it matters and for how long; and one story with everything about it."""

from collections import Counter
from dataclasses import dataclass
from urllib.parse import unquote_plus

import numpy as np
from fastapi import Request, Response

from data.clock import micros
from data.errors import InvalidInput, NotFound
from data.outbox import Outbox
from data.values import ArticleRow, RuleRow
from recommender.answers import RelatedList
from recommender.signals import HOUR_US
from recommender.snapshot import Snapshot
from recommender.web.console.page import go, page
from recommender.web.console.reach import aims_of, aims_on, effects
from recommender.web.console.route import console_router
from recommender.web.console.rule_words import names_of
from recommender.web.console.sessions import safe_target
from recommender.web.console.trial import Trial, trial_of
from recommender.web.gate import segment
from recommender.web.pages.render import segment as quoted
from recommender.web.site import Site, site_of
from recommender.whatif import TOP

router = console_router()
WINDOW_H, NEW_H = 72.0, 6.0
BIG = 3  # sources
SHOWN = 40
FILTERS = ("all", "new", "big", "unrated", "blocked")
LIFETIMES = ("short", "medium", "long")


@dataclass(frozen=True)
class StoryLine:
    """A story on the desk, under its leading article."""

    lead: ArticleRow
    articles: int
    sources: int
    reached: int
    rules: tuple[RuleRow, ...]

    @property
    def is_blocked(self) -> bool:
        """Whether a block is on it."""
        return any(rule.kind == "block" for rule in self.rules)


@router.get("/stories")
def stories(request: Request) -> Response:
    """Recent stories, newest first, narrowed by a filter, a section and words."""
    site, form, trial = site_of(request), request.state.form, trial_of(request)
    chosen = form.text("show", "all") if form.text("show", "all") in FILTERS else "all"
    groups = _groups(site.service.snapshot, micros(site.clock.now()), NEW_H if chosen == "new" else WINDOW_H)
    articles = trial.articles([lead for lead, _, _ in groups])
    sections = sorted({one.category for one in articles.values() if one.category})
    section, words = form.text("section"), form.text("q", longest=200).casefold()
    active = site.store.rules(site.clock.now())
    found = []
    for lead, size, sources in groups:
        article = articles.get(lead)
        if article is None or article.retracted_at or (section and article.category != section):
            continue
        line = StoryLine(article, size, sources, 0, _about(article, active))
        if words in article.title.casefold() and _passes(chosen, line):
            found.append(line)
    shown = found[:SHOWN]
    reached = site.store.readers_reached([one.lead.id for one in shown])
    return page(
        request,
        "console/stories.html",
        lines=shown,
        total=len(found),
        reached=reached,
        aims=aims_on(site),
        chosen=chosen,
        filters=FILTERS,
        sections=sections,
        section=section,
        q=form.text("q"),
        lifetimes=LIFETIMES,
        here_path=f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path,
    )


@router.get("/stories/{article}")
def story(request: Request, article: str) -> Response:
    """One article with its story, its related block as the app shows it, who would get it, alerts and changes."""
    site, trial = site_of(request), trial_of(request)
    row = site.store.article(segment(article))
    members = trial.articles(site.store.story_articles(row.story_id)) if row.story_id else {row.id: row}
    active = site.store.rules(site.clock.now())
    about = tuple(dict.fromkeys(rule for one in members.values() for rule in _about(one, active)))
    changes = [*site.store.changes(limit=20, target=f"article {row.key}")]
    if row.story_id:
        changes += site.store.changes(limit=20, target=f"story {row.story_id}")
    return page(
        request,
        "console/story.html",
        row=row,
        members=sorted(members.values(), key=lambda one: one.published_at),
        related=_related(site, row),
        gets=_gets(trial, set(members)),
        reached=site.store.readers_reached(members),
        reached_by_any=site.store.count_reached(members),
        alerts=Outbox(site.store).counts_of_articles(list(members)),
        rules=about,
        named=names_of(site, about),
        aims=aims_of(site, members),
        effects=effects(site, trial, row) if not row.retracted_at else [],
        changes=sorted(changes, key=lambda one: -one.id),
        lifetimes=LIFETIMES,
    )


@router.post("/stories/{article}/judge")
def judge(request: Request, article: str) -> Response:
    """News value and lifetime, in one click."""
    site, form = site_of(request), request.state.form
    row = site.store.article(segment(article))
    value = form.text("news_value")
    site.store.judge_article(
        row.id,
        news_value=int(form.number("news_value", 1, 5)) if value else None,
        lifetime=form.choice("lifetime", LIFETIMES, row.lifetime),
        by=request.state.person.email,
        now=site.clock.now(),
    )
    site.service.refresh()
    return _back(form.text("back"), row.key, "judged")


@router.post("/stories/{article}/split")
def split(request: Request, article: str) -> Response:
    """Make the ticked articles a story of their own."""
    site, form = site_of(request), request.state.form
    row = site.store.article(segment(article))
    ids = site.store.article_ids(form.all("part"))
    if not row.story_id:
        raise InvalidInput("This article is not in a story yet; try again in a moment.")
    reason = form.text("reason", longest=500)
    site.store.split_story(
        row.story_id, list(ids.values()), by=request.state.person.email, now=site.clock.now(), reason=reason
    )
    site.service.refresh()
    return _back("", row.key, "split")


@router.post("/stories/{article}/merge")
def merge(request: Request, article: str) -> Response:
    """Make this story and that of another article one."""
    site, form = site_of(request), request.state.form
    row = site.store.article(segment(article))
    other = site.store.article(form.required("other", "the id of an article of the other story", longest=200))
    if not row.story_id or not other.story_id:
        raise NotFound("one of the two is not in a story yet; try again in a moment")
    reason = form.text("reason", longest=500)
    site.store.join_stories(
        row.story_id, other.story_id, by=request.state.person.email, now=site.clock.now(), reason=reason
    )
    site.service.refresh()
    return _back("", row.key, "merged")


def _back(wanted: str, key: str, said: str) -> Response:
    target = safe_target(wanted) if wanted else f"/console/stories/{quoted(key)}"
    path, _, query = target.partition("?")
    kept = dict(pair.split("=", 1) for pair in query.split("&") if "=" in pair and not pair.startswith("said="))
    return go(path, said, **{name: unquote_plus(value) for name, value in kept.items()})


def _groups(snapshot: Snapshot, at_us: int, window_h: float) -> list[tuple[int, int, int]]:
    """(leading article, articles, sources) of every recent story, the one with the newest article first."""
    index = snapshot.index
    rows = index.window(at_us - int(window_h * HOUR_US), at_us)
    columns = index.columns
    story = np.where(columns.story_id[rows] != 0, columns.story_id[rows], -columns.id[rows])
    order = np.lexsort((-columns.published_at_us[rows], -columns.news_value[rows], story))
    sizes = Counter(story.tolist())
    sources = index.story_sources(rows, at_us)
    newest: dict[int, int] = {}
    for one, at in zip(story.tolist(), columns.published_at_us[rows].tolist(), strict=True):
        newest[one] = max(newest.get(one, 0), at)
    leads: dict[int, tuple[int, int, int]] = {}
    for place in order.tolist():
        number = int(story[place])
        leads.setdefault(number, (int(columns.id[rows[place]]), sizes[number], int(sources[place])))
    return [leads[one] for one in sorted(leads, key=lambda one: -newest[one])]


def _passes(chosen: str, line: StoryLine) -> bool:
    return {
        "big": line.sources >= BIG,
        "unrated": line.lead.news_value is None,
        "blocked": line.is_blocked,
    }.get(chosen, True)


def _about(article: ArticleRow, rules: list[RuleRow]) -> tuple[RuleRow, ...]:
    """The rules in effect that name this article, its story, source or topics."""
    topics = {one.casefold() for one in (*article.topics, article.category or "")}
    return tuple(
        one
        for one in rules
        if (one.target == "article" and one.target_key == article.key)
        or (one.target == "story" and one.target_key == str(article.story_id))
        or (one.target == "source" and article.source is not None and one.target_key == article.source.key)
        or (one.target == "topic" and one.target_key.casefold() in topics)
    )


def _related(site: Site, row: ArticleRow) -> RelatedList | None:
    try:
        return site.service.related(row.key, limit=5, is_served=False)
    except NotFound:
        return None


def _gets(trial: Trial, members: set[int]) -> tuple[int, int]:
    """For how many of the made-up readers the story is in the first ten."""
    personas = trial.pinned().personas
    found = sum(bool(members & set(trial.live("for_you", one).ids[:TOP])) for one in personas)
    return found, len(personas)
