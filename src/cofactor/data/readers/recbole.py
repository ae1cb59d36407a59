"""RecBole's atomic files: tab-separated, with a typed header (``user_id:token``); interactions,
and prefixes of sequences.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cofactor.base.errors import DataError
from cofactor.data.arrow import with_column
from cofactor.data.events import Events
from cofactor.data.readers.assemble import assemble
from cofactor.data.readers.columns import Options
from cofactor.data.readers.delimited import read_text_table
from cofactor.data.readers.id_columns import canonical
from cofactor.data.readers.layout import (
    Layout,
    delimited_events,
    joined,
    leave_last_two,
    text_table,
)
from cofactor.data.readers.lists import raw_of_lists
from cofactor.data.readers.source_files import Source, SourceFile
from cofactor.data.split import Split


def read_atomic(place: Source, options: Options) -> Events:
    """Read a folder of atomic files: the one ``.inter``, or the sequences of ``.test.inter``,
    and what is known of items.
    """
    tests = place.matching(".test.inter")
    if tests:
        return read_prefixes(place, tests[0], options)
    entries = place.matching(".inter")
    if len(entries) != 1:
        raise DataError(
            f"it holds {len(entries)} .inter files; name one with member=.", source=str(place.path)
        )
    events = delimited_events(entries[0], options, delimiter="\t", header=True, quote=False)
    about = place.matching(".item")
    return replace(events, item_table=_items(about[0])) if about else events


def read_prefixes(place: Source, test: SourceFile, options: Options) -> Events:
    """Read the whole sequences of users from the test file: the list of each is its history, the
    item its last event.
    """
    table, _ = _atomic(test)
    histories = pc.split_pattern(table.column("item_id_list"), " ").combine_chunks()
    lengths = np.asarray(pc.list_value_length(histories)).astype(np.int64)
    # Each history with its last item after it: [n_users] lists of lengths + 1.
    ends = np.cumsum(lengths + 1) - 1
    words = np.empty(int((lengths + 1).sum()), object)
    is_last = np.zeros(len(words), bool)
    is_last[ends] = True
    words[is_last] = table.column("item_id").cast(pa.string()).to_pylist()
    words[~is_last] = histories.flatten().to_pylist()
    users = canonical(table.column("user_id"))
    notes = ["sequences in order of time, from the test file's histories and targets"]
    items = pa.array(words, pa.string())
    events = assemble(raw_of_lists(users, lengths + 1, items, str(place.path), notes), options)
    return replace(events, item_table=_texts(place), user_table=_index(place, "user"))


def split_prefixes(place: Source, fold: str, options: Options) -> Split:
    """Cut the sequences as the atomic files do: the test file's targets, the validation file's,
    and all before them.
    """
    events = read_atomic(place, options)
    split = leave_last_two(
        events,
        f"the published leave-one-out of {place.matching('.test.inter')[0].name.split('.')[0]}",
    )
    validation, _ = _atomic(place.matching(".valid.inter")[0])
    if split.validation is None or validation.num_rows != len(split.validation.truth):
        raise DataError(
            "the validation file has other users than the test file.", source=str(place.path)
        )
    return split


def _atomic(entry: SourceFile) -> tuple[pa.Table, list[str]]:
    options = Options(delimiter="\t", header=True, quote=False)
    # Columns are read as text: a list of one item must not become a number.
    names = entry.head(4096).split(b"\n", 1)[0].decode().strip().split("\t")
    table, notes = read_text_table(entry, options, text=names)
    return table.rename_columns([name.split(":")[0] for name in table.column_names]), notes


def _items(entry: SourceFile) -> pa.Table:
    table, _ = _atomic(entry)
    return table.set_column(0, "item_id", canonical(table.column(0)))


def _texts(place: Source) -> pa.Table | None:
    """Items by index, with their original id and their text."""
    index = _index(place, "item")
    about = place.matching(".text")
    if index is None or not about:
        return index
    texts, _ = _atomic(about[0])
    return joined(index, texts.rename_columns(["original_id", "text"]), "original_id")


def _index(place: Source, kind: str) -> pa.Table | None:
    found = place.matching(f".{kind}2index")
    if not found:
        return None
    options = {"delimiter": "\t", "quote": False}
    table, _ = text_table(
        found[0], ["original_id", f"{kind}_id"], id_column=f"{kind}_id", **options
    )
    return with_column(table, "original_id", table.column("original_id").cast(pa.string()))


LAYOUTS = (
    Layout("RecBole atomic files", lambda place: bool(place.matching(".inter")), read_atomic),
)
