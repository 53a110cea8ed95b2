"""Related lists that were answered before: used for as long as nothing that decides them has changed."""

from dataclasses import dataclass, field
from hashlib import blake2b

import msgspec
import numpy as np

from recommender import changes
from recommender.answers import RelatedList
from recommender.index import ArticleIndex, Rows
from recommender.related import SURFACE
from recommender.served_pages import Beneath
from recommender.shelf import Shelf
from recommender.snapshot import Snapshot
from recommender.web.memory import FRESH_S, MINUTE_US, SAME_S, Memory

BUDGET = 96_000_000  # bytes: some 12,000 lists of ten cards
MOST_ADDED = 50  # articles at once that are looked at one by one
SLACK = 1e-4  # of a cosine that is computed in another order
_encode = msgspec.json.Encoder().encode
Key = tuple[str, int, str | None]  # article, limit, language


@dataclass(slots=True)
class Body:
    """A list as it is answered, and its tag; compressed when somebody first asks for that."""

    body: bytes
    etag: bytes
    zipped: bytes = b""
    lines: bytes = b""  # of the head of the answer, once it was made

    @classmethod
    def of(cls, told: RelatedList) -> "Body":
        """The same list under another served_id is the same to a reader: the tag is of what is shown."""
        tag = blake2b(_encode((told.fallback, told.items)), digest_size=12).hexdigest()
        return cls(_encode(told), f'W/"{tag}"'.encode())


@dataclass(slots=True)
class KeptRelated(Body):
    """One list and what it depends on."""

    made: Beneath = field(kw_only=True)
    shown: tuple[int, ...] = field(kw_only=True)  # articles whose cards are on it, and the one it stands beside
    rev: int = field(kw_only=True)  # the last change of an article that this was compared with
    turn: int = field(kw_only=True)  # of the snapshots, likewise
    made_us: int = field(kw_only=True)
    until_us: int = field(kw_only=True)  # when something comes out, ends or begins
    minute: int = field(kw_only=True)  # of the ages on the cards

    @property
    def nbytes(self) -> int:
        """About."""
        return 2_500 + len(self.body) * 5 // 4 + self.made.seen.nbytes

    def tell(self, body: Body, now_us: int) -> None:
        """The ages of another minute."""
        self.body, self.etag, self.zipped, self.lines = body.body, body.etag, b"", b""
        self.minute = now_us // MINUTE_US


class RelatedLists:
    """Which of the lists answered before hold still.

    A list is a function of the articles that were near enough to be looked at, of what is nearer than the last of
    those, of the desk's weights and rules, and of the time. So a new article ends the lists it is near enough to, a
    changed one those that looked at it or at its story, and counted reads those that looked at what was read (FRESH_S
    later at most). By time alone a list ends after SAME_S; the ages on it are said anew each minute. For one thread.
    """

    def __init__(self, shelf: Shelf, budget: int = BUDGET) -> None:
        self.shelf = shelf
        self._memory: Memory[Key, KeptRelated] = Memory(budget)
        self._snapshot: Snapshot | None = None
        self._next_change = changes.NextChange(SURFACE)
        self._turn = 0
        self._touched, self._counted = (
            np.zeros(0, np.int32),
            np.zeros(0, np.int32),
        )  # row -> the turn in which it changed, or was read

    def __len__(self) -> int:
        return len(self._memory)

    @property
    def nbytes(self) -> int:
        """Bytes of what is kept, about."""
        return self._memory.nbytes

    def get(self, key: Key, rev: int, snapshot: Snapshot, now_us: int) -> KeptRelated | None:
        """The list that was kept, if it holds still; `rev` is the number of the last change of an article."""
        if snapshot is not self._snapshot:
            self._follow(snapshot)
        kept = self._memory.get(key)
        if kept is None:
            return None
        if self._holds(kept, now_us) and (kept.rev == rev or self.shelf.is_same(kept.shown, kept.rev, rev)):
            kept.rev = rev
            return kept
        self._memory.drop(key)
        return None

    def put(self, key: Key, made: Beneath, body: Body, rev: int, snapshot: Snapshot, now_us: int) -> KeptRelated:
        """Keep a list that was made of this snapshot at that time."""
        self._follow(snapshot)
        kept = KeptRelated(
            body.body,
            body.etag,
            made=made,
            shown=(made.article_id, *made.told.ids),
            rev=rev,
            turn=self._turn,
            made_us=now_us,
            until_us=self._next_change.after(snapshot, now_us),
            minute=now_us // MINUTE_US,
        )
        self._memory.put(key, kept)
        return kept

    def _holds(self, kept: KeptRelated, now_us: int) -> bool:
        if not kept.made_us <= now_us < min(kept.until_us, kept.made_us + int(SAME_S * 1e6)):
            return False
        if kept.turn == self._turn:
            return True
        if self._touched[kept.made.seen].max() > kept.turn:
            return False
        if self._counted[kept.made.seen].max() > kept.turn:
            return now_us < kept.made_us + int(FRESH_S * 1e6)
        kept.turn = self._turn
        return True

    def _follow(self, snapshot: Snapshot) -> None:
        """Mark what differs in a snapshot that is new to us, and end the lists that a new article may be on."""
        if snapshot is self._snapshot:
            return
        before, self._snapshot = self._snapshot, snapshot
        self._turn += 1
        found = changes.between(before, snapshot) if before is not None and len(self._memory) else None
        if found is None or len(found.added) > MOST_ADDED:
            self._memory.clear()
            self._touched, self._counted = np.zeros(0, np.int32), np.zeros(0, np.int32)
        rows = len(snapshot.index.columns)
        self._touched, self._counted = _grown(self._touched, rows), _grown(self._counted, rows)
        if found is None or not len(self._memory):
            return
        self._touched[found.touched] = self._counted[found.counted] = self._turn
        if len(found.added):
            self._end_lists_near(snapshot.index, found.added)

    def _end_lists_near(self, index: ArticleIndex, added: Rows) -> None:
        """Forget the lists whose article is as close to an added one as what was looked at."""
        keys, rows, reach = [], [], []
        for key, kept in self._memory.items():
            keys.append(key)
            rows.append(kept.made.row)
            reach.append(kept.made.reach)
        places, bars = np.array(rows, np.int64), np.array(reach) - SLACK
        words = index.vectors(added).words
        for one in range(len(added)):
            row = words[one]
            ended = bars < -0.5
            if row.nnz:
                ended |= index.postings.scores(row.indices, row.data, places) >= bars
            for place in np.flatnonzero(ended).tolist():
                self._memory.drop(keys[place])


def _grown(turns: np.ndarray, rows: int) -> np.ndarray:
    """The turns of so many rows."""
    if len(turns) == rows:
        return turns
    made = np.zeros(rows, np.int32)
    made[: len(turns)] = turns[:rows]
    return made
