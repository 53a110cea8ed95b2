"""What else finds the nearest rows: scikit-learn, scipy, sparse_dot_topn, bm25s."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from benchmarks.measure import Contender
from recommender.postings import Postings

Rows = NDArray[np.int64]


@dataclass
class Peer:
    """A contender, and its answers as (rows, scores) without the asked row where they should equal ours."""

    contender: Contender
    answer: Callable[[int], tuple[Rows, NDArray[np.float32]]] | None


def all_of(matrix: sparse.csr_matrix, asked: Rows, top: int) -> list[Peer]:
    """Every peer that is installed."""
    made = [_sklearn(matrix, asked, top), _scipy(matrix, asked, top)]
    for make in (_sparse_dot_topn, _bm25s):
        try:
            made.append(make(matrix, asked, top))
        except ImportError as error:
            print(f"not measured: {error}")
    return made


def check(peer: Peer, postings: Postings, asked: Rows, top: int) -> str:
    """Whether its answers are ours, up to ties: every score within float32 rounding, every row unless scores tie."""
    if peer.answer is None:
        return f"{peer.contender.name}: other scores, answers not compared"
    for row in asked.tolist():
        found = postings.nearest(row, top)
        rows, scores = peer.answer(row)
        kept = rows != row
        rows, scores = rows[kept][: len(found.rows)], scores[kept][: len(found.rows)]
        if not np.allclose(scores, found.scores, rtol=0, atol=2e-6):
            raise AssertionError(f"{peer.contender.name} scores {scores} where ours are {found.scores} (row {row})")
        for place in np.flatnonzero(rows != found.rows):
            if (np.abs(found.scores - found.scores[place]) < 4e-6).sum() < 2 and place < len(rows) - 1:
                raise AssertionError(f"{peer.contender.name} finds {rows} where ours are {found.rows} (row {row})")
    return f"{peer.contender.name}: same answers on {len(asked)} queries, up to ties"


def _sklearn(matrix: sparse.csr_matrix, asked: Rows, top: int) -> Peer:
    from sklearn.neighbors import NearestNeighbors

    model = NearestNeighbors(n_neighbors=top + 1, metric="cosine", algorithm="brute", n_jobs=1).fit(matrix)

    def answer(row: int) -> tuple[Rows, NDArray[np.float32]]:
        distances, rows = model.kneighbors(matrix[row])
        return rows[0], (1 - distances[0]).astype(np.float32)

    name = "sklearn NearestNeighbors, cosine, brute"
    return Peer(Contender(name, lambda task: model.kneighbors(matrix[int(asked[task % len(asked)])]), 2), answer)


def _scipy(matrix: sparse.csr_matrix, asked: Rows, top: int) -> Peer:
    query = np.zeros(matrix.shape[1], np.float32)

    def answer(row: int) -> tuple[Rows, NDArray[np.float32]]:
        start, end = matrix.indptr[row], matrix.indptr[row + 1]
        query[matrix.indices[start:end]] = matrix.data[start:end]
        scores = matrix @ query
        query[matrix.indices[start:end]] = 0
        best = np.argpartition(-scores, top)[: top + 1]
        order = best[np.lexsort((-best, -scores[best]))]
        return order, scores[order]

    return Peer(
        Contender("scipy csr @ dense + argpartition", lambda task: answer(int(asked[task % len(asked)])), 5), answer
    )


def _sparse_dot_topn(matrix: sparse.csr_matrix, asked: Rows, top: int) -> Peer:
    from sparse_dot_topn import sp_matmul_topn

    transposed = matrix.T.tocsr()
    each = 50

    def work(task: int) -> object:
        rows = asked[(task + np.arange(each)) % len(asked)]
        return sp_matmul_topn(matrix[rows], transposed, top_n=top + 1, sort=True, n_threads=1)

    def answer(row: int) -> tuple[Rows, NDArray[np.float32]]:
        found = sp_matmul_topn(matrix[[row]], transposed, top_n=top + 1, sort=True, n_threads=1)
        order = np.lexsort((-found.indices, -found.data))
        return found.indices[order], found.data[order]

    return Peer(Contender(f"sparse_dot_topn, batches of {each}", work, 2 * each, each), answer)


def _bm25s(matrix: sparse.csr_matrix, asked: Rows, top: int) -> Peer:
    import bm25s

    by_term = matrix.tocsc()
    model = bm25s.BM25(backend="numba", dtype="float32", int_dtype="int32")
    # Its own index of the same weights: retrieval costs what it costs after `index`, without its tokenizer.
    model.scores = {
        "data": by_term.data,
        "indices": by_term.indices.astype(np.int32),
        "indptr": by_term.indptr.astype(np.int32),
        "num_docs": matrix.shape[0],
    }
    model.vocab_dict, model.unique_token_ids_set = {}, set(range(matrix.shape[1]))
    model.nonoccurrence_array = None
    each = 50
    queries = [matrix.indices[matrix.indptr[row] : matrix.indptr[row + 1]].tolist() for row in asked[:500]]

    def work(task: int) -> object:
        some = [queries[(task + place) % len(queries)] for place in range(each)]
        return model.retrieve(some, k=top + 1, show_progress=False, n_threads=1)

    return Peer(Contender(f"bm25s, numba, batches of {each}", work, 2 * each, each), None)
