"""The item map: the two directions in which items differ most."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from cofactor.base.errors import TraitError
from cofactor.base.names import unknown_name
from cofactor.models.recommender import Recommender
from cofactor.retrieval.topk import unit_length
from cofactor.service.answering.loaded import Loaded
from cofactor.service.replies import MapOut

_GROUPS = 8
_ROUNDS = 6
_DIRECTIONS = 6
_COVERED = 0.3  # of the items that the groups must hold
_USUAL = ("genre", "genres", "category", "categories", "kind", "type", "department", "section")


@dataclass(frozen=True)
class ItemMap:
    """Points of items.

    Parameters
    ----------
    rows
        int [n], item rows, the most popular first.
    points
        float32 [n, 2], within -1..1.
    groups
        int [n]: which of ``names`` an item belongs to.
    names
        The most frequent values of the catalogue's most telling column, the last being all others.
    explained
        Which share of the spread each direction holds.
    column, columns
        The column of the groups, and those that could be it.
    """

    rows: np.ndarray
    points: np.ndarray
    groups: np.ndarray
    names: list[str]
    explained: list[float]
    column: str | None
    columns: list[str]

    def shown(self, loaded: Loaded) -> MapOut:
        """Return the map as it goes out, without what is hidden by now."""
        keep = loaded.view.visible[self.rows]
        rows, points = self.rows[keep], np.round(self.points[keep].astype(float), 4)
        counts = loaded.model.data.item_counts[rows].astype(float)
        sizes = np.sqrt(counts / max(float(counts.max()), 1.0)) if len(rows) else counts
        return MapOut(
            item_ids=loaded.view.ids(rows),
            titles=loaded.view.titles(rows),
            x=points[:, 0].tolist(),
            y=points[:, 1].tolist(),
            groups=self.groups[keep].tolist(),
            group_names=self.names,
            columns=self.columns,
            column=self.column,
            sizes=np.round(sizes, 3).tolist(),
            explained=self.explained,
            model=loaded.name,
        )


def project(loaded: Loaded, limit: int, column: str | None = None) -> ItemMap:
    """Project the most popular items onto a plane.

    The directions are the principal components of the item vectors at length 1; a model without
    vectors is shown by its interactions, each item's users at length 1.

    Parameters
    ----------
    loaded
        The version.
    limit
        How many items.
    column
        The column whose values are the groups; None for the most telling one.

    Raises
    ------
    UnknownNameError
        If no such column has values that several items share.
    """
    model = loaded.model
    rows = loaded.popular[loaded.view.visible[loaded.popular]][:limit]
    rows = rows[model.data.item_counts[rows] > 0]
    if len(rows) < 3:  # too few to span a plane
        flat = np.zeros((len(rows), 2), np.float32)
        return ItemMap(rows, flat, *_grouped(model, rows, column)[:2], [0.0, 0.0], None, [])
    try:
        vectors = unit_length(model.item_vectors()[rows].astype(np.float32))
    except TraitError:
        vectors = _by_users(model, rows)
    centred = vectors - vectors.mean(axis=0)
    _, spread, directions = np.linalg.svd(centred.T @ centred)
    # The sign of a direction means nothing; this one is the same every time.
    directions = (
        directions
        * np.sign(directions[np.arange(len(directions)), np.abs(directions).argmax(axis=1)])[
            :, None
        ]
    )
    points = (
        centred @ directions[:2].T
        if centred.shape[1] >= 2
        else np.column_stack([centred[:, 0], np.zeros(len(rows))])
    )
    reach = np.quantile(np.abs(points), 0.995, axis=0)
    points = np.clip(points / np.where(reach > 0, reach, 1.0), -1.05, 1.05)
    groups, names, column, columns = _grouped(model, rows, column)
    total = float(spread.sum()) or 1.0
    return ItemMap(
        rows=rows,
        points=points.astype(np.float32),
        groups=groups,
        names=names,
        explained=[round(float(s) / total, 4) for s in spread[:2]],
        column=column,
        columns=columns,
    )


def _by_users(model: Recommender, rows: np.ndarray) -> np.ndarray:
    """Coordinates of items from their users, float [n, directions]: subspace iteration on the
    normalised matrix.
    """
    matrix = model.data.matrix()[:, rows].astype(np.float32)
    matrix.data[:] = 1.0
    per_user = np.sqrt(np.asarray(matrix.sum(axis=1)).ravel())
    per_item = np.sqrt(np.asarray(matrix.sum(axis=0)).ravel())
    normal = (
        matrix.multiply(1 / np.maximum(per_user, 1)[:, None])
        .multiply(1 / np.maximum(per_item, 1)[None, :])
        .tocsr()
    )
    start = (
        np.random.default_rng(0).standard_normal((len(rows), _DIRECTIONS + 1)).astype(np.float32)
    )
    basis = np.linalg.qr(start)[0]
    for _ in range(_ROUNDS):
        basis = np.linalg.qr(normal.T @ (normal @ basis))[0]
    # The first direction only says how popular an item is.
    _, _, turn = np.linalg.svd(normal @ basis, full_matrices=False)
    return np.asarray(unit_length((basis @ turn.T)[:, 1:].astype(np.float32)))


def _grouped(
    model: Recommender, rows: np.ndarray, wanted: str | None
) -> tuple[np.ndarray, list[str], str | None, list[str]]:
    """Colours: the groups, their names, their column, and the columns that could be it.

    Without a wish it is the column of a usual name for kinds of items, or else the one whose few
    values cover most items; of a list the first entry counts."""
    catalogue = model.data.catalogue
    able: dict[str, tuple[float, list[str | None]]] = {}
    for name in catalogue.column_names:
        if name == catalogue.title_column:
            continue
        column = catalogue.table.column(name).take(pa.array(rows.astype(np.int64)))
        values = [_first(v) for v in column.to_pylist()]
        common = Counter(v for v in values if v).most_common(_GROUPS)
        # One value for all says nothing, and neither do values that each stand once.
        if len(common) >= 2 and common[1][1] >= 2:
            covered = sum(count for _, count in common) / max(len(rows), 1)
            able[name] = covered, values
    if wanted is not None and wanted not in able:
        raise unknown_name("column with groups", wanted, able)
    usual = [name for name in able if name.casefold() in _USUAL and able[name][0] >= _COVERED]
    most = max(able, key=lambda name: able[name][0], default=None)
    chosen = wanted if wanted is not None else usual[0] if usual else most
    if chosen is None or (wanted is None and able[chosen][0] < _COVERED):
        return np.zeros(len(rows), np.int64), ["all items"], None, list(able)
    values = able[chosen][1]
    names = [name for name, _ in Counter(v for v in values if v).most_common(_GROUPS)]
    places = {name: n for n, name in enumerate(names)}
    groups = np.array([places.get(v or "", len(names)) for v in values], np.int64)
    return groups, [*names, "others"], chosen, list(able)


def _first(value: Any) -> str | None:
    if isinstance(value, list):
        value = value[0] if value else None
    if isinstance(value, bool) or not isinstance(value, str) or not 0 < len(value) <= 200:
        return None
    return value.split("|")[0].split(",")[0].strip()[:40] or None
