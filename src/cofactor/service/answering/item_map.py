"""The item map: the two directions in which items differ most."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cofactor.base.errors import TraitError
from cofactor.models.recommender import Recommender
from cofactor.retrieval.topk import unit_length
from cofactor.service.answering.item_groups import SIMILAR, Groups, choose, columns, names_of
from cofactor.service.answering.loaded import Loaded
from cofactor.service.replies import MapOut

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
        What each item is coloured by.
    explained
        Which share of the spread each direction holds.
    columns
        The columns that could be the groups', and similarity.
    left_out
        int [m], rows of items as popular as those that were hidden when the map was made.
    """

    rows: np.ndarray
    points: np.ndarray
    groups: Groups
    explained: list[float]
    columns: list[str]
    left_out: np.ndarray

    def outdated(self, loaded: Loaded) -> bool:
        """Return whether an item is shown again that the map leaves out."""
        return bool(loaded.view.visible[self.left_out].any())

    def shown(self, loaded: Loaded) -> MapOut:
        """Return the map as it goes out, without what is hidden by now."""
        keep = loaded.view.visible[self.rows]
        rows, points = self.rows[keep], np.round(self.points[keep].astype(float), 4)
        of = self.groups.of[keep]
        counts = loaded.model.data.item_counts[rows].astype(float)
        sizes = np.sqrt(counts / max(float(counts.max()), 1.0)) if len(rows) else counts
        return MapOut(
            item_ids=loaded.view.ids(rows),
            titles=loaded.view.titles(rows),
            x=points[:, 0].tolist(),
            y=points[:, 1].tolist(),
            groups=of.tolist(),
            group_names=names_of(self.groups, of, rows, loaded.view),
            ordered=self.groups.ordered,
            columns=self.columns,
            column=self.groups.column,
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
        The column whose values are the groups, or "similar items"; None for the most telling one.

    Raises
    ------
    UnknownNameError
        If no such column has values that several items share.
    """
    model = loaded.model
    known = loaded.popular[model.data.item_counts[loaded.popular] > 0]
    visible = loaded.view.visible[known]
    rows = known[visible][:limit]
    left_out = known[~visible & (np.cumsum(visible) < limit)]
    if len(rows) < 3:  # too few to span a plane
        flat = np.zeros((len(rows), 2), np.float32)
        return ItemMap(rows, flat, choose({}, flat, SIMILAR), [0.0, 0.0], [SIMILAR], left_out)
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
    able = columns(model, rows)
    total = float(spread.sum()) or 1.0
    return ItemMap(
        rows=rows,
        points=points.astype(np.float32),
        groups=choose(able, vectors, column),
        explained=[round(float(s) / total, 4) for s in spread[:2]],
        columns=list(dict.fromkeys([*able, SIMILAR])),
        left_out=left_out,
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
