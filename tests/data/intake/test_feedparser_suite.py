"""feedparser's own test files state in a comment what an entry must read as: an oracle for our texts, links, dates."""

import ast
import re
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from data.clock import instant
from data.intake.encoding import mend_xml
from data.intake.feeds import FeedContext, first_date, parse_xml, plain_text
from data.intake.items import FeedReport, Origin, language_tag
from data.text import html_to_text

CLAUSE = re.compile(
    r"(?:entries\[(?P<entry>\d)\]|(?P<feed>feed))\['(?P<name>\w+)'\](?P<rest>(?:\[\w+\]|\['value'\])*) == (?P<value>.+)"
)
TEXTS = {"title", "title_detail", "description", "summary", "summary_detail", "content"}
DATES = {"published_parsed", "updated_parsed"}
ORIGIN = Origin("test", instant(0))


def clauses(text: str) -> list[re.Match[str]]:
    line = re.search(r"Expect:\s*(.+)", text)
    return [found for part in line[1].split(" and ") if (found := CLAUSE.fullmatch(part.strip()))] if line else []


def ours(clause: re.Match[str], parsed: Any) -> Any:
    holder = parsed.entries[int(clause["entry"])] if clause["entry"] else parsed.feed
    name = clause["name"].removesuffix("_detail")
    if name in DATES:
        dated = first_date(holder, (name.removesuffix("_parsed"),))
        return tuple(dated.at.utctimetuple()) if dated else None
    if name == "link":
        context = FeedContext(parsed.feed, ORIGIN)
        return context.link(holder) if clause["entry"] else context.site
    if name == "language":
        return language_tag(holder.get("language"))
    if name == "content":
        return html_to_text(holder["content"][int(clause["rest"][1])]["value"])
    return plain_text(holder, "summary" if name == "description" else name)


def theirs(clause: re.Match[str], expected: Any) -> Any:
    name = clause["name"]
    if name in DATES:
        return tuple(time.struct_time(expected)) if expected else None
    if name == "language":
        return language_tag(expected)
    return expected if name == "link" else html_to_text(expected)


def judged(file: Path) -> list[tuple[str, bool]]:
    data = file.read_bytes()
    header = re.search(rb"Header:\s+Content-type:\s*(.+)", data)
    kind = header[1].decode().strip() if header else None
    found = []
    for clause in clauses(data.decode("latin-1")):
        name = clause["name"]
        wanted = name in TEXTS | DATES | {"link", "language"} and (clause["entry"] or name in {"title", "link"})
        try:
            expected = ast.literal_eval(clause["value"])
        except (ValueError, SyntaxError):
            continue
        if not wanted or (name.endswith("_detail") and not clause["rest"]) or not isinstance(expected, str | tuple):
            continue
        mended = mend_xml(data, kind)
        parsed, _ = parse_xml(mended.data, "application/xml; charset=utf-8" if mended.as_utf8 else kind, FeedReport(""))
        try:
            found.append((name, ours(clause, parsed) == theirs(clause, expected)))
        except (KeyError, IndexError, AttributeError):
            found.append((name, False))
    return found


@pytest.fixture(scope="module")
def verdicts(shared_data: Path) -> list[tuple[str, bool]]:
    folder = shared_data / "feeds" / "feedparser" / "tests"
    if not folder.is_dir():
        pytest.skip("needs the feed suites of ../shared/data/feeds, which are not here")
    return [verdict for file in sorted(folder.rglob("*.xml")) for verdict in judged(file)]


def test_titles_texts_links_and_dates_read_as_the_suite_expects(verdicts: list[tuple[str, bool]]) -> None:
    assert len(verdicts) > 900
    counts = Counter(name for name, _ in verdicts)
    agreed = Counter(name for name, is_equal in verdicts if is_equal)
    shares = {name: f"{agreed[name]}/{counts[name]}" for name in counts}
    assert agreed.total() / counts.total() >= 0.97, shares
