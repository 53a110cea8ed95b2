"""Rules in words: what they do, to what, and where two of them meet."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from data.clock import zone
from data.values import RuleRow
from recommender.conflicts import Conflict
from recommender.web.console.say import label, strength_words
from recommender.web.site import Site

Named = Mapping[tuple[str, str], str]  # (target, key) -> what a person calls it
PRECEDENCE = ("block", "embargo", "pin", "must show", "boost and bury", "score", "diversity")
NO_END = "until lifted"


def names_of(site: Site, rules: Sequence[RuleRow]) -> dict[tuple[str, str], str]:
    """Titles of articles and stories, names of sources; a key nobody knows stays itself."""
    named: dict[tuple[str, str], str] = {}
    sources = {one.key: one.name for one in site.store.sources().values()}
    articles = site.store.article_ids([one.target_key for one in rules if one.target == "article"])
    stories = {
        one.target_key: int(one.target_key) for one in rules if one.target == "story" and one.target_key.isdecimal()
    }
    titles = {row.id: row.title for row in site.store.articles({*articles.values(), *stories.values()})}
    for one in rules:
        number = {"article": articles, "story": stories}.get(one.target, {}).get(one.target_key)
        found = titles.get(number or 0) or (sources.get(one.target_key) if one.target == "source" else None)
        named[one.target, one.target_key] = found or one.target_key
    return named


def does(rule: RuleRow) -> str:
    """Like "Pin to slot 1" or "Boost, a little"."""
    if rule.kind == "pin":
        return f"Pin to slot {rule.slot or 1}"
    if rule.kind in {"boost", "bury"}:
        return f"{label(rule.kind)}, {strength_words(rule.strength)}"
    return label(rule.kind)


def conflict_words(one: Conflict, named: Named, zone_name: str) -> str:
    """A sentence: what meets, when, and what happens."""
    when = _span(one.from_at, one.until_at, zone_name)
    first, second = (named.get((rule.target, rule.target_key), rule.target_key) for rule in (one.one, one.other))
    if one.kind == "slot":
        return f"Two pins on slot {one.one.slot or 1}, {when}: “{first}” and “{second}”. The newer wins."
    if one.kind == "blocked":
        other = one.other if one.one.kind == "block" else one.one
        return f"“{first}” is blocked, {when}, so the rule “{does(other)}” does nothing."
    return f"“{first}” is boosted and buried, {when}: both count, so they cancel each other."


def _span(from_at: datetime, until_at: datetime | None, zone_name: str) -> str:
    first = from_at.astimezone(zone(zone_name))
    if until_at is None:
        return f"from {first:%a %H:%M}"
    last = until_at.astimezone(zone(zone_name))
    return f"{first:%a %H:%M}–{last:%H:%M}" if first.date() == last.date() else f"{first:%a %H:%M}–{last:%a %H:%M}"
