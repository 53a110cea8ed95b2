"""Articles as vectors: a vocabulary epoch learns word weights from the news stream and encodes any text.

Three views of a text are kept apart, because each fails where another does not: words (exact and explainable),
pieces of words (other inflections and spellings), and a latent space of the recent window (other words, same subject).
"""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

import numpy as np
import numpy.typing as npt
from scipy import sparse
from sklearn.utils.extmath import randomized_svd

from data.text import has_stemmer, tokens, words
from recommender import arrays
from recommender.pieces import count_pieces
from recommender.vocabulary import Vocabulary

Floats = npt.NDArray[np.float32]
Indices = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Document:
    """What of an article is compared; plain text, language as ``data.text.detect_language`` names it."""

    title: str
    summary: str = ""
    body: str = ""
    language: str = "en"


@dataclass(frozen=True, slots=True)
class VectorSettings:
    """How texts become vectors; an epoch remembers the settings it was fitted with."""

    title_times: int = 2
    lead_characters: int = 2_400
    title_characters: int = 1_000
    shortest_piece: int = 2
    longest_piece: int = 4
    piece_buckets: int = 1 << 18
    rank: int = 400
    latent_power: float = 1.5
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Blend:
    """How much each view counts in a similarity; views that one of two texts lacks are left out of the mean."""

    words: float = 0.35
    pieces: float = 0.4
    dense: float = 0.25


@dataclass(frozen=True, slots=True)
class Vectors:
    """n encoded texts; every row of every part has length 1, or is zero where the text offers nothing.

    ``words`` (n, terms) float32: tf-idf of stems, the part an inverted index can search. ``pieces`` (n, buckets)
    float32: tf-idf of hashed character n-grams of the title. ``dense`` (n, r) float32: LSA of the window, or None;
    its values are those that half precision holds, so that they may be stored as such: lengths are 1 to 0.0005.
    Widths of ``words`` only grow within one epoch; rows of different widths may be compared and joined.
    """

    words: sparse.csr_matrix
    pieces: sparse.csr_matrix
    dense: Floats | None

    def __len__(self) -> int:
        return int(self.words.shape[0])

    def rows(self, indices: Indices | npt.NDArray[np.bool_] | slice | list[int]) -> "Vectors":
        """The texts at these positions (an array, a boolean mask or a slice), in this order."""
        dense = None if self.dense is None else self.dense[indices]
        return Vectors(self.words[indices], self.pieces[indices], dense)


def concat(parts: Sequence[Vectors]) -> Vectors:
    """All texts of the parts of one epoch below each other; at least one part."""
    width = max(part.words.shape[1] for part in parts)
    latent = [part.dense for part in parts if part.dense is not None]
    return Vectors(
        sparse.vstack([widen(part.words, width) for part in parts], format="csr"),
        sparse.vstack([part.pieces for part in parts], format="csr"),
        np.vstack(latent) if len(latent) == len(parts) else None,
    )


def widen(matrix: sparse.csr_matrix, width: int) -> sparse.csr_matrix:
    """The same rows with columns up to ``width``; shares memory, never narrows."""
    if matrix.shape[1] >= width:
        return matrix
    return sparse.csr_matrix((matrix.data, matrix.indices, matrix.indptr), shape=(matrix.shape[0], width))


def similarity(queries: Vectors, others: Vectors, blend: Blend | None = None) -> Floats:
    """Blended cosine of every query with every other text: (q, n) float32 in [-1, 1], in practice [0, 1].

    The weighted mean runs over the views both texts have, so a Chinese text (no pieces) or an unknown word
    (no latent direction) is judged by the rest. Two texts without any common view score 0.
    """
    mix = blend or Blend()
    width = max(queries.words.shape[1], others.words.shape[1])
    total = np.zeros((len(queries), len(others)), dtype=np.float32)
    weight = np.zeros_like(total)
    views: list[tuple[float, Any, Any]] = [
        (mix.words, widen(queries.words, width), widen(others.words, width)),
        (mix.pieces, queries.pieces, others.pieces),
    ]
    if queries.dense is not None and others.dense is not None:
        views.append((mix.dense, queries.dense, others.dense))
    for share, ours, theirs in views:
        if share:
            product = ours @ theirs.T
            total += share * (product.toarray() if sparse.issparse(product) else product)
            weight += share * np.outer(_present(ours), _present(theirs))
    return np.divide(total, weight, out=np.zeros_like(total), where=weight > 0)


def _present(rows: Any) -> Floats:
    """1 for every row that is not empty, 0 for the others: (n,)."""
    filled = np.diff(rows.indptr) > 0 if sparse.issparse(rows) else rows.any(axis=1)
    return np.asarray(filled, dtype=np.float32)


class Epoch:
    """A vocabulary with the weights learned when it was fitted; it may grow, its weights never change.

    Words first seen after the fit get a new column and the weight of a word in no text, so breaking names match
    at once and older rows stay valid. Safe to use from several threads.
    """

    def __init__(
        self,
        *,
        vocabulary: Vocabulary,
        word_idf: Floats,
        piece_idf: Floats,
        projection: Floats | None,
        document_count: int,
        settings: VectorSettings,
        key: str = "",
    ) -> None:
        """Assemble an epoch; use ``fit`` or ``load``. ``projection`` is (terms, r); ``key`` names what was learned."""
        self.settings = settings
        self.key = key or uuid4().hex
        self.document_count = document_count
        self.vocabulary = vocabulary
        self._word_idf, self._piece_idf, self._projection = word_idf, piece_idf, projection
        self._unseen_idf = np.float32(np.log(1 + document_count) + 1)

    @classmethod
    def fit(
        cls,
        documents: Sequence[Document],
        settings: VectorSettings | None = None,
        background: Sequence[Document] = (),
    ) -> Self:
        """Learn from the recent window: idf ``ln((1 + n) / (1 + df)) + 1`` and the latent space (truncated SVD).

        ``background`` is older news of the same stream: it sharpens the idf, not the latent space. An epoch of no
        documents is valid: everything is unseen then.
        """
        options = settings or VectorSettings()
        count = len(documents) + len(background)
        empty = np.zeros(0, dtype=np.float32)
        draft = cls(
            vocabulary=Vocabulary(),
            word_idf=empty,
            piece_idf=np.zeros(options.piece_buckets, dtype=np.float32),
            projection=None,
            document_count=count,
            settings=options,
        )
        words, pieces = draft._count_words(documents), draft._count_pieces(documents)
        more_words, more_pieces = draft._count_words(background), draft._count_pieces(background)
        terms = draft.width
        word_df = _document_frequency(words, terms) + _document_frequency(more_words, terms)
        piece_df = _document_frequency(pieces, options.piece_buckets) + _document_frequency(
            more_pieces, options.piece_buckets
        )
        draft._word_idf, draft._piece_idf = _smooth_idf(word_df, count), _smooth_idf(piece_df, count)
        draft._projection = draft._learn_projection(widen(words, terms))
        return draft

    def encode(self, documents: Sequence[Document], *, with_pieces: bool = True) -> Vectors:
        """The vectors of these texts, in order; encoding them together or one by one gives the same rows."""
        weighted = self._weigh(self._count_words(documents))
        pieces = self._count_pieces(documents) if with_pieces else self.no_pieces(len(documents))
        return Vectors(weighted, _tf_idf(pieces, self._piece_idf[pieces.indices]), self._project(weighted))

    def no_pieces(self, count: int) -> sparse.csr_matrix:
        """The pieces of texts that offer none (count, buckets)."""
        return sparse.csr_matrix((count, self.settings.piece_buckets), dtype=np.float32)

    def terms(self, columns: Iterable[int]) -> list[str]:
        """The stems behind columns of ``Vectors.words``."""
        return self.vocabulary.names(columns)

    @property
    def rank(self) -> int:
        """How many latent directions there are; 0 for none."""
        return 0 if self._projection is None else int(self._projection.shape[1])

    @property
    def width(self) -> int:
        """How many columns ``words`` has by now."""
        return len(self.vocabulary)

    def save(self, folder: Path) -> None:
        """Write everything into a new folder: what was learned, and the vocabulary as it is by now."""
        self.save_fit(folder)
        arrays.save(folder / "vocabulary.npy", self.vocabulary.text())

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Map what ``save`` wrote."""
        return cls.load_fit(folder, Vocabulary.saved(arrays.load(folder / "vocabulary.npy")))

    def save_fit(self, folder: Path) -> None:
        """Write what was learned into a new folder: it never changes, while the vocabulary grows."""
        folder.mkdir(parents=True)
        learned = {"word_idf": self._word_idf, "piece_idf": self._piece_idf}
        if self._projection is not None:
            learned["projection"] = self._projection
        for name, array in learned.items():
            arrays.save(folder / f"{name}.npy", array)
        facts = {"document_count": self.document_count, "settings": asdict(self.settings), "key": self.key}
        arrays.write(folder / "epoch.json", json.dumps(facts).encode())

    @classmethod
    def load_fit(cls, folder: Path, vocabulary: Vocabulary) -> Self:
        """Map what ``save_fit`` wrote; the vocabulary begins as the one it was learned with."""
        facts = json.loads((folder / "epoch.json").read_text())
        projection = folder / "projection.npy"
        return cls(
            vocabulary=vocabulary,
            word_idf=arrays.load(folder / "word_idf.npy"),
            piece_idf=arrays.load(folder / "piece_idf.npy"),
            projection=arrays.load(projection) if projection.exists() else None,
            document_count=facts["document_count"],
            settings=VectorSettings(**facts["settings"]),
            key=facts["key"],
        )

    def _count_words(self, documents: Sequence[Document]) -> sparse.csr_matrix:
        """Raw counts (n, width by now)."""
        ends, columns, counts = [0], list[int](), list[int]()
        for document in documents:
            title, rest = self._read(document)
            tally = Counter(title * self.settings.title_times)
            tally.update(rest)
            columns.extend(self.vocabulary.columns_of(tally))
            counts.extend(tally.values())
            ends.append(len(columns))
        parts = np.array(counts, dtype=np.float32), np.array(columns, dtype=np.int32), np.array(ends, dtype=np.int32)
        return sparse.csr_matrix(parts, shape=(len(documents), self.width))

    def _count_pieces(self, documents: Sequence[Document]) -> sparse.csr_matrix:
        """Pieces of the title, or of the summary where there is none; inflected languages word by word."""
        options = self.settings
        return count_pieces(
            [words((document.title.strip() or document.summary)[: options.title_characters]) for document in documents],
            across=[has_stemmer(document.language) for document in documents],
            sizes=range(options.shortest_piece, options.longest_piece + 1),
            buckets=options.piece_buckets,
        )

    def _read(self, document: Document) -> tuple[list[str], list[str]]:
        limit = self.settings.lead_characters
        lead = f"{document.summary}\n{document.body[:limit]}"[:limit]
        title = document.title[: self.settings.title_characters]
        return tokens(title, document.language), tokens(lead, document.language)

    def _weigh(self, counts: sparse.csr_matrix) -> sparse.csr_matrix:
        """Words first seen after the fit weigh as words in no text."""
        fitted = len(self._word_idf)
        columns = counts.indices
        if not fitted:
            return _tf_idf(counts, np.full(len(columns), self._unseen_idf, np.float32))
        return _tf_idf(
            counts, np.where(columns < fitted, self._word_idf[np.minimum(columns, fitted - 1)], self._unseen_idf)
        )

    def _learn_projection(self, counts: sparse.csr_matrix) -> Floats | None:
        """Directions of the window, each stretched by its singular value to ``latent_power`` - 1: (terms, r).

        A power above 1 lets the strong directions, the stories many texts tell, weigh more than plain LSA does.
        """
        weighted = self._weigh(counts)
        rank = min(self.settings.rank, min(weighted.shape) - 1)
        if rank < 1 or not weighted.nnz:
            return None
        _, values, directions = randomized_svd(weighted, rank, n_iter=5, random_state=self.settings.seed)
        stretch = (values / values[0]) ** (self.settings.latent_power - 1)
        return np.ascontiguousarray((directions * stretch[:, None]).T, dtype=np.float32)

    def _project(self, weighted: sparse.csr_matrix) -> Floats | None:
        """Coordinates in the latent space (n, r), each row of length 1; stems unseen at the fit have no direction."""
        if self._projection is None:
            return None
        fitted = len(self._word_idf)
        latent = widen(weighted, fitted)[:, :fitted] @ self._projection
        lengths = np.linalg.norm(latent, axis=1, keepdims=True)
        unit = np.divide(latent, lengths, out=np.zeros_like(latent), where=lengths > 1e-6)
        return np.asarray(unit.astype(np.float16), dtype=np.float32)


def _document_frequency(counts: sparse.csr_matrix, width: int) -> npt.NDArray[np.int64]:
    return np.bincount(counts.indices, minlength=width)


def _smooth_idf(df: npt.NDArray[np.int64], count: int) -> Floats:
    """``TfidfTransformer(smooth_idf=True)``: as if one more text held every term."""
    return (np.log((1 + count) / (1 + df)) + 1).astype(np.float32)


def _tf_idf(counts: sparse.csr_matrix, idf: Floats) -> sparse.csr_matrix:
    """Sublinear tf times idf (entries,), rows of length 1; empty rows stay empty."""
    weights = ((1 + np.log(counts.data)) * idf).astype(np.float32)
    lengths = np.diff(counts.indptr)
    row = np.repeat(np.arange(len(lengths)), lengths)
    squares = np.bincount(row, weights.astype(np.float64) ** 2, len(lengths))
    weights /= np.sqrt(np.where(squares > 0, squares, 1.0)).astype(np.float32)[row]
    return sparse.csr_matrix((weights, counts.indices, counts.indptr), shape=counts.shape)
