"""CiteULike-a: who kept which article, the articles' tags and citations, and DropoutNet's warm
and cold splits.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa

from cofactor.base.errors import DataError
from cofactor.data.events import Events
from cofactor.data.ids import IdMap
from cofactor.data.readers.assemble import assemble
from cofactor.data.readers.columns import Options
from cofactor.data.readers.id_columns import canonical
from cofactor.data.readers.layout import Layout, delimited_events, lists_of, parts
from cofactor.data.readers.lists import parted, raw_of_lists
from cofactor.data.readers.source_files import Source, SourceFile
from cofactor.data.readers.text_encoding import lines_of
from cofactor.data.split import Part, Split

FOLDS = ("cold", "warm")


def read_citeulike(place: Source, options: Options) -> Events:
    """Read ``users.dat`` (ids from 0), with each article's tags as a list of words, and its
    ``citations`` as a list of articles.
    """
    entry = place.get("users.dat")
    items, lengths = counted_lists(entry)
    users = pa.array(np.arange(len(lengths)))
    notes = ["a line per user, numbered from 0: the count, then the articles"]
    raw = raw_of_lists(users, lengths, items, entry.shown, notes)
    return replace(assemble(raw, options), item_table=_articles(place))


def read_split(place: Source, fold: str, options: Options) -> Split:
    """Read DropoutNet's split: ``cold`` holds out 3,396 articles with all their readers, ``warm`` a
    sixth of the pairs.

    Its files number users and articles from 1; here they are numbered from 0 as in ``users.dat``.
    The test ranks the articles that the split lists for it."""
    whole = read_citeulike(place, options)
    folder = f"dropoutnet-split/{fold}/"
    files = [place.get(folder + name) for name in ("train.csv", "test.csv")]
    events = [
        _from_zero(
            delimited_events(entry, replace(options, value=False), delimiter=",", header=False)
        )
        for entry in files
    ]
    listed = np.array(place.get(folder + "test_item_ids.csv").read().split(), np.int64) - 1
    users = IdMap.of(whole.users)
    items = (
        IdMap.of(pa.array(np.arange(whole.item_table.num_rows)))
        if whole.item_table is not None
        else IdMap.of(whole.items)
    )
    events[0] = replace(events[0], item_table=whole.item_table)
    train, truth = parts(events, users=users, items=items)
    rows = np.sort(items.rows(pa.array(listed), what="item"))
    part = Part(truth, train, candidates=None if len(rows) == len(items) else rows.astype(np.int32))
    kind = (
        "3,396 articles that training has never seen"
        if fold == "cold"
        else "pairs of articles that training knows"
    )
    return Split(
        train,
        part,
        None,
        f"DropoutNet's {fold} split of CiteULike-a: {kind} for test, ranked among the listed ones",
    )


def counted_lists(entry: SourceFile) -> tuple[pa.Array, np.ndarray]:
    """Return the members of all lines ``count member member ...``, and the counts, int64
    [n_lines].
    """
    first, members, lengths = parted(entry)
    counts = np.asarray(first.cast(pa.int64()))
    wrong = np.flatnonzero(counts != lengths)
    if wrong.size:
        row = int(wrong[0])
        raise DataError(
            f"{wrong.size} lines hold a different number of ids than they state:",
            source=entry.shown,
            rows=[(row + 1, f"{counts[row]} stated, {lengths[row]} found")],
            total=int(wrong.size),
        )
    return canonical(members), counts


def _articles(place: Source) -> pa.Table | None:
    """What is known of each article: its tags, and the articles that it cites or that cite it,
    itself among them.

    The file has each citation in both directions. An article stands in its own list so that one
    that is cited and one that cites it have a member in common."""
    entry, names, cited = (
        place.find(name) for name in ("item-tag.dat", "tags.dat", "citations.dat")
    )
    if entry is None or names is None:
        return None
    tags, counts = counted_lists(entry)
    words = pa.array(lines_of(names.read().decode("utf-8").rstrip("\n")), pa.string())
    columns = {
        "item_id": pa.array(np.arange(len(counts))),
        "tags": lists_of(words.take(tags), counts),
    }
    if cited is not None:
        others, lengths = counted_lists(cited)
        if len(lengths) != len(counts):
            raise DataError(
                f"{len(lengths)} articles, but {len(counts)} in {entry.shown}", source=cited.shown
            )
        rows, cites = (
            np.repeat(np.arange(len(lengths)), lengths),
            np.asarray(others.cast(pa.int64())),
        )
        kept = rows != cites
        counts = np.bincount(rows[kept], minlength=len(lengths))
        # Every article's own number goes after its last citation.
        both = np.insert(cites[kept], np.cumsum(counts), np.arange(len(lengths)))
        columns["citations"] = lists_of(pa.array(both).cast(pa.string()), counts + 1)
    return pa.table(columns)


def _from_zero(events: Events) -> Events:
    users, items = (
        np.asarray(column.cast(pa.int64())) - 1 for column in (events.users, events.items)
    )
    return replace(events, users=pa.chunked_array([users]), items=pa.chunked_array([items]))


def _begins_with_count(place: Source, name: str) -> bool:
    entry = place.find(name)
    words = [] if entry is None else entry.head().partition(b"\n")[0].split()
    return bool(words) and words[0] == str(len(words) - 1).encode()


LAYOUTS = (
    Layout(
        "CiteULike",
        lambda place: _begins_with_count(place, "users.dat") and bool(place.find("item-tag.dat")),
        read_citeulike,
    ),
)
