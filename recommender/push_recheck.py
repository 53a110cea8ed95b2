"""The last look before a message leaves: what was right when it was planned may not be right now."""

from collections.abc import Sequence
from datetime import datetime, time

from data.alerts import Due
from data.clock import is_quiet, micros
from data.values import RuleRow
from recommender.push import is_holdout
from recommender.push_policy import HousePolicy, Policy
from recommender.push_volume import is_told, volume_reason


def recheck(due: Due, now: datetime, *, rules: Sequence[RuleRow] = (), house: HousePolicy | None = None) -> str | None:
    """Why this delivery must not go out now, or None. `rules` are those in effect, `house` the policy in force."""
    if due.campaign_kind == "test":  # rings a test device alone, whatever its reader was told or has read
        return _article(due, now, rules) or _device(due)
    policy = Policy.of(due.policy, due.campaign_kind, house)
    stops = _article(due, now, rules) or _device(due) or _reader(due, now, policy)
    return stops or volume_reason(due, micros(now), policy)


def _article(due: Due, now: datetime, rules: Sequence[RuleRow]) -> str | None:
    if due.retracted_at is not None:
        return "retracted"
    if due.published_at > now or (due.embargo_until is not None and due.embargo_until > now):
        return "embargoed"
    return "blocked" if any(_stops(rule, due) for rule in rules) else None


def _device(due: Due) -> str | None:
    if due.device_state != "active":
        return "no_device"
    if due.device_reader_id != due.reader_id:
        return "device_moved"
    return "test_only" if due.campaign_kind == "test" and not due.is_test else None


def _reader(due: Due, now: datetime, policy: Policy) -> str | None:
    if not due.push:
        return "opted_out"
    if is_holdout([due.reader_key], policy.holdout_share)[0]:
        return "holdout"
    if due.has_read:
        return "already_read"
    if is_told(due, micros(now), policy):
        return "already_told"
    topics = {topic.strip().casefold() for topic in (*due.topics, due.category or "")}
    muted = not topics.isdisjoint(topic.strip().casefold() for topic in due.muted_topics)
    if muted or due.source_key in due.muted_sources or str(due.story_id) in due.muted_stories:
        return "muted"
    quiet = is_quiet(now, due.zone, time.fromisoformat(due.quiet_from), time.fromisoformat(due.quiet_until))
    return "quiet_hours" if quiet and not policy.overrides_quiet else None


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
