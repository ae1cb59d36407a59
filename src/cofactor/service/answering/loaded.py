"""One version of the model, loaded and ready."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from cofactor.artifact.format import Manifest
from cofactor.artifact.load import identity, inspect, load, refused
from cofactor.base.errors import ArtifactError, TraitError
from cofactor.data.histories import Histories
from cofactor.models.recommender import Recommender
from cofactor.retrieval.topk import OrderedItems
from cofactor.service.answering.items import ItemView, LiveItems
from cofactor.service.answering.new_items import with_stored_items
from cofactor.service.answering.profiles import UserProfiles
from cofactor.service.replies import ModelName
from cofactor.service.settings import Settings
from cofactor.store import Store

_ORDERED_FROM = 4_096  # items from which on ordering them pays
_QUICK = 0.0015  # seconds for one person up to which the event loop answers
_TRIED = 8  # users whose answers are looked at before a version may answer anybody


@dataclass(frozen=True, eq=False)
class Loaded:
    """A version of the model, with all that answering from it needs.

    Parameters
    ----------
    version
        The name of its folder.
    model
        The model itself.
    manifest
        What it is.
    view
        Its items as they stand now.
    profiles
        How people look to it.
    popular
        int32 [n_items]: all rows, the most popular first, equals by row.
    name
        The model and the version, as answers name them.
    ordered
        The items in the order of what they can reach, where scores are inner products and items are
        many.
    lone
        Seconds that answering one person alone takes.
    quick
        Whether that is so little that it is done in the event loop.
    files
        What its files were when they were read, by `cofactor.artifact.load.identity`.
    """

    version: str
    model: Recommender
    manifest: Manifest
    view: ItemView
    profiles: UserProfiles
    popular: np.ndarray
    name: ModelName
    ordered: OrderedItems | None = None
    lone: float = 0.0
    quick: bool = False
    files: list[tuple[int, ...]] = field(default_factory=list)

    def most_popular(self, k: int, mask: np.ndarray, excluded: np.ndarray) -> np.ndarray:
        """Return the rows of the k items of a mask that most users interacted with, int32."""
        found: list[np.ndarray] = []
        count, start, step = 0, 0, k + len(excluded) + 64
        while count < k and start < len(self.popular):
            part = self.popular[start : start + step]
            part = part[mask[part]]
            if len(excluded):
                part = part[~np.isin(part, excluded)]
            found.append(part)
            count, start, step = count + len(part), start + step, step * 4
        return np.concatenate(found)[:k] if found else np.zeros(0, np.int32)

    def check_similar(self) -> None:
        """Raise TraitError if the model finds no similar items."""
        if not self.model.traits.finds_similar:
            raise TraitError(
                f"{self.model.name} doesn't support similar items; serve a model with vectors or"
                " neighbours."
            )

    def shares(self, rows: np.ndarray) -> np.ndarray:
        """Return the share of users who interacted with some items, float64."""
        data = self.model.data
        return np.asarray(data.item_counts[rows] / max(1, data.n_users))

    @property
    def can(self) -> dict[str, bool]:
        """What the model can do by its nature."""
        traits = self.model.traits
        return {
            "reasons": traits.explains,
            "similar": traits.finds_similar,
            "described_items": traits.uses_features,
            "vectors": traits.has_vectors,
            "order": traits.uses_order,
            "ratings": traits.predicts_ratings,
        }


def load_version(
    folder: Path, version: str, live: LiveItems, store: Store, settings: Settings
) -> Loaded:
    """Load a version and check that it answers: files and checksums, then the scores of a few of
    its users.

    Raises
    ------
    ArtifactError
        If it is damaged, fails for its own users, or gives scores that aren't finite numbers.
    """
    files = identity(folder)
    manifest, model = checked_model(folder, version, mapped=settings.workers > 1)
    model = with_stored_items(model, live, store)
    with refused(folder):
        _warm(model)
    made = prepare_version(version, model, manifest, live, store, settings)
    return replace(made, files=files)


def checked_model(
    folder: Path, version: str, *, mapped: bool = False
) -> tuple[Manifest, Recommender]:
    """Load a version's model and check that it answers; see `load_version`."""
    manifest, model = inspect(folder), load(folder, mapped=mapped)
    # Arrays within their bounds may still be of no model: systems without a solution.
    with refused(folder):
        _check_answers(model, version)
    return manifest, model


def prepare_version(
    version: str,
    model: Recommender,
    manifest: Manifest,
    live: LiveItems,
    store: Store,
    settings: Settings,
) -> Loaded:
    """Return a checked model with all that answering from it needs."""
    counts = model.data.item_counts
    popular = np.argsort(-counts, kind="stable").astype(np.int32)
    dots = model.inner_product() if model.data.n_items >= _ORDERED_FROM else None
    ordered = None if dots is None else OrderedItems(*dots)
    view, profiles = live.view(model.data), UserProfiles(model, store, settings)
    lone = _timed(model, view, ordered)
    quick = lone < _QUICK and store.database.embedded
    return Loaded(
        version=version,
        model=model,
        manifest=manifest,
        view=view,
        profiles=profiles,
        popular=popular,
        name=ModelName(name=model.name, version=version),
        ordered=ordered,
        lone=lone,
        quick=quick,
    )


def _check_answers(model: Recommender, version: str) -> None:
    """Score a few users, by their rows and by their histories, through the very path that
    requests take.
    """
    data = model.data
    rows = np.argsort(-data.user_counts, kind="stable")[:: max(1, data.n_users // _TRIED)][
        :_TRIED
    ].astype(np.int32)
    rows = rows[data.user_counts[rows] > 0]
    if not len(rows):
        return
    for batch in (model.user_batch(rows), model.fold_in(_past(model, rows))):
        best = model.topk(batch, 10, excluded=batch.seen, n_threads=1)
        found = np.arange(best.rows.shape[1]) < best.count[:, None]
        if not np.isfinite(best.scores[found]).all():
            raise ArtifactError(
                f"version {version!r} gives scores that aren't finite numbers; it can't answer."
            )
        full = np.diff(batch.seen[0]) >= data.n_items
        if (best.count[~full] == 0).any():
            raise ArtifactError(
                f"version {version!r} finds nothing to recommend to its own users; it can't answer."
            )


def _timed(model: Recommender, view: ItemView, ordered: OrderedItems | None) -> float:
    """Seconds for one person with a long history: fold in, score, and explain, the best of three
    after a warm-up.
    """
    data = model.data
    if not len(data):
        return 0.0
    history = _past(model, np.array([int(np.argmax(data.user_counts))], np.int32))
    seconds = []
    for _ in range(4):
        started = time.perf_counter()
        batch = model.fold_in(history)
        if ordered is None:
            best = model.topk(batch, 10, excluded=batch.seen, allowed=view.visible, n_threads=1)
        else:
            best = ordered.best(
                np.asarray(batch.states),
                10,
                allowed=view.visible_in_order(ordered),
                excluded=batch.seen,
            )
        if model.traits.explains:
            model.explain_rows(batch, best.of(0)[0])
        seconds.append(time.perf_counter() - started)
    return min(seconds[1:])


def _past(model: Recommender, rows: np.ndarray) -> Histories:
    """Histories of some users: by item where the model doesn't use order, without sorting
    everybody's events by time.
    """
    data = model.data
    if model.traits.uses_order:
        return data.histories(rows)
    spans = [slice(data.indptr[row], data.indptr[row + 1]) for row in rows]
    values = None if data.values is None else [data.values[span] for span in spans]
    past = [data.item_rows[span] for span in spans]
    return Histories.of(past, data.n_items, values)


def _warm(model: Recommender) -> None:
    """Do once what would make the first request slow: look-up tables, unit vectors, and a
    request with reasons.
    """
    data = model.data
    data.users.find([data.users.ids([0])[0]] if data.n_users else [])
    data.items.find([data.items.ids([0])[0]])
    data.catalogue.titles(np.array([0]))
    one = np.array([int(np.argmax(data.user_counts))], np.int32)
    if model.traits.explains:
        model.explain_rows(model.user_batch(one), np.array([0]))
