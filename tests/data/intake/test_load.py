import gzip
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from data.clock import FixedClock
from data.errors import DatabaseNotReady, InvalidInput
from data.intake.items import Rejected
from data.intake.load import Loader
from data.settings import Settings
from data.store import Store

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


def rss(*names: str, date: str = "<pubDate>Sun, 01 Mar 2026 08:00:00 GMT</pubDate>") -> bytes:
    items = "".join(
        f"<item><title>Title {name}</title><link>https://h.example/{name}</link>{date}"
        f"<description>{name} {'word ' * 30}</description></item>"
        for name in names
    )
    return f"<rss version='2.0'><channel><title>H</title>{items}</channel></rss>".encode()


def jsonl(*keys: str, **fields: Any) -> bytes:
    rows = [
        {"id": key, "url": f"https://h.example/{key}", "title": f"T {key}", "published_at": "2026-03-01T08:00:00Z"}
        for key in keys
    ]
    return b"".join(json.dumps({**row, **fields}).encode() + b"\n" for row in rows)


def load(store: Store, settings: Settings, *sources: str | Path, **options: Any) -> Loader:
    clock = options.pop("clock", FixedClock(START))
    loader = Loader(store, settings, clock, **options)
    loader.plan([str(source) for source in sources])
    list(loader.steps())
    return loader


def counts(loader: Loader) -> tuple[int, int, int, int]:
    rows = loader.rows.values()
    parts = [(row.new, row.changed, row.same, row.rejected.total()) for row in rows]
    return tuple(map(sum, zip(*parts, strict=True)))  # type: ignore[return-value]


def test_articles_go_in_once_however_often_they_are_read(store: Store, local: Settings, tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_bytes(jsonl("1", "2", "3"))
    assert counts(load(store, local, file, batch=2)) == (3, 0, 0, 0)
    assert counts(load(store, local, file)) == (0, 0, 3, 0)
    file.write_bytes(jsonl("1", "2") + jsonl("3", title="Another"))
    assert counts(load(store, local, file)) == (0, 1, 2, 0)
    assert store.count_articles() == 3


def test_a_folder_is_read_file_by_file_and_counted_by_its_first_level(
    sqlite_store: Store, local: Settings, tmp_path: Path
) -> None:
    top = tmp_path / "feeds"
    for name, data in {
        "one/deep/a.xml": rss("1", "2"),
        "one/b.jsonl.gz": gzip.compress(jsonl("3")),
        "two/c.xml": rss("4"),
        "two/LICENSE": b"Some terms",
        "top.xml": rss("5"),
        ".hidden/x.xml": rss("6"),
    }.items():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_bytes(data)
    loader = load(sqlite_store, local, top)
    rows = {Path(name).name: (row.documents, row.new, len(row.skipped)) for name, row in loader.rows.items()}
    assert rows == {"one": (2, 3, 0), "two": (2, 1, 1), "feeds": (1, 1, 0)}
    assert not loader.has_failed


def test_a_source_that_cannot_be_read_does_not_keep_the_others_out(
    sqlite_store: Store, local: Settings, tmp_path: Path
) -> None:
    (tmp_path / "good.xml").write_bytes(rss("1"))
    (tmp_path / "page.html").write_bytes(b"<html></html>")
    (tmp_path / "empty").mkdir()
    names = ("none.xml", "page.html", "empty", "good.xml")
    loader = load(sqlite_store, local, *(tmp_path / name for name in names), "http://127.0.0.1:1/rss")
    assert sqlite_store.count_articles() == 1
    problems = [problem for row in loader.rows.values() for problem in row.failed]
    expected = ("does not exist", "an HTML page", "holds no file", "could not be reached")
    assert len(problems) == 4
    assert all(any(part in problem for problem in problems) for part in expected)


def test_rejected_items_are_handed_on_with_their_place(sqlite_store: Store, local: Settings, tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_bytes(jsonl("1") + b"{broken\n" + jsonl("2", published_at="2026-03-01T08:00:00"))
    seen: list[tuple[str, Rejected]] = []
    loader = load(sqlite_store, local, file, on_rejected=lambda place, item: seen.append((place, item)))
    assert counts(loader) == (1, 0, 0, 2)
    assert [(place, item.where.split(" (")[0]) for place, item in seen] == [
        (str(file), "line 2"),
        (str(file), "line 3"),
    ]


def test_a_feed_that_did_not_change_is_not_read_again(store: Store, local: Settings, site: Any) -> None:
    url = site.page("/rss", rss("1"), etag='"v1"')
    assert counts(load(store, local, url)) == (1, 0, 0, 0)
    site.page("/rss", b"", status=304)
    loader = load(store, local, url)
    assert site.seen[-1][1]["if-none-match"] == '"v1"'
    assert loader.rows[url].unchanged == 1
    site.page("/rss", rss("1", "2"), etag='"v2"')
    assert counts(load(store, local, url, refetch=True)) == (1, 0, 1, 0)
    assert "if-none-match" not in site.seen[-1][1]
    known = store.feed(url)
    assert known is not None
    assert (known.etag, known.error) == ('"v2"', None)


def test_validators_are_kept_only_after_the_items_are_committed(
    sqlite_store: Store, local: Settings, site: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = site.page("/rss", rss("1", "2", "3"), etag='"v1"')
    put = Store.put_articles
    calls = 0

    def failing(self: Store, *args: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise DatabaseNotReady("the disk is full")
        return put(self, *args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Store, "put_articles", failing)
        with pytest.raises(DatabaseNotReady):
            load(sqlite_store, local, url, batch=1)
    known = sqlite_store.feed(url)
    assert known is None or known.etag is None
    assert counts(load(sqlite_store, local, url)) == (2, 0, 1, 0)


def test_a_failed_fetch_is_remembered_and_keeps_the_validators(sqlite_store: Store, local: Settings, site: Any) -> None:
    url = site.page("/rss", rss("1"), etag='"v1"')
    load(sqlite_store, local, url)
    site.page("/rss", b"", status=503)
    assert load(sqlite_store, local, url).has_failed
    known = sqlite_store.feed(url)
    assert known is not None
    assert known.etag == '"v1"'
    assert "503" in (known.error or "")


def test_an_undated_item_keeps_the_date_of_its_first_arrival(sqlite_store: Store, local: Settings, site: Any) -> None:
    clock = FixedClock(START)
    url = site.page("/rss", rss("1", date=""))
    assert counts(load(sqlite_store, local, url, clock=clock)) == (1, 0, 0, 0)
    clock.advance(hours=5)
    site.page("/rss", rss("1", "2", date=""))
    assert counts(load(sqlite_store, local, url, clock=clock)) == (1, 0, 1, 0)
    dates = [sqlite_store.article(f"https://h.example/{name}").published_at for name in "12"]
    assert dates == [START, START + timedelta(hours=5)]


def test_the_sitemaps_of_an_index_are_followed_but_no_further(sqlite_store: Store, local: Settings, site: Any) -> None:
    space = 'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"'
    index = "<sitemapindex {}>{}</sitemapindex>".format(
        space, "".join(f"<sitemap><loc>{site.url(path)}</loc></sitemap>" for path in ("/a", "/index", "/gone"))
    )
    news = (
        '<news:news xmlns:news="http://www.google.com/schemas/sitemap-news/0.9"><news:title>T</news:title></news:news>'
    )
    site.page("/a", f"<urlset {space}><url><loc>https://h.example/1</loc>{news}</url></urlset>".encode())
    url = site.page("/index", index.encode())
    loader = load(sqlite_store, local, url)
    row = loader.rows[url]
    assert (row.documents, row.new) == (4, 1)
    assert row.warnings["a sitemap index inside another was not followed"] == 1
    assert len(row.failed) == 1  # /gone
    assert [path for path, _ in site.seen].count("/index") == 2


def test_progress_reaches_the_size_of_the_files(sqlite_store: Store, local: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "feeds"
    folder.mkdir()
    (folder / "a.jsonl").write_bytes(jsonl(*map(str, range(50))))
    (folder / "b.xml").write_bytes(rss("x"))
    loader = Loader(sqlite_store, local, FixedClock(START), batch=10)
    loader.plan([str(folder)])
    done = [loader.bytes_done for _ in loader.steps()]
    assert done == sorted(done)
    assert done[-1] == loader.bytes_total == sum(file.stat().st_size for file in folder.iterdir())


def test_a_batch_beyond_500_is_refused(sqlite_store: Store, local: Settings) -> None:
    with pytest.raises(InvalidInput, match="1 to 500"):
        Loader(sqlite_store, local, FixedClock(START), batch=501)
