"""Articles as faces show them, kept for as long as nothing changed."""

from collections.abc import Sequence
from threading import Lock

from data.store import Store
from data.values import ArticleRow
from recommender.explain import TitlesOf

MOST = 20_000
MOST_CHANGED = 50_000  # articles whose last change is remembered


class Shelf:
    """Rows of articles from the store, fetched once for every change of them.

    Each answer asks the store for that number, so what was retracted or changed by anybody is never shown from here.
    Safe to use from several threads.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = Lock()
        self._rev = self._from_rev = -1
        self._changed: dict[int, int] = {}  # article -> the number of a change, for those later than `_from_rev`
        self._articles: dict[int, ArticleRow] = {}
        self._ids: dict[str, int] = {}

    def articles(self, ids: Sequence[int]) -> dict[int, ArticleRow]:
        """These articles by number; unknown ones are left out. Cost when nothing changed: one small query."""
        held, _ = self._held()
        missing = [one for one in ids if one not in held]
        if missing:
            held.update((row.id, row) for row in self._store.articles(missing))
        return {one: held[one] for one in ids if one in held}

    def article(self, key: str) -> ArticleRow:
        """One article by any of its keys; NotFound if nobody knows it."""
        held, ids = self._held()
        if key not in ids or ids[key] not in held:
            row = self._store.article(key)
            ids[key], held[row.id] = row.id, row
        return held[ids[key]]

    def is_same(self, ids: Sequence[int], since_rev: int, rev: int) -> bool:
        """Whether none of these articles changed between the two numbers, the later of which is the present one."""
        if since_rev == rev:
            return True
        self._held(rev)
        return since_rev >= self._from_rev and all(self._changed.get(one, -1) <= since_rev for one in ids)

    def _held(self, rev: int | None = None) -> tuple[dict[int, ArticleRow], dict[str, int]]:
        """What is on the shelf; both are replaced, never emptied, so that a slow answer keeps what it began with."""
        if rev is None:
            rev = self._store.article_rev()
        if rev > self._rev:
            self._take_off(rev)
        if len(self._articles) > MOST:
            with self._lock:
                self._articles, self._ids = {}, {}
        return self._articles, self._ids

    def _take_off(self, rev: int) -> None:
        """Let go of what changed up to `rev`."""
        changed = self._store.changed_articles(self._rev) if self._rev >= 0 else ()
        with self._lock:
            gone = set(changed)
            kept = {number: row for number, row in self._articles.items() if number not in gone}
            if self._rev < 0 or len(self._changed) > MOST_CHANGED:
                self._from_rev, self._changed = rev, {}
            self._changed.update(dict.fromkeys(gone, rev))
            self._rev, self._articles, self._ids = rev, kept, dict(self._ids)


class Titles(TitlesOf):
    """Titles for explanations, from the shelf."""

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf

    def __call__(self, ids: list[int]) -> dict[int, tuple[str, str]]:
        return {number: (one.key, one.title) for number, one in self.shelf.articles(ids).items()}
