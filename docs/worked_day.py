"""Write worked-day.md and its pictures: Sundays of the sample's readers, planned and sent by the program itself.

python docs/worked_day.py               # the page: the same text whenever it runs
python docs/worked_day.py 2026-10-25    # another day, into worked-day-2026-10-25.md and .svg of the working folder
"""

import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SPRING, AUTUMN = date(2026, 3, 8), date(2026, 11, 1)  # America's clocks change; Europe's on other Sundays
NEW_READERS = 12  # known only since that day
ELSEWHERE = {  # the sample's other zones, so that twelve are left
    "Africa/Lagos": "Africa/Nairobi",
    "Asia/Kathmandu": "Asia/Kolkata",
    "Asia/Singapore": "Asia/Tokyo",
    "Atlantic/Azores": "Europe/London",
    "Pacific/Auckland": "Australia/Sydney",
}
TITLE = """# A worked day

The sample's readers on {spring} and [on {autumn}](#{autumn}), planned every ten minutes and sent every minute by the
program itself, under the built-in policy. `python docs/worked_day.py` writes this page, and a test holds it to be
current; `python docs/worked_day.py 2026-10-25` does the same for another day.
"""
INTRODUCTION = """## {day}

{clocks}. {readers} readers in {zones} zones:

- *Three digests* at 07:30, 12:20 and 18:40 local time, jitter seven minutes. Six readers sleep from 09:00 to 16:00.
- *Night shift* at {night}{which}.
- *What you follow* looks for news of followed stories and topics every two hours.
- Breaking news to those who read English at 09:30 UTC, of level 1: it rings in quiet hours, a lead approved it. Another
  at 20:00 UTC, of level 2: it does not.
- {new} readers are new that day: two alerts in 24 hours at most, but for breaking news.

{alerts} alerts to {told} readers: {kinds}. {none} readers got none, nobody more than {most}.

![Every alert by zone and time](images/{picture}.svg)

A line is a reader, grouped by zone; time is UTC from left to right. Grey is 22:00 to 07:00 on the zone's walls, the
usual quiet hours; a dashed line is the change of the clocks. A ring is breaking news of level 1.
"""
SHORT = """## {day}

{clocks}; *Night shift* at {night}{which}, and every reader is judged for it once. All else is as above.

{alerts} alerts to {told} readers: {kinds}. {none} readers got none, nobody more than {most}.

![Every alert by zone and time](images/{picture}.svg)
"""
COLOURS = {"digest": "#2f6fb0", "follow_up": "#2e8b57", "breaking": "#c0392b"}
NAMES = {"digest": "digest", "follow_up": "story follow-up", "breaking": "breaking news"}


class Nowhere:
    """Where the messages of the log sender go."""

    def write(self, _: str) -> None: ...
    def flush(self) -> None: ...


@dataclass(frozen=True)
class Span:
    """A day from the noon before to the morning after, in UTC, and what the clocks do in it."""

    on: date

    @property
    def begin(self) -> datetime:
        """The noon before."""
        return datetime.combine(self.on - timedelta(days=1), time(12), UTC)

    @property
    def end(self) -> datetime:
        """Eight in the morning after."""
        return datetime.combine(self.on + timedelta(days=1), time(8), UTC)

    def changes(self, zones: list[str]) -> dict[str, datetime]:
        """Zone -> the instant of the day at which its clocks change, for those that do."""
        steps = [self.begin + timedelta(minutes=30 * number) for number in range(1, 89)]
        before = timedelta(minutes=30)
        return {zone: at for zone in zones for at in steps if _offset_h(zone, at) != _offset_h(zone, at - before)}

    def night(self, zones: list[str]) -> str:
        """Half an hour into what is left out, or comes twice; 02:30 where no clock changes."""
        for zone, at in self.changes(zones).items():
            before = _offset_h(zone, at - timedelta(minutes=1))
            behind = 0.5 if _offset_h(zone, at) > before else -0.5
            return f"{at + timedelta(hours=before + behind):%H:%M}"
        return "02:30"


@dataclass
class Day:
    """What came of it."""

    span: Span
    readers: dict[str, str] = field(default_factory=dict)  # key -> zone
    new: list[str] = field(default_factory=list)
    endings: list[tuple[str, Any]] = field(default_factory=list)  # (campaign, ending)
    left: list[Any] = field(default_factory=list)  # deliveries, the first of each alert
    states: Counter[str] = field(default_factory=Counter)
    titles: dict[int, str] = field(default_factory=dict)

    @property
    def zones(self) -> list[str]:
        """Where the readers live."""
        return sorted(set(self.readers.values()))


def live(on: date = SPRING) -> Day:
    """A day: planned every ten minutes, sent every minute."""
    from data.campaigns import Campaigns
    from data.clock import FixedClock
    from data.desk_alerts import DeskAlerts
    from data.sample import generate
    from data.store import Store
    from recommender.index import ArticleIndex
    from recommender.popularity import Popularity
    from recommender.snapshot import Snapshot
    from scheduler.delivery import Deliverer
    from scheduler.desk_alerts import plan_alert
    from scheduler.planning import Planner
    from scheduler.sender import LogSender

    made = Day(Span(on))
    begin, end = made.span.begin, made.span.end
    clock, newsroom = FixedClock(begin), generate(seed=1, now=end)
    with tempfile.TemporaryDirectory() as folder, Store.open(f"sqlite:///{folder}/day.db") as store:
        store.migrate()
        _fill(store, newsroom, made)
        articles = ArticleIndex.build(store.article_texts(0))
        snapshot = Snapshot(articles, Popularity().add(store.events_since(0)), store.sources())

        class Telling(Planner):
            """Keeps how every reader ended."""

            def run(self, run: Any, **options: Any) -> Any:
                report = super().run(replace(run, keeps_all=True), **options)
                made.endings += [(run.campaign.kind, one) for one in report.endings]
                return report

        planner = Telling(store, lambda: snapshot)
        deliverer = Deliverer(store, LogSender(Nowhere()), clock)  # type: ignore[arg-type]
        campaigns = _campaigns(made.span.night(made.zones))
        Campaigns(store).ensure(campaigns, now=begin - timedelta(days=1))
        urgent, waiting = _urgent(newsroom, on), [one for one in newsroom.events if one.at > begin]
        while clock.now() < end:
            now = clock.now()
            due, waiting = _until(waiting, now)
            store.add_events(due, now=now)
            for at, key, lifts in [one for one in urgent if one[0] == now]:
                alerts, article = DeskAlerts(store), store.article(key)
                number = alerts.write(
                    *(article.id, article.title[:60], ""),
                    audience={"kind": "language", "value": "en"},
                    policy={"overrides_quiet": True} if lifts else {},
                    by="editor@herald.example", reason="worked day", now=at, kind="breaking", level=1 if lifts else 2,
                )  # fmt: skip
                alerts.send(number, by="lead@herald.example", now=at, hold_s=120)
                plan_alert(planner, number, now=at)
            for campaign in Campaigns(store).all():
                planner.tick(campaign, now)
            for _ in range(10):
                deliverer.drain()
                clock.advance(minutes=1)
        made.left, made.states = _left(store), Counter(_states(store))
        made.titles = {one.id: one.title for one in store.articles({row.article_id for row in made.left})}
    return made


def _fill(store: Any, newsroom: Any, made: Day) -> None:
    begin = made.span.begin
    long_ago = begin - timedelta(days=60)
    readers = [one.model_copy(update={"zone": ELSEWHERE.get(one.zone, one.zone)}) for one in newsroom.readers]
    made.new = [one.id for one in readers[::17]][:NEW_READERS]
    for place in range(5, len(readers), 33):
        readers[place] = readers[place].model_copy(update={"quiet_from": time(9), "quiet_until": time(16)})
    store.put_articles(newsroom.articles, now=long_ago)
    store.put_readers([one for one in readers if one.id not in made.new], now=long_ago)
    store.put_readers([one for one in readers if one.id in made.new], now=begin)
    store.put_devices(newsroom.devices, now=long_ago)
    store.add_events([one for one in newsroom.events if one.at <= begin], now=begin)
    ids = store.article_ids([one.id for one in newsroom.articles])
    first: dict[str, int] = {}
    for one in newsroom.articles:
        first.setdefault(newsroom.labels[one.id], ids[one.id])
    store.assign_stories([(ids[one.id], first[newsroom.labels[one.id]]) for one in newsroom.articles], now=long_ago)
    for key in newsroom.retracted:
        store.retract_article(key, now=long_ago)
    for email, role in (("editor@herald.example", "push_editor"), ("lead@herald.example", "lead")):
        store.add_person(email, role, "nobody signs in here", now=long_ago)
    made.readers = {one.id: one.zone for one in readers}


def _campaigns(night: str) -> list[Any]:
    from data.alerts import CampaignRow

    digest: dict[str, Any] = {"kind": "digest", "jitter_s": 420, "freshness_h": 24.0, "bar": 0.45}
    return [
        CampaignRow(0, "digests", "Three digests", local_times=("07:30", "12:20", "18:40"), **digest),
        CampaignRow(0, "night", "Night shift", local_times=(night,), **digest),
        CampaignRow(0, "follow", "What you follow", kind="follow_up", freshness_h=6.0, ttl_s=7_200, every_s=7_200),
    ]


def _urgent(newsroom: Any, on: date) -> list[tuple[datetime, str, bool]]:
    """(instant, article, whether it rings in quiet hours): the highest-valued English news at two instants."""
    found: list[tuple[datetime, str, bool]] = []
    for wall, lifts in ((time(9, 30), True), (time(20), False)):
        at = datetime.combine(on, wall, UTC)
        fresh = [
            one
            for one in newsroom.articles
            if at - timedelta(hours=18) < one.published_at <= at
            and one.language == "en"
            and not {one.id} & (newsroom.retracted | newsroom.embargoed | {key for _, key, _ in found})
        ]
        best = max(fresh, key=lambda one: (one.news_value or 2, one.published_at, one.id))
        found.append((at, best.id, lifts))
    return found


def _until(events: list[Any], now: datetime) -> tuple[list[Any], list[Any]]:
    return [one for one in events if one.at <= now], [one for one in events if one.at > now]


def _left(store: Any) -> list[Any]:
    from sqlalchemy import select

    from data.models import Campaign, Delivery, Reader
    from data.store.database import table

    d, c, r = table(Delivery).c, table(Campaign).c, table(Reader).c
    query = select(d.sent_at, d.article_id, d.campaign_id, d.slot, c.kind, c.policy, r.key.label("reader"), r.zone)
    joined = table(Delivery).join(table(Campaign), c.id == d.campaign_id).join(table(Reader), r.id == d.reader_id)
    first: dict[Any, Any] = {}
    with store.reading() as connection:
        for row in connection.execute(query.select_from(joined).where(d.state == "sent").order_by(d.sent_at, r.id)):
            first.setdefault((row.reader, row.campaign_id, row.slot), row)
    return list(first.values())


def _states(store: Any) -> dict[str, int]:
    from sqlalchemy import func, select

    from data.models import Delivery
    from data.store.database import table

    d = table(Delivery).c
    query = select(d.state, d.reason, func.count()).group_by(d.state, d.reason)
    with store.reading() as connection:
        return {f"{state} {reason}".strip(): many for state, reason, many in connection.execute(query)}


# --- the page ---


def page(spring: Day, autumn: Day) -> str:
    """worked-day.md: one day whole, of the other the picture and the verdicts."""
    lines = [TITLE.format(spring=spring.span.on, autumn=autumn.span.on), *whole(spring, "worked-day"), ""]
    lines += [_introduced(autumn, "worked-day-autumn", SHORT), *_verdicts(autumn)]
    return "\n".join(lines).rstrip("\n") + "\n"


def whole(day: Day, image: str) -> list[str]:
    """Everything about a day."""
    return [_introduced(day, image), *_verdicts(day), *_examples(day), *_everybody(day)]


def _introduced(day: Day, image: str, words: str = INTRODUCTION) -> str:
    by_kind = Counter(one.kind for one in day.left)
    told = Counter(one.reader for one in day.left)
    clocks = _clocks(day)
    facts = {
        "day": day.span.on,
        "clocks": clocks[:1].upper() + clocks[1:],
        "night": day.span.night(day.zones),
        "which": _which(day),
        "readers": len(day.readers),
        "zones": len(day.zones),
        "new": len(day.new),
        "alerts": sum(by_kind.values()),
        "told": len(told),
        "none": len(day.readers) - len(told),
        "most": max(told.values(), default=0),
        "kinds": ", ".join(f"{by_kind[kind]} {NAMES[kind]}" for kind in COLOURS),
        "picture": image,
    }
    return words.format(**facts)


def _clocks(day: Day) -> str:
    """Where clocks go forward or back, in words."""
    found: dict[str, list[str]] = {"forward": [], "back": []}
    for zone, at in day.span.changes(day.zones).items():
        found["forward" if _offset_h(zone, at) > _offset_h(zone, at - timedelta(minutes=1)) else "back"].append(zone)
    words = [f"clocks go {way} in {_listed(zones)}" for way, zones in found.items() if zones]
    return " and ".join(words) or "no clock changes"


def _which(day: Day) -> str:
    """What becomes of the night slot where the clocks change."""
    from zoneinfo import ZoneInfo

    wall = datetime.combine(day.span.on, time.fromisoformat(day.span.night(day.zones)))
    gone: list[str] = []
    twice: list[str] = []
    for zone in day.zones:
        first, second = (wall.replace(tzinfo=ZoneInfo(zone), fold=fold) for fold in (0, 1))
        if first.utcoffset() != second.utcoffset():
            there = first.astimezone(UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None) == wall
            (twice if there else gone).append(zone)
    if gone:
        return f", which in {_listed(gone)} is no time of this day: the slot is when the clocks have changed"
    return f", which in {_listed(twice)} comes twice: the slot is the first" if twice else ""


def _listed(zones: list[str]) -> str:
    names = [zone.rpartition("/")[2].replace("_", " ") for zone in zones]
    return ", ".join(names[:-1]) + (" and " if len(names) > 1 else "") + names[-1]


def _slots(day: Day) -> Iterator[tuple[str, list[Any]]]:
    """(name of the slot, endings), digests of the Sunday by local time, the others by kind."""
    groups: dict[str, list[Any]] = defaultdict(list)
    for kind, one in day.endings:
        if kind == "digest" and one.slot.startswith(f"{day.span.on}"):
            groups[one.slot[11:]].append(one)
        elif kind != "digest":
            groups[NAMES[kind]].append(one)
    yield from sorted(groups.items())


def _verdicts(day: Day) -> list[str]:
    groups = dict(_slots(day))
    names = sorted({one.verdict for found in groups.values() for one in found}, key=lambda one: (one != "SEND", one))
    lines = [
        f"### Verdicts of {day.span.on}",
        "",
        "Readers of the day's slots by verdict; a follow-up judges its readers at every look.",
        "",
    ]
    lines += [f"| verdict | {' | '.join(groups)} |", "|---|" + "--:|" * len(groups)]
    for name in names:
        counts = [sum(one.verdict == name for one in found) for found in groups.values()]
        lines.append(f"| `{name}` | {' | '.join(str(many) for many in counts)} |")
    ends = ", ".join(f"{state} {many}" for state, many in sorted(day.states.items()))
    return [*lines, "", f"Messages by how they ended: {ends}.", ""]


def _examples(day: Day) -> list[str]:
    lines = ["### One reader of each zone", "", "Whoever of the zone got most.", ""]
    lines += ["| reader | zone | local time | got | because of |", "|---|---|---|---|---|"]
    told: dict[str, list[Any]] = defaultdict(list)
    for one in day.left:
        told[one.reader].append(one)
    for zone in sorted(set(day.readers.values())):
        ours = [reader for reader, its in day.readers.items() if its == zone]
        best = max(ours, key=lambda reader: (len(told[reader]), reader))
        for one in told[best]:
            title = day.titles[one.article_id].replace("|", "/")
            lines.append(f"| {best} | {zone} | {_wall(one.sent_at, zone)} | {title} | {NAMES[one.kind]} |")
    return [*lines, ""]


def _everybody(day: Day) -> list[str]:
    lines = [
        "### Everybody",
        "",
        "What left, at local time, and how the other slots of the day ended; of follow-ups the last look alone.",
        "",
        "| reader | zone | got | not, and why |",
        "|---|---|---|---|",
    ]
    got: dict[str, list[str]] = defaultdict(list)
    for one in day.left:
        got[one.reader].append(f"{_wall(one.sent_at, one.zone)} {NAMES[one.kind]}")
    why: dict[str, dict[str, str]] = defaultdict(dict)
    for name, found in _slots(day):
        for one in found:
            why[one.reader][name] = one.verdict
    for reader, zone in sorted(day.readers.items()):
        rest = [f"{name} `{verdict}`" for name, verdict in why[reader].items() if verdict != "SEND"]
        mark = " (new)" if reader in day.new else ""
        lines.append(f"| {reader}{mark} | {zone} | {', '.join(got[reader]) or '-'} | {', '.join(rest) or '-'} |")
    return lines


def _wall(at: datetime, zone: str) -> str:
    from zoneinfo import ZoneInfo

    return f"{at.astimezone(ZoneInfo(zone)):%a %H:%M}"


# --- the picture ---

LEFT, TOP, LINE, GAP, WIDE = 150, 46, 5, 12, 880


def picture(day: Day) -> str:
    """images/worked-day.svg."""
    span = day.span
    zones = sorted(day.zones, key=lambda zone: (_offset_h(zone, span.begin), zone))
    parts, y = [], TOP
    for zone in zones:
        ours = sorted(reader for reader, its in day.readers.items() if its == zone)
        parts += _band(span, zone, y, len(ours) * LINE)
        place = {reader: y + number * LINE + LINE / 2 for number, reader in enumerate(ours)}
        parts += [_dot(span, one, place[one.reader]) for one in day.left if one.reader in place]
        y += len(ours) * LINE + GAP
    head = [_text(LEFT + number * 120, 16, NAMES[kind], COLOURS[kind]) for number, kind in enumerate(COLOURS)]
    lasts_h = int((span.end - span.begin) / timedelta(hours=1))
    hours = [span.begin + timedelta(hours=number) for number in range(0, lasts_h + 1, 4)]
    axis = [
        f'<line x1="{_x(span, at):.0f}" x2="{_x(span, at):.0f}" y1="{TOP - 6}" y2="{y - GAP}" stroke="#ddd"/>'
        for at in hours
    ]
    axis += [
        _text(_x(span, at), TOP - 10, f"{at:%a %H}" if at.hour % 12 == 0 else f"{at:%H}", "#555", "middle")
        for at in hours
    ]
    size = f'width="{LEFT + WIDE + 20}" height="{y}" viewBox="0 0 {LEFT + WIDE + 20} {y}"'
    style = "font-family:system-ui,sans-serif;font-size:11px"
    opening = f'<svg xmlns="http://www.w3.org/2000/svg" {size} style="{style}" role="img">'
    about = "<title>Every alert of the day, by zone and time</title>"
    return (
        "\n".join([opening, about, '<rect width="100%" height="100%" fill="#fff"/>', *head, *axis, *parts, "</svg>"])
        + "\n"
    )


def _band(span: Span, zone: str, y: float, high: float) -> list[str]:
    from zoneinfo import ZoneInfo

    here = ZoneInfo(zone)
    made = [f'<rect x="{LEFT}" y="{y}" width="{WIDE}" height="{high}" fill="none" stroke="#bbb"/>']
    first = span.begin.astimezone(here).date() - timedelta(days=1)
    for number in range(4):
        dusk = datetime.combine(first + timedelta(days=number), datetime.min.time(), here).replace(hour=22)
        dawn = datetime.combine(first + timedelta(days=number + 1), datetime.min.time(), here).replace(hour=7)
        begin, end = max(dusk.astimezone(UTC), span.begin), min(dawn.astimezone(UTC), span.end)
        if begin < end:
            wide = f"{_x(span, end) - _x(span, begin):.1f}"
            made.append(f'<rect x="{_x(span, begin):.1f}" y="{y}" width="{wide}" height="{high}" fill="#e4e4ea"/>')
    before, after = _offset_h(zone, span.begin), _offset_h(zone, span.end)
    for at in span.changes([zone]).values():
        x = f"{_x(span, at):.1f}"
        made.append(f'<line x1="{x}" x2="{x}" y1="{y}" y2="{y + high}" stroke="#444" stroke-dasharray="3 2"/>')
    shown = f"{before:+g}" + (f", then {after:+g}" if after != before else "")
    name = zone.rpartition("/")[2].replace("_", " ")
    return [*made, _text(LEFT - 8, y + high / 2 + 4, f"{name} {shown}", "#222", "end")]


def _dot(span: Span, one: Any, y: float) -> str:
    rings = one.kind == "breaking" and one.policy.get("overrides_quiet")
    paint = f'fill="#fff" stroke="{COLOURS[one.kind]}" stroke-width="1.4"' if rings else f'fill="{COLOURS[one.kind]}"'
    return f'<circle cx="{_x(span, one.sent_at):.1f}" cy="{y:.1f}" r="2.2" {paint}/>'


def _x(span: Span, at: datetime) -> float:
    return LEFT + WIDE * ((at - span.begin) / (span.end - span.begin))


def _offset_h(zone: str, at: datetime) -> float:
    from zoneinfo import ZoneInfo

    found = at.astimezone(ZoneInfo(zone)).utcoffset()
    return 0.0 if found is None else found.total_seconds() / 3_600


def _text(x: float, y: float, words: str, colour: str, anchor: str = "start") -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" fill="{colour}" text-anchor="{anchor}">{words}</text>'


def main(*asked: str) -> None:
    """Write the page with its two pictures, or one day's beside where this was called."""
    if asked:
        day, name = live(date.fromisoformat(asked[0])), f"worked-day-{asked[0]}"
        text = "\n".join(["# A worked day", "", *whole(day, name)]).replace("(images/", "(") + "\n"
        Path(f"{name}.md").write_text(text, encoding="utf-8")
        Path(f"{name}.svg").write_text(picture(day), encoding="utf-8")
        return
    (HERE / "images").mkdir(exist_ok=True)
    spring, autumn = live(SPRING), live(AUTUMN)
    (HERE / "worked-day.md").write_text(page(spring, autumn), encoding="utf-8")
    for day, name in ((spring, "worked-day"), (autumn, "worked-day-autumn")):
        (HERE / "images" / f"{name}.svg").write_text(picture(day), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
