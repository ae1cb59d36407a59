"""Published sequences: SASRec's file (``user item`` in order of time) and S3-Rec's Amazon Beauty
with product titles.
"""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pyarrow as pa

from cofactor.base.errors import DataError
from cofactor.data.events import Events
from cofactor.data.readers.columns import Options
from cofactor.data.readers.id_columns import canonical
from cofactor.data.readers.layout import Layout, delimited_events, leave_last_two, text_table
from cofactor.data.readers.lists import is_lists, parted, read_lists
from cofactor.data.readers.source_files import Source
from cofactor.data.split import Split


def read_sasrec(place: Source, options: Options) -> Events:
    """Read SASRec's MovieLens 1M: a line per interaction, each user's in order of time; MovieIDs
    where the map is there.
    """
    events = delimited_events(place.get("ml-1m.txt"), options, delimiter=" ", header=False)
    return replace(
        events,
        item_table=_map(place, "sas_to_original_items.txt", "item_id", "movie_id"),
        user_table=_map(place, "sas_to_original_users.txt", "user_id", "original_user_id"),
    ).noted("each user's rows are in order of time")


def split_sasrec(place: Source, fold: str, options: Options) -> Split:
    """Cut SASRec's file as its paper does: the last item of each user for test, the one before
    for validation.
    """
    return leave_last_two(read_sasrec(place, options), "SASRec's leave-one-out on MovieLens 1M")


def read_beauty(place: Source, options: Options) -> Events:
    """Read S3-Rec's Amazon Beauty: a line per user in order of time, with ASINs, titles and
    attributes of the items.
    """
    events = read_lists(place.get("Beauty.txt"), options)
    items, users = _beauty_tables(place)
    return replace(events, item_table=items, user_table=users)


def split_beauty(place: Source, fold: str, options: Options) -> Split:
    """Cut Amazon Beauty as S3-Rec does: the last item of each user for test, the one before for
    validation.
    """
    return leave_last_two(read_beauty(place, options), "S3-Rec's leave-one-out on Amazon Beauty")


def _map(place: Source, name: str, own: str, original: str) -> pa.Table | None:
    entry = place.find(name)
    return (
        None
        if entry is None
        else text_table(entry, [own, original], id_column=own, delimiter=" ")[0]
    )


def _beauty_tables(place: Source) -> tuple[pa.Table | None, pa.Table | None]:
    """Items and users with their original ids: the two files of sequences, laid side by side,
    give both maps.
    """
    other = place.find("user_sequence.txt")
    if other is None:
        return None, None
    users, ours, counts = parted(place.get("Beauty.txt"))
    reviewers, theirs, their_counts = parted(other)
    if not np.array_equal(counts, their_counts):
        raise DataError(
            "its lines don't match those of Beauty.txt, so the original ids are unknown.",
            source=other.shown,
        )
    item, first = np.unique(np.asarray(canonical(ours)), return_index=True)
    table = pa.table({"item_id": pa.array(item), "asin": theirs.take(pa.array(first))})
    known = pa.table({"user_id": canonical(users), "reviewer_id": reviewers})
    return _described(place, table), known


def _described(place: Source, table: pa.Table) -> pa.Table:
    numbers, lookup = place.find("item_id_to_int.json"), place.find("products_lookup.csv")
    if numbers is not None and lookup is not None:
        products, _ = text_table(lookup, id_column="global_product_id")
        keys = products.column("global_product_id").to_pylist()
        names = dict(zip(keys, products.column("name").to_pylist(), strict=True))
        number = json.loads(numbers.read())
        # Seven products have an empty title, which is none.
        titles = [names.get(number.get(asin)) or None for asin in table.column("asin").to_pylist()]
        table = table.append_column("title", pa.array(titles, pa.string()))
    attributes = place.find("Beauty_item2attributes.json")
    if attributes is not None:
        of_item = json.loads(attributes.read())
        lists = [of_item.get(str(item)) for item in table.column("item_id").to_pylist()]
        table = table.append_column("attributes", pa.array(lists, pa.list_(pa.int64())))
    return table


LAYOUTS = (
    Layout(
        "Amazon Beauty sequences (S3-Rec)",
        lambda place: is_lists(place.find("Beauty.txt")),
        read_beauty,
    ),
    Layout(
        "SASRec sequences",
        lambda place: bool(place.find("ml-1m.txt") and place.find("sas_to_original_items.txt")),
        read_sasrec,
    ),
)
