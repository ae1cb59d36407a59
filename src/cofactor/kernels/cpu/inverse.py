"""The inverse of a large positive definite matrix, in place, by LAPACK.

SciPy's own wrappers of ``spotrf`` and ``spotri`` won't do for the largest matrices: they copy what
isn't a whole array, and OpenBLAS' threaded ``spotrf`` overruns its buffer at some 40,000 rows. Both
are avoided by cutting the matrix into halves until a part has at most `LEAF` rows. What stands
between two parts is products and triangular solves of BLAS in place, so that no second matrix is
held, and Ctrl-C and the progress bar have somewhere to come in.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from cofactor.base.threads import native_threads

# Rows of a part that LAPACK gets whole. Threads wait longer for one another in its routines than in
# products: with parts of 8,192 rows two of them took 1.15 times the CPU time at 3,700 rows.
LEAF = 2048


def invert_lower(
    matrix: np.ndarray, n_threads: int, done: Callable[[float], None] | None = None
) -> int:
    """Replace the lower triangle of a positive definite matrix by that of its inverse.

    Parameters
    ----------
    matrix : float32 [n, n]
        C-contiguous. What stands above the diagonal is neither read nor written.
    n_threads : int
        How many threads BLAS may use; the result depends on it in the last bits at most.
    done
        Called after each part with the share that is done, in (0, 1].

    Returns
    -------
    int
        -1, or the row at which the matrix turned out not to be positive definite, or 0 where a
        number turned out not to be finite (the matrix is then spoiled).
    """
    n = len(matrix)
    if not n:
        return -1
    work = _Halves(matrix, done)
    with native_threads(n_threads, blas=n_threads):
        bad = work.factor(0, n)
        if bad >= 0:
            return bad
        work.invert_factor(0, n)
        work.multiply_factors(0, n)
    return -1 if np.isfinite(np.diag(matrix)).all() else 0


def factor_lower(matrix: np.ndarray, n_threads: int) -> int:
    """Replace the lower triangle of a positive definite matrix by its Cholesky factor, in place.

    Parameters, and what is returned, are those of `invert_lower`.
    """
    with native_threads(n_threads, blas=n_threads):
        bad = _Halves(matrix, None).factor(0, len(matrix))
    return bad if bad >= 0 or np.isfinite(np.diag(matrix)).all() else 0


def inverse_rows(factor: np.ndarray, first: int, end: int, n_threads: int) -> np.ndarray:
    """Return the rows from ``first`` to ``end`` of a matrix' inverse, given its Cholesky factor.

    Parameters
    ----------
    factor : float32 [n, n]
        What `factor_lower` leaves; what stands above the diagonal isn't read.
    first, end : int
        Which rows.
    n_threads : int
        How many threads BLAS may use.

    Returns
    -------
    float32 [end - first, n]
    """
    n, count = len(factor), end - first
    found = np.zeros((count, n), np.float32)
    found[np.arange(count), np.arange(first, end)] = 1

    def solve(transposed: str, corner: int) -> None:
        """Of the rows, what stands from column ``corner`` on; before it is zero."""
        triangle = ctypes.c_void_p(factor.ctypes.data + 4 * (corner * n + corner))
        right = ctypes.c_void_p(found.ctypes.data + 4 * corner)
        how = ("L", "U", transposed, "N", n - corner, count, 1.0)
        _call("strsm", *how, triangle, n, right, n)

    with native_threads(n_threads, blas=n_threads):
        solve("T", first)
        solve("N", 0)
    return found


class _Halves:
    """The three steps of LAPACK's ``potrf`` and ``potri``, each by halves.

    To Fortran, which counts by columns, the lower triangle is an upper one: A = U'U is factored,
    U is inverted, and A^-1 = U^-1 U^-1'.
    """

    def __init__(self, matrix: np.ndarray, done: Callable[[float], None] | None) -> None:
        self.address, self.n = matrix.ctypes.data, len(matrix)
        self.done, self.share = done, 0.0

    def factor(self, first: int, end: int) -> int:
        """U of the rows from ``first`` to ``end``; return -1, or the row that failed."""
        if end - first <= LEAF:
            info = self._lapack("spotrf", first, end)
            return first + info - 1 if info else -1
        half = (first + end) // 2
        bad = self.factor(first, half)
        if bad >= 0:
            return bad
        self._triangular("strsm", "LT", 1.0, first, first, half, end)
        self._square("T", -1.0, first, half, end)
        return self.factor(half, end)

    def invert_factor(self, first: int, end: int) -> None:
        """U^-1 in the place of U."""
        if end - first <= LEAF:
            self._lapack("strtri", first, end)
            return
        half = (first + end) // 2
        self._triangular("strsm", "LN", -1.0, first, first, half, end)
        self._triangular("strsm", "RN", 1.0, half, first, half, end)
        self.invert_factor(first, half)
        self.invert_factor(half, end)

    def multiply_factors(self, first: int, end: int) -> None:
        """V V' in the place of the upper triangle V."""
        if end - first <= LEAF:
            self._lapack("slauum", first, end)
            return
        half = (first + end) // 2
        self.multiply_factors(first, half)
        self._square("N", 1.0, first, half, end)
        self._triangular("strmm", "RT", 1.0, half, first, half, end)
        self.multiply_factors(half, end)

    def _at(self, row: int, column: int) -> ctypes.c_void_p:
        """Where an element stands, counted by columns as Fortran does."""
        return ctypes.c_void_p(self.address + 4 * (column * self.n + row))

    def _lapack(self, name: str, first: int, end: int) -> int:
        info = ctypes.c_int(0)
        diagonal = "N" if name == "strtri" else ""
        size = end - first
        _call(name, "U", *diagonal, size, self._at(first, first), self.n, ctypes.byref(info))
        self._count(size**3 / 3)
        return info.value

    def _triangular(
        self, name: str, how: str, scale: float, corner: int, first: int, half: int, end: int
    ) -> None:
        """Solve with, or multiply by, the triangle at ``corner``: the block above the right one
        of both triangles, in place.
        """
        side, transposed = how[0], how[1]
        size = (half - first, end - half)
        triangle, block = self._at(corner, corner), self._at(first, half)
        _call(name, side, "U", transposed, "N", *size, scale, triangle, self.n, block, self.n)
        self._count(size[0] * size[1] * (size[0] if side == "L" else size[1]))

    def _square(self, transposed: str, scale: float, first: int, half: int, end: int) -> None:
        """Add the block's product with itself to the triangle right of it (``"T"``) or left."""
        rows, columns = half - first, end - half
        n, k, corner = (columns, rows, half) if transposed == "T" else (rows, columns, first)
        block, triangle = self._at(first, half), self._at(corner, corner)
        _call("ssyrk", "U", transposed, n, k, scale, block, self.n, 1.0, triangle, self.n)
        self._count(n * n * k)

    def _count(self, operations: float) -> None:
        self.share += operations / self.n**3
        if self.done is not None:
            self.done(min(1.0, self.share))


def _call(name: str, *arguments: Any) -> None:
    """Call a routine of the BLAS and LAPACK that SciPy brings: Fortran, all by reference."""
    _routine(name)(*(_by_reference(argument) for argument in arguments))


def _by_reference(argument: Any) -> Any:
    if isinstance(argument, str):
        return ctypes.byref(ctypes.c_char(argument.encode()))
    if isinstance(argument, int):
        return ctypes.byref(ctypes.c_int(argument))
    if isinstance(argument, float):
        return ctypes.byref(ctypes.c_float(argument))
    return argument


@cache
def _routine(name: str) -> Any:
    from numba.extending import get_cython_function_address

    module = "cython_lapack" if name in ("spotrf", "strtri", "slauum") else "cython_blas"
    return ctypes.CFUNCTYPE(None)(get_cython_function_address(f"scipy.linalg.{module}", name))
