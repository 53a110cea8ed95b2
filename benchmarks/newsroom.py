"""A newsroom of generated news with readers: a snapshot that answers, and the same arrays for plain numpy and scipy."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse

from benchmarks.news import News, Shape, generate
from data.values import ArticleText, EventBatch, FloatArray, Histories, SourceRow
from data.wire import EVENT_KINDS
from recommender.columns import Columns
from recommender.index import ArticleIndex
from recommender.popularity import Popularity
from recommender.rules import Choices
from recommender.signals import HOUR_US, LIFETIMES
from recommender.snapshot import ReaderView, Snapshot
from recommender.vectors import Epoch, Vectors, VectorSettings
from recommender.vocabulary import Vocabulary

RANK = 400
WINDOW_DAYS = 10
READS, SHOWN = 200, 400
EVENTS = 50_000


@dataclass(frozen=True)
class Newsroom:
    """`window` articles of the last ten days and as many of the ten before; `seed` decides everything."""

    window: int
    seed: int

    @cached_property
    def news(self) -> News:
        """Oldest first; what comes after the instant of the requests is cut off."""
        count = 2 * self.window
        made = generate(count + count // 8, self.seed, Shape(articles_a_day=self.window // WINDOW_DAYS))
        return News(
            made.words[:count], made.published_at_us[:count], made.story[:count], made.theme[:count],
            made.source[:count],
        )  # fmt: skip

    @property
    def words(self) -> sparse.csr_matrix:
        """(articles x terms)."""
        return self.news.words

    @cached_property
    def latent(self) -> FloatArray:
        """(articles x RANK): words projected at random, in values that half precision holds."""
        random = np.random.default_rng(self.seed)
        rows = self.words @ random.standard_normal((self.words.shape[1], RANK), np.float32)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        return np.asarray(rows.astype(np.float16), np.float32)

    @cached_property
    def now_us(self) -> int:
        """The instant of every request: the newest article is just out."""
        return int(self.news.published_at_us.max())

    @property
    def window_h(self) -> float:
        """Just so long that it holds `window` articles: about ten days."""
        return (self.now_us - int(self.news.published_at_us[-self.window])) / HOUR_US

    @cached_property
    def snapshot(self) -> Snapshot:
        """Articles, outlets and counters as a service holds them."""
        random, width = np.random.default_rng(self.seed), self.words.shape[1]
        epoch = Epoch(
            vocabulary=Vocabulary([f"t{number}" for number in range(width)]),
            word_idf=np.ones(width, np.float32),
            piece_idf=np.zeros(VectorSettings().piece_buckets, np.float32),
            projection=np.zeros((width, RANK), np.float32),
            document_count=len(self.news),
            settings=VectorSettings(),
        )
        empty = ArticleIndex.empty(epoch)
        columns = Columns.of(self._texts(random), empty.categories, empty.languages)
        vectors = Vectors(self.words, epoch.no_pieces(len(self.news)), self.latent)
        index = empty.with_rows(vectors, columns, self._topics())
        sources = {one: SourceRow(one, f"s{one}", f"S{one}", None, (one % 5 + 1) / 6) for one in range(1, 201)}
        return Snapshot(index, Popularity().add(self._events(random)), sources)

    def reader(self, number: int) -> ReaderView:
        """One who read READS articles of a few sections within hours of their publication, and was shown SHOWN."""
        random = np.random.default_rng([self.seed, number])
        liking = random.dirichlet(np.full(12, 0.3))[self.news.theme % 12] + 0.01
        read = random.choice(len(self.news), READS, replace=False, p=liking / liking.sum())
        shown = random.integers(len(self.news) - self.window, len(self.news), SHOWN)
        kinds = random.choice([EVENT_KINDS.index(kind) for kind in ("open", "read", "finish")], READS)
        impressions = np.full(SHOWN, EVENT_KINDS.index("impression"))
        topic = f"topic{self.news.theme[read[0]] % 300}"
        return ReaderView(
            Choices(followed_topics=(topic,)),
            self._history(read, kinds, random),
            self._history(shown, impressions, random),
            number,
        )

    def _history(self, rows: np.ndarray, kinds: np.ndarray, random: np.random.Generator) -> Histories:
        at_us = self.news.published_at_us[rows] + (random.exponential(6, len(rows)) * HOUR_US).astype(np.int64)
        at_us = np.minimum(at_us, self.now_us)
        order = np.argsort(-at_us, kind="stable")
        return Histories(
            np.ones(1, np.int64),
            np.array([0, len(rows)], np.int64),
            rows[order].astype(np.int64) + 1,
            at_us[order],
            kinds[order].astype(np.int8),
            np.full(len(rows), np.nan, np.float32),
        )

    def _texts(self, random: np.random.Generator) -> list[ArticleText]:
        """What beside the text is known of each article."""
        news, count = self.news, len(self.news)
        value = random.choice(6, count, p=[0.5, 0.1, 0.15, 0.15, 0.07, 0.03]).tolist()
        lifetime = random.choice(LIFETIMES, count, p=[0.2, 0.6, 0.2]).tolist()
        return [
            ArticleText(
                id=row + 1, rev=row + 1, title="", summary="", body="", language="en", source_id=source + 1,
                category=f"section{theme % 12}", topics=(), places=(), published_at_us=at_us, news_value=value[row],
                lifetime=lifetime[row], embargo_until_us=0, retracted=False, story_id=story + 1,
            )
            for row, (source, theme, at_us, story) in enumerate(
                zip(
                    news.source.tolist(), news.theme.tolist(), news.published_at_us.tolist(), news.story.tolist(),
                    strict=True,
                )
            )
        ]  # fmt: skip

    def _topics(self) -> dict[str, np.ndarray]:
        topic = self.news.theme % 300
        return {f"topic{one}": np.flatnonzero(topic == one) for one in range(300)}

    def _events(self, random: np.random.Generator) -> EventBatch:
        """Reads of other readers; a few articles have most of them."""
        rows = (len(self.news) * random.random(EVENTS) ** 0.3).astype(np.int64)
        at_us = self.news.published_at_us[rows] + (random.exponential(8, EVENTS) * HOUR_US).astype(np.int64)
        kinds = np.full(EVENTS, EVENT_KINDS.index("read"), np.int8)
        return EventBatch(1, random.integers(1, 5_000, EVENTS), rows + 1, np.minimum(at_us, self.now_us), kinds)
