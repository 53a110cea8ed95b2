"""Trying weights on made-up readers: one pinned view of the news for a minute, so that numbers do not dance."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Lock
from time import monotonic

from fastapi import Request

from data.clock import micros
from data.errors import NotFound
from data.store.personas import PersonaRow
from data.values import ArticleRow
from recommender.personas import Persona, Read, seeded
from recommender.shelf import Shelf
from recommender.snapshot import Snapshot
from recommender.web.site import Site, site_of
from recommender.whatif import Listing, Reach, Subject, listing, reach, under

PINNED_S = 60.0
REMEMBERED = 20
SUBJECTS = 50  # articles beside which related lists are tried
Numbers = Mapping[str, float]


@dataclass(frozen=True)
class Pinned:
    """The news at one moment, and the live lists that were made from it."""

    snapshot: Snapshot
    at_us: int
    made_s: float
    personas: tuple[Persona, ...]
    live: dict[tuple[str, Subject], Listing] = field(default_factory=dict)
    reached: dict[str, Reach] = field(
        default_factory=dict
    )  # by surface and values: the page, then the publishing of it

    def is_of(self, snapshot: Snapshot) -> bool:
        """Whether it still shows what the desk and the publisher did last."""
        mine = self.snapshot
        same = mine.index is snapshot.index and mine.weights == snapshot.weights and mine.rules == snapshot.rules
        return same and mine.models is snapshot.models and monotonic() - self.made_s < PINNED_S


class Trial:
    """One a process."""

    def __init__(self, site: Site) -> None:
        self.site, self.shelf = site, Shelf(site.store)
        self._lock = Lock()
        self._pinned: Pinned | None = None

    def pinned(self) -> Pinned:
        """The view that is tried on; a new one every minute and after every change by the desk."""
        snapshot = self.site.service.snapshot
        with self._lock:
            if self._pinned is None or not self._pinned.is_of(snapshot):
                at_us = micros(self.site.clock.now())
                self._pinned = Pinned(snapshot, at_us, monotonic(), seeded(snapshot, at_us))
            return self._pinned

    def personas(self) -> tuple[Persona, ...]:
        """Those that people keep, then the fifty; an edited one stands in place of the one it was made from."""
        kept = [self.resolve(row) for row in self.site.store.personas()]
        known = {one.key for one in kept}
        return (*kept, *(one for one in self.pinned().personas if one.key not in known))

    def persona(self, key: str) -> Persona:
        """One persona by key, the first for ""; NotFound if there is none."""
        found = self.personas()
        if not key and found:
            return found[0]
        for one in found:
            if one.key == key:
                return one
        raise NotFound(f"no persona {key[:60]!r}; the list of personas has those there are")

    def resolve(self, row: PersonaRow) -> Persona:
        """A kept persona with the articles it read that are known today."""
        ids = self.site.store.article_ids([one["article"] for one in row.reads])
        reads = [Read(ids[one["article"]], one["hours_ago"], one["kind"]) for one in row.reads if one["article"] in ids]
        topics = (row.followed_topics, row.muted_topics)
        return Persona(row.key, row.name, row.about, row.language, *topics, tuple(reads))

    def subjects(self, surface: str) -> tuple[Subject, ...]:
        """On whom a surface is tried: the fifty personas, or fifty recent articles."""
        pinned = self.pinned()
        if surface != "related":
            return pinned.personas
        index = pinned.snapshot.index
        rows = sorted(index.window(0, pinned.at_us).tolist(), key=lambda row: -index.columns.published_at_us[row])
        return tuple(int(index.columns.id[row]) for row in rows[:SUBJECTS])

    def live(self, surface: str, subject: Subject) -> Listing:
        """The list under the live weights, remembered while the view is pinned."""
        pinned, key = self.pinned(), (surface, subject)
        if key not in pinned.live:
            pinned.live[key] = self._listing(pinned.snapshot, surface, subject, pinned.at_us)
        return pinned.live[key]

    def tried(self, surface: str, subject: Subject, weights: Numbers, options: Numbers) -> Listing:
        """The list under other weights."""
        pinned = self.pinned()
        return self._listing(under(pinned.snapshot, surface, weights, options), surface, subject, pinned.at_us)

    def reach(self, surface: str, weights: Numbers, options: Numbers) -> Reach:
        """How far other weights go over all on whom a surface is tried; the last few answers are remembered."""
        pinned, key = self.pinned(), repr((surface, sorted(weights.items()), sorted(options.items())))
        if key not in pinned.reached:
            subjects = self.subjects(surface)
            before = [self.live(surface, one) for one in subjects]
            after = [self.tried(surface, one, weights, options) for one in subjects]
            if len(pinned.reached) >= REMEMBERED:
                pinned.reached.clear()
            pinned.reached[key] = reach(before, after)
        return pinned.reached[key]

    def articles(self, ids: list[int]) -> dict[int, ArticleRow]:
        """Articles by our number."""
        return self.shelf.articles(ids)

    def _listing(self, snapshot: Snapshot, surface: str, subject: Subject, at_us: int) -> Listing:
        return listing(snapshot, surface, subject, at_us=at_us, window_h=self.site.settings.window_days * 24)


def trial_of(request: Request) -> Trial:
    """The process's trial, made at the first request that needs one."""
    state = request.app.state
    if not hasattr(state, "trial"):
        state.trial = Trial(site_of(request))
    found: Trial = state.trial
    return found
