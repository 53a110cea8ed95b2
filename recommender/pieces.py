"""Character n-grams of short texts, hashed into a fixed number of columns for many texts at once."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import sparse

_SPACE = 32
_PAIRED_FROM = 0x0E00  # from here on scripts are cut into pairs by the tokenizer: pieces would say it twice
_MULTIPLIER, _MIXER = np.uint64(0x100000001B3), np.uint64(0xBF58476D1CE4E5B9)
_TEXTS_AT_ONCE = 2_000

Words = Sequence[str]


def count_pieces(
    texts: Sequence[Words], *, across: Sequence[bool], sizes: Sequence[int], buckets: int
) -> sparse.csr_matrix:
    """How often each n-gram of each text occurs: (n, buckets) float32.

    A text is its folded words; n-grams see a space at both ends of every word. Where ``across`` is true they run over
    word ends and so know the order of words, else they stay within one word. The same in every process.
    """
    parts = [
        _count_block(texts[start : start + _TEXTS_AT_ONCE], across[start : start + _TEXTS_AT_ONCE], sizes, buckets)
        for start in range(0, len(texts), _TEXTS_AT_ONCE)
    ]
    return sparse.vstack(parts, format="csr") if parts else sparse.csr_matrix((0, buckets), dtype=np.float32)


def _count_block(
    texts: Sequence[Words], across: Sequence[bool], sizes: Sequence[int], buckets: int
) -> sparse.csr_matrix:
    padded = [f" {' '.join(words)} " if words else "" for words in texts]
    codes = np.frombuffer("".join(padded).encode("utf-32-le", "replace"), dtype=np.uint32)
    text = np.repeat(np.arange(len(texts)), [len(one) for one in padded])
    found = [_hashed(codes, text, np.asarray(across, dtype=bool), size) for size in sizes]
    rows = np.concatenate([row for row, _ in found])
    columns = np.concatenate([hashed % np.uint64(buckets) for _, hashed in found]).astype(np.int32)
    ones = np.ones(len(rows), dtype=np.float32)
    return sparse.coo_matrix((ones, (rows, columns)), shape=(len(texts), buckets)).tocsr()


def _hashed(
    codes: npt.NDArray[np.uint32], text: npt.NDArray[np.intp], across: npt.NDArray[np.bool_], size: int
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.uint64]]:
    """The text and the 64-bit hash of every n-gram of this size."""
    count = max(len(codes) - size + 1, 0)
    windows = [codes[place : place + count] for place in range(size)]
    wanted = text[:count] == text[len(text) - count :]
    for place, window in enumerate(windows):
        wanted &= window < _PAIRED_FROM
        if 0 < place < size - 1:
            wanted &= (window != _SPACE) | across[text[:count]]
    rows = text[:count][wanted]
    hashed = np.full(len(rows), size, dtype=np.uint64)
    for window in windows:
        hashed = hashed * _MULTIPLIER ^ window[wanted].astype(np.uint64)
    hashed ^= hashed >> np.uint64(29)
    hashed *= _MIXER
    return rows, hashed ^ (hashed >> np.uint64(32))
