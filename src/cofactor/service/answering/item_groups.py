"""What the items of the map are coloured by: values of a column, ranges of a number, similarity."""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple, Protocol

import numpy as np
import pyarrow as pa

from cofactor.base.names import unknown_name
from cofactor.data.records import python_cells
from cofactor.models.recommender import Recommender

SIMILAR = "similar items"
_GROUPS = 8
_RANGES = 6
_ROUNDS = 12
_COVERED = 0.3  # of the items that the groups must hold, where nobody chose the column
_LARGEST = 0.9  # of the items that one of them may hold then
_USUAL = ("genre", "genres", "category", "categories", "kind", "type", "department", "section")


class Titled(Protocol):
    """What names an item."""

    def ids(self, rows: np.ndarray) -> list[Any]:
        """Return outside ids of item rows."""

    def titles(self, rows: np.ndarray) -> list[str | None]:
        """Return titles of item rows, None where there is none."""


class Groups(NamedTuple):
    """The group of each item: int [n], places in ``names``, the last of which are all others.
    Groups by similarity have no names of their own; see `names_of`.
    """

    of: np.ndarray
    names: list[str]
    column: str
    ordered: bool = False


def columns(model: Recommender, rows: np.ndarray) -> dict[str, Groups]:
    """Return the groups that the catalogue's columns give, by column."""
    catalogue, found = model.data.catalogue, {}
    for name in catalogue.column_names:
        if name == catalogue.title_column:
            continue
        values = catalogue.table.column(name).take(pa.array(rows.astype(np.int64)))
        numbers = pa.types.is_integer(values.type) or pa.types.is_floating(values.type)
        groups = _ranges(name, values) if numbers else _frequent(name, python_cells(values))
        if groups is not None:
            found[name] = groups
    return found


def choose(able: dict[str, Groups], vectors: np.ndarray, wanted: str | None) -> Groups:
    """Return the groups of a column, or those by similarity.

    Parameters
    ----------
    able
        The groups that columns give.
    vectors
        float [n, d], the items at length 1.
    wanted
        A column, or ``SIMILAR``; None for a column of a usual name for kinds of items, or else the
        one whose few values cover most items, or else ``SIMILAR``.

    Raises
    ------
    UnknownNameError
        If no such column has values that several items share.
    """
    if wanted is None:
        wanted = _telling(able)
    if wanted == SIMILAR and SIMILAR not in able:
        return _alike(vectors)
    if wanted not in able:
        raise unknown_name("column with groups", wanted, [*able, SIMILAR])
    return able[wanted]


def _telling(able: dict[str, Groups]) -> str:
    telling = {}
    for name, groups in able.items():
        counts = np.bincount(groups.of, minlength=len(groups.names))
        covered = counts[:-1].sum() / max(counts.sum(), 1)
        if covered >= _COVERED and counts.max() <= _LARGEST * counts.sum() and not groups.ordered:
            telling[name] = covered
    usual = [name for name in telling if name.casefold() in _USUAL]
    return usual[0] if usual else max(telling, key=telling.__getitem__, default=SIMILAR)


def _frequent(column: str, values: list[Any]) -> Groups | None:
    """The most frequent values; of a list the first entry counts."""
    firsts = [_first(value) for value in values]
    common = Counter(value for value in firsts if value).most_common(_GROUPS)
    # One value for all says nothing, and neither do values that each stand once.
    if len(common) < 2 or common[1][1] < 2:
        return None
    names = [name for name, _ in common]
    places = {name: n for n, name in enumerate(names)}
    of = np.array([places.get(value or "", len(names)) for value in firsts], np.int64)
    return Groups(of, [*names, "others"], column)


def _first(value: Any) -> str | None:
    if isinstance(value, list):
        value = value[0] if value else None
    if isinstance(value, bool) or not isinstance(value, str) or not 0 < len(value) <= 200:
        return None
    return value.split("|")[0].split(",")[0].strip()[:40] or None


def _ranges(column: str, values: pa.ChunkedArray) -> Groups | None:
    """Ranges of a number that hold about as many items each."""
    numbers = values.cast(pa.float64(), safe=False).to_numpy().astype(float)
    known = numbers[np.isfinite(numbers)]
    if column.casefold().endswith("id") or len(np.unique(known)) < 3:
        return None
    ordered = np.sort(known)
    # The least value of each range is one that occurs.
    starts = np.unique(ordered[(np.arange(_RANGES) * len(ordered)) // _RANGES])
    of = np.where(np.isfinite(numbers), np.searchsorted(starts, numbers, side="right") - 1, -1)
    names = []
    for n in range(len(starts)):
        inside = numbers[of == n]
        low, high = (f"{value:.6g}" for value in (inside.min(), inside.max()))
        names.append(low if low == high else f"{low} to {high}")
    return Groups(
        np.where(of < 0, len(starts), of).astype(np.int64), [*names, "others"], column, True
    )


def names_of(groups: Groups, of: np.ndarray, rows: np.ndarray, view: Titled) -> list[str]:
    """Return the groups' names where only some of the items are shown: what a name says comes from
    one of them. A group of which none is shown has an empty one.

    Parameters
    ----------
    groups
        The groups of all items.
    of, rows
        int [n], the group and the row of each item that is shown, the most popular first.
    view
        What names an item: groups by similarity are named by their most popular one.
    """
    found, firsts = np.unique(of, return_index=True)
    names = [""] * (len(groups.names) - 1) + groups.names[-1:]
    if any(groups.names[:-1]):
        for group in found.tolist():
            names[group] = groups.names[group]
        return names
    ids, titles = view.ids(rows[firsts]), view.titles(rows[firsts])
    for group, item_id, title in zip(found.tolist(), ids, titles, strict=True):
        names[group] = _short(f"like {title or f'item {item_id}'}")
    return names


def _alike(vectors: np.ndarray) -> Groups:
    """Groups of items that are near each other (spherical k-means)."""
    if not len(vectors):
        return Groups(np.zeros(0, np.int64), ["others"], SIMILAR)
    centres = vectors[_spread(vectors, min(_GROUPS, len(vectors)))]
    of = np.zeros(len(vectors), np.int64)
    for _ in range(_ROUNDS):
        of = np.argmax(vectors @ centres.T, axis=1)
        sums = np.zeros_like(centres)
        np.add.at(sums, of, vectors)
        centres = sums / np.maximum(np.linalg.norm(sums, axis=1), 1e-12)[:, None]
    # The largest group has the first colour.
    sizes = np.bincount(of, minlength=len(centres))
    order = np.argsort(-sizes, kind="stable")[: np.count_nonzero(sizes)]
    place = np.zeros(len(centres), np.int64)
    place[order] = np.arange(len(order))
    return Groups(place[of], [*[""] * len(order), "others"], SIMILAR)


def _spread(vectors: np.ndarray, count: int) -> list[int]:
    """Items to begin from, drawn far from each other (Arthur and Vassilvitskii 2007)."""
    draw = np.random.default_rng(0)
    chosen = [0]
    far = np.full(len(vectors), np.inf)
    for _ in range(count - 1):
        far = np.minimum(far, np.maximum(1 - vectors @ vectors[chosen[-1]], 0))
        total = far.sum()
        if not total > 0:
            break
        chosen.append(int(np.searchsorted(np.cumsum(far), draw.random() * total)))
    return chosen


def _short(text: str) -> str:
    return text if len(text) <= 32 else text[:31].rstrip() + "…"
