"""Loading: names, shapes, dtypes, finiteness and checksums are checked before anything is used."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cofactor.artifact import format as fmt
from cofactor.base.errors import ArgumentError, ArtifactError, DataError, UnknownNameError
from cofactor.data.catalogue import Catalogue
from cofactor.data.ids import IdMap
from cofactor.data.interactions import Interactions
from cofactor.models import registry
from cofactor.models.recommender import Recommender


def inspect(path: str | os.PathLike[str]) -> fmt.Manifest:
    """Return what a saved model is, from its manifest alone; no array is read.

    Raises
    ------
    ArtifactError
        If there is no model, or its manifest is damaged or of another format.
    """
    return fmt.read_manifest(Path(os.path.abspath(path)))


def load(path: str | os.PathLike[str]) -> Recommender:
    """Load a saved model.

    Parameters
    ----------
    path
        The folder that `save` made.

    Returns
    -------
    Recommender
        The fitted model, ready to recommend.

    Raises
    ------
    ArtifactError
        If a file is missing, cut off or changed, or an array has a wrong name, dtype, shape or a
        NaN; it says which.
    """
    folder = Path(os.path.abspath(path))
    manifest = fmt.read_manifest(folder)
    try:
        kind = registry.get(manifest.model)
        config = kind.Config.from_dict(manifest.config)
    except UnknownNameError as error:
        raise ArtifactError(f"{folder}: {error}") from None
    except (ArgumentError, TypeError) as error:
        raise ArtifactError(
            f"{folder}: the settings in the manifest don't fit {manifest.model}: {error}"
        ) from None
    for name in fmt.FILES:
        fmt.verify_file(folder, name, manifest.files[name])
    arrays = _read_tensors(folder / fmt.TENSORS, manifest)
    data = _interactions(folder, manifest, arrays)
    state = {
        n.removeprefix(fmt.MODEL_PREFIX): a
        for n, a in arrays.items()
        if n.startswith(fmt.MODEL_PREFIX)
    }
    try:
        return kind.from_state(config, state, data)
    except ArtifactError as error:
        raise ArtifactError(f"{folder / fmt.TENSORS}: {error}") from None


def _read_tensors(path: Path, manifest: fmt.Manifest) -> dict[str, np.ndarray]:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        arrays: dict[str, np.ndarray] = load_file(path)
    except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
        raise ArtifactError(f"{path} can't be read as safetensors: {error}.") from None
    if fmt.array_facts(arrays) != manifest.arrays:
        odd = _differing(arrays, manifest)
        raise ArtifactError(
            f"{path} doesn't hold the arrays that the manifest lists; these differ:"
            f" {', '.join(odd)}."
        )
    strangers = [n for n in arrays if not n.startswith(fmt.MODEL_PREFIX) and n not in fmt.HISTORY]
    if strangers:
        raise ArtifactError(f"{path} holds unknown arrays {sorted(strangers)}.")
    return arrays


def _differing(arrays: dict[str, np.ndarray], manifest: fmt.Manifest) -> list[str]:
    found = fmt.array_facts(arrays)
    return sorted(
        name
        for name in found.keys() | manifest.arrays.keys()
        if found.get(name) != manifest.arrays.get(name)
    )


def _interactions(
    folder: Path, manifest: fmt.Manifest, arrays: dict[str, np.ndarray]
) -> Interactions:
    facts = manifest.data
    users, profiles = _read_table(folder / fmt.USERS, facts.n_users, None)
    items, catalogue = _read_table(folder / fmt.ITEMS, facts.n_items, facts.title_column)
    history = {name.removeprefix("history."): _history(arrays, name) for name in fmt.HISTORY}
    _check_history(folder / fmt.TENSORS, history, facts)
    indptr, item_rows, order = history["indptr"], history["item_rows"], history["order"]
    # Checked just above.
    assert indptr is not None and item_rows is not None and order is not None  # noqa: PT018
    return Interactions(
        users=users,
        items=items,
        indptr=indptr,
        item_rows=item_rows,
        values=history["values"],
        times=history["times"],
        order=order,
        catalogue=catalogue,
        profiles=profiles,
        source=facts.source,
        notes=tuple(facts.notes),
    )


def _history(arrays: dict[str, np.ndarray], name: str) -> np.ndarray | None:
    array = arrays.get(name)
    if array is None and name not in fmt.HISTORY_OPTIONAL:
        raise ArtifactError(f"the model lacks the array {name!r}.")
    if array is not None and (array.ndim != 1 or str(array.dtype) != fmt.HISTORY[name]):
        raise ArtifactError(
            f"array {name!r} must be a vector of {fmt.HISTORY[name]}, not {array.dtype} of shape"
            f" {array.shape}."
        )
    return array


def _check_history(path: Path, history: dict[str, np.ndarray | None], facts: fmt.DataFacts) -> None:
    """The training interactions must be a CSR matrix of the stated size: kernels index by it
    without looking.
    """
    indptr, item_rows = history["indptr"], history["item_rows"]
    assert indptr is not None and item_rows is not None  # noqa: PT018 (checked by _history)
    n = facts.n_interactions
    lengths_fit = all(
        array is None or len(array) == n for name, array in history.items() if name != "indptr"
    )
    fits = (
        lengths_fit
        and len(indptr) == facts.n_users + 1
        and indptr[0] == 0
        and indptr[-1] == n
        and bool((np.diff(indptr) >= 0).all())
        and (n == 0 or (item_rows.min() >= 0 and item_rows.max() < facts.n_items))
    )
    if not fits:
        raise ArtifactError(
            f"{path}: the training interactions in it don't fit together (history.indptr,"
            " history.item_rows ...)."
        )
    if history["values"] is not None and not np.isfinite(history["values"]).all():
        raise ArtifactError(f"{path}: array 'history.values' holds NaN or infinite numbers.")


def _read_table(path: Path, n_rows: int, title: str | None) -> tuple[IdMap, Catalogue]:
    try:
        # Not pq.read_table, which loads Arrow's dataset machinery (half a second) to read one file.
        with pq.ParquetFile(path) as file:
            table = file.read()
    except (pa.ArrowException, OSError) as error:
        raise ArtifactError(f"{path} can't be read as Parquet: {error}.") from None
    if table.num_rows != n_rows or fmt.ID_COLUMN not in table.column_names:
        raise ArtifactError(
            f"{path} must hold {n_rows} rows with a column {fmt.ID_COLUMN}, not {table.num_rows}"
            " rows."
        )
    try:
        ids = IdMap(table.column(fmt.ID_COLUMN).combine_chunks())
        rest = table.drop_columns([fmt.ID_COLUMN])
        catalogue = Catalogue(rest, title) if rest.num_columns else Catalogue.nothing(n_rows)
    except (ArgumentError, DataError) as error:
        raise ArtifactError(f"{path}: {error}") from None
    return ids, catalogue
