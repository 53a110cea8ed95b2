"""For-you lists that were answered before: used for as long as the reader did nothing and nothing came."""

from dataclasses import dataclass

from data.store.reader_state import Revision
from recommender import changes
from recommender.for_you import SURFACE
from recommender.served_pages import Again
from recommender.shelf import Shelf
from recommender.snapshot import Snapshot
from recommender.web.memory import FRESH_S, MINUTE_US, SAME_S, Memory

BUDGET = 180_000_000  # bytes: some 10,000 lists of twenty cards
Key = tuple[str, int, str | None, str | None]  # reader, limit, category, language


@dataclass(slots=True)
class KeptForYou:
    """One first page, and what it depends on."""

    again: Again
    items: bytes  # its cards, encoded
    revision: Revision
    rev: int  # the last change of an article that this was compared with
    decided: int = 0  # number of the articles, weights and rules it was made of
    counted: int = 0  # and of the reads
    made_us: int = 0
    minute: int = 0  # of the ages on the cards
    until_us: int = 0
    blocks: bytes = b""  # the cards deflated, when somebody first asks for that

    def tell(self, items: bytes, now_us: int) -> None:
        """The cards with the ages of another minute."""
        self.items, self.blocks, self.minute = items, b"", now_us // MINUTE_US

    @property
    def nbytes(self) -> int:
        """About."""
        return (
            2_500
            + 5 * len(self.items) // 4
            + 40 * len(self.again.served.article_ids)
            + (len(self.again.rest.packed) if self.again.rest else 0)
        )


class ForYouLists:
    """Which of the first pages answered before may be served again, under an id of their own.

    A page is used while the reader's revision is the same (anything chosen, done or shown gives another, whichever
    process wrote it), no article came or changed, no weight and no rule did; once reads of whomever were counted for
    FRESH_S at most, and by time alone for SAME_S; the ages on it are said anew each minute. For one thread.
    """

    def __init__(self, shelf: Shelf, budget: int = BUDGET) -> None:
        self.shelf = shelf
        self._memory: Memory[Key, KeptForYou] = Memory(budget)
        self._snapshot: Snapshot | None = None
        self._next_change = changes.NextChange(SURFACE)
        self._decided = self._counted = 0

    def __len__(self) -> int:
        return len(self._memory)

    @property
    def nbytes(self) -> int:
        """Bytes of what is kept, about."""
        return self._memory.nbytes

    def get(self, key: Key, revision: Revision, rev: int, snapshot: Snapshot, now_us: int) -> KeptForYou | None:
        """The page that was kept, if it holds still."""
        self._follow(snapshot)
        kept = self._memory.get(key)
        if kept is None:
            return None
        if (
            kept.revision == revision
            and kept.decided == self._decided
            and kept.made_us <= now_us < min(kept.until_us, kept.made_us + int(self._lasts_s(kept) * 1e6))
            and self.shelf.is_same(kept.again.served.article_ids, kept.rev, rev)
        ):
            kept.rev = rev
            return kept
        self._memory.drop(key)
        return None

    def put(self, key: Key, kept: KeptForYou, snapshot: Snapshot, now_us: int) -> None:
        """Keep a page that was made of this snapshot at that time, for its revision or a later one."""
        self._follow(snapshot)
        kept.decided, kept.counted, kept.made_us = self._decided, self._counted, now_us
        kept.minute = now_us // MINUTE_US
        kept.until_us = self._next_change.after(snapshot, now_us)
        self._memory.put(key, kept)

    def _lasts_s(self, kept: KeptForYou) -> float:
        return SAME_S if kept.counted == self._counted else FRESH_S

    def _follow(self, snapshot: Snapshot) -> None:
        old = self._snapshot
        if snapshot is old:
            return
        self._snapshot = snapshot
        self._counted += 1
        if old is None or not _same_but_for_reads(old, snapshot):
            self._decided += 1
            self._memory.clear()


def _same_but_for_reads(old: Snapshot, new: Snapshot) -> bool:
    return (
        old.index is new.index
        and old.weights is new.weights
        and old.models is new.models
        and old.rules is new.rules
        and old.sources is new.sources
        and old.trials == new.trials
    )
