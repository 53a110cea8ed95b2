"""feed-rs keeps beside each test feed what it must read as: a second oracle, for titles, dates and links."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from data.intake.read import read_file
from data.text import html_to_text
from data.wire import ArticleIn


def pairs(folder: Path) -> list[tuple[dict[str, Any], ArticleIn]]:
    found = []
    for stated in sorted(folder.rglob("*.serde.json")):
        feed = next(
            path for end in (".xml", ".json") if (path := Path(str(stated).replace(".serde.json", end))).exists()
        )
        items = list(read_file(feed, datetime.now(UTC)))
        expected = json.loads(stated.read_text())["entries"]
        assert len(items) == len(expected), feed
        found += [(one, item) for one, item in zip(expected, items, strict=True) if isinstance(item, ArticleIn)]
    return found


def test_titles_dates_and_links_read_as_the_suite_expects(shared_data: Path) -> None:
    folder = shared_data / "feeds" / "feed-rs"
    if not folder.is_dir():
        pytest.skip("needs the feed suites of ../shared/data/feeds, which are not here")
    wrong, links = [], []
    for expected, article in pairs(folder):
        title, date = expected["title"], expected["published"] or expected["updated"]
        if title and " ".join(html_to_text(title["content"]).split()) != article.title:
            wrong.append((title["content"], article.title))
        if date and datetime.fromisoformat(date) != article.published_at:
            wrong.append((date, str(article.published_at)))
        listed = [link["href"] for link in expected["links"] if link["rel"] in {None, "alternate"}]
        links += [article.url in listed] if listed else []
    assert wrong == []
    # The others are relative addresses made absolute, and originals behind FeedBurner's.
    assert sum(links) / len(links) > 0.9
