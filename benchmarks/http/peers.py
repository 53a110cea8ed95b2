"""The servers ours is measured beside: the same bytes from nothing, and the same lists as one would first write it."""

import os
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
from fastapi import FastAPI
from pydantic import BaseModel
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics.pairwise import cosine_similarity, linear_kernel
from sqlalchemy import text

from benchmarks.http.newsroom import READS, WINDOW_DAYS
from data.store import Store

DAY_US = 86_400_000_000


def bare() -> Any:
    """Answers every request with the bytes of the file that the environment names."""
    with open(os.environ["BENCH_BODY"], "rb") as file:  # noqa: PTH123
        body = file.read()
    start = {
        "type": "http.response.start",
        "status": 200,
        "headers": [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())],
    }

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        await send(start)
        await send({"type": "http.response.body", "body": body})

    return app


class Card(BaseModel):
    """One recommended article."""

    article_id: str
    title: str
    published_at: int
    excerpt: str
    url: str
    category: str
    score: float


class Answer(BaseModel):
    """A list."""

    items: list[Card]


class Plain:
    """TF-IDF and cosine as the documentation of scikit-learn shows them; freshness and diversity left out."""

    def __init__(self, store: Store) -> None:
        self.store = store
        with store.reading() as connection:
            rows = connection.execute(
                text("select id, key, title, summary, body, url, category, published_at from article")
            ).all()
        self.rows = rows
        self.place = {row.id: place for place, row in enumerate(rows)}
        self.key = {row.key: place for place, row in enumerate(rows)}
        self.X = TfidfVectorizer().fit_transform(f"{row.title} {row.body}" for row in rows)
        newest = max(row.published_at for row in rows)
        self.recent = np.array([p for p, row in enumerate(rows) if row.published_at > newest - WINDOW_DAYS * DAY_US])

    def related(self, key: str, limit: int) -> list[Card]:
        """The nearest of one article."""
        place = self.key[key]
        scores = linear_kernel(self.X[place], self.X).ravel()
        scores[place] = -1
        return self.cards(np.arange(len(self.rows)), scores, limit)

    def for_you(self, reader: str, limit: int) -> list[Card]:
        """The nearest of the mean of what was read."""
        query = text(
            "select e.article_id from event e join reader r on r.id = e.reader_id "
            "where r.key = :key order by e.at desc limit :many"
        )
        with self.store.reading() as connection:
            read = [self.place[row[0]] for row in connection.execute(query, {"key": reader, "many": READS})]
        candidates = np.setdiff1d(self.recent, read)
        profile = np.asarray(self.X[read].mean(axis=0)) if read else np.zeros((1, self.X.shape[1]))
        return self.cards(candidates, cosine_similarity(profile, self.X[candidates]).ravel(), limit)

    def cards(self, places: np.ndarray, scores: np.ndarray, limit: int) -> list[Card]:
        """The best as cards."""
        best = np.argpartition(-scores, min(limit, len(scores) - 1))[:limit]
        best = best[np.argsort(-scores[best])]
        found = []
        for one in best:
            row = self.rows[places[one]]
            found.append(
                Card(
                    article_id=row.key,
                    title=row.title,
                    published_at=row.published_at,
                    excerpt=row.summary[:180],
                    url=row.url,
                    category=row.category,
                    score=float(scores[one]),
                )
            )
        return found


def plain() -> FastAPI:
    """FastAPI, pydantic, scikit-learn and the database, without a second thought."""
    made: dict[str, Plain] = {}

    @asynccontextmanager
    async def life(_: FastAPI) -> Any:
        with Store.open(os.environ["NEWSBELL_DATABASE_URL"]) as store:
            made["plain"] = Plain(store)
            yield

    app = FastAPI(lifespan=life)

    @app.get("/v1/articles/{article}/related")
    def related(article: str, limit: int = 10) -> Answer:
        return Answer(items=made["plain"].related(article, limit))

    @app.get("/v1/readers/{reader}/for-you")
    def for_you(reader: str, limit: int = 20) -> Answer:
        return Answer(items=made["plain"].for_you(reader, limit))

    return app
