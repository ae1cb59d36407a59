"""Tables of what is known of items or users, such as a catalogue with titles and texts."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cofactor.base.errors import DataError
from cofactor.base.progress import SILENT
from cofactor.data.arrow import is_text_type, with_column
from cofactor.data.catalogue import WITHOUT_ID, title_column
from cofactor.data.guards import refuse_infinite
from cofactor.data.ids import IdMap
from cofactor.data.readers import frames, jsonl, parquet, sql
from cofactor.data.readers.catalogue_sources import in_memory, paths_of, without_structs
from cofactor.data.readers.columns import Options, common_prefix, folded, without_union
from cofactor.data.readers.delimited import read_text_table
from cofactor.data.readers.file_formats import format_of
from cofactor.data.readers.folder_files import data_files, without_copies
from cofactor.data.readers.id_columns import canonical, cleaned, id_column, in_texts
from cofactor.data.readers.movielens_items import films_of
from cofactor.data.readers.name_words import is_id, is_reference, mentions, role_of
from cofactor.data.readers.repeated_names import refuse_repeated
from cofactor.data.readers.sniff import dialect_of
from cofactor.data.readers.source_files import Source, SourceFile, is_archive, missing
from cofactor.data.readers.sources import is_url, reopened
from cofactor.data.readers.table_texts import (
    in_numbers,
    with_digits,
    without_total,
    without_words_for_nothing,
)
from cofactor.data.readers.usual_names import DESCRIBING, USUAL
from cofactor.data.readers.written_cells import with_types
from cofactor.data.records import without_no_ids

_NUMBER = re.compile(r"^\s*[+-]?[\d.,]+\s*$")
_DESCRIBING = frozenset(DESCRIBING)
# What holds the ids of a table of things, and may be anything beside users: a shop's handles.
_NAMED_ALONE = ("id", "handle")
_TABLES: Mapping[str, Callable[[SourceFile], pa.Table]] = {
    "jsonl": partial(jsonl.whole_table, catalogue=True),
    "parquet": parquet.whole_table,
    "feather": parquet.feather_table,
}


class UnnamedIdsError(DataError):
    """No column is named like ids; ``names`` are those of all."""

    def __init__(self, message: str, *, source: str, names: Sequence[str]) -> None:
        super().__init__(message, source=source)
        self.names = names


def read_table(
    source: Any,
    *,
    id_column: str | None = None,
    encoding: str | None = None,
    texts: Collection[str] = (),
) -> pa.Table:
    """Read a table of what is known of items or users, such as a catalogue with titles and texts.

    Parameters
    ----------
    source
        A file (csv and the like, Parquet, JSON lines; gzipped too), several of them (a list, a
        pattern, a folder or an archive of parts), ``sqlite:///file.db?table=items``, a data frame,
        records, columns, or a mapping from id to title.
    id_column
        The column that holds the ids; None to find it by the usual names.
    encoding
        Of text files; None for UTF-8, or Latin-1 where it isn't.
    texts
        Columns that stay texts, whatever lists or amounts they hold.

    Raises
    ------
    DataError
        If no column is named like an id, a number is infinite, or a folder's files aren't parts of
        one table.
    """
    return _read(source, id_column, Options(encoding=encoding, offered=()), texts)[0]


def _read(
    source: Any, id_column: str | None, options: Options, texts: Collection[str] = ()
) -> tuple[pa.Table, list[str]]:
    """As `read_table`, with notes on how the files were read."""
    if is_url(source):
        found = _with_ids(sql.whole_table(source), id_column, "item", "the database")
        return with_types(found, "item_id", texts)
    paths = paths_of(source)
    if paths is None:
        found = _with_ids(in_memory(source), id_column, "item", "the table")
        return with_types(found, "item_id", texts)
    parts = [part for path in paths for part in _tables(path, id_column, options)]
    tables, notes = [table for table, _ in parts], [note for _, own in parts for note in own]
    found, own = with_types(tables[0] if len(tables) == 1 else _joined(tables), "item_id", texts)
    return found, [*notes, *own]


def catalogue_of(
    known: Callable[[], IdMap], source: Any, options: Options, id_column: str | None = None
) -> tuple[pa.Table, tuple[str, ...]]:
    """Return a catalogue by the column of its ids that fits, and notes: on how its files were read,
    and on that column if it isn't the usual one.

    Parameters
    ----------
    known
        Returns the ids of the interactions; called only if several columns may hold ids.
    source
        The catalogue, as in `read_table`.
    options
        Those of the interactions, of which ``encoding`` and ``on_bad`` are a catalogue's too.
    id_column
        The column that holds the ids; None to find it.
    """
    options = Options(encoding=options.encoding, on_bad=options.on_bad, offered=("on_bad",))
    source = source if is_url(source) or paths_of(source) is not None else in_memory(source)
    try:
        table, notes = _read(source, id_column, options)
        if id_column is not None:
            return table, tuple(notes)
    except UnnamedIdsError as error:
        found = _by_contents(known(), source, options, error.names)
        if found is None:
            raise
        return found
    usual = {*USUAL["item"], "id"}
    rest = [name for name in table.column_names if name != "item_id"]
    others = [name for name in rest if folded(name) in usual]
    keys = [name for name in rest if _may_hold_ids(table, name)]
    # Names are only hints: an export may have its own numbers beside the shop's.
    ids = known() if others or keys else None
    if ids is None or _share(ids, table):
        return table, tuple(notes)
    for name in others:
        again, more = _read(source, name, options)
        if _share(ids, again):
            return again, (*more, _column_note(name))
    return _by_contents(ids, source, options, keys) or (table, tuple(notes))


def _by_contents(
    ids: IdMap, source: Any, options: Options, names: Sequence[str]
) -> tuple[pa.Table, tuple[str, ...]] | None:
    """The catalogue by a column that holds most of the interactions' items; None without one."""
    for name in names:
        table, notes = _read(source, name, options)
        if _may_hold_ids(table, "item_id", name) and _share(ids, table) > 0.5:
            return table, (*notes, _column_note(name))
    return None


def _may_hold_ids(table: pa.Table, column: str, name: str | None = None) -> bool:
    """Whether a column (which had another name, perhaps) holds texts, or is named like ids of items
    and holds numbers that are all different: others may be prices, ranks or numbers of lines.
    """
    held = table.column(column)
    if is_text_type(held.type):
        return True
    named = is_id(name or column) and mentions(name or column, "item")
    return (
        named
        and pa.types.is_integer(held.type)
        and pc.count_distinct(held).as_py() == len(held) > 0
    )


def _column_note(name: str) -> str:
    return f"the catalogue's ids are in its column {name}: the interactions know these"


def _share(ids: IdMap, table: pa.Table) -> float:
    """The share of the interactions' items that a catalogue knows."""
    known = ids.find(table.column("item_id"))
    return len(np.unique(known[known >= 0])) / max(1, len(ids))


def _joined(tables: list[pa.Table]) -> pa.Table:
    """The lines of several files; ids are integers if all files' are."""
    if len({table.schema.field("item_id").type for table in tables}) > 1:
        tables = [with_column(t, "item_id", t.column("item_id").cast(pa.string())) for t in tables]
    try:
        return pa.concat_tables(tables, promote_options="permissive")
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise DataError(f"the catalogue's files don't fit together: {error}.") from None


def table_of_entry(entry: SourceFile, kind: str = "item") -> tuple[pa.Table, list[str]]:
    """Read a file of what is known of items or users, and return it with notes; see
    `read_table`.
    """
    table, notes = _of_entry(entry, None, kind, Options(offered=()))
    found, own = with_types(table, f"{kind}_id")
    return found, [*notes, *own]


def _of_entry(
    entry: SourceFile, id_column: str | None, kind: str, options: Options
) -> tuple[pa.Table, list[str]]:
    films = films_of(entry) if kind == "item" and id_column is None else None
    if films is not None:
        return films
    chosen = format_of(entry)
    if chosen == "excel":
        found = parquet.excel_table(entry, lambda names: _has_id(names, kind))
        return _with_ids(found, id_column, kind, entry.shown), []
    if chosen in _TABLES:
        found = without_structs(_TABLES[chosen](entry))
        found = _by_id(found, kind) if chosen == "jsonl" and id_column is None else found
        return _with_ids(found, id_column, kind, entry.shown), []
    options = _headed(entry, options, kind)
    names = dialect_of(entry, options).names
    known = id_column if id_column in names else _id_name(names, kind, entry.shown)
    # Of titles and ids every digit counts: 007, 1.0.
    title = title_column(pa.table({name: pa.array([], pa.string()) for name in names}))
    texts = [name for name in (known, title) if name is not None]
    found, notes = read_text_table(entry, options, text=texts)
    found = in_numbers(with_digits(found, entry, options, texts), texts)
    return _with_ids(found, id_column, kind, entry.shown), notes


def _headed(entry: SourceFile, options: Options, kind: str) -> Options:
    """The options for a file of text: with a header, if its first line names ids and what else a
    catalogue holds, of which a table of interactions has nothing.
    """
    dialect = dialect_of(entry, options)
    first = [cells[0] for cells in dialect.sample.values() if cells]
    if dialect.headed or not _has_id(first, kind) or any(map(_NUMBER.match, first)):
        return options
    name = _id_name(first, kind, entry.shown)
    says = is_id(name) or any(folded(cell) in _DESCRIBING for cell in first if cell != name)
    return replace(options, header=True) if says else options


def _by_id(table: pa.Table, kind: str) -> pa.Table:
    """A table of one object with nothing but texts, and no id among them, as titles by their ids
    (its names).
    """
    names = table.column_names
    texts = all(pa.types.is_string(field.type) for field in table.schema)
    if table.num_rows != 1 or not texts or len(names) < 2 or _has_id(names, kind):
        return table
    return pa.table({f"{kind}_id": names, "title": [column[0].as_py() for column in table.columns]})


def _with_ids(found: pa.Table, id_column: str | None, kind: str, shown: str) -> pa.Table:
    """The table with its ids under one name, under the rule for ids."""
    to = f"{kind}_id"
    bare = [without_union(name) for name in found.column_names]
    if id_column is None and len({*bare}) == len(bare):
        found = found.rename_columns(bare)
    name = id_column if id_column is not None else _id_name(found.column_names, kind, shown)
    if name not in found.column_names:
        raise DataError(
            f"there is no column {name!r}; the columns are {', '.join(found.column_names)}.",
            source=shown,
        )
    refuse_repeated(found.column_names, shown)
    found = with_column(found, name, without_no_ids(found, name))
    found = without_words_for_nothing(in_texts(frames.plain_layout(found)))
    if name != to and to in found.column_names:
        # Another column gives the ids.
        found = found.rename_columns({to: f"{to} (2)"})
    found = without_total(found, name)
    place = found.column_names.index(name)
    found = found.set_column(place, to, _typed_ids(found.column(name), shown, kind))
    refuse_infinite(found, to, shown)
    lost = found.column(to).null_count
    if not lost:
        return found
    found = found.filter(pc.is_valid(found.column(to)))
    return found.replace_schema_metadata({WITHOUT_ID: str(lost)})


def _typed_ids(column: pa.ChunkedArray, source: str, kind: str) -> pa.Array:
    """Ids of a catalogue under the rule for ids; null where there is none."""
    return canonical(cleaned(id_column(column, source, kind)).column)


def _tables(
    path: Path, id_column: str | None, options: Options
) -> list[tuple[pa.Table, list[str]]]:
    """The tables of a file, or of the parts in a folder or an archive, each with notes."""
    entries = _files(path)
    tables = [_of_entry(entry, id_column, "item", options) for entry in entries]
    if len({frozenset(table.column_names) for table, _ in tables}) > 1:
        raise DataError(
            f"its files ({', '.join(entry.name for entry in entries)}) have different columns, and"
            " a catalogue is one table; give one of them, or a list of those that belong together.",
            source=str(path),
        )
    return tables


def _files(path: Path) -> list[SourceFile]:
    if not path.exists():
        raise missing(path, "file")
    copy = reopened(path, SILENT)
    entry = SourceFile(path) if copy is None else copy
    if copy is not None or not (path.is_dir() or is_archive(entry)):
        return [entry]
    entries, _ = without_copies(data_files(Source(path)))
    if not entries:
        raise DataError("there is no file in it.", source=str(path))
    return entries


def _has_id(names: Iterable[str], kind: str) -> bool:
    try:
        return bool(_id_name(names, kind, ""))
    except DataError:
        return False


def _id_name(names: Iterable[str], kind: str, source: str) -> str:
    names = list(names)
    table = common_prefix(names)
    by_fold = {folded(name.removeprefix(table)): name for name in reversed(names)}
    usual = (*USUAL[kind], *_NAMED_ALONE)
    said = [name for name in by_fold.values() if role_of(name) == kind]
    # Of "Article" and "Article no" the latter holds the id.
    said.sort(key=lambda name: not is_id(name))
    found = next((by_fold[name] for name in usual if name in by_fold), next(iter(said), None))
    references = [name for name in names if is_reference(name)]
    if found is None and len(references) == 1:
        # In a table of nothing but things, it is theirs.
        return references[0]
    if found is None and all(name == f"column {n}" for n, name in enumerate(names)):
        raise DataError(
            "it has no header that names its columns; write one above its first line, such as"
            f" {kind}_id,title, or give item_id='column 0' if that holds the ids.",
            source=source,
        )
    if found is None:
        raise UnnamedIdsError(
            f"no column is named like {kind} ids; the columns are {', '.join(names)}; give"
            " item_id=.",
            source=source,
            names=names,
        )
    return found
