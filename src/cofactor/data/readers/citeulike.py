"""CiteULike-a: who kept which article, the articles' tags, and DropoutNet's warm and cold splits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa

from cofactor.base.errors import DataError
from cofactor.data.events import Events
from cofactor.data.ids import IdMap
from cofactor.data.readers.assemble import Raw, assemble, canonical
from cofactor.data.readers.columns import Options
from cofactor.data.readers.layout import Layout, delimited_events, parts
from cofactor.data.readers.lists import token_lists
from cofactor.data.readers.places import Entry, Place
from cofactor.data.readers.sniff import lines_of
from cofactor.data.split import Part, Split

FOLDS = ("cold", "warm")


def read_citeulike(place: Place, options: Options) -> Events:
    """Read ``users.dat`` (ids from 0), with each article's tags as a list of words."""
    entry = place.get("users.dat")
    items, lengths = counted_lists(entry)
    raw = Raw(
        users=pa.chunked_array([np.repeat(np.arange(len(lengths)), lengths)]),
        items=pa.chunked_array([items]),
        values=None,
        times=None,
        source=entry.shown,
        locate=lambda rows: [],
        notes=["a line per user, numbered from 0: the count, then the articles"],
    )
    return replace(assemble(raw, options), item_table=_tags(place))


def read_split(place: Place, fold: str, options: Options) -> Split:
    """Read DropoutNet's split: ``cold`` holds out 3,396 articles with all their readers, ``warm`` a sixth of the pairs.

    Its files number users and articles from 1; here they are numbered from 0 as in ``users.dat``. The test ranks the
    articles that the split lists for it.
    """
    whole = read_citeulike(place, options)
    folder = f"dropoutnet-split/{fold}/"
    files = [place.get(folder + name) for name in ("train.csv", "test.csv")]
    events = [_from_zero(delimited_events(entry, replace(options, value=False), delimiter=",", header=False)) for entry in files]
    listed = np.array(place.get(folder + "test_item_ids.csv").read().split(), np.int64) - 1
    users = IdMap.of(whole.users)
    items = IdMap.of(pa.array(np.arange(whole.item_table.num_rows))) if whole.item_table is not None else IdMap.of(whole.items)
    events[0] = replace(events[0], item_table=whole.item_table)
    train, truth = parts(events, users=users, items=items)
    rows = np.sort(items.rows(pa.array(listed), what="item"))
    part = Part(truth, train, candidates=None if len(rows) == len(items) else rows.astype(np.int32))
    kind = "3,396 articles that training has never seen" if fold == "cold" else "pairs of articles that training knows"
    return Split(train, part, None, f"DropoutNet's {fold} split of CiteULike-a: {kind} for test, ranked among the listed ones")


def counted_lists(entry: Entry) -> tuple[pa.Array, np.ndarray]:
    """Return the members of all lines ``count member member ...``, and the counts, int64 [n_lines]."""
    words, lengths = token_lists(entry)
    starts = np.cumsum(lengths) - lengths
    is_count = np.zeros(len(words), bool)
    is_count[starts] = True
    counts = np.asarray(words.filter(pa.array(is_count)).cast(pa.int64()))
    wrong = np.flatnonzero(counts != lengths - 1)
    if wrong.size:
        row = int(wrong[0])
        raise DataError(
            f"{wrong.size} lines hold another number of ids than they say:",
            source=entry.shown,
            rows=[(row + 1, f"{counts[row]} said, {lengths[row] - 1} there")],
            total=int(wrong.size),
        )
    return canonical(words.filter(pa.array(~is_count))), counts


def _tags(place: Place) -> pa.Table | None:
    entry, names = place.find("item-tag.dat"), place.find("tags.dat")
    if entry is None or names is None:
        return None
    tags, counts = counted_lists(entry)
    offsets = np.zeros(len(counts) + 1, np.int32)
    np.cumsum(counts, out=offsets[1:])
    words = pa.array(lines_of(names.read().decode("utf-8").rstrip("\n")), pa.string())
    lists = pa.ListArray.from_arrays(pa.array(offsets), words.take(tags))
    return pa.table({"item_id": pa.array(np.arange(len(counts))), "tags": lists})


def _from_zero(events: Events) -> Events:
    users, items = (np.asarray(column.cast(pa.int64())) - 1 for column in (events.users, events.items))
    return replace(events, users=pa.chunked_array([users]), items=pa.chunked_array([items]))


LAYOUTS = (Layout("CiteULike", lambda place: bool(place.find("users.dat") and place.find("item-tag.dat")), read_citeulike),)
