"""What anyone gets from scikit-learn in a few lines: the figures to beat."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.cluster.hierarchy import fcluster
from sklearn.cluster import DBSCAN, HDBSCAN, AgglomerativeClustering
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import normalize

from recommender.vectors import Document

Labels = npt.NDArray[np.int64]


def plain_tf_idf(documents: Sequence[Document]) -> sparse.csr_matrix:
    """``TfidfVectorizer()`` as it comes, fitted on these very texts: (n, terms)."""
    texts = [f"{document.title}\n{document.summary}".strip() for document in documents]
    return TfidfVectorizer().fit_transform(texts)


class AverageLink:
    """``AgglomerativeClustering`` with average linkage over cosine distance; the tree is grown once."""

    def __init__(self, rows: sparse.csr_matrix) -> None:
        """Grow the whole tree over n rows of length 1; needs n x n memory."""
        distance = np.clip(1 - (rows @ rows.T).toarray(), 0, None)
        np.fill_diagonal(distance, 0)
        tree = AgglomerativeClustering(None, metric="precomputed", linkage="average", distance_threshold=0)
        tree.fit(distance)
        sizes = np.ones(2 * len(distance) - 1)
        for number, (left, right) in enumerate(tree.children_):
            sizes[len(distance) + number] = sizes[left] + sizes[right]
        self._tree = np.column_stack([tree.children_, tree.distances_, sizes[len(distance) :]]).astype(np.float64)

    def cut(self, cosine: float) -> Labels:
        """The clusters whose average cosine is at least this."""
        return np.asarray(fcluster(self._tree, 1 - cosine, "distance"), dtype=np.int64)


def dbscan(rows: sparse.csr_matrix, cosine: float) -> Labels:
    """``DBSCAN`` over cosine distance, two texts make a core; noise is a cluster of one each."""
    return _noise_alone(DBSCAN(eps=1 - cosine, min_samples=2, metric="cosine").fit_predict(rows))


def hdbscan_on_lsa(rows: sparse.csr_matrix, smallest: int) -> Labels:
    """``HDBSCAN`` on 100 LSA dimensions of length 1; noise is a cluster of one each."""
    rank = min(100, min(rows.shape) - 1)
    dense = normalize(TruncatedSVD(rank, random_state=0).fit_transform(rows))
    return _noise_alone(HDBSCAN(min_cluster_size=min(smallest, rows.shape[0]), copy=True).fit_predict(dense))


def _noise_alone(labels: npt.NDArray[np.intp]) -> Labels:
    found = labels.astype(np.int64)
    noise = found < 0
    found[noise] = found.max(initial=0) + 1 + np.arange(noise.sum())
    return found
