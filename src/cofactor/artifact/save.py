"""Saving: a model is written to a temporary folder, synced, then renamed; a reader never sees half
of one.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cofactor.artifact import format as fmt
from cofactor.artifact.card import CARD, card_of, limits_of
from cofactor.artifact.versions import library_versions
from cofactor.base import checks
from cofactor.base.arrays_file import write_arrays
from cofactor.base.disk import exchange, sync, what_is_full
from cofactor.base.errors import ArgumentError, ArtifactError
from cofactor.base.staging import staging_folder
from cofactor.data.catalogue import UNIT, Catalogue
from cofactor.data.ids import IdMap
from cofactor.models import registry
from cofactor.models.recommender import Recommender
from cofactor.models.traits import ANY_ARRAY


def save(
    model: Recommender,
    path: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    metrics: Mapping[str, Any] | None = None,
    run: Mapping[str, Any] | None = None,
    split: str | None = None,
    licence: str | None = None,
) -> Path:
    """Save a fitted model as a folder.

    Parameters
    ----------
    model
        A fitted model of the registry.
    path
        The folder to create.
    overwrite
        Whether an existing model is replaced. Anything else at that path is never replaced.
    metrics
        Results on held-out data, kept in the manifest.
    run
        How the model was fitted (seed, threads, seconds), kept in the manifest.
    split
        The sentence that says how the training data was split, kept in the manifest.
    licence
        The terms of use of data and model, for the model card.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    ArtifactError
        If the path can't be written or is taken, or the disk is full; nothing is left behind then.
    """
    _check_model(model)
    _check_facts({"metrics": metrics, "run": run}, {"split": split, "licence": licence})
    target = check_target(path, overwrite=overwrite)
    arrays = _arrays(model)
    with _writing(target) as staging:
        write_arrays(staging / fmt.TENSORS, arrays)
        _write_table(staging / fmt.USERS, model.data.users, model.data.profiles)
        _write_table(staging / fmt.ITEMS, model.data.items, model.data.catalogue)
        # safetensors makes its file readable by the owner alone; give it the permissions of the
        # others.
        shutil.copymode(staging / fmt.ITEMS, staging / fmt.TENSORS)
        files = {name: fmt.file_facts(staging / name) for name in fmt.FILES}
        known = {**(run or {}), "limits": limits_of(model)}
        known |= {"licence": licence} if licence else {}
        known |= {"chosen_by": model.chosen_by} if model.chosen_by else {}
        manifest = _manifest(model, arrays, files, metrics or {}, known, split)
        _write_bytes(staging / CARD, card_of(manifest).to_markdown().encode())
        _write_bytes(
            staging / fmt.MANIFEST,
            msgspec.json.format(msgspec.json.encode(manifest, enc_hook=_plain), indent=2) + b"\n",
        )
        for name in fmt.FILES:
            sync(staging / name)
        sync(staging)
        _move(staging, target, overwrite)
    return target


def check_target(path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
    """Check that a model can be saved at a path, before it is trained.

    Raises
    ------
    ArtifactError
        If the path is taken, lies in a saved model, or its parent folder can't be written.
    """
    target, overwrite = checks.path(path, "path"), checks.boolean(overwrite, "overwrite")
    try:
        if target.exists() or target.is_symlink():
            if not (target / fmt.MANIFEST).is_file():
                raise ArtifactError(
                    f"{target} exists and isn't a saved model; choose another place."
                )
            if not overwrite:
                raise _taken(target)
        _refuse_inside(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        with staging_folder(target):
            pass
    except OSError as error:
        raise ArtifactError(
            f"can't write to {target.parent}: {error.strerror}; choose another place."
        ) from None
    return target


def _refuse_inside(target: Path) -> None:
    """Refuse a place in a saved model, which would be lost when that one is replaced."""
    marks = (fmt.MANIFEST, fmt.TENSORS)
    for folder in target.absolute().parents:
        if all((folder / name).is_file() for name in marks):
            raise ArtifactError(f"{target} lies in the saved model {folder}; choose another place.")


@contextlib.contextmanager
def _writing(target: Path) -> Iterator[Path]:
    """A temporary folder beside the target, removed in any case; disk errors become one clear
    sentence.
    """
    try:
        with staging_folder(target) as staging:
            yield staging
    except OSError as error:
        if full := what_is_full(error):
            raise ArtifactError(
                f"the model doesn't fit into {target.parent}: {full}; nothing was saved."
            ) from error
        raise ArtifactError(
            f"the model can't be saved to {target}: {error}; nothing was saved."
        ) from error


def _check_model(model: Any) -> None:
    """Refuse what isn't a model, and models that couldn't be loaded again."""
    checks.of_kind(model, "model", Recommender, "a fitted model")
    if model.name not in registry.MODELS or registry.get(model.name) is not type(model):
        raise ArtifactError(
            f"{type(model).__name__} isn't in the registry under {model.name!r}, so it couldn't be"
            " loaded again."
        )


def _check_facts(mappings: Mapping[str, Any], texts: Mapping[str, Any]) -> None:
    for kind, wanted, facts in ((Mapping, "a mapping", mappings), (str, "a text", texts)):
        for name, given in facts.items():
            if given is not None:
                checks.of_kind(given, name, kind, wanted)


def _arrays(model: Recommender) -> dict[str, np.ndarray]:
    data = model.data
    arrays = {fmt.MODEL_PREFIX + name: array for name, array in model.state().items()}
    history = {
        "indptr": data.indptr,
        "item_rows": data.item_rows,
        "order": data.order,
        "values": data.values,
        "times": data.times,
    }
    if data.log is not None:
        history |= {f"log_{name}": getattr(data.log, name) for name in fmt.LOG}
    arrays |= {
        f"history.{name}": np.ascontiguousarray(array)
        for name, array in history.items()
        if array is not None
    }
    for name, array in arrays.items():
        if array.dtype == object:
            raise ArtifactError(
                f"array {name!r} holds Python objects; only plain numbers can be saved."
            )
        if not model.arrays.get(name.removeprefix(fmt.MODEL_PREFIX), ANY_ARRAY).holds(array):
            raise ArtifactError(
                f"array {name!r} holds NaN, infinite or far too large numbers: training diverged;"
                " nothing was saved."
            )
    return arrays


def _manifest(
    model: Recommender,
    arrays: dict[str, np.ndarray],
    files: dict[str, fmt.FileFacts],
    metrics: Mapping[str, Any],
    run: Mapping[str, Any],
    split: str | None,
) -> fmt.Manifest:
    data = model.data
    facts = fmt.DataFacts(
        source=data.source,
        fingerprint=data.fingerprint,
        n_users=data.n_users,
        n_items=data.n_items,
        n_interactions=len(data),
        notes=list(data.notes),
        title_column=data.catalogue.title_column,
        split=split,
    )
    return fmt.Manifest(
        format=fmt.FORMAT,
        model=model.name,
        config=model.config.to_dict(),
        data=facts,
        arrays=fmt.array_facts(arrays),
        files=files,
        metrics=dict(metrics),
        run=dict(run),
        versions=library_versions(),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _plain(value: Any) -> Any:
    """NumPy's numbers among the metrics, as Python's."""
    if isinstance(value, np.generic):
        return value.item()
    raise ArgumentError(f"metrics and run hold numbers and texts, not {type(value).__name__}.")


def _write_table(path: Path, ids: IdMap, catalogue: Catalogue) -> None:
    fields = [catalogue.table.schema.field(name) for name in catalogue.column_names]
    units = [{UNIT: f.metadata[UNIT]} if UNIT in (f.metadata or {}) else None for f in fields]
    schema = pa.schema(
        [
            (fmt.ID_COLUMN, ids.arrow.type),
            *(pa.field(f.name, f.type, metadata=u) for f, u in zip(fields, units, strict=True)),
        ]
    )
    columns = [ids.arrow, *(catalogue.table.column(f.name) for f in fields)]
    pq.write_table(pa.table(columns, schema), path, compression="zstd")


def _write_bytes(path: Path, raw: bytes) -> None:
    with path.open("wb") as stream:
        stream.write(raw)
        stream.flush()
        os.fsync(stream.fileno())


def _taken(target: Path) -> ArtifactError:
    return ArtifactError(
        f"{target} holds a model already; choose another place, or give overwrite=True."
    )


def _move(staging: Path, target: Path, overwrite: bool) -> None:
    """Move the finished folder to its place; an older model stays intact until the new one is
    there.

    Where two folders can be exchanged in one step, there is never a moment without a model.
    Elsewhere (Windows, some network file systems) there is one between two renames: a reader then
    finds nothing, and a process killed at that moment leaves the old model in a folder beside it,
    whose name begins with a dot and the model's name.
    """
    if target.exists() and overwrite:
        _replace(staging, target)
    else:
        try:
            os.rename(staging, target)  # never onto a folder that isn't empty
        except OSError:
            if not target.exists():
                raise
            # Another process saved there in the meantime.
            if not overwrite:
                raise _taken(target) from None
            _replace(staging, target)
    sync(target.parent)


def _replace(staging: Path, target: Path) -> None:
    if not exchange(staging, target):
        old = Path(tempfile.mkdtemp(prefix=f".{target.name}-old-", dir=target.parent))
        os.rename(target, old / "model")
        try:
            os.rename(staging, target)
        except OSError:
            os.rename(old / "model", target)
            raise
        finally:
            shutil.rmtree(old, ignore_errors=True)
