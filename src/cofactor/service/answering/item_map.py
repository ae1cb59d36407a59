"""The item map: the two directions in which items differ most."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from cofactor.base.errors import TraitError
from cofactor.models.recommender import Recommender
from cofactor.retrieval.topk import unit_length
from cofactor.service.answering.loaded import Loaded
from cofactor.service.replies import MapOut

_GROUPS = 8
_ROUNDS = 6
_DIRECTIONS = 6


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
    """

    rows: np.ndarray
    points: np.ndarray
    groups: np.ndarray
    names: list[str]
    explained: list[float]

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
            sizes=np.round(sizes, 3).tolist(),
            explained=self.explained,
            model=loaded.name,
        )


def project(loaded: Loaded, limit: int) -> ItemMap:
    """Project the most popular items onto a plane.

    The directions are the principal components of the item vectors at length 1; a model without
    vectors is shown by its interactions, each item's users at length 1.

    Parameters
    ----------
    loaded
        The version.
    limit
        How many items.
    """
    model = loaded.model
    rows = loaded.popular[loaded.view.visible[loaded.popular]][:limit]
    rows = rows[model.data.item_counts[rows] > 0]
    if len(rows) < 3:  # too few to span a plane
        groups, names = _grouped(model, rows)
        return ItemMap(rows, np.zeros((len(rows), 2), np.float32), groups, names, [0.0, 0.0])
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
    groups, names = _grouped(model, rows)
    total = float(spread.sum()) or 1.0
    return ItemMap(
        rows,
        points.astype(np.float32),
        groups,
        names,
        [round(float(s) / total, 4) for s in spread[:2]],
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


def _grouped(model: Recommender, rows: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Colours: the catalogue's column whose few values cover most items; the first entry of a
    list.
    """
    best: tuple[float, list[str | None]] = (0.0, [None] * len(rows))
    catalogue = model.data.catalogue
    for name in catalogue.column_names:
        if name == catalogue.title_column:
            continue
        values = [
            _first(v)
            for v in catalogue.table.column(name).take(pa.array(rows.astype(np.int64))).to_pylist()
        ]
        common = Counter(v for v in values if v).most_common(_GROUPS)
        covered = sum(count for _, count in common) / max(len(rows), 1)
        # One value for all says nothing, and neither do values that each stand once.
        if len(common) >= 2 and common[1][1] >= 2 and covered > best[0]:
            best = (covered, values)
    if best[0] < 0.3:
        return np.zeros(len(rows), np.int64), ["all items"]
    names = [name for name, _ in Counter(v for v in best[1] if v).most_common(_GROUPS)]
    places = {name: n for n, name in enumerate(names)}
    return np.array([places.get(v or "", len(names)) for v in best[1]], np.int64), [
        *names,
        "others",
    ]


def _first(value: Any) -> str | None:
    if isinstance(value, list):
        value = value[0] if value else None
    if isinstance(value, bool) or not isinstance(value, str) or not 0 < len(value) <= 200:
        return None
    return value.split("|")[0].split(",")[0].strip()[:40] or None
