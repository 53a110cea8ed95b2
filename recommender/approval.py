"""From how many readers on an alert needs a second person: asked where it is written and again where it is sent."""

from collections.abc import Mapping
from typing import Any

from data.campaigns import Campaigns
from data.store import Store
from recommender.audience import meant
from recommender.policies import in_force

PAGE = 20_000


def threshold(store: Store, sends_as: str = "") -> int:
    """Readers: more need a second person. The number of the campaign an alert is sent as, else the newsroom's.

    A campaign that is gone counts as one without a number.
    """
    known = {one.key: one.approval_above for one in Campaigns(store).all()} if sends_as else {}
    own = known.get(sends_as)
    return in_force(store).limits.approval_above if own is None else own


def count_meant(store: Store, audience: Mapping[str, Any]) -> int:
    """How many readers with alerts on are meant. Cost: about a microsecond a reader."""
    pages = store.reader_column_pages(Campaigns(store).readers_by_zone(), size=PAGE)
    return sum(int((page.push & meant(page, audience)).sum()) for page in pages)
