"""A person at the weights of a surface: what is live, what the draft says, what happened meanwhile."""

from datetime import datetime
from itertools import pairwise

from fastapi import Request

from data.values import WeightRow
from recommender.snapshot import OPTIONS, WEIGHTS
from recommender.web.console.forms import Form
from recommender.web.console.say import differences
from recommender.web.console.weights import Values, changed_words, live_values
from recommender.web.site import Site, site_of


class Desk:
    """A person at the weights of a surface: what is live, what the draft says, what happened meanwhile."""

    def __init__(self, site: Site, surface: str, email: str) -> None:
        self.site, self.surface = site, surface
        self.live = site.store.live_weights(surface) or WeightRow(surface, 0, *_builtin(surface))
        self.draft = site.store.draft(surface, email)
        self.base = self.draft.base_version if self.draft else self.live.version
        current = live_values(surface, self.live)
        self.values = current.over(self.draft.weights, self.draft.options) if self.draft else current
        self.current = current

    @classmethod
    def of(cls, request: Request, surface: str) -> "Desk":
        """The desk of who is signed in."""
        return cls(site_of(request), surface, request.state.person.email)

    def wanted(self, form: Form) -> tuple[Values, dict[str, str]]:
        """The values in the form on top of the draft or the live ones, and what is wrong with them."""
        return self.values.read(form)

    @property
    def changes(self) -> list[str]:
        """The draft against the live version, in words."""
        return changed_words(self.current, self.values)

    @property
    def is_behind(self) -> bool:
        """Whether another version went live since the draft began."""
        return self.base != self.live.version

    @property
    def meanwhile(self) -> list[tuple[int, str, datetime | None, list[str]]]:
        """The versions that went live since: number, author, when, what changed."""
        rows = [one for one in self.site.store.weight_versions(self.surface) if one.version >= self.base]
        pairs = pairwise(rows)
        return [
            (new.version, new.author, new.created_at, differences(old.weights | old.options, new.weights | new.options))
            for new, old in pairs
        ]


def _builtin(surface: str) -> tuple[dict[str, float], dict[str, float]]:
    return dict(WEIGHTS[surface]), {name: float(value) for name, value in vars(OPTIONS[surface]).items()}
