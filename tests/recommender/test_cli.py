"""The commands that rank and explain: exit codes, one-line errors, JSON that says what the page says."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from data.store import Store
from data.wire import ArticleIn, EventIn

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
AT = NOW.isoformat()
WORDS = ("trade talks on customs tariffs", "farmers fear customs tariffs", "volcano island ash", "tennis final serve")


def newsbell(*arguments: str, url: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"NEWSBELL_DATABASE_URL": url}
    command = [sys.executable, "-m", "scheduler.cli", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Four articles, two of them on one subject, and a reader who read one. Only for reading."""
    url = f"sqlite:///{tmp_path_factory.mktemp('cli') / 'newsbell.db'}"
    articles = [
        ArticleIn.model_validate({
            "id": f"a{number}", "url": f"https://news.example/{number}", "title": f"{words.title()} in 2026",
            "body": f"{words} told by witness{number}", "published_at": NOW - timedelta(hours=2 + number),
            "source": {"id": "herald", "name": "The Herald"}, "category": "World", "language": "en",
        })
        for number, words in enumerate(WORDS)
    ]  # fmt: skip
    read = {"id": "e1", "reader": "r1", "article": "a1", "kind": "read", "at": NOW - timedelta(hours=1)}
    with Store.open(url) as store:
        store.migrate()
        store.put_articles(articles, now=NOW)
        store.add_events([EventIn.model_validate(read)], now=NOW)
    return url


def shown(done: subprocess.CompletedProcess[str]) -> list[str]:
    assert done.returncode == 0, done.stderr
    return [card["article_id"] for card in json.loads(done.stdout)["items"]]


def test_related_lists_the_same_subject(url: str) -> None:
    told = newsbell("related", "a0", "--at", AT, url=url)
    assert told.returncode == 0
    assert told.stdout.splitlines()[:2] == [
        "  1. Farmers Fear Customs Tariffs in 2026",
        "     The Herald, 3 hours ago [a1]",
    ]
    assert shown(newsbell("related", "a0", "--at", AT, "--json", url=url)) == ["a1"]


def test_what_is_not_related_is_said_to_be_something_else(url: str) -> None:
    told = newsbell("related", "a2", "-k", "2", "--at", AT, url=url)
    assert told.stdout.splitlines()[0] == "Nothing is related enough. More from World:"
    assert json.loads(newsbell("related", "a2", "--json", "--at", AT, url=url).stdout)["fallback"] == "More from World"


def test_for_you_leaves_out_what_was_read_and_explains_itself(url: str) -> None:
    done = newsbell("for-you", "r1", "--at", AT, "--json", "--explain", url=url)
    assert set(shown(done)) <= {"a0", "a2", "a3"}
    for card in json.loads(done.stdout)["items"]:
        assert sum(card["parts"].values()) == pytest.approx(card["score"], abs=1e-5)


def test_at_an_earlier_instant_nothing_later_is_known(url: str) -> None:
    before_the_read = (NOW - timedelta(hours=1, minutes=30)).isoformat()
    assert set(shown(newsbell("for-you", "r1", "--at", before_the_read, "--json", url=url))) >= {"a2", "a3"}
    before_all = (NOW - timedelta(days=300)).isoformat()
    assert newsbell("for-you", "r1", "--at", before_all, url=url).stdout == "Nothing to show.\n"


def test_an_unknown_reader_is_new_and_an_unknown_article_is_one_line(url: str) -> None:
    assert newsbell("for-you", "nobody yet", "--at", AT, url=url).returncode == 0
    for command in (("related", "nothing"), ("why", "r1", "nothing")):
        done = newsbell(*command, url=url)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.splitlines() == ["newsbell: no article 'nothing'; check the id, or put the article first"]


def test_why_tells_the_sum_or_the_reason(url: str) -> None:
    listed: dict[str, Any] = json.loads(newsbell("why", "r1", "a2", "--at", AT, "--json", url=url).stdout)
    assert listed["verdict"] == "listed"
    assert sum(part["adds"] for part in listed["parts"]) == pytest.approx(listed["score"], abs=1e-5)
    absent = newsbell("why", "r1", "a1", "--at", AT, url=url)
    assert absent.returncode == 0
    assert absent.stdout.splitlines()[1] == "The reader opened it already."


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("related", "a0", "--at", "2026-03-02T12:00:00"), 1, "offset"),
        (("for-you", "r1", "--at", "yesterday"), 1, "yesterday"),
        (("why", "r1", "a0", "--surface", "moon"), 1, "moon"),
        (("related", "a0", "-k", "0"), 2, "-k"),
        (("for-you",), 2, "READER"),
    ],
)
def test_wrong_usage_says_what_is_wrong(url: str, arguments: tuple[str, ...], code: int, says: str) -> None:
    done = newsbell(*arguments, url=url)
    assert done.returncode == code
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_before_init_there_is_one_line(tmp_path: Path) -> None:
    done = newsbell("for-you", "r1", url=f"sqlite:///{tmp_path / 'none.db'}")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == ("newsbell: the database has no Newsbell tables yet; run `newsbell init`")
