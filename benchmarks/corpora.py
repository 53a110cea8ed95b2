"""Articles to measure on: a real corpus beside the checkout, or the sample newsroom where there is none."""

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path

from data.clock import micros, parse_instant
from data.sample import generate
from data.values import ArticleText

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def articles() -> tuple[str, list[ArticleText]]:
    """The name of what is measured on, and its articles."""
    path = DATA / "corpora" / "multisource_2019.jsonl.gz"
    if not path.exists():
        newsroom = generate(seed=1, now=datetime(2026, 3, 2, 18, 30, tzinfo=UTC))
        return "sample", [_text(number, one.model_dump()) for number, one in enumerate(newsroom.articles, 1)]
    with gzip.open(path, "rt", encoding="utf-8") as file:
        items = [json.loads(line) for line in file]
    for item in items:
        item["published_at"] = parse_instant(item["published_at"])
    return "multisource_2019", [_text(number, item) for number, item in enumerate(items, 1)]


def _text(number: int, item: dict) -> ArticleText:
    return ArticleText(
        id=number,
        rev=number,
        title=item["title"],
        summary=item.get("summary") or "",
        body=item.get("body") or "",
        language=item.get("language") or "en",
        source_id=1,
        category=item.get("category") or "",
        topics=(),
        places=(),
        published_at_us=micros(item["published_at"]),
        news_value=0,
        lifetime="medium",
        embargo_until_us=0,
        retracted=False,
        story_id=0,
    )
