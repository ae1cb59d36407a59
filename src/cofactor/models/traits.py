"""What a model can do, and what its arrays must look like."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from cofactor.base import checks
from cofactor.base.errors import ArtifactError

# The size of numbers in item vectors that no fit reaches, and from which scores, sums of their
# products with numbers of users up to `checks.LARGEST_VALUE`, could leave float32.
LARGEST_IN_VECTOR = 1e15
UNBOUNDED = 1e30  # the bounds of values that have none


@dataclass(frozen=True, kw_only=True)
class Traits:
    """What a model can do and what it reads.

    Parameters
    ----------
    predicts_ratings
        `predict` gives values on the data's own scale.
    has_vectors
        Users and items have vectors whose inner product (plus an item offset) is the score.
    finds_similar
        `similar_items` works.
    explains
        `explain` splits a score into what each past item contributed.
    uses_order
        The order of a history matters.
    uses_features
        Columns of the catalogue or the profiles are read, so items and users without interactions
        get real answers.
    answers_empty
        An empty history gets the model's own ranking; without this trait, popularity answers.
    same_on_any_threads
        Equal results for any number of threads, but for float32 rounding where BLAS divides the
        work; without this trait, only ``threads=1`` repeats bit for bit.
    """

    predicts_ratings: bool = False
    has_vectors: bool = False
    finds_similar: bool = True
    explains: bool = False
    uses_order: bool = False
    uses_features: bool = False
    answers_empty: bool = False
    same_on_any_threads: bool = True


@dataclass(frozen=True)
class ArraySpec:
    """What one named array of a model's state must be.

    Parameters
    ----------
    dtype
        NumPy's name of the dtype: ``"float32"``, ``"int64"``.
    axes
        The name of each axis: ``"users"``, ``"items"``, a field of the Config (``"factors"``), a
        number as text, or any other word, which must then be equal wherever it stands; with
        ``" + 1"``, one more than that.
    optional
        Whether the array may be missing.
    low, above
        The smallest number that may stand in it, or of each place of the last axis; and one that
        all must be above.
    rows_of
        The axis whose rows its numbers are, or a number as text: from 0 to below the axis's
        length, or below that number.
    most
        The largest size of a number, of arrays of floats; what is computed from it then fits into
        float32. None where nothing is.
    """

    dtype: str
    axes: tuple[str, ...]
    optional: bool = False
    low: float | tuple[float, ...] | None = None
    above: float | None = None
    rows_of: str | None = None
    most: float | None = checks.LARGEST_VALUE

    @classmethod
    def of_items(cls, *axes: str, optional: bool = False) -> ArraySpec:
        """Declare what item vectors are, or are made by: float32, up to `LARGEST_IN_VECTOR`."""
        return cls("float32", axes, optional=optional, most=LARGEST_IN_VECTOR)

    def holds(self, array: np.ndarray) -> bool:
        """Whether an array's numbers are finite and not beyond the largest size."""
        if array.dtype.kind != "f":
            return True
        if self.most is None:
            return bool(np.isfinite(array).all())
        return checks.are_small(array, self.most)


ANY_ARRAY = ArraySpec("", ())  # of arrays that aren't declared, but for their size


def penalty_array(count: int) -> dict[str, ArraySpec]:
    """Return the declaration of the penalties in use, float64 [count], by which unseen users are
    folded in whatever the rule is in the version that loads a model; those of older versions keep
    none, and have what the present rule gives.
    """
    return {"fold_in_penalties": ArraySpec("float64", (str(count),), optional=True, low=0)}


def check_arrays(
    arrays: Mapping[str, np.ndarray], specs: Mapping[str, ArraySpec], sizes: Mapping[str, int]
) -> None:
    """Check the named arrays of a model's state against what they must be.

    Raises
    ------
    ArtifactError
        For a missing or an unknown array, a wrong dtype or shape, or a value that isn't finite or
        is out of its range; it says which.
    """
    unknown = sorted(set(arrays) - set(specs))
    if unknown:
        raise ArtifactError(
            f"the model's state holds unknown arrays {unknown}; it must hold {sorted(specs)}."
        )
    known = dict(sizes)
    for name, spec in specs.items():
        if name not in arrays:
            if spec.optional:
                continue
            raise ArtifactError(f"the model's state lacks the array {name!r}.")
        _check_array(name, arrays[name], spec, known)
    for name in specs.keys() & arrays.keys():  # when all axes are known
        _check_range(name, arrays[name], specs[name], known)


def _check_array(name: str, array: np.ndarray, spec: ArraySpec, known: dict[str, int]) -> None:
    if array.dtype != np.dtype(spec.dtype):
        raise ArtifactError(f"array {name!r} must be of {spec.dtype}, not {array.dtype}.")
    if array.ndim != len(spec.axes):
        raise ArtifactError(
            f"array {name!r} must have axes {list(spec.axes)}, not the shape {array.shape}."
        )
    for axis, length in zip(spec.axes, array.shape, strict=True):
        wanted = int(axis) if axis.isdecimal() else _length_of(axis, length, known)
        if length != wanted:
            raise ArtifactError(
                f"array {name!r} must have {wanted} {axis} on axis {axis!r}, not {length}."
            )
    if not spec.holds(array):
        raise ArtifactError(
            f"array {name!r} holds NaN, infinite numbers or ones beyond {spec.most or np.inf:g};"
            " the file is damaged or training had diverged: train the model again."
        )


def _length_of(axis: str, length: int, known: dict[str, int]) -> int:
    """How long an axis must be, by its first array where nothing else says so; 0 has no rows."""
    base, plus, more = axis.partition(" + ")
    extra = int(more) if plus else 0
    return known.setdefault(base, max(0, length - extra)) + extra


def _check_range(name: str, array: np.ndarray, spec: ArraySpec, known: Mapping[str, int]) -> None:
    if not array.size:
        return
    least, most = array.min(), array.max()
    if spec.rows_of is not None:
        count = int(spec.rows_of) if spec.rows_of.isdecimal() else known.get(spec.rows_of, 0)
        if least < 0 or most >= count:
            of = "numbers" if spec.rows_of.isdecimal() else f"rows of {spec.rows_of}"
            raise ArtifactError(
                f"array {name!r} must hold {of} in 0..{count - 1}, not"
                f" {least if least < 0 else most}."
            )
    if spec.low is not None and (array < spec.low).any():
        raise ArtifactError(
            f"array {name!r} must hold numbers from {spec.low}, not {array[array < spec.low][0]}."
        )
    if spec.above is not None and least <= spec.above:
        raise ArtifactError(f"array {name!r} must hold numbers above {spec.above:g}, not {least}.")


def check_offsets(
    offsets: np.ndarray, columns: np.ndarray, n_rows: int, names: tuple[str, str]
) -> None:
    """Check that an array says where the rows of another one begin and end: kernels index by it
    without looking.

    Numbers are compared, never subtracted: differences of 64-bit numbers wrap around.

    Parameters
    ----------
    offsets
        int64 [n_rows + 1], rising from 0 to len(columns).
    columns
        [n].
    n_rows
        How many rows there are.
    names
        What the two arrays are called.

    Raises
    ------
    ArtifactError
        If it doesn't; it says why.
    """
    rising = (
        len(offsets) == n_rows + 1
        and offsets[0] == 0
        and offsets[-1] == len(columns)
        and bool((offsets[1:] >= offsets[:-1]).all())
    )
    if not rising:
        raise ArtifactError(
            f"array {names[0]!r} must rise from 0 to the number of entries ({len(columns)}) in"
            f" {n_rows} steps; it and {names[1]!r} don't fit together."
        )


def check_csr(
    offsets: np.ndarray,
    columns: np.ndarray,
    shape: tuple[int, int],
    names: tuple[str, str] = ("indptr", "columns"),
) -> None:
    """Check that two arrays are a sparse matrix in CSR; see `check_offsets`.

    Parameters
    ----------
    offsets
        int64 [n_rows + 1], rising from 0 to len(columns).
    columns
        int [n], within 0 .. n_columns - 1, ascending and distinct within each row.
    shape
        Rows and columns of the matrix.
    names
        What the two arrays are called.

    Raises
    ------
    ArtifactError
        If they aren't: which of the two, and why.
    """
    n_rows, n_columns = shape
    check_offsets(offsets, columns, n_rows, names)
    if not len(columns):
        return
    if columns.min() < 0 or columns.max() >= n_columns:
        raise ArtifactError(
            f"array {names[1]!r} must hold rows of items in 0..{n_columns - 1}; it and"
            f" {names[0]!r} don't fit together."
        )
    ascends = columns[1:] > columns[:-1]
    starts = offsets[1:-1]
    ascends[starts[(starts > 0) & (starts < len(columns))] - 1] = True
    if not ascends.all():
        raise ArtifactError(f"array {names[1]!r} must ascend within each row, without repeats.")
