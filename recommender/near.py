"""Compiled: the articles near one, compared with it and judged, and their signals, in one pass each.

The numbers are those of `ArticleIndex.similarity_to`, `related.is_retold` and `snapshot.shared_signals`; a test holds
them to each other.
"""
# mypy: disable-error-code="no-untyped-def, no-untyped-call, misc"

from dataclasses import dataclass

import numba as nb
import numpy as np
from numpy.typing import NDArray

from data.values import FloatArray, IntArray
from recommender.compiled import compiled
from recommender.index import ArticleIndex, Rows
from recommender.outlets import outlets_of
from recommender.popularity import HALF_LIFE_H as POPULAR_H
from recommender.popularity import PRIOR_H
from recommender.ranking import Options
from recommender.signals import HALF_CLOSE, HALF_LIFE_H, HOUR_US, SIGNALS
from recommender.snapshot import Snapshot
from recommender.subject import SUBJECT

_I64, _F32, _F64, _I32, _I8, _BOOL = (
    nb.types.Array(kind, 1, "C", readonly=True)
    for kind in (nb.int64, nb.float32, nb.float64, nb.int32, nb.int8, nb.boolean)
)
RETRACTED, FUTURE, OTHER_LANGUAGE = 1, 2, 4  # bits of what keeps an article from a list
_SIMILARITY, _FRESHNESS, _NEWS_VALUE, _POPULARITY, _STORY_SIZE, _SOURCE = (
    SIGNALS.index(name) for name in ("similarity", "freshness", "news_value", "popularity", "story_size", "source")
)


@dataclass(frozen=True)
class Near:
    """Rows beside one row, all arrays (rows,)."""

    cosine: FloatArray
    is_retold: NDArray[np.bool_]  # the same text, or the same story from the same angle; may be shown, but for that
    out: NDArray[np.int8]  # bits: RETRACTED, FUTURE, OTHER_LANGUAGE; 0: may be shown to everybody


def compared(
    index: ArticleIndex, row: int, rows: Rows, words: FloatArray, at_us: int, same: float, angle: float
) -> Near:
    """What `rows` are to `row`, given the cosine of their words, which is above 0. Cost: 0.3 us a row."""
    columns, latent = index.columns, index.latent
    along, directed = np.zeros(len(rows), np.float32), np.zeros(len(rows), np.bool_)
    if latent is not None:
        direction = latent.row(row)
        if direction.any():
            along, directed = latent.dots(rows, direction)
    cosine, is_retold, out = _compared(
        rows, words, along, directed, row, columns.story_id, columns.published_at_us, columns.embargo_until_us,
        columns.retracted, index.alive, columns.language, at_us, SUBJECT.words, SUBJECT.dense, same, angle,
    )  # fmt: skip
    return Near(cosine, is_retold, out)


def signal_matrix(
    snapshot: Snapshot, rows: Rows, cosine: FloatArray, liking: FloatArray, options: Options, at_us: int
) -> tuple[FloatArray, IntArray]:
    """S (rows x 8) of articles beside one, given their cosine and how the reader likes their sources (rows,); and how
    many outlets tell the story of each. Cost: 0.3 us a row, and a look at the articles of the stories."""
    index, columns, told = snapshot.index, snapshot.index.columns, snapshot.index.by_story
    known, heat, faded = snapshot.popularity.at(at_us)
    S, outlets = _signals(
        rows, cosine, liking, at_us, columns.id, columns.published_at_us, columns.lifetime, columns.news_value,
        columns.source_id, columns.story_id, index.alive, columns.retracted, known, heat, faded, *snapshot.trusts,
        told.numbers, told.rows, told.late_numbers, told.late_rows, HALF_LIFE_H * options.freshness_scale,
    )  # fmt: skip
    return S, outlets


@compiled(
    nb.types.Tuple((nb.float32[::1], nb.boolean[::1], nb.int8[::1]))(
        _I64, _F32, _F32, _BOOL, nb.int64, _I64, _I64, _I64, _BOOL, _BOOL, _I32, nb.int64, nb.float64, nb.float64,
        nb.float32, nb.float32,
    )
)  # fmt: skip
def _compared(
    rows, words, along, directed, row, story_id, published_at_us, embargo_until_us, retracted, alive, language, at_us,
    words_share, dense_share, same, angle,
):  # fmt: skip
    n = len(rows)
    cosine, is_retold, out = np.empty(n, np.float32), np.empty(n, np.bool_), np.empty(n, np.int8)
    story, spoken = story_id[row], language[row]
    for at in range(n):
        one = rows[at]
        total = words_share * np.float64(words[at]) + np.float64(np.float32(dense_share) * along[at])
        cosine[at] = np.float32(total / (words_share + dense_share * directed[at]))
        is_gone, is_future = retracted[one] or not alive[one], published_at_us[one] > at_us
        is_own = story != 0 and story_id[one] == story
        alike = cosine[at] >= same or (is_own and cosine[at] >= angle)
        is_retold[at] = alike and not retracted[one] and not is_future
        out[at] = RETRACTED * is_gone + FUTURE * (is_future or embargo_until_us[one] > at_us)
        out[at] += OTHER_LANGUAGE * (language[one] != spoken)
    return cosine, is_retold, out


@nb.njit
def _look_up(known, number):
    """Where a number stands among ascending ones, -1 if it does not."""
    place = np.searchsorted(known, number)
    return place if place < len(known) and known[place] == number else -1


@compiled(
    nb.types.Tuple((nb.float32[:, ::1], nb.int64[::1]))(
        _I64, _F32, _F32, nb.int64, _I64, _I64, _I8, _I8, _I64, _I64, _BOOL, _BOOL, _I64, _F64, nb.float64, _I64, _F32,
        _I64, _I64, _I64, _I64, _F64,
    )
)  # fmt: skip
def _signals(
    rows, cosine, liking, at_us, ids, published_at_us, lifetime, news_value, source_id, story_id, alive, retracted,
    popular, heat, faded, outlet_ids, trust, numbers, story_rows, late_numbers, late_rows, half_life_h,
):  # fmt: skip
    n = len(rows)
    S, reads, hours = np.zeros((n, len(SIGNALS)), np.float32), np.empty(n, np.float64), np.empty(n, np.float64)
    stories, sizes = np.empty(n, np.int64), np.ones(n, np.int64)
    all_reads, all_hours = 0.0, 0.0
    for at in range(n):
        row = rows[at]
        age_us = max(at_us - published_at_us[row], 0)
        bounded = min(max(cosine[at], np.float32(0)), np.float32(1))
        S[at, _SIMILARITY] = np.float32(1 + HALF_CLOSE) * bounded / (bounded + np.float32(HALF_CLOSE))
        S[at, _FRESHNESS] = 0.5 ** (age_us / HOUR_US / half_life_h[lifetime[row]])
        S[at, _NEWS_VALUE] = (news_value[row] - 1) / 4 if news_value[row] > 0 else 0.4
        place = _look_up(popular, ids[row])
        reads[at] = heat[place] * faded if place >= 0 else 0.0
        hours[at] = (1.0 - 0.5 ** (age_us / (POPULAR_H * HOUR_US))) * POPULAR_H / np.log(2.0)
        all_reads += reads[at]
        all_hours += hours[at]
        place = _look_up(outlet_ids, source_id[row])
        S[at, _SOURCE] = np.float64(trust[place] if place >= 0 else np.float32(0.5)) * np.float64(liking[at])
        stories[at] = story_id[row]
    usual = all_reads / max(all_hours, 1e-9)
    for at in range(n):
        rate = (reads[at] + usual * PRIOR_H) / (hours[at] + PRIOR_H)
        S[at, _POPULARITY] = rate / (rate + usual) if usual > 0 else 0.5
    order, room = np.argsort(stories), np.empty(64, np.int64)
    for place in range(n):
        at = order[place]
        if place and stories[at] == stories[order[place - 1]]:
            sizes[at] = sizes[order[place - 1]]
        elif stories[at] != 0:
            sizes[at], room = outlets_of(
                stories[at], numbers, story_rows, late_numbers, late_rows, story_id, source_id, alive, retracted,
                published_at_us, at_us, room,
            )  # fmt: skip
        S[at, _STORY_SIZE] = 1.0 - 0.5 ** ((sizes[at] - 1) / 2.0)
    return S, sizes
