"""The last look before a message leaves: what was right when it was planned may not be right now."""

from collections.abc import Sequence
from datetime import datetime, time
from functools import lru_cache

import msgspec

from data.alerts import Due
from data.clock import is_quiet, micros
from data.values import RuleRow
from recommender.push import is_held_out
from recommender.push_policy import HousePolicy, Policy
from recommender.push_volume import is_told, volume_reason


def recheck(due: Due, now: datetime, *, rules: Sequence[RuleRow] = (), house: HousePolicy | None = None) -> str | None:
    """Why this delivery must not go out now, or None. `rules` are those in effect, `house` the policy in force."""
    if due.campaign_kind == "test":  # rings a test device alone, whatever its reader was told or has read
        return _article(due, now, rules) or _device(due)
    policy = _policy(msgspec.json.encode(due.policy), due.campaign_kind, house)
    stops = _article(due, now, rules) or _device(due) or _reader(due, now, policy)
    return stops or volume_reason(due, micros(now), policy)


def _article(due: Due, now: datetime, rules: Sequence[RuleRow]) -> str | None:
    if due.retracted_at is not None:
        return "retracted"
    if due.published_at > now or (due.embargo_until is not None and due.embargo_until > now):
        return "embargoed"
    return "blocked" if rules and any(_stops(rule, due) for rule in rules) else None


def _device(due: Due) -> str | None:
    if due.device_state != "active":
        return "no_device"
    if due.device_reader_id != due.reader_id:
        return "device_moved"
    return "test_only" if due.campaign_kind == "test" and not due.is_test else None


def _reader(due: Due, now: datetime, policy: Policy) -> str | None:
    if not due.push:
        return "opted_out"
    if is_held_out(due.reader_key, policy.holdout_share):
        return "holdout"
    if due.has_read:
        return "already_read"
    if is_told(due, micros(now), policy):
        return "already_told"
    if _is_muted(due):
        return "muted"
    quiet = not policy.overrides_quiet and _is_quiet(now, due.zone, due.quiet_from, due.quiet_until)
    return "quiet_hours" if quiet else None


def _is_muted(due: Due) -> bool:
    if due.source_key in due.muted_sources or str(due.story_id) in due.muted_stories:
        return True
    if not due.muted_topics:
        return False
    topics = {topic.strip().casefold() for topic in (*due.topics, due.category or "")}
    return not topics.isdisjoint(topic.strip().casefold() for topic in due.muted_topics)


@lru_cache(maxsize=4_096)
def _is_quiet(now: datetime, zone_name: str, quiet_from: str, quiet_until: str) -> bool:
    """The same for most deliveries of one claim."""
    return is_quiet(now, zone_name, time.fromisoformat(quiet_from), time.fromisoformat(quiet_until))


@lru_cache(maxsize=1_024)
def _policy(text: bytes, kind: str, house: HousePolicy | None) -> Policy:
    """Read once for all deliveries of a campaign."""
    return Policy.of(msgspec.json.decode(text), kind, house)


def _stops(rule: RuleRow, due: Due) -> bool:
    if rule.kind not in {"block", "embargo"} or rule.surface not in {"all", "push"}:
        return False
    names: dict[str, set[str]] = {
        "article": {due.article_key},
        "story": {str(due.story_id)} if due.story_id else set(),
        "source": {due.source_key} if due.source_key else set(),
        "topic": {topic.strip().casefold() for topic in (*due.topics, due.category or "")} - {""},
    }
    key = rule.target_key.strip().casefold() if rule.target == "topic" else rule.target_key
    return key in names.get(rule.target, set())
