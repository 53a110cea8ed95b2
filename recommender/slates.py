"""Kept slates: the order of a list beyond its first page, carried by a signed cursor to whichever worker is asked."""
# mypy: disable-error-code="no-untyped-def, no-untyped-call, misc"

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from struct import Struct

import numba as nb
import numpy as np

from data.errors import Expired, InvalidInput
from recommender.compiled import compiled
from recommender.for_you import SURFACE, Ask, Ranked, candidates_of, judge
from recommender.index import ArticleIndex
from recommender.profile import Profiles
from recommender.ranking import SCORE_STEP, Result, by_score
from recommender.rules import Reason
from recommender.signals import weight_vector
from recommender.snapshot import ReaderView, Snapshot, signal_matrix

KEPT_S = 30 * 60
PLACES = 150  # of a list in all; scrolling further begins a new one
NOTHING_LIKE_IT = "This cursor is not one of ours, or belongs to another reader or query; begin again without `cursor`."
STAYS = (Reason.READ, Reason.READ_STORY, Reason.SEEN)
_HEAD = Struct(">B16sQ8sHH")  # form, served_id, at_us, whose, offset, first place of the ids
_FORM = 1
_MAC = 16


@dataclass(frozen=True)
class Kept:
    """A list as it was decided at `at_us`; `ids` are the articles from place `offset` on."""

    served_id: str
    at_us: int
    whose: bytes  # (8,) of the reader and the query: a cursor is good for these alone
    offset: int
    ids: tuple[int, ...]

    def after(self, used: int) -> "Kept | None":
        """What is left behind the first `used` of the ids; None where nothing is."""
        left = self.ids[used:]
        return Kept(self.served_id, self.at_us, self.whose, self.offset + used, left) if left else None


@dataclass(frozen=True, slots=True)
class Rest:
    """What is left of a list, in few bytes: where it goes on, with how many articles, which."""

    offset: int
    count: int
    packed: bytes  # `packed_ids`

    @classmethod
    def of(cls, slate: Kept) -> "Rest":
        """What a slate holds."""
        return cls(slate.offset, len(slate.ids), packed_ids(slate.ids))


def whose(reader: str, category: str | None, language: str | None) -> bytes:
    """The digest of what a slate was decided for."""
    name = "\x00".join((reader, category or "", language or ""))
    return hashlib.blake2b(name.encode(), digest_size=8).digest()


class Cursors:
    """Slates to cursors and back. Any worker with the same secret reads what another one wrote."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def write(self, slate: Kept) -> str:
        """The cursor of a slate: about 4 characters an article."""
        return self.write_rest(slate.served_id, slate.at_us, slate.whose, Rest.of(slate))

    def write_rest(self, served_id: str, at_us: int, whose: bytes, rest: Rest) -> str:
        """`write`, of parts."""
        body = _HEAD.pack(_FORM, bytes.fromhex(served_id), at_us, whose, rest.offset, rest.count) + rest.packed
        return urlsafe_b64encode(body + self._mac(body)).rstrip(b"=").decode()

    def read(self, cursor: str, whose: bytes, now_us: int) -> Kept:
        """The slate of a cursor; InvalidInput if it is forged or another's, Expired after KEPT_S."""
        try:
            raw = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
            body, mac = raw[:-_MAC], raw[-_MAC:]
            if not hmac.compare_digest(mac, self._mac(body)):
                raise InvalidInput(NOTHING_LIKE_IT)
            form, served_id, at_us, owner, offset, count = _HEAD.unpack_from(body)
        except ValueError:  # no base64; UnicodeEncodeError too
            raise InvalidInput(NOTHING_LIKE_IT) from None
        if form != _FORM or owner != whose:
            raise InvalidInput(NOTHING_LIKE_IT)
        if now_us - at_us > KEPT_S * 1_000_000:
            raise Expired("This list was begun more than 30 minutes ago; begin a new one without `cursor`.")
        return Kept(served_id.hex(), at_us, owner, offset, _unpacked(body[_HEAD.size :], count))

    def _mac(self, body: bytes) -> bytes:
        return hashlib.blake2b(body, digest_size=_MAC, key=self._secret).digest()


def packed_ids(ids: Sequence[int]) -> bytes:
    """Numbers in as few bytes each as the largest needs, after one byte that says how many."""
    width = (max(ids, default=0).bit_length() + 7) // 8 or 1
    wide = np.array(ids, ">u8").view(np.uint8).reshape(len(ids), 8)
    return bytes([width]) + wide[:, 8 - width :].tobytes()


def _unpacked(raw: bytes, count: int) -> tuple[int, ...]:
    width = raw[0]
    return tuple(int.from_bytes(raw[at : at + width], "big") for at in range(1, 1 + count * width, width))


def order_of(index: ArticleIndex, ranked: Ranked, limit: int, places: int = PLACES) -> tuple[int, ...]:
    """The ids of a whole list: the diversified head, then the best of the rest under the caps of story and source.

    Where the head is shorter than `limit` there is no rest: only the same texts and stories are left.

    What follows the head keeps the order of scores but for those caps, which hold across the seam too. Likeness costs
    nothing there: cards far below the first page are rarely asked for, and one pass for all of them is what keeps
    the first answer quick.
    """
    head = ranked.head
    if limit <= ranked.served < places:
        rest = _rest(index, ranked, 2 * places)
        if len(rest):
            head = np.concatenate([head, _spread(index, ranked, head, rest)])
    return tuple(index.columns.id[ranked.rows[head[:places]]].tolist())


def still(
    snapshot: Snapshot, reader: ReaderView, slate: Kept, exclude: Sequence[int], now_us: int
) -> tuple[Ranked, list[int]]:
    """What of a slate may be shown still, as a ranking for cards; and the places of `slate.ids` where each stood.

    What was taken back or blocked since is left out, and what the reader hid or muted since. What was read since stays
    where it was: a list does not move under the thumb.
    """
    rows, at_us = snapshot.index.rows_of(slate.ids), slate.at_us
    known = np.flatnonzero(rows >= 0)
    judged = judge(snapshot, reader, rows[known], Ask(exclude=exclude), at_us=now_us)
    stays = judged.allowed | np.isin(judged.reason, STAYS)
    places, rows = known[stays], rows[known[stays]]
    profiles = Profiles.build(snapshot.index, reader.history, at_us)
    options, weights = snapshot.options_of(SURFACE), snapshot.weights_of(SURFACE)
    S = signal_matrix(snapshot, rows, profiles, [reader.choices], at_us=at_us, options=options)[0]
    candidates = candidates_of(snapshot.index, rows, S)
    result = Result(np.arange(len(rows)), candidates, weight_vector(weights), np.zeros(len(rows), np.float32))
    return Ranked(rows, S, result, profiles, options), places.tolist()


def _rest(index: ArticleIndex, ranked: Ranked, count: int) -> np.ndarray:
    """The best `count` behind the head, by score, and all that are as good as the last. Cost: one pass over all."""
    result, tier = ranked.result, ranked.result.candidates.tier
    # Of those that cannot be among so many the score need not be known: their texts are not compared.
    known = result.candidates.scores(result.weights, result.adjust, count + len(ranked.head))
    value = known.astype(np.float64)
    if tier is not None:
        value -= tier * (1.0 + np.ptp(value))  # those of a later tier stand behind all of an earlier one
    value[ranked.head] = -np.inf
    found = np.arange(len(value))
    if count < len(value):
        bar = np.partition(value, len(value) - count)[len(value) - count]
        found = np.flatnonzero(value >= bar - 2 * SCORE_STEP)
    found = found[np.isfinite(value[found])]
    rows, columns = ranked.rows[found], index.columns
    return np.asarray(found[by_score(value[found].astype(np.float32), columns.published_at_us[rows], columns.id[rows])])


def _spread(index: ArticleIndex, ranked: Ranked, head: np.ndarray, rest: np.ndarray) -> np.ndarray:
    """The rest, so that no story and no source is crowded, also beside the end of the head."""
    options = ranked.options
    seam = head[-max(options.span - 1, 0) :] if options.span > 1 else head[:0]
    both = np.concatenate([seam, rest])
    rows = ranked.rows[both]
    columns, caps = index.columns, (options.source_cap, options.story_cap, options.span)
    order = spread(columns.source_id[rows], columns.story_id[rows], len(seam), *caps)
    return np.asarray(both[order])


@nb.njit
def _next(source, story, free, first, chosen, size, source_cap, story_cap, span):
    """The first from `first` on that may follow the last places; -1 if there is none."""
    crowded = -1
    for one in range(first, len(source)):
        if not free[one]:
            continue
        stories, sources = 0, 0
        for place in range(max(0, size - span + 1), size):
            stories += story[one] != 0 and story[chosen[place]] == story[one]
            sources += source[one] != 0 and source[chosen[place]] == source[one]
        if stories < story_cap and sources < source_cap:
            return one
        if stories < story_cap and crowded < 0:
            crowded = one
    return crowded


@compiled(
    nb.int64[::1](nb.int64[::1], nb.int64[::1], nb.int64, nb.int64, nb.int64, nb.int64),
)
def spread(source, story, placed, source_cap, story_cap, span):
    """Places from `placed` on, each the first that may follow: stories never crowded, sources where others are left.

    The first `placed` stand already. Fewer than all where only full stories are left. Group 0 is capped by nothing.
    """
    chosen = np.empty(len(source), np.int64)
    chosen[:placed] = np.arange(placed)
    free = np.ones(len(source), np.bool_)
    size, first = placed, placed
    while size < len(source):
        while not free[first]:
            first += 1
        pick = _next(source, story, free, first, chosen, size, source_cap, story_cap, span)
        if pick < 0:
            break
        chosen[size], free[pick] = pick, False
        size += 1
    return chosen[placed:size].copy()
