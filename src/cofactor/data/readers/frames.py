"""Tables in memory: data frames of any library, Arrow tables, sparse matrices, tuples."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from cofactor.base.errors import ArgumentError, DataError
from cofactor.data.arrow import is_list_type, without_views
from cofactor.data.readers.cell_roles import roles_of_columns
from cofactor.data.readers.clock_columns import cells_of_table, moments
from cofactor.data.readers.columns import Options, roles_note
from cofactor.data.readers.headers import has_roles
from cofactor.data.readers.id_columns import hex_note, id_column, in_hex, in_texts
from cofactor.data.readers.json_shapes import is_nested, table_of_json, unnested
from cofactor.data.readers.json_text import json_of
from cofactor.data.readers.list_cells import explode_lists, with_list_rows
from cofactor.data.readers.nested_items import has_ids, opened
from cofactor.data.readers.raw import NoRowsError, Raw
from cofactor.data.readers.repeated_names import refuse_repeated
from cofactor.data.readers.series import frame_of_series, refuse_series
from cofactor.data.readers.values import checked_kind, numbers_and_odd
from cofactor.data.records import (
    BYTES,
    name_text,
    python_cells,
    table_of_columns,
    without_no_ids,
)

_NUMBERED = re.compile(r"^(_c|_col|column_?|col_?|f|field_?|v|)(\d{1,4})_?$", re.IGNORECASE)


IDS = ("user", "item")
_NEWER = re.compile("view|run_end_encoded")


def _narwhals() -> Any:
    """Import narwhals where a frame may be, since files and commands do without: it takes a
    twentieth of a command's start.
    """
    import narwhals

    return narwhals


def is_frame(source: Any) -> bool:
    """Return whether something is a data frame that can be read."""
    if isinstance(source, (pa.Table, pa.RecordBatch)) or hasattr(source, "scanner"):
        return True
    nw = _narwhals()
    narrow = nw.from_native(source, pass_through=True, allow_series=True)
    if isinstance(narrow, nw.Series):
        refuse_series(source)
    return isinstance(narrow, (nw.DataFrame, nw.LazyFrame)) or hasattr(source, "__arrow_c_stream__")


def whole_table(source: Any, columns: Iterable[str] | None = None) -> pa.Table:
    """Return some columns of a data frame (all if None) as an Arrow table.

    Raises
    ------
    ArgumentError
        If it isn't a data frame.
    """
    if isinstance(source, pa.RecordBatch):
        source = pa.Table.from_batches([source])
    if isinstance(source, pa.Table):
        return source if columns is None else source.select(list(columns))
    if is_pandas(source):
        source = tamed(source)
        wanted = {*source.columns} if columns is None else {*columns}
        refuse_repeated([name for name in source.columns if name in wanted], "the table")
    nw = _narwhals()
    frame = nw.from_native(source, pass_through=True)
    if isinstance(frame, (nw.DataFrame, nw.LazyFrame)):
        if isinstance(frame, nw.LazyFrame):
            whole = _computed(frame, columns)
        else:
            whole = frame if columns is None else frame.select(list(columns))
        try:
            if any(kind == nw.Object for kind in whole.schema.values()):
                raise TypeError("a column of objects")
            found = whole.to_arrow()
            if not any(map(_is_doubtful, found.schema.types)):
                return found
        except (pa.ArrowException, TypeError, ValueError, OverflowError):
            pass
        # Some column mixes types, or holds what Arrow hasn't.
        return table_of_columns({name: _of_series(whole[name]) for name in whole.columns})
    if hasattr(source, "__arrow_c_stream__"):
        table = pa.table(source)
        return table if columns is None else table.select(list(columns))
    raise ArgumentError(f"source must be a data frame, not {type(source).__name__}.")


def _computed(frame: Any, columns: Iterable[str] | None) -> Any:
    try:
        wanted = frame if columns is None else frame.select(list(columns))
        return wanted.collect(backend="pyarrow")
    except Exception as error:  # whatever the library raises at a plan that can't be
        raise _uncomputed(error) from None


def _uncomputed(error: Exception) -> ArgumentError:
    said = str(error).partition("\n")[0] or type(error).__name__
    return ArgumentError(f"the lazy frame can't be computed: {said}.")


def _is_doubtful(kind: pa.DataType) -> bool:
    """Whether Arrow may have made such a column of different things: dates and times, bytes and
    texts.
    """
    return pa.types.is_date32(kind) or pa.types.is_binary(kind)


def _of_series(series: Any) -> pa.Array | pa.ChunkedArray | list[Any]:
    return series.to_arrow() if series.dtype.is_float() else series.to_list()


def read_frame(source: Any, options: Options, name: str = "data frame") -> Raw:
    """Read the four columns of a data frame."""
    if hasattr(source, "read_all") or hasattr(source, "scanner"):
        # A stream of Arrow comes once, a dataset of it in pieces.
        source = source.read_all() if hasattr(source, "read_all") else source.to_table()
    if is_pandas(source):
        source = tamed(source)
        records = _with_objects(source)
        source = source if records is None else table_of_json(records, name)
    names = _names(source)
    plain = _without_repeated(source, names)
    if are_numbered(names):
        return raw_of_whole(whole_table(plain), options, name)
    try:
        roles = roles_of_columns(
            names, options, name, lambda some: cells_of_table(whole_table(plain, some))(some)
        )
        table = whole_table(plain, roles.values())
    except DataError:
        table = whole_table(plain)
        if not is_nested(table.schema):
            raise
    if is_nested(table.schema):
        return raw_of_whole(whole_table(plain), options, name)
    return raw_of_table(table, roles, options, name, names=names)


def _with_objects(frame: Any) -> list[dict[str, Any]] | None:
    """The rows of a frame of pandas whose users or items stand within objects, as pandas makes
    columns of nested records; None for another.
    """
    is_distinct = len(set(frame.columns)) == len(frame.columns)
    if not is_distinct or not any(kind.kind == "O" for kind in frame.dtypes):
        return None
    first = {name: [c for c in frame[name].head(100) if isinstance(c, dict)] for name in frame}
    plain = [name for name, cells in first.items() if not cells]
    if len(plain) == len(first) or has_ids(plain):
        return None
    inner = opened({name: cells[0] if cells else None for name, cells in first.items()})
    return frame.to_dict("records") if has_ids(list(inner)) else None


def raw_of_whole(table: pa.Table, options: Options, source: str) -> Raw:
    """Return the raw columns of a file's whole table, within structs too."""
    table = unnested(table, source)
    if are_numbered(table.column_names) and table.num_rows > 1:
        first = [str(column[0].as_py()) for column in table.columns]
        table = table.slice(1).rename_columns(first) if has_roles(first) else table
    names = table.column_names
    cells = cells_of_table(table)(names) if are_numbered(names) else None
    roles = roles_of_columns(names, options, source, cells_of_table(table), bare=cells)
    return raw_of_table(table, roles, options, source, names=names, headed=cells is None)


def are_numbered(names: Sequence[str]) -> bool:
    """Return whether columns have no names but those that libraries give by number: ``0``,
    ``_c0``, ``column_1``, ``f0_``.
    """
    parts = [_NUMBERED.match(name) for name in names]
    numbers = [int(part[2]) for part in parts if part]
    return (
        len(numbers) == len(names)
        and len({part[1] for part in parts if part}) == 1
        and numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    )


def raw_of_table(
    table: pa.Table,
    roles: Mapping[str, str],
    options: Options,
    source: str,
    *,
    names: Sequence[str] = (),
    headed: bool = True,
) -> Raw:
    """Return the raw columns of an Arrow table, whose types decide how they are read.

    Raises
    ------
    NoRowsError
        If it has no rows.
    """
    if table.num_rows == 0:
        raise NoRowsError("there are no rows in it.", source=source)
    notes = [roles_note(roles, names, headed=headed), *_doubts_of_types(table, roles)]
    table = pa.table({name: _typed(table, name, roles) for name in dict.fromkeys(roles.values())})
    empty = _empty_lists(table.column(roles["item"]))
    table = with_list_rows(table, roles, source)
    columns = _by_role(table, roles)
    values, odd = None, None
    if "value" in columns:
        notes += checked_kind(columns["value"], roles["value"], source)
        values, odd = numbers_and_odd(columns["value"], options.decimal)
    raw = Raw(
        users=id_column(columns["user"], source, "user"),
        items=id_column(columns["item"], source, "item"),
        values=values,
        times=moments(columns, options.time_format) if "time" in columns else None,
        source=source,
        locate=lambda rows: [(int(row) + 1, _row_text(table, int(row))) for row in rows],
        notes=notes,
        columns=roles,
        headed=headed,
        odd=odd,
        events=columns["event"].cast(pa.string()) if "event" in columns else None,
    )
    if empty:
        raw.notes.append(f"{empty:,} {'list is' if empty == 1 else 'lists are'} empty")
    return explode_lists(raw)


def _by_role(table: pa.Table, roles: Mapping[str, str]) -> dict[str, pa.ChunkedArray]:
    """The columns of the roles; bytes as texts, but ids, which have a rule of their own."""
    written = in_texts(table.select([name for role, name in roles.items() if role not in IDS]))
    return {role: (table if role in IDS else written).column(name) for role, name in roles.items()}


def _doubts_of_types(table: pa.Table, roles: Mapping[str, str]) -> list[str]:
    """Notes on what the types of the columns have lost."""
    notes = []
    for what in ("user", "item"):
        notes += hex_note(table.column(roles[what]), what)
        if BYTES in (table.schema.field(roles[what]).metadata or {}):
            notes.append(in_hex(what))
    if "time" in roles and table.column(roles["time"]).type in (pa.float32(), pa.float16()):
        notes.append("times are floats of 32 bits or less, which round seconds of today to minutes")
    return notes


def _typed(table: pa.Table, name: str, roles: Mapping[str, str]) -> pa.ChunkedArray:
    """A column in its plain layout, what isn't an id among ids as an object."""
    is_ids = name in (roles["user"], roles["item"])
    return _plain(without_no_ids(table, name) if is_ids else table.column(name))


def plain_layout(table: pa.Table) -> pa.Table:
    """Return a table whose columns are all of Arrow's plain layouts, which its functions know."""
    for place, field in enumerate(table.schema):
        if _NEWER.search(str(field.type)):
            table = table.set_column(place, field.name, _plain(table.column(place)))
    return table


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column of one of Arrow's newer layouts in its plain one."""
    kind = column.type
    if pa.types.is_run_end_encoded(kind):
        return pa.chunked_array([pc.run_end_decode(chunk) for chunk in column.chunks])
    if pa.types.is_map(kind):
        # A mapping, as JSON writes it.
        cells = [None if c is None else json_of(dict(c)) for c in column.to_pylist()]
        return pa.chunked_array([pa.array(cells, pa.string())])
    if "list_view" in str(kind) or pa.types.is_fixed_size_list(kind):
        # Arrow's own cast of views makes lists without their offsets.
        return pa.chunked_array([pa.array(column.to_pylist(), pa.list_(kind.value_type))])
    if pa.types.is_string_view(kind) or pa.types.is_binary_view(kind):
        return without_views(column, pa.string() if pa.types.is_string_view(kind) else pa.binary())
    return column


def _empty_lists(column: pa.ChunkedArray) -> int:
    if not is_list_type(column.type):
        return 0
    return pc.sum(pc.equal(pc.list_value_length(column).fill_null(0), 0)).as_py() or 0


def _names(source: Any) -> list[str]:
    if isinstance(source, pa.RecordBatch):
        return list(source.schema.names)
    if isinstance(source, pa.Table):
        return list(source.column_names)
    if is_pandas(source):
        # Repeated names stop narwhals before anything of ours is said.
        return [str(name) for name in source.columns]
    nw = _narwhals()
    lazy = nw.from_native(source, pass_through=True)
    if isinstance(lazy, nw.LazyFrame):
        try:
            return lazy.collect_schema().names()
        except Exception as error:  # whatever the library raises at a plan that can't be
            raise _uncomputed(error) from None
    columns = getattr(source, "columns", None)
    if columns is not None and not callable(columns):
        return [str(name) for name in columns]
    return list(pa.table(source).column_names)


def is_pandas(source: Any) -> bool:
    """Return whether something is a frame or a series of pandas, without importing it."""
    return type(source).__module__.partition(".")[0] == "pandas"


def tamed(frame: Any) -> Any:
    """Return a frame of pandas of any make as a plain one: names are strings, ids in the index are
    columns, sparse columns are dense.

    Raises
    ------
    ArgumentError
        If it is a series whose index doesn't hold users and items.
    """
    if not hasattr(frame, "columns"):
        frame = frame_of_series(frame)
    if any(name is not None for name in frame.index.names):
        known = set(map(str, frame.columns))
        lost = [name for name in frame.index.names if name is None or str(name) in known]
        if len(lost) < frame.index.nlevels:
            frame = (frame.droplevel(lost) if lost else frame).reset_index()
    names = [
        "_".join(str(part) for part in name if str(part))
        if isinstance(name, tuple)
        else name_text(name)
        for name in frame.columns
    ]
    frame = frame.set_axis(names, axis=1)
    periods = [n for n, kind in enumerate(frame.dtypes) if str(kind).startswith("period")]
    if periods:
        # Arrow has only their ordinals, which look like ids.
        frame = frame.astype({names[n]: str for n in periods})
    sparse = [n for n, kind in enumerate(frame.dtypes) if str(kind).startswith("Sparse")]
    if sparse:
        import pandas as pd

        columns = [
            frame.iloc[:, n].sparse.to_dense() if n in sparse else frame.iloc[:, n]
            for n in range(len(names))
        ]
        frame = pd.concat(columns, axis=1)
    return frame


def _without_repeated(source: Any, names: Sequence[str]) -> Any:
    """A frame without its repeated columns, which aren't used."""
    if len(set(names)) == len(names):
        return source
    keep = [n for n, name in enumerate(names) if names.count(name) == 1]
    if isinstance(source, (pa.Table, pa.RecordBatch)):
        return source.select(keep)
    return source.iloc[:, keep]


def _row_text(table: pa.Table, row: int) -> str:
    return ", ".join(str(python_cells(column)[0]) for column in table.slice(row, 1).columns)
