"""Links between users (who follows whom, friends) that are read as users and items."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cofactor.data.arrow import one_array, value_type
from cofactor.data.events import Events
from cofactor.data.readers.name_words import is_linked

# Rows that are looked at, and ids from which on they tell anything.
_SOME, _FEW = 100_000, 10
# Links that run both ways, in a hundred: users and items in one numbering have few such pairs.
_BOTH_WAYS = 90
_NUMBER = re.compile(r"^\d+$")
# SNAP's networks, and those of KONECT that have one kind of nodes.
_GRAPH = re.compile(r"^[#%].*\b(From|To)NodeId\b|^% *(a?sym|directed|undirected)\b")
_CURE = (
    "users are recommended to users then, perhaps each to itself; if items are meant, give"
    " item=NAME"
)


def is_graph(comment: str) -> bool:
    """Return whether a comment above rows says that they are edges between nodes of one kind."""
    return bool(_GRAPH.search(comment))


def graph_note(comment: str) -> list[str]:
    """Return a note on rows below such a comment (`is_graph`)."""
    if not is_graph(comment):
        return []
    return [f"{comment!r} above the rows says that they are edges of a graph: {_CURE}"]


def doubt_of_name(item: str) -> list[str]:
    """Return a note if the name of the items' column says that it holds users (``followee``)."""
    return [f"column {item!r} seems to hold users: {_CURE}"] if is_linked(item) else []


def doubt_of_links(events: Events) -> list[str]:
    """Return a note on events that are links between users: by items most of which are users too,
    or as far as these are numbers that both sides may just share, by links that run both ways. The
    first hundred thousand events tell.
    """
    sides = [one_array(column.slice(0, _SOME)) for column in (events.users, events.items)]
    kind = value_type(sides[0].type)
    if kind != value_type(sides[1].type):
        return []
    users, items = (pc.unique(side) for side in sides)
    shared = pc.sum(pc.is_in(items, value_set=users)).as_py() or 0
    if len(items) < _FEW or 2 * shared < len(items):
        return []
    numbers = pa.types.is_integer(kind) or _NUMBER.match(items[0].as_py())
    if numbers and not _run_both_ways(*sides):
        return []
    return [f"most items are users too: {_CURE}"]


def _run_both_ways(users: pa.Array, items: pa.Array) -> bool:
    """Whether nearly all pairs occur the other way round too, and none links an id to itself."""
    whole = pa.chunked_array([users, items]).dictionary_encode().combine_chunks()
    codes = np.asarray(whole.indices).astype(np.int64)
    first, second = codes[: len(users)], codes[len(users) :]
    n = len(whole.dictionary)
    back = np.isin(second * n + first, first * n + second)
    return bool((first != second).all()) and 100 * int(back.sum()) >= _BOTH_WAYS * len(back)
