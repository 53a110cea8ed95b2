"""Articles in and out."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from msgspec import json
from sqlalchemy import Row, func, select, update

from data.clock import instant, micros
from data.errors import NotFound
from data.models import Article, ArticleName, Source
from data.store.database import Database, bump, chunks, table
from data.store.prepare import prepare
from data.store.upsert import Upsert
from data.values import ArticleRow, ArticleText, PutResult, SourceRow
from data.wire import ArticleIn

ARTICLES, NAMES, SOURCES = table(Article), table(ArticleName), table(Source)
_TEXT_COLUMNS = [
    ARTICLES.c[name.removesuffix("_us")] for name in ArticleText.__dataclass_fields__ if name != "retracted"
]
_TEXT_COLUMNS.append(ARTICLES.c.retracted_at)


class Articles(Database):
    """Everything about articles and their sources."""

    def put_articles(self, batch: Sequence[ArticleIn], *, now: datetime) -> PutResult:
        """Write a batch in one transaction: new, changed or the same.

        The same article is found by key, by canonical URL or by the text itself; it keeps its id. An article that was
        retracted stays retracted. Text and language are prepared before the transaction begins.
        """
        prepared = [prepare(article) for article in batch]
        if not prepared:
            return PutResult()
        with self.transaction() as connection:
            return Upsert(connection, self.insert, prepared, now).run()

    def retract_article(self, key: str, *, now: datetime) -> None:
        """Take an article off every surface, for good. NotFound if nobody knows the key; twice is harmless."""
        with self.transaction() as connection:
            rev = bump(connection, "article")
            wanted = select(NAMES.c.article_id).where(NAMES.c.name == f"key:{key}").scalar_subquery()
            found = connection.execute(
                update(ARTICLES)
                .where(ARTICLES.c.id == wanted)
                .values(retracted_at=func.coalesce(ARTICLES.c.retracted_at, micros(now)), rev=rev)
            )
            if not found.rowcount:
                raise NotFound(f"no article {key!r}; check the id, or put the article first")

    def article_ids(self, keys: Iterable[str]) -> dict[str, int]:
        """Our number of each key that is known, under any name the article came by."""
        found: dict[str, int] = {}
        for part in chunks([f"key:{key}" for key in keys]):
            rows = self.ask(f"select name, article_id from article_name where name {self.one_of}", (self.many(part),))  # noqa: S608
            found.update((name.removeprefix("key:"), number) for name, number in rows)
        return found

    def article(self, key: str) -> ArticleRow:
        """One article by any of its keys; NotFound if nobody knows it."""
        named = "article_name n join article a on a.id = n.article_id"
        found = self.ask(_ARTICLE.format(named, "n.name = ?"), (f"key:{key}",))
        if not found:
            raise NotFound(f"no article {key!r}; check the id, or put the article first")
        return _article(found[0])

    def articles(self, ids: Iterable[int]) -> list[ArticleRow]:
        """Articles in the order asked; unknown ids are left out. Cost: some 10 microseconds each."""
        wanted = [int(one) for one in ids]
        found: dict[int, ArticleRow] = {}
        for part in chunks(wanted):
            rows = self.ask(_ARTICLE.format("article a", f"a.id {self.one_of}"), (self.many(part),))
            found.update((row[0], _article(row)) for row in rows)
        return [found[one] for one in wanted if one in found]

    def article_texts(
        self, since_rev: int, *, limit: int = 1_000, published_after: datetime | None = None
    ) -> list[ArticleText]:
        """What changed after `since_rev`, oldest change first, at most `limit`."""
        query = select(*_TEXT_COLUMNS).where(ARTICLES.c.rev > since_rev).order_by(ARTICLES.c.rev).limit(limit)
        if published_after is not None:
            query = query.where(ARTICLES.c.published_at > published_after)
        with self.reading() as connection:
            return [_article_text(row) for row in connection.execute(query)]

    def article_rev(self) -> int:
        """The last change number; cheap enough to ask at every answer."""
        return int(self.ask("select value from counter where name = 'article'")[0][0])

    def changed_articles(self, since_rev: int) -> list[int]:
        """The numbers of the articles that changed after `since_rev`."""
        return [row[0] for row in self.ask("select id from article where rev > ?", (since_rev,))]

    def received_after(self, article_id: int) -> list[tuple[int, int]]:
        """(id, when it was received in microseconds) of the articles newer here than `article_id`, at most 1,000."""
        query = "select id, received_at from article where id > ? order by id limit 1000"
        return [(row[0], row[1]) for row in self.ask(query, (article_id,))]

    def count_articles(self) -> int:
        """How many articles there are, retracted ones included."""
        with self.reading() as connection:
            return int(connection.execute(select(func.count()).select_from(ARTICLES)).scalar_one())

    def newest_keys(self, limit: int) -> list[str]:
        """Keys of the newest articles that are not retracted."""
        query = select(ARTICLES.c.key).where(ARTICLES.c.retracted_at.is_(None))
        with self.reading() as connection:
            return list(connection.execute(query.order_by(ARTICLES.c.published_at.desc()).limit(limit)).scalars())

    def sources(self) -> dict[int, SourceRow]:
        """Every outlet by our number."""
        with self.reading() as connection:
            rows = connection.execute(select(SOURCES))
            return {row.id: SourceRow(row.id, row.key, row.name, row.icon_url, row.trust) for row in rows}


# In the order of ArticleRow, the source in one place.
_ARTICLE = """select a.id, a.key, a.url, a.title, a.summary, a.body, s.id, s.key, s.name, s.icon_url, s.trust, a.author,
    a.category, a.topics, a.places, a.language, a.image_url, a.published_at, a.updated_at, a.news_value, a.lifetime,
    a.embargo_until, a.retracted_at, a.story_id, a.rev
    from {} left join source s on s.id = a.source_id where {}"""


def _article(row: Sequence[Any]) -> ArticleRow:
    """A row as the driver makes it: by names it would take several times as long."""
    source = None if row[6] is None else SourceRow(*row[6:11])
    topics, places = (tuple(json.decode(one) if isinstance(one, str) else one) for one in row[13:15])
    updated_at, embargo_until, retracted_at = (
        None if one is None else instant(one) for one in (row[18], row[21], row[22])
    )
    return ArticleRow(
        *(*row[:6], source, *row[11:13], topics, places, *row[15:17], instant(row[17]), updated_at),
        *(*row[19:21], embargo_until, retracted_at, *row[23:]),
    )


def _article_text(row: Row[Any]) -> ArticleText:
    return ArticleText(
        id=row.id,
        rev=row.rev,
        title=row.title,
        summary=row.summary,
        body=row.body,
        language=row.language,
        source_id=row.source_id or 0,
        category=row.category or "",
        topics=tuple(row.topics),
        places=tuple(row.places),
        published_at_us=micros(row.published_at),
        news_value=row.news_value or 0,
        lifetime=row.lifetime,
        embargo_until_us=micros(row.embargo_until) if row.embargo_until else 0,
        retracted=row.retracted_at is not None,
        story_id=row.story_id or 0,
    )
