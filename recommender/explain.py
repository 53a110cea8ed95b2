"""Why an article is on a reader's list, or why it is not."""

from dataclasses import dataclass

import numpy as np

from data.clock import instant
from data.errors import InvalidInput
from data.values import ArticleRow
from recommender import for_you as listing
from recommender import rules
from recommender.for_you import Ask, Ranked
from recommender.rules import SENTENCES, Judge, Reason
from recommender.signals import HOUR_US
from recommender.snapshot import ReaderView, Snapshot
from recommender.why import (
    Explanation,
    NearRead,
    RuleSeen,
    facts_of,
    nearest_reads,
    parts_of,
    sentence,
    shared_terms,
)

SHOWN_READS = 3


@dataclass(frozen=True)
class Asked:
    """Which article is asked about, for whom, on which list."""

    reader_key: str
    article: ArticleRow
    at_us: int
    ask: Ask
    language: str = ""
    surface: str = "for_you"


def explain(snapshot: Snapshot, reader: ReaderView, asked: Asked, titles: "TitlesOf") -> Explanation:
    """The same ranking that serves the list, read for one article.

    An article that is no candidate for this reader is told with the first check that kept it out. One that is too old
    for the window is scored all the same, so that the editor sees what it would have needed.
    """
    if asked.surface != "for_you":
        raise InvalidInput(f"{asked.surface!r} cannot be explained yet; use --surface for_you")
    row = snapshot.index.row_of(asked.article.id)
    ranked = listing.for_you(snapshot, reader, asked.ask, at_us=asked.at_us, language=asked.language)
    place = ranked.place_of(row) if row >= 0 else None
    seen = _rules_seen(snapshot, row, asked.at_us)
    if place is None:
        return _absent(snapshot, reader, asked, row, seen)
    return _placed(snapshot, reader, asked, ranked, place, seen, titles)


def _placed(
    snapshot: Snapshot,
    reader: ReaderView,
    asked: Asked,
    ranked: Ranked,
    place: int,
    seen: tuple[RuleSeen, ...],
    titles: "TitlesOf",
) -> Explanation:
    one = int(ranked.order[place - 1])
    row = int(ranked.rows[one])
    near = nearest_reads(snapshot.index, ranked, [row])[0]
    facts = facts_of(snapshot, reader, ranked, place - 1, near, at_us=asked.at_us, surface=asked.surface)
    total = ranked.result.score
    listed = place <= ranked.served
    needs = None if listed else _needs(ranked, one)
    return Explanation(
        reader=asked.reader_key,
        article=asked.article.key,
        title=asked.article.title,
        surface=asked.surface,
        at=instant(asked.at_us),
        weights_version=snapshot.version_of(asked.surface),
        sentence=sentence(facts) if listed else _short_of(needs),
        place=place,
        absent=None if listed else _short_of(needs),
        verdict="listed" if listed else ("below" if needs else "diversity"),
        top=asked.ask.places,
        needs=needs,
        score=float(total[one]),
        adjust=float(ranked.result.adjust[one]),
        parts=parts_of(ranked.S[one], snapshot.weights_of(asked.surface)),
        nearest=_reads(snapshot, reader, row, near.rows[:SHOWN_READS], near.cosine[:SHOWN_READS], titles),
        rules=seen,
    )


def _needs(ranked: Ranked, one: int) -> float | None:
    """What the score lacks to the weakest on the list; None where it has enough and diversity kept it down."""
    if not ranked.served:
        return None
    weakest = float(ranked.result.score[ranked.order[: ranked.served]].min())
    missing = weakest - float(ranked.result.score[one])
    return missing if missing > 0 else None


def _short_of(needs: float | None) -> str:
    if needs is None:
        return "Its score would do, but the list already holds its story, its source or much like it."
    return f"Others score higher: it needs +{needs:.3f} to be on the list."


def _absent(snapshot: Snapshot, reader: ReaderView, asked: Asked, row: int, seen: tuple[RuleSeen, ...]) -> Explanation:
    reason, rule_id = _reason(snapshot, reader, asked, row)
    told = SENTENCES.get(reason, "It is not indexed yet; try again in a moment.")
    rule = next((one for one in seen if one.id == rule_id), None)
    if rule and rule.reason:
        told = f"{told} ({rule.reason})"
    return Explanation(
        reader=asked.reader_key,
        article=asked.article.key,
        title=asked.article.title,
        surface=asked.surface,
        at=instant(asked.at_us),
        weights_version=snapshot.version_of(asked.surface),
        sentence=told,
        place=None,
        absent=told,
        verdict=reason.name.lower() if reason else "not_indexed",
        top=asked.ask.places,
        needs=None,
        score=None,
        rules=seen,
    )


def _reason(snapshot: Snapshot, reader: ReaderView, asked: Asked, row: int) -> tuple[Reason, int]:
    """The first check that keeps the article out."""
    if row < 0:
        return Reason.RETRACTED if asked.article.retracted_at else Reason.ALLOWED, 0
    rows = np.array([row], np.intp)
    judged = listing.judge(snapshot, reader, rows, asked.ask, at_us=asked.at_us)
    if judged.reason[0]:
        return Reason(int(judged.reason[0])), int(judged.rule_id[0])
    judge = Judge(snapshot.index, rows, asked.at_us)
    judge.request(from_us=asked.at_us - int(asked.ask.window_h * HOUR_US))
    return Reason(int(judge.judged().reason[0])), 0


def _rules_seen(snapshot: Snapshot, row: int, at_us: int) -> tuple[RuleSeen, ...]:
    """Every rule in effect on the surface, and whether it is about the article."""
    rows = np.array([row], np.intp)
    desk = rules.in_effect(snapshot.rules.get("for_you", ()), at_us)
    return tuple(
        RuleSeen(
            one.row.id,
            one.row.kind,
            one.row.target,
            one.row.target_key,
            one.row.reason,
            bool(row >= 0 and one.matches(snapshot.index, rows)[0]),
        )
        for one in desk
    )


class TitlesOf:
    """Looks up (key, title) of articles by our number; the store behind it stays outside of what decides."""

    def __call__(self, ids: list[int]) -> dict[int, tuple[str, str]]:
        raise NotImplementedError


def _reads(
    snapshot: Snapshot, reader: ReaderView, row: int, rows: np.ndarray, cosine: np.ndarray, titles: TitlesOf
) -> tuple[NearRead, ...]:
    ids = snapshot.index.columns.id[rows].tolist()
    named = titles(ids)
    found = []
    for place, article_id in enumerate(ids):
        at_us = int(reader.history.at_us[reader.history.article_id == article_id].max())
        key, title = named.get(article_id, ("", ""))
        terms = shared_terms(snapshot.index, row, int(rows[place]))
        found.append(NearRead(key, title, instant(at_us), float(cosine[place]), terms))
    return tuple(found)
