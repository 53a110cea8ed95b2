"""One recommended article as a face shows it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

import msgspec
from babel import Locale, UnknownLocaleError
from babel.dates import format_timedelta

from data.values import ArticleRow

EXCERPT_CHARACTERS = 180


@dataclass(frozen=True, slots=True)
class CardSource:
    """The outlet on a card."""

    id: str
    name: str
    icon_url: str | None


@dataclass(frozen=True, slots=True)
class Card:
    """Names and shapes are those of the API. `score` and `parts` are None unless an explanation was asked for."""

    article_id: str
    title: str
    source: CardSource | None
    published_at: datetime
    age: str
    excerpt: str
    image_url: str | None
    url: str
    category: str | None
    language: str
    story_id: str | None
    story_size: int
    why: str
    score: float | None = None
    parts: Mapping[str, float] | None = None


def card(
    article: ArticleRow,
    *,
    now: datetime,
    language: str,
    story_size: int,
    why: str,
    score: float | None = None,
    parts: Mapping[str, float] | None = None,
) -> Card:
    """The card of an article at `now`, its age said in `language`."""
    source = article.source
    return Card(
        article_id=article.key,
        title=article.title,
        source=CardSource(source.key, source.name, source.icon_url) if source else None,
        published_at=article.published_at,
        age=age(article.published_at, now, language),
        excerpt=excerpt(article.summary or article.body),
        image_url=article.image_url,
        url=article.url,
        category=article.category,
        language=article.language,
        story_id=str(article.story_id) if article.story_id else None,
        story_size=story_size,
        why=why,
        score=score,
        parts=parts,
    )


def aged(cards: bytes, now: datetime, language: str) -> bytes:
    """Encoded cards with the ages of another minute. What a sentence says of hours stays."""
    made = msgspec.json.decode(cards)
    for one in made:
        one["age"] = age(datetime.fromisoformat(one["published_at"]), now, language)
    return msgspec.json.encode(made)


def age(at: datetime, now: datetime, language: str) -> str:
    """Like "3 hours ago" in that language; English where it is unknown. At least a minute, also for a time ahead."""
    minutes = max((now - at) // timedelta(minutes=1), 1)
    return _age(minutes if minutes < 60 * 48 else minutes - minutes % 60, language)


@lru_cache(maxsize=65_536)  # Babel takes longer for a page of these than ranking it
def _age(minutes: int, language: str) -> str:
    return format_timedelta(
        -timedelta(minutes=minutes), granularity="minute", add_direction=True, locale=locale(language)
    )


@lru_cache(maxsize=1_024)
def locale(language: str) -> Locale:
    """The locale of a language tag, or of its base language, or English."""
    tag = language.replace("-", "_")
    for one in (tag, tag.split("_")[0]):
        try:
            return Locale.parse(one)
        except (UnknownLocaleError, ValueError):
            continue
    return Locale("en")


def excerpt(text: str, characters: int = EXCERPT_CHARACTERS) -> str:
    """The beginning on one line, cut at a word where the script has words, with an ellipsis where cut."""
    return _excerpt(text[: 4 * characters], characters)


@lru_cache(maxsize=16_384)
def _excerpt(text: str, characters: int) -> str:
    line = " ".join(text.split())
    if len(line) <= characters:
        return line
    cut = line[:characters]
    space = cut.rfind(" ")
    return (cut[:space] if space > characters // 2 else cut).rstrip(" ,;:.-–—") + "…"
