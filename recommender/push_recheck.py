"""The last look before a message leaves: what was right when it was planned may not be right now."""

from collections.abc import Sequence
from datetime import datetime, time

from data.alerts import Due
from data.clock import is_quiet, micros
from data.values import RuleRow
from recommender.push import is_held_out
from recommender.push_policy import HousePolicy, Policy
from recommender.push_volume import is_told, volume_reason


class Recheck:
    """Judges deliveries at one moment, by the rules in effect and the policy in force then.

    What they share is looked at once: an article, a campaign's policy, an hour of quiet in a zone. About 2 microseconds
    each.
    """

    def __init__(self, now: datetime, *, rules: Sequence[RuleRow] = (), house: HousePolicy | None = None) -> None:
        self.now, self.now_us, self.rules, self.house = now, micros(now), rules, house
        self._articles: dict[int, str | None] = {}
        self._policies: dict[int, Policy] = {}
        self._quiet: dict[tuple[str, str, str], bool] = {}

    def __call__(self, due: Due) -> str | None:
        """Why this delivery must not go out at this moment, or None."""
        stops = self._article(due) or _device(due)
        if due.campaign.kind == "test":  # rings a test device alone, whatever its reader was told or has read
            return stops
        policy = self._policies.get(due.campaign.id)
        if policy is None:
            policy = self._policies[due.campaign.id] = Policy.of(due.campaign.policy, due.campaign.kind, self.house)
        return stops or self._reader(due, policy) or volume_reason(due, self.now_us, policy)

    def _article(self, due: Due) -> str | None:
        if due.article.id not in self._articles:
            self._articles[due.article.id] = _article(due, self.now, self.rules)
        return self._articles[due.article.id]

    def _reader(self, due: Due, policy: Policy) -> str | None:
        if not due.wishes.push:
            return "opted_out"
        if is_held_out(due.reader_key, policy.holdout_share):
            return "holdout"
        if due.has_read:
            return "already_read"
        if is_told(due, self.now_us, policy):
            return "already_told"
        if _is_muted(due):
            return "muted"
        return None if policy.overrides_quiet or not self._is_quiet(due) else "quiet_hours"

    def _is_quiet(self, due: Due) -> bool:
        hours = (due.wishes.zone, due.wishes.quiet_from, due.wishes.quiet_until)
        found = self._quiet.get(hours)
        if found is None:
            begins, ends = time.fromisoformat(due.wishes.quiet_from), time.fromisoformat(due.wishes.quiet_until)
            found = self._quiet[hours] = is_quiet(self.now, due.wishes.zone, begins, ends)
        return found


def _article(due: Due, now: datetime, rules: Sequence[RuleRow]) -> str | None:
    if due.article.retracted_at is not None:
        return "retracted"
    if due.article.published_at > now or (due.article.embargo_until is not None and due.article.embargo_until > now):
        return "embargoed"
    return "blocked" if rules and any(_stops(rule, due) for rule in rules) else None


def _device(due: Due) -> str | None:
    if due.device_state != "active":
        return "no_device"
    if due.device_reader_id != due.reader_id:
        return "device_moved"
    return "test_only" if due.campaign.kind == "test" and not due.is_test else None


def _is_muted(due: Due) -> bool:
    if due.wishes.muted_sources and due.article.source_key in due.wishes.muted_sources:
        return True
    if due.wishes.muted_stories and str(due.article.story_id) in due.wishes.muted_stories:
        return True
    if not due.wishes.muted_topics:
        return False
    topics = {topic.strip().casefold() for topic in (*due.article.topics, due.article.category or "")}
    return not topics.isdisjoint(topic.strip().casefold() for topic in due.wishes.muted_topics)


def _stops(rule: RuleRow, due: Due) -> bool:
    if rule.kind not in {"block", "embargo"} or rule.surface not in {"all", "push"}:
        return False
    names: dict[str, set[str]] = {
        "article": {due.article.key},
        "story": {str(due.article.story_id)} if due.article.story_id else set(),
        "source": {due.article.source_key} if due.article.source_key else set(),
        "topic": {topic.strip().casefold() for topic in (*due.article.topics, due.article.category or "")} - {""},
    }
    key = rule.target_key.strip().casefold() if rule.target == "topic" else rule.target_key
    return key in names.get(rule.target, set())
