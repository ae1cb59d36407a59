"""What the readers of known layouts share: events of a file, catalogues joined to them, parts
with shared id maps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cofactor.base.errors import CofactorError, DataError
from cofactor.base.offsets import offsets
from cofactor.data.arrow import coded, value_type, with_column
from cofactor.data.events import Events
from cofactor.data.ids import IdMap
from cofactor.data.interactions import Interactions
from cofactor.data.readers.assemble import assemble
from cofactor.data.readers.columns import Options
from cofactor.data.readers.delimited import read_delimited, read_text_table
from cofactor.data.readers.id_columns import canonical
from cofactor.data.readers.repeated_names import refuse_repeated
from cofactor.data.readers.source_files import Source, SourceFile
from cofactor.data.split import Part, Split


@dataclass(frozen=True)
class Layout:
    """A known set of files.

    Parameters
    ----------
    name
        How it is called.
    detect
        Whether a folder or zip is one.
    read
        Reads its interactions, with what is known of items and users.
    """

    name: str
    detect: Callable[[Source], bool]
    read: Callable[[Source, Options], Events]

    def events(self, place: Source, options: Options) -> Events:
        """Return the interactions of a folder or archive.

        Raises
        ------
        DataError
            Also where a file has the layout's name, and isn't written as its files are.
        """
        try:
            events = self.read(place, options).noted(f"read as {self.name}")
            for table in (events.item_table, events.user_table):
                refuse_repeated([] if table is None else table.column_names, str(place.path))
            return events
        except (CofactorError, OSError):
            raise
        except Exception as error:
            # What other files make of code for known ones can be anything: a column that lacks, a
            # text instead of a number, no JSON.
            said = " ".join(str(error).split())[:100] or type(error).__name__
            raise DataError(
                f"its files have the names of {self.name}, and one of them isn't written so"
                f" ({said}); name the file with the interactions by member=, or fetch them again.",
                source=str(place.path),
            ) from error


def first_line(place: Source, name: str) -> bytes:
    """Return the first line of a file, empty if there is none: a name alone is a hint."""
    entry = place.find(name)
    lines = [] if entry is None else entry.head(4096).splitlines()
    return lines[0] if lines else b""


def begins_with(place: Source, name: str, *words: str) -> bool:
    """Return whether a file is there whose first line has some words."""
    first = first_line(place, name)
    return all(word.encode() in first for word in words)


def delimited_events(entry: SourceFile, options: Options, **writing: Any) -> Events:
    """Read a delimited file whose writing is known (``delimiter=``, ``header=`` ...) but for
    what the caller gave.
    """
    unset = {name: value for name, value in writing.items() if getattr(options, name) is None}
    options = replace(options, **unset)
    return assemble(read_delimited(entry, options), options)


def text_table(
    entry: SourceFile,
    names: Sequence[str] | None = None,
    *,
    id_column: str = "item_id",
    **writing: Any,
) -> tuple[pa.Table, list[str]]:
    """Read a table of items or users; its id column is typed as ids are, and comes back under
    ``id_column``'s name.
    """
    options = Options(**({"header": names is None} | writing))
    table, notes = read_text_table(entry, options, names=names, text=[id_column])
    return with_column(table, id_column, canonical(table.column(id_column))), notes


def joined(left: pa.Table, right: pa.Table, key: str) -> pa.Table:
    """Return ``left`` with the columns of ``right`` beside it, in the order of ``left``; null
    where ``right`` has none.
    """
    found = pc.index_in(left.column(key), value_set=right.column(key).combine_chunks())
    for name in right.column_names:
        if name != key:
            left = left.append_column(name, right.column(name).take(found))
    return left


def listed(table: pa.Table, key: str, column: str) -> pa.Table:
    """Return one line per key with the list of its distinct texts, the most frequent first, then
    in order of the alphabet.
    """
    counted = (
        table.select([key, column])
        .drop_null()
        .group_by([key, column], use_threads=False)
        .aggregate([([], "count_all")])
    )
    order = counted.sort_by(
        [(key, "ascending"), ("count_all", "descending"), (column, "ascending")]
    )
    lists = order.group_by(key, use_threads=False).aggregate([(column, "list")])
    return lists.select([key, f"{column}_list"]).rename_columns([key, column])


def lists_of(members: pa.Array, counts: np.ndarray) -> pa.Array:
    """Return one list after another, of so many members each."""
    return pa.ListArray.from_arrays(pa.array(offsets(counts).astype(np.int32)), members)


def words_of(
    column: pa.ChunkedArray, separator: str, nothing: str | None = None
) -> pa.ChunkedArray:
    """Return a column of lists of texts from one of texts with separators; ``nothing`` stands
    for an empty list.
    """
    lists = pc.split_pattern(column, separator)
    if nothing is None:
        return lists
    return pc.if_else(pc.equal(column, nothing), pa.scalar([], pa.list_(pa.string())), lists)


def year_in(titles: pa.ChunkedArray) -> pa.Array:
    """Return the year that ends a title in brackets, int32, null where there is none."""
    found = pc.extract_regex(
        pc.utf8_trim_whitespace(titles), r"\((?:\d{4}[-–])?(?P<year>\d{4})[-–]?\)$"
    )
    return pc.struct_field(found, "year").cast(pa.int32())


def parts(
    events: Sequence[Events],
    *,
    users: IdMap | None = None,
    items: IdMap | None = None,
) -> list[Interactions]:
    """Build interactions of several parts of one data set, over id maps that all of them share.

    Parameters
    ----------
    events
        One for each part.
    users, items
        Id maps to use; those of all parts together if None.
    """
    users = users if users is not None else IdMap.of(*[part.users for part in events])
    items = items if items is not None else IdMap.of(*[part.items for part in events])
    item_table = next((part.item_table for part in events if part.item_table is not None), None)
    user_table = next((part.user_table for part in events if part.user_table is not None), None)
    return [
        Interactions.build(
            replace(part, item_table=item_table, user_table=user_table),
            users=users,
            items=items,
        )
        for part in events
    ]


def appended(*events: Events) -> Events:
    """Return several events as one, in their order."""
    first = events[0]
    have_values = all(part.values is not None for part in events)
    have_times = all(part.times is not None for part in events)
    return replace(
        first,
        users=_chained([part.users for part in events]),
        items=_chained([part.items for part in events]),
        values=np.concatenate([part.values for part in events]) if have_values else None,
        times=np.concatenate([part.times for part in events]) if have_times else None,
        kinds=_kinds(events),
    )


def _kinds(events: Sequence[Events]) -> pa.ChunkedArray | None:
    """The kinds of all; nulls where a part names none."""
    if all(part.kinds is None for part in events):
        return None
    nothing = pa.string()
    return _chained(
        [
            pa.chunked_array([pa.nulls(len(part), nothing)]) if part.kinds is None else part.kinds
            for part in events
        ]
    )


def _chained(columns: Sequence[pa.ChunkedArray]) -> pa.ChunkedArray:
    plain = [column.cast(value_type(column.type)) for column in columns]
    if len({str(column.type) for column in plain}) > 1:
        plain = [column.cast(pa.string()) for column in plain]
    return pa.chunked_array(
        [chunk for column in plain for chunk in column.chunks], type=plain[0].type
    )


def leave_last_two(events: Events, what: str) -> Split:
    """Cut sequences as SASRec does: each user's last event for test, the one before for validation,
    the rest for training.

    Users with fewer than three events are in training alone. The test's history is training and
    validation together."""
    _, users = coded(events.users)
    counts = np.bincount(users)
    # How many events of the same user come after each.
    after = np.empty(len(users), np.int64)
    after[np.argsort(users, kind="stable")] = (
        np.repeat(np.cumsum(counts), counts) - 1 - np.arange(len(users))
    )
    long_enough = counts[users] >= 3
    is_test, is_valid = (after == 0) & long_enough, (after == 1) & long_enough
    users_map, items_map = IdMap.of(events.users), IdMap.of(events.items)
    train, valid, before, test = parts(
        [
            events.where(~is_test & ~is_valid),
            events.where(is_valid),
            events.where(~is_test),
            events.where(is_test),
        ],
        users=users_map,
        items=items_map,
    )
    sentence = (
        f"{what}: each user's last event for test, the one before for validation, in the published"
        " order"
    )
    return Split(train, Part(test, before), Part(valid, train), sentence)
