"""An outbox full of deliveries, and processes that drain it: `python -m benchmarks.fcm_outbox URL PORT CA`."""

import gc
import json
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from data.alerts import CampaignRow, NewDelivery
from data.campaigns import Campaigns
from data.clock import SystemClock
from data.outbox import Outbox
from data.store import Store
from data.wire import ArticleIn, DeviceIn, EventIn, ReaderIn

ARTICLES, EVENTS_EACH, BATCH = 200, 10, 5_000


def fill(store: Store, count: int, *, campaign: str = "morning") -> None:
    """`count` readers with a device, some reads and one ready delivery each."""
    now = SystemClock().now()
    readers, articles = _readers(store, count, now), _articles(store, now)
    Campaigns(store).ensure([CampaignRow(0, campaign, campaign.title())], now=now)
    found, outbox = Campaigns(store).get(campaign), Outbox(store)
    plan = outbox.begin_plan(found, now=now, slots_from=now, slots_until=now)
    for start in range(0, count, BATCH):
        devices = store.devices_of(readers[start : start + BATCH])
        outbox.add(plan, [_delivery(campaign, one, articles, now) for one in devices], now=now)
    outbox.finish_plan(plan, funnel={"SEND": count})


def _delivery(campaign: str, device: Any, articles: list[int], now: Any) -> NewDelivery:
    article = articles[device.id % ARTICLES]
    return NewDelivery(
        key=f"{campaign}-{device.id:010d}",
        reader_id=device.reader_id,
        device_id=device.id,
        article_id=article,
        story_id=article,
        update_no=0,
        slot="2026-03-02T07:30",
        not_before_at=now - timedelta(seconds=1),
        expires_at=now + timedelta(hours=6),
        score=0.5,
        parts={"similarity": 0.5},
    )


def _articles(store: Store, now: Any) -> list[int]:
    given = [
        ArticleIn.model_validate(
            {
                "id": f"a{number}",
                "url": f"https://news.example/world/2026/03/02/tariffs-{number}",
                "title": f"Washington and Tokyo agree on new tariffs for cars, part {number}",
                "summary": "After months of talks both sides signed an agreement on cars and steel. " * 3,
                "image_url": "https://news.example/pictures/tariffs.jpg",
                "published_at": now - timedelta(hours=2),
                "source": {"id": "herald", "name": "The Herald"},
                "language": "en",
                "topics": ["world", f"topic-{number % 9}"],
            }
        )
        for number in range(ARTICLES)
    ]
    store.put_articles(given, now=now)
    ids = list(store.article_ids([one.id for one in given]).values())
    store.assign_stories([(one, one) for one in ids], now=now)
    return ids


def _readers(store: Store, count: int, now: Any) -> list[int]:
    awake = {"zone": "UTC", "quiet_from": "00:00", "quiet_until": "00:00"}
    seen = [f"old-{number}" for number in range(50)]  # articles of other days: reads that stand in nobody's way
    old = {"source": {"id": "herald", "name": "The Herald"}, "language": "en", "published_at": now - timedelta(days=3)}
    store.put_articles(
        [ArticleIn.model_validate(old | {"id": one, "url": f"https://n.example/{one}", "title": one}) for one in seen],
        now=now,
    )
    for start in range(0, count, BATCH):
        some = range(start, min(count, start + BATCH))
        store.put_readers([ReaderIn.model_validate({"id": f"r{one}"} | awake) for one in some], now=now)
        devices = (DeviceIn(fid=f"fid-{one:018d}", platform=("android", "ios")[one % 2]) for one in some)
        store.put_devices([(f"r{one}", device) for one, device in zip(some, devices, strict=True)], now=now)
    for start in range(0, count, 500):
        some = range(start, min(count, start + 500))
        at = now - timedelta(hours=5)
        events = [
            EventIn(id=f"{one}/{k}", reader=f"r{one}", article=seen[(one + k) % 50], kind="read", at=at)
            for one in some
            for k in range(EVENTS_EACH)
        ]
        store.add_events(events, now=now)
    return [one.id for page in store.reader_pages(size=50_000) for one in page][:count]


def main() -> None:
    """Drain what is there; wait for a line on stdin first, so that several begin together."""
    from benchmarks.fcm_clients import _sender
    from scheduler.delivery import Deliverer
    from scheduler.message import Composer

    url, port, ca_file = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    with Store.open(url) as store:
        composer = Composer()
        from benchmarks.fcm_clients import due

        now = SystemClock().now()
        sender = _sender(port, ca_file)
        warm = [composer.compose(due(number, now), now) for number in range(200)]
        list(sender.send(iter(warm)))
        deliverer = Deliverer(store, sender, SystemClock(), composer=composer)
        gc.freeze()
        print("ready", flush=True)
        sys.stdin.readline()
        began, wall, cpu = time.time(), time.perf_counter(), time.process_time()
        drained = deliverer.drain()
        told = {"seconds": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu, "began": began}
        print(json.dumps(told | vars(drained)), flush=True)


if __name__ == "__main__":
    main()
