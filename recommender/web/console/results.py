"""Results of an alert of the desk: opens with their interval, and reading and opting out against the holdout."""

from dataclasses import dataclass

from data.alert_results import AlertResults
from data.alerts import PlanRow
from data.desk_alerts import AlertRow
from data.store import Store
from recommender.audience import is_meant
from recommender.proportions import Proportion, difference
from recommender.push import Policy, is_holdout

PAGE, MOST = 5_000, 50_000  # readers looked at


@dataclass(frozen=True)
class Beside:
    """One measure of those who got the alert beside those who were held out."""

    name: str
    told: Proportion
    held: Proportion

    @property
    def sentence(self) -> str:
        """The difference in words, with its interval, or that there are too few to say."""
        found, low, high = difference(self.told, self.held)
        span = f"95 % interval {100 * low:+.1f} to {100 * high:+.1f}"
        if not self.held.of or not self.told.of:
            return "nobody to compare with"
        sure = "" if low > 0 or high < 0 else "; this may be chance"
        return f"{100 * found:+.1f} points, {span}{sure}"


@dataclass(frozen=True)
class Results:
    """What became of an alert."""

    opened: Proportion
    beside: tuple[Beside, ...]


def results(store: Store, alert: AlertRow, plan: PlanRow) -> Results | None:
    """The results of an alert with deliveries; None before anybody got it. Cost: about 20 us a reader."""
    since = alert.hold_until or alert.created_at
    found = AlertResults(store)
    told = found.of_told(plan.campaign_id, alert.article_id, since)
    if not told.got:
        return None
    share = Policy.of(alert.policy).holdout_share
    held_then = plan.funnel.get("HOLDOUT", 0)
    held_ids = _held(store, alert, share)
    read = found.readers_of_story(alert.article_id, since, held_ids)
    off = max(held_then - len(held_ids), 0)
    return Results(
        Proportion(told.opened, told.got),
        (
            Beside("read the story", Proportion(told.read, told.got), Proportion(read, len(held_ids))),
            Beside("turned alerts off since", Proportion(told.off, told.got), Proportion(off, held_then)),
        ),
    )


def _held(store: Store, alert: AlertRow, share: float) -> list[int]:
    """The readers whom the alert was for, who are held out, can be reached and still want alerts."""
    ids: list[int] = []
    looked = 0
    for page in store.reader_pages(size=PAGE, push_only=True):
        has = {one.reader_id for one in store.devices_of([one.id for one in page])}
        meant = [one for one in page if one.id in has and is_meant(one, alert.audience)]
        out = is_holdout([one.key for one in meant], share).tolist()
        ids += [one.id for one, is_out in zip(meant, out, strict=True) if is_out]
        looked += len(page)
        if looked >= MOST:
            break
    return ids
