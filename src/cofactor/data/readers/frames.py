"""Tables in memory: data frames of any library, Arrow tables, sparse matrices, tuples."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import narwhals as nw
import numpy as np
import pyarrow as pa

from cofactor.base.errors import ArgumentError, DataError
from cofactor.data.events import Events
from cofactor.data.readers import times as clock
from cofactor.data.readers.assemble import Raw, id_column, numbers
from cofactor.data.readers.columns import Options, find_roles, refuse_repeated, roles_note


def is_frame(source: Any) -> bool:
    """Return whether something is a data frame that can be read."""
    if isinstance(source, (pa.Table, pa.RecordBatch)) or hasattr(source, "__arrow_c_stream__"):
        return True
    return isinstance(nw.from_native(source, pass_through=True), (nw.DataFrame, nw.LazyFrame))


def whole_table(source: Any, columns: Iterable[str] | None = None) -> pa.Table:
    """Return some columns of a data frame (all if None) as an Arrow table.

    Raises
    ------
    ArgumentError
        If it is no data frame.
    """
    if isinstance(source, pa.RecordBatch):
        source = pa.Table.from_batches([source])
    if isinstance(source, pa.Table):
        return source if columns is None else source.select(list(columns))
    frame = nw.from_native(source, pass_through=True)
    if isinstance(frame, (nw.DataFrame, nw.LazyFrame)):
        if columns is not None:
            frame = frame.select(list(columns))
        whole = frame.collect(backend="pyarrow") if isinstance(frame, nw.LazyFrame) else frame
        try:
            return whole.to_arrow()
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            raise DataError(
                f"a column mixes types ({error}); convert it to one type first.",
                source="data frame",
            ) from None
    if hasattr(source, "__arrow_c_stream__"):
        table = pa.table(source)
        return table if columns is None else table.select(list(columns))
    raise ArgumentError(f"a data frame was expected, not {type(source).__name__}.")


def read_frame(source: Any, options: Options, name: str = "data frame") -> Raw:
    """Read the four columns of a data frame."""
    names = _names(source)
    refuse_repeated(names, name)
    roles = find_roles(names, options, name)
    table = whole_table(source, roles.values())
    if table.num_rows == 0:
        raise DataError("the table has columns but no rows.", source=name)
    return raw_of_table(table, roles, options, name)


def raw_of_table(
    table: pa.Table, roles: Mapping[str, str], options: Options, source: str, *, headed: bool = True
) -> Raw:
    """Return the raw columns of an Arrow table, whose types decide how they are read."""
    columns = {role: table.column(name) for role, name in roles.items()}
    found, bare = clock.seconds(columns["time"]) if "time" in columns else (None, True)
    if "value" in columns:
        _refuse_kind(columns["value"], roles["value"], "numbers", source)
    return Raw(
        users=id_column(columns["user"], source, "user"),
        items=id_column(columns["item"], source, "item"),
        values=numbers(columns["value"]) if "value" in columns else None,
        times=found,
        bare_times=bare,
        source=source,
        locate=lambda rows: [(int(row) + 1, _row_text(table, int(row))) for row in rows],
        notes=[roles_note(roles, headed=headed)],
        columns=roles,
    )


def read_tuples(source: Iterable[Any], options: Options) -> Raw:
    """Read tuples ``(user, item[, value[, time]])``, or dictionaries with the usual names."""
    rows = list(source)
    if not rows:
        raise DataError("there are no rows in it.", source="rows")
    if isinstance(rows[0], Mapping):
        return read_frame(pa.Table.from_pylist([dict(row) for row in rows]), options, "rows")
    try:
        lengths = {len(row) for row in rows}
    except TypeError:
        raise ArgumentError(
            f"rows must be tuples (user, item[, value[, time]]), not {rows[0]!r}."
        ) from None
    if isinstance(rows[0], str) or len(lengths) != 1 or not 2 <= min(lengths) <= 4:
        odd = next(
            (row for row in rows if isinstance(row, str) or not 2 <= len(row) <= 4), rows[-1]
        )
        raise DataError(
            f"rows must be tuples (user, item[, value[, time]]) of one length, not {odd!r}.",
            source="rows",
        )
    names = ["user", "item", "value", "time"][: min(lengths)]
    columns = {}
    for name, column in zip(names, zip(*rows, strict=True), strict=True):
        columns[name] = _array(column, name)
    table = pa.table(columns)
    return raw_of_table(table, find_roles(names, options, "rows"), options, "rows")


def from_matrix(matrix: Any) -> Events:
    """Return the stored entries of a SciPy sparse matrix of users by items; ids are the row and
    column numbers.

    Users and items without an entry are lost here: `Interactions.from_matrix` keeps them.
    """
    coo = matrix.tocoo()
    values = np.asarray(coo.data, np.float32)
    if not len(values):
        raise DataError("the matrix has no stored entries.", source="matrix")
    if not np.isfinite(values).all():
        raise DataError(
            f"{int((~np.isfinite(values)).sum())} entries are NaN or infinite.", source="matrix"
        )
    users, items = (pa.chunked_array([np.asarray(axis, np.int64)]) for axis in (coo.row, coo.col))
    return Events(
        users,
        items,
        values,
        source="matrix",
        notes=(f"a matrix of {coo.shape[0]:,} × {coo.shape[1]:,}",),
    )


def _names(source: Any) -> list[str]:
    if isinstance(source, pa.RecordBatch):
        return list(source.schema.names)
    if isinstance(source, pa.Table):
        return list(source.column_names)
    lazy = nw.from_native(source, pass_through=True)
    if isinstance(lazy, nw.LazyFrame):
        return lazy.collect_schema().names()
    columns = getattr(source, "columns", None)
    if columns is not None and not callable(columns):
        # Duplicate names stop narwhals before anything of ours is said.
        return [str(name) for name in columns]
    return list(pa.table(source).column_names)


def _array(column: tuple[Any, ...], name: str) -> pa.Array:
    try:
        return pa.array(column)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        if name in ("user", "item"):
            return pa.array([None if cell is None else str(cell) for cell in column], pa.string())
        return pa.array([None if cell is None else str(cell) for cell in column], pa.string())


def _refuse_kind(column: pa.ChunkedArray, name: str, wanted: str, source: str) -> None:
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if pa.types.is_nested(kind) or pa.types.is_temporal(kind) or pa.types.is_binary(kind):
        raise DataError(
            f"column {name!r} holds {kind}, not {wanted}; give another column with value=.",
            source=source,
        )


def _row_text(table: pa.Table, row: int) -> str:
    return ", ".join(str(value) for value in table.slice(row, 1).to_pylist()[0].values())
