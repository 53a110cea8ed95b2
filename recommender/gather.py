"""A profile against every article of a window: compiled inner products of sparse rows with one dense vector."""

import numba as nb
import numpy as np
from scipy import sparse

from data.values import FloatArray


def products(rows: sparse.csr_matrix, dense: FloatArray) -> FloatArray:
    """rows (n x terms, CSR float32, int32 columns) @ dense (terms,) float32: (n,).

    Equal rows give equal products whatever stands around them. Sums are float32, taken in an order of the
    processor's choice: they may differ from scipy's in the last bits.
    """
    if dense.shape != (rows.shape[1],):
        raise ValueError(f"a vector of {rows.shape[1]} terms is needed, not of shape {dense.shape}")
    found: FloatArray = _products(
        np.asarray(rows.indptr, np.int64), rows.indices, rows.data, np.ascontiguousarray(dense, np.float32)
    )
    return found


_I32, _I64, _F32 = (nb.types.Array(dtype, 1, "C", readonly=True) for dtype in (nb.int32, nb.int64, nb.float32))


@nb.njit(nb.float32[::1](_I64, _I32, _F32, _F32), cache=True, nogil=True, fastmath={"reassoc", "contract"})
def _products(starts, columns, weights, dense):  # type: ignore[no-untyped-def]
    made = np.empty(len(starts) - 1, np.float32)
    for row in range(len(made)):
        mine = columns[starts[row] : starts[row + 1]]
        values = weights[starts[row] : starts[row + 1]]
        total = np.float32(0)
        for place in range(len(mine)):
            total += values[place] * dense[np.uint32(mine[place])]  # unsigned: gathered eight or sixteen at a time
        made[row] = total
    return made
