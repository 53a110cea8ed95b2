"""Articles as faces show them, kept for as long as nothing changed."""

from collections.abc import Sequence
from threading import Lock

from data.store import Store
from data.values import ArticleRow

MOST = 20_000


class Shelf:
    """Rows of articles from the store, fetched once for every change of them.

    Each answer asks the store for that number, so what was retracted or changed by anybody is never shown from here.
    Safe to use from several threads.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = Lock()
        self._rev = -1
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

    def _held(self) -> tuple[dict[int, ArticleRow], dict[str, int]]:
        """What is on the shelf; both are replaced, never emptied, so that a slow answer keeps what it began with."""
        rev = self._store.article_rev()
        if rev != self._rev:
            changed = self._store.changed_articles(self._rev) if self._articles else ()
            with self._lock:
                gone = set(changed)
                kept = {number: row for number, row in self._articles.items() if number not in gone}
                self._rev, self._articles, self._ids = rev, kept, dict(self._ids)
        if len(self._articles) > MOST:
            with self._lock:
                self._articles, self._ids = {}, {}
        return self._articles, self._ids
