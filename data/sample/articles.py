"""The sample's articles: each fact sheet laid out in time and written out by its outlets."""

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from data.sample.outlets import BY_LETTER, Outlet
from data.sample.prose import Text, write
from data.sample.sheets import Piece, Sheet, load_sheets
from data.wire import ArticleIn, Lifetime

_STAGE_GAPS_H = ((0.0, 0.0), (8.0, 16.0), (24.0, 38.0), (44.0, 64.0))
_EMBARGO_H = 9
_NEWEST_AGE_H = 0.1  # the newest article is six minutes old


@dataclass(frozen=True, slots=True)
class Drafted:
    """An article with what only its maker knows."""

    article: ArticleIn
    slug: str
    flag: str
    copy_of: str | None  # the key of the article it repeats


@dataclass(frozen=True, slots=True)
class _Slot:
    sheet: Sheet
    piece: Piece
    outlet: Outlet
    published_at: datetime
    weekdays: tuple[int, ...]
    turn: int
    rng: Random


def draft_articles(seed: int, now: datetime) -> list[Drafted]:
    """Every article of the newsroom, oldest first, with keys numbered per outlet in that order."""
    sheets = load_sheets()
    freshest = min(sheets, key=lambda sheet: sheet.start_h).slug
    slots = [slot for sheet in sheets for slot in _schedule(sheet, seed, now, sheet.slug == freshest)]
    slots.sort(key=lambda slot: (slot.published_at, slot.sheet.slug, slot.piece.letter))
    counts: Counter[str] = Counter()
    written: dict[tuple[str, int, str], tuple[str, Text]] = {}
    drafted = []
    for slot in slots:
        counts[slot.outlet.key] += 1
        key = f"{slot.outlet.key}-{4100 + 3 * counts[slot.outlet.key]}"
        copied = written.get((slot.sheet.slug, slot.piece.stage, slot.piece.copy_of))
        text = _syndicated(copied[1], slot) if copied else _written(slot)
        written.setdefault((slot.sheet.slug, slot.piece.stage, slot.piece.letter), (key, text))
        article = _article(slot, key, text, now)
        drafted.append(Drafted(article, slot.sheet.slug, slot.piece.flag, copied[0] if copied else None))
    return drafted


def _schedule(sheet: Sheet, seed: int, now: datetime, freshest: bool) -> list[_Slot]:
    rng = Random(f"{seed}:{sheet.slug}")  # noqa: S311 -- made-up news needs no secrets
    offsets = _offsets(sheet, rng, freshest)
    start_at = now - timedelta(hours=sheet.start_h)
    first: dict[int, float] = {}
    for piece, offset in zip(sheet.pieces, offsets, strict=True):
        first.setdefault(piece.stage, offset)
    weekdays = tuple((start_at + timedelta(hours=first.get(stage, 0.0))).weekday() for stage in range(1, 5))
    turns: Counter[int] = Counter()
    slots: list[_Slot] = []
    for piece, offset in zip(sheet.pieces, offsets, strict=True):
        at = start_at + timedelta(seconds=round(offset * 3600))
        if piece.flag == "embargoed":
            at = (now + timedelta(hours=_EMBARGO_H)).replace(minute=0, second=0, microsecond=0)
        own = Random(f"{seed}:{sheet.slug}:{len(slots)}")  # noqa: S311
        slots.append(_Slot(sheet, piece, BY_LETTER[piece.letter], at, weekdays, turns[piece.stage], own))
        turns[piece.stage] += not piece.copy_of
    return slots


def _offsets(sheet: Sheet, rng: Random, freshest: bool) -> list[float]:
    """Hours after the story's start at which each piece appears; squeezed where the story would pass now."""
    gaps = [rng.uniform(*gap) for gap in _STAGE_GAPS_H]
    stage_h = list(sheet.offsets_h) or gaps
    offsets: list[float] = []
    for piece in sheet.pieces:
        before = list(zip(sheet.pieces, offsets, strict=False))
        same = [hours for other, hours in before if other.stage == piece.stage]
        earlier = [hours for other, hours in before if other.stage < piece.stage]
        soonest = max(same) + rng.uniform(0.2, 3.0) if same else max(earlier, default=-0.5) + 0.5
        offsets.append(soonest if same else max(soonest, stage_h[piece.stage - 1]))
    last = max(hours for piece, hours in zip(sheet.pieces, offsets, strict=True) if piece.flag != "embargoed")
    tail = _NEWEST_AGE_H if freshest else rng.uniform(0.3, min(4.0, sheet.start_h / 4))
    room = (sheet.start_h - tail) / last
    return [hours * room for hours in offsets] if room < 1 or freshest else offsets


def _written(slot: _Slot) -> Text:
    return write(slot.sheet, slot.piece, slot.outlet, weekdays=slot.weekdays, turn=slot.turn, rng=slot.rng)


def _syndicated(text: Text, slot: _Slot) -> Text:
    """Another outlet's text as it stands, with a credit line, as newspapers run agency copy."""
    credit = f"This report was first published by {BY_LETTER[slot.piece.copy_of].name}."
    return Text(text.title, text.summary, f"{text.body}\n\n{credit}")


def _article(slot: _Slot, key: str, text: Text, now: datetime) -> ArticleIn:
    sheet, rng, at = slot.sheet, slot.rng, slot.published_at
    number = key.rsplit("-", 1)[1]
    updated_at = at + timedelta(minutes=rng.randint(12, 150)) if rng.random() < 0.2 else None
    return ArticleIn(
        id=key,
        url=f"{slot.outlet.home_url}{sheet.category}/{at:%Y/%m/%d}/{number}-{_slugged(text.title)}",
        title=text.title,
        summary=text.summary,
        body=text.body,
        published_at=at,
        updated_at=updated_at if updated_at and updated_at <= now else None,
        source=slot.outlet.source(),
        author=rng.choice(slot.outlet.bylines) if sheet.language == slot.outlet.language else None,
        category=sheet.category,
        topics=list(sheet.topics),
        places=list(sheet.places),
        language=sheet.language,
        news_value=_news_value(slot),
        lifetime=_lifetime(slot),
        embargo_until=at if slot.piece.flag == "embargoed" else None,
    )


def _news_value(slot: _Slot) -> int | None:
    """The desk's judgement: the story's, one less for later angles; the wire leaves some of its reports unjudged."""
    if slot.outlet.letter == "L" and slot.rng.random() < 0.15:
        return None
    later = slot.turn > 0 and slot.piece.stage >= 2
    return max(1, slot.sheet.value - later)


def _lifetime(slot: _Slot) -> Lifetime:
    lives: dict[str, Lifetime] = {"short": "short", "medium": "medium", "long": "long"}
    life = lives[slot.sheet.life]
    return "medium" if life == "short" and slot.piece.stage >= 3 and slot.piece.letter in "MF" else life


def _slugged(title: str) -> str:
    """A headline as the end of an address: ASCII words joined by hyphens, or `article` for other scripts."""
    plain = unicodedata.normalize("NFKD", title.lower()).encode("ascii", "ignore").decode()
    words = re.findall(r"[a-z0-9]+", plain.replace("'", ""))
    return "-".join(words[:8]) if sum(map(len, words)) > 8 else "article"
