"""The NCF split: leave-one-out with 99 published negatives for each test line."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa

from cofactor.base.errors import DataError
from cofactor.data.events import Events
from cofactor.data.ids import IdMap
from cofactor.data.readers.columns import Options
from cofactor.data.readers.layout import Layout, appended, delimited_events, parts, text_table
from cofactor.data.readers.source_files import Source, SourceFile
from cofactor.data.split import Part, Split

_TRAINING = ("ml-1m.train.rating", "ml-1m.train.uir")


def read_whole(place: Source, options: Options) -> Events:
    """Read all interactions of the NCF split of MovieLens 1M, those of training first."""
    train, test = _events(place, options)
    return replace(appended(train, test), source=str(place.path)).noted(
        "training and test together; load_split gives the split"
    )


def read_split(place: Source, fold: str, options: Options) -> Split:
    """Read the NCF split of MovieLens 1M: one test item a user, to be ranked among its 99 published
    negatives.

    For some users the test item is among its own negatives, as published.
    """
    train, test = _events(place, options)
    pairs, negatives = read_negatives(place.get("ml-1m.test.negative"))
    listed = np.column_stack([_plain(test.users), _plain(test.items)])
    if not np.array_equal(listed, pairs):
        raise DataError(
            "its pairs aren't those of the test file, line by line.", source=str(place.path)
        )
    items = IdMap.of(train.items, test.items, pa.array(negatives.ravel()))
    fitted, truth = parts([train, test], items=items)
    # Line n of the file is event n of the test part; the part's own order is by user and item.
    rows = items.rows(pa.array(negatives.ravel()), what="item").reshape(negatives.shape)[
        truth.order
    ]
    part = Part(truth, fitted, negatives=np.ascontiguousarray(rows, np.int32))
    return Split(
        fitted,
        part,
        None,
        "the published NCF split of MovieLens 1M: the latest item of each user among 99 negatives",
    )


def read_negatives(entry: SourceFile) -> tuple[np.ndarray, np.ndarray]:
    """Read lines ``(user,item)`` and the negatives after it.

    Returns
    -------
    pairs
        int64 [n_lines, 2].
    negatives
        int64 [n_lines, n_negatives].
    """
    text = entry.read()
    n_lines = sum(1 for line in text.splitlines() if line.strip())
    flat = np.array(text.translate(None, b"()").replace(b",", b" ").split(), np.int64)
    if not n_lines or len(flat) % n_lines or len(flat) // n_lines < 3:
        raise DataError(
            "its lines are not all of the form (user,item) and equally many items.",
            source=entry.shown,
        )
    table = flat.reshape(n_lines, -1)
    return table[:, :2], table[:, 2:]


def _events(place: Source, options: Options) -> tuple[Events, Events]:
    entry = next(
        (found for name in _TRAINING if (found := place.find(name)) is not None), None
    ) or place.get(_TRAINING[0])
    train = delimited_events(entry, options, delimiter="\t", header=False)
    test = delimited_events(place.get("ml-1m.test.rating"), options, delimiter="\t", header=False)
    numbers = place.find("item_ids.tsv")
    table = None
    if numbers is not None:
        table, _ = text_table(numbers, id_column="ncf_item_id", delimiter="\t")
        table = table.rename_columns(["item_id", "movie_id"])
    return replace(train, item_table=table), test


def _plain(column: pa.ChunkedArray) -> np.ndarray:
    return np.asarray(column.cast(pa.int64()))


LAYOUTS = (
    Layout(
        "NCF leave-one-out", lambda place: place.find("ml-1m.test.negative") is not None, read_whole
    ),
)
