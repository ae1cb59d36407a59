"""Arrays, mappings and sparse matrices as tables and events."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from cofactor.base.errors import ArgumentError, DataError
from cofactor.data.events import Events
from cofactor.data.guards import checked_values, doubts, summed
from cofactor.data.readers.headers import has_roles
from cofactor.data.readers.json_shapes import table_of_json
from cofactor.data.records import table_of_columns


def is_header(row: Any) -> bool:
    """Return whether a row names the columns of those below, as the first of a csv.reader does."""
    cells = row.tolist() if isinstance(row, np.ndarray) else row
    return (
        isinstance(cells, (tuple, list))
        and all(isinstance(cell, str) for cell in cells)
        and has_roles(cells)
    )


def converted(source: Any) -> np.ndarray:
    """Return the array of another library (a tensor, say) as one of NumPy.

    Raises
    ------
    ArgumentError
        If NumPy can't have it: it is on another device, sparse, or of a type that NumPy hasn't.
    """
    try:
        return np.asarray(source)
    except Exception as error:  # whatever that library raises
        raise ArgumentError(
            f"a {type(source).__name__} can't be read as it is ({str(error).splitlines()[0]}); pass"
            " an array of NumPy, or a sparse matrix of SciPy."
        ) from None


def of_array(array: np.ndarray) -> Any:
    """Return a NumPy array of rows as something that can be read: a structured one with its names,
    a plain one [n, 2 to 4] as columns by position, one of objects [n] as a list of rows.

    Raises
    ------
    ArgumentError
        If it is neither.
    """
    if array.dtype.names:
        return table_of_columns(dict(_fields(array)))
    if array.ndim == 1 and array.dtype.kind == "O" and len(array):
        return array.tolist()
    if array.ndim == 2 and len(array) > 1 and is_header(array[0]):
        names = [str(name) for name in array[0]]
        rows = zip(names, array[1:].T, strict=True)
        return table_of_columns({name: cells.tolist() for name, cells in rows})
    if array.ndim == 2 and 2 <= array.shape[1] <= 4 and array.dtype.kind in "iufUOST":
        cells = np.asarray(array) if isinstance(array, np.matrix) else array
        return table_of_columns({str(n): _of_cells(cells[:, n]) for n in range(array.shape[1])})
    raise ArgumentError(
        f"an array must have rows (user, item[, value[, time]]), not the shape {array.shape} of"
        f" {array.dtype}; a matrix of users by items is read as scipy.sparse.csr_matrix(array)."
    )


def _fields(array: np.ndarray, path: str = "") -> Iterator[tuple[str, pa.Array | list[Any]]]:
    """The fields of a structured array, those within others by their paths (``item.id``)."""
    for name in array.dtype.names or ():
        if array.dtype[name].names:
            yield from _fields(array[name], f"{path}{name}.")
        else:
            yield f"{path}{name}", _of_cells(array[name])


def _of_cells(cells: np.ndarray) -> pa.Array | list[Any]:
    """A column of an array; narrow floats stay so, since their width tells which ids they hold."""
    if cells.dtype in (np.float32, np.float16):
        whole = np.ascontiguousarray(np.ma.getdata(cells))
        return pa.array(whole, mask=np.ma.getmaskarray(cells).copy())
    return cells.tolist()


def of_mapping(source: Mapping[Any, Any]) -> pa.Table:
    """Return a mapping as a table: of pairs (user, item) to values, or whatever a JSON document may
    hold."""
    if source and all(isinstance(key, tuple) and len(key) == 2 for key in source):
        users, items = zip(*source, strict=True)
        return table_of_columns({"user": users, "item": items, "value": list(source.values())})
    return table_of_json(dict(source), "the mapping")


def from_matrix(matrix: Any) -> Events:
    """Return the stored entries of a SciPy sparse matrix of users by items; ids are the row and
    column numbers.

    Users and items without an entry are lost here: `Interactions.from_matrix` keeps them.
    """
    coo = summed(matrix)
    values = checked_values(coo.data, "matrix")
    if not len(values):
        raise DataError("the matrix has no stored entries.", source="matrix")
    users, items = (pa.chunked_array([np.asarray(axis, np.int64)]) for axis in (coo.row, coo.col))
    events = Events(
        users,
        items,
        values,
        source="matrix",
        notes=(f"a matrix of {coo.shape[0]:,} × {coo.shape[1]:,}",),
    )
    return events.noted(*doubts(events.values))
