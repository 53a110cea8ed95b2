"""A newsroom of any size in a database: seeded articles of several stories, readers with histories."""

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from data.event_lines import EventLine
from data.store import Store
from data.wire import ArticleIn, ReaderIn

WINDOW_SHARE = 0.03  # 6,000 of 200,000 articles are of the last ten days
WINDOW_DAYS = 10.0
READS = 40
SECTIONS, TOPICS, VOCABULARY, OUTLETS = 12, 300, 60_000, 50


@dataclass(frozen=True)
class Size:
    """How much to make."""

    articles: int
    readers: int

    @property
    def window(self) -> int:
        return int(self.articles * WINDOW_SHARE)


class Newsroom:
    """Articles and readers as a function of a seed; number 0 is the newest article."""

    def __init__(self, size: Size, seed: int) -> None:
        self.size, self.seed = size, seed
        self.now = datetime.now(UTC)
        random = np.random.default_rng(seed)
        self.topic_words = random.integers(0, VOCABULARY, (TOPICS, 60))

    def article(self, number: int) -> dict[str, Any]:
        """One article, as a publisher sends it: a dozen paragraphs of a topic's words and common ones."""
        random = np.random.default_rng((self.seed, number))
        topic = int(min(random.zipf(1.3), TOPICS) - 1)
        own = random.choice(self.topic_words[topic], 90)
        common = (VOCABULARY * random.random(110) ** 4).astype(int)
        words = [f"w{word:x}" for word in random.permutation(np.concatenate([own, common]))]
        age_days = (number / max(self.size.window, 1)) * WINDOW_DAYS
        if number >= self.size.window:
            age_days = WINDOW_DAYS + (number - self.size.window) / self.size.articles * 1_000
        return {
            "id": f"a{number}",
            "url": f"https://news.example/{number}",
            "title": " ".join(words[:9]).capitalize(),
            "summary": " ".join(words[9:40]),
            "body": " ".join(words),
            "published_at": (self.now - timedelta(days=age_days, minutes=2)).isoformat(),
            "source": {"id": f"s{number % OUTLETS}", "name": f"Outlet {number % OUTLETS}"},
            "category": f"section-{topic % SECTIONS}",
            "topics": [f"topic-{topic}"],
            "language": "en",
        }

    def fill(self, store: Store) -> None:
        """Write everything."""
        store.migrate()
        numbers = range(self.size.articles - 1, -1, -1)
        for part in batched(numbers, 1_000):
            store.put_articles([ArticleIn.model_validate(self.article(one)) for one in part], now=self.now)
        for part in batched(range(self.size.readers), 5_000):
            store.put_readers([ReaderIn(id=f"r{one}") for one in part], now=self.now)
        for part in batched(self.events(), 20_000):
            store.append_events([part], now=self.now)

    def events(self) -> Iterator[EventLine]:
        """READS reads of each reader, of three topics' newest articles or thereabouts."""
        random = np.random.default_rng(self.seed + 1)
        now_us = int(self.now.timestamp() * 1e6)
        for reader in range(self.size.readers):
            read = zipf(random, min(2 * self.size.window, self.size.articles), READS, 0.8)
            for place, article in enumerate(read):
                at_us = now_us - int(random.random() * 8 * 86_400e6)
                yield EventLine(f"h{reader}-{place}", f"r{reader}", f"a{article}", "read", at_us, 20.0 + place)


def zipf(random: np.random.Generator, many: int, count: int, exponent: float = 1.0) -> np.ndarray:
    """`count` numbers below `many`, the small ones more often: p(i) ~ 1 / (i + 1) ** exponent."""
    weights = 1.0 / np.arange(1, many + 1) ** exponent
    return random.choice(many, count, p=weights / weights.sum())


def batched(items: Any, size: int) -> Iterator[list[Any]]:
    """`items` in lists of at most `size`."""
    rest = iter(items)
    while part := list(itertools.islice(rest, size)):
        yield part


def event_body(name: str, count: int) -> bytes:
    """A post of events, for those who make it outside of wrk."""
    at = datetime.now(UTC).isoformat()
    items = [
        {"id": f"{name}-{one}", "reader": f"r{one}", "article": f"a{one}", "kind": "read", "at": at}
        for one in range(count)
    ]
    return json.dumps(items).encode()
