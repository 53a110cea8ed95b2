"""A whole index of generated news, and texts to add to it."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer

from benchmarks.news import News, generate
from data.values import ArticleText
from recommender.columns import Columns
from recommender.index import ArticleIndex
from recommender.latent import CHUNK, Latent
from recommender.vectors import Epoch, Vectors, VectorSettings
from recommender.vocabulary import Vocabulary

RANK = 400
MORE = 8_000  # articles beyond the archive, to add


class Archive:
    """`count` generated articles as an index, as scikit-learn would hold them, and MORE texts of the same kind."""

    def __init__(self, count: int, seed: int) -> None:
        news = generate(count + MORE, seed)
        self.count, self.width = count, news.words.shape[1]
        self.words: sparse.csr_matrix = news.words[:count]
        self._news, self._terms = news, [f"t{number}" for number in range(self.width)]
        self._rng = np.random.default_rng(seed)
        df = np.bincount(self.words.indices, minlength=self.width)
        self.idf = (np.log((1 + count) / (1 + df)) + 1).astype(np.float32)

    def index(self) -> ArticleIndex:
        """The index, latent rows drawn at random: they cost what real ones do."""
        epoch = Epoch(
            vocabulary=Vocabulary(self._terms),
            word_idf=self.idf,
            piece_idf=np.zeros(VectorSettings().piece_buckets, np.float32),
            projection=self._rng.standard_normal((self.width, RANK), np.float32),
            document_count=self.count,
            settings=VectorSettings(),
        )
        empty = ArticleIndex.empty(epoch)
        columns = columns_of(empty, self._news, self.count)
        index = empty.with_rows(Vectors(self.words, epoch.no_pieces(self.count), None), columns)
        latent = Latent(RANK)
        for start in range(0, self.count, CHUNK):
            rows = self._rng.standard_normal((min(CHUNK, self.count - start), RANK), np.float32)
            latent = latent.joined(rows / np.linalg.norm(rows, axis=1, keepdims=True))
        return replace(index, latent=latent)

    def vectorizer(self) -> TfidfVectorizer:
        """scikit-learn's, with the same terms and weights."""
        made = TfidfVectorizer(vocabulary=self._terms, lowercase=True, sublinear_tf=True, dtype=np.float32)
        made.idf_ = self.idf
        return made

    def texts(self, first: int, count: int) -> list[ArticleText]:
        """Later articles as texts: every term of a row once."""
        later = range(self.count + first, self.count + first + count)
        return [
            ArticleText(
                id=10_000_000 + number, rev=number, title="", summary="", body=body, language="xx", source_id=1,
                category="", topics=(), places=(), published_at_us=int(self._news.published_at_us[number]),
                news_value=0, lifetime="medium", embargo_until_us=0, retracted=False, story_id=0,
            )
            for number, body in zip(later, self.bodies(later), strict=True)
        ]  # fmt: skip

    def bodies(self, numbers: range) -> list[str]:
        """Articles as texts: every term of a row once."""
        terms, words = self._terms, self._news.words
        columns = words.indices[words.indptr[numbers.start] : words.indptr[numbers.stop]].tolist()
        edges = (words.indptr[numbers.start : numbers.stop + 1] - words.indptr[numbers.start]).tolist()
        return [" ".join([terms[one] for one in columns[low:high]]) for low, high in pairwise(edges)]


def columns_of(index: ArticleIndex, news: News, count: int) -> Columns:
    """What stands beside the first `count` articles of generated news."""
    zeros = np.zeros(count, np.int64)
    return Columns(
        id=np.arange(1, count + 1),
        published_at_us=news.published_at_us[:count].copy(),
        embargo_until_us=zeros,
        source_id=news.source[:count] + 1,
        story_id=news.story[:count] + 1,
        category=np.full(count, index.categories.number(""), np.int32),
        language=np.full(count, index.languages.number("en"), np.int32),
        news_value=np.zeros(count, np.int8),
        lifetime=np.ones(count, np.int8),
        retracted=np.zeros(count, np.bool_),
        text_sum=zeros,
    )
