"""The campaigns a new newsroom starts with."""

from datetime import datetime

from data.alerts import CampaignRow
from data.campaigns import Campaigns
from data.store import Store

MORNING_DIGEST = CampaignRow(
    id=0,
    key="morning-digest",
    name="Morning digest",
    kind="digest",
    local_times=("07:30",),
    weekdays=(0, 1, 2, 3, 4),
    jitter_s=420,
    catch_up_s=10_800,
    freshness_h=24.0,
    ttl_s=21_600,
    hold_s=60,
    bar=0.50,  # about: worth 3 of 5 to the desk and new, or less and close to the reader
)


def ensure_default_campaigns(store: Store, now: datetime) -> None:
    """Write the default campaigns unless they exist; what people changed stays changed."""
    Campaigns(store).ensure([MORNING_DIGEST], now=now)
