"""The campaigns a new newsroom starts with."""

import re
from datetime import datetime

from data.alerts import CampaignRow
from data.campaigns import Campaigns
from data.errors import InvalidInput
from data.store import Store

BOUNDS = (
    *(("jitter_s", 0, 3_600), ("spread_s", 0, 21_600), ("freshness_h", 0.25, 240), ("ttl_s", 0, 2_419_200)),
    *(("hold_s", 0, 3_600), ("every_s", 60, 86_400), ("bar", 0, 10)),
)
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


def check_campaign(campaign: CampaignRow) -> None:
    """InvalidInput for a campaign that could never send, or not as it says."""
    _check_name(campaign)
    if campaign.approval_above is not None and campaign.approval_above < 0:
        raise InvalidInput("approval_above is a number of readers, 0 or more; leave it out to go by the newsroom's")
    if campaign.kind == "digest" and not campaign.local_times:
        raise InvalidInput("a digest needs local times; write them like 07:30,18:40")
    for wall in campaign.local_times:
        if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", wall):
            raise InvalidInput(f"{wall!r} is no local time; write it like 07:30")
    if campaign.send_time not in ("local_time", "best_hour"):
        raise InvalidInput(f"send time is local_time or best_hour, not {campaign.send_time!r}")
    if not set(campaign.weekdays) <= set(range(7)):
        raise InvalidInput("weekdays are 0 (Monday) to 6 (Sunday)")
    for name, low, high in BOUNDS:
        if not low <= getattr(campaign, name) <= high:
            raise InvalidInput(f"{name} is a number from {low:g} to {high:g}, not {getattr(campaign, name):g}")


def _check_name(campaign: CampaignRow) -> None:
    if campaign.kind not in ("digest", "follow_up", "manual", "breaking"):
        raise InvalidInput(f"a campaign is a digest, follow_up, manual or breaking, not {campaign.kind!r}")
    if not re.fullmatch(r"[\w-]{1,60}", campaign.key):
        raise InvalidInput(f"key {campaign.key!r} holds more than letters, digits, - and _")
    if re.match(r"(alert|test)-", campaign.key):
        raise InvalidInput(f"key {campaign.key!r} is one that alerts of the desk get; choose another")


def ensure_default_campaigns(store: Store, now: datetime) -> None:
    """Write the default campaigns unless they exist; what people changed stays changed."""
    Campaigns(store).ensure([MORNING_DIGEST], now=now)
