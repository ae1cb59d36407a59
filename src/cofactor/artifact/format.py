"""The format of a saved model.

::

    model-folder/
      manifest.json         what it is: see `Manifest`; the checksums of the other files
      tensors.safetensors   named arrays: ``model.*`` the learned state, ``history.*`` the training
      interactions
      users.parquet         the users' ids in row order (column ``__id__``), and what is known of
      them
      items.parquet         the items' ids in row order (column ``__id__``), and the catalogue's
      columns

Nothing in it is code, a pickle, or a name to import: the model's name is looked up in the registry.
"""

from __future__ import annotations

import hashlib
import os
from io import BufferedReader
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from cofactor.base.errors import ArtifactError
from cofactor.base.json_names import name_twice
from cofactor.base.state_file import StateError, open_regular

FORMAT = 1
MANIFEST = "manifest.json"
TENSORS = "tensors.safetensors"
USERS = "users.parquet"
ITEMS = "items.parquet"
FILES = (TENSORS, USERS, ITEMS)
ID_COLUMN = "__id__"

# The training interactions: names in tensors.safetensors, and dtypes.
HISTORY: dict[str, str] = {
    "history.indptr": "int64",
    "history.item_rows": "int32",
    "history.order": "int64",
    "history.values": "float32",
    "history.times": "int64",
    "history.log_indptr": "int64",
    "history.log_item_rows": "int32",
    "history.log_values": "float32",
    "history.log_times": "int64",
}
# Every event in order of time, where repeats are kept beside the pairs.
LOG = ("indptr", "item_rows", "values", "times")
HISTORY_OPTIONAL = {"history.values", "history.times", *(f"history.log_{name}" for name in LOG)}
MODEL_PREFIX = "model."
_LONGEST_MANIFEST = 64 << 20
_DEEPEST = 50  # levels of lists and objects in a manifest


class FileFacts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file of the artifact."""

    bytes: int
    sha256: str


class DataFacts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The interactions the model was fitted on."""

    source: str
    fingerprint: str
    n_users: int
    n_items: int
    n_interactions: int
    notes: list[str]
    title_column: str | None
    split: str | None = None


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What ``manifest.json`` holds.

    Parameters
    ----------
    format
        The version of this format.
    model
        The model's name in the registry.
    config
        Its settings.
    data
        The training data.
    arrays
        Name -> [dtype, shape] of each array in ``tensors.safetensors``.
    files
        Name -> size and SHA-256 of each other file.
    metrics
        Metric -> value on held-out data, with how it was measured; empty if it wasn't.
    run
        Seed, threads, seconds of the fit.
    versions
        The libraries' versions at the time of saving.
    created
        When, ISO 8601 UTC.
    """

    format: int
    model: str
    config: dict[str, Any]
    data: DataFacts
    arrays: dict[str, tuple[str, list[int]]]
    files: dict[str, FileFacts]
    metrics: dict[str, Any]
    run: dict[str, Any]
    versions: dict[str, str]
    created: str


class _Version(msgspec.Struct):
    format: int


def read_manifest(folder: Path) -> Manifest:
    """Read and check ``manifest.json``.

    Raises
    ------
    ArtifactError
        If the folder or file is missing, damaged, or of a format this version doesn't know.
    """
    path = folder / MANIFEST
    try:
        with open_file(path) as stream:
            size = os.fstat(stream.fileno()).st_size
            if size > _LONGEST_MANIFEST:
                raise ArtifactError(f"{path} is damaged: it has {size:,} bytes.")
            raw = stream.read(size)
    except FileNotFoundError:
        what = "doesn't exist"
        if folder.is_dir():
            what = "has no manifest.json, so it isn't a saved model"
            held = [one.parent.name for one in sorted(folder.glob(f"*/{TENSORS}"))]
            if held:
                raise ArtifactError(
                    f"{folder} is a folder of saved models ({', '.join(held[:5])}); give one of"
                    f" them, such as {folder.name}/{held[-1]}."
                ) from None
        raise ArtifactError(
            f"{folder} {what}; give the folder that `cofactor train --out` or cofactor.save wrote."
        ) from None
    except NotADirectoryError:
        raise ArtifactError(f"{folder} is a file; a saved model is a folder.") from None
    except OSError as error:
        raise ArtifactError(f"{path} can't be read: {error.strerror}.") from None
    return _decoded(raw, path)


def _decoded(raw: bytes, path: Path) -> Manifest:
    try:
        version = msgspec.json.decode(raw, type=_Version).format
        if version != FORMAT:
            newer = "a newer" if version > FORMAT else "an unknown"
            raise ArtifactError(
                f"{path} is of format {version}, {newer} one; this Cofactor reads format {FORMAT}:"
                " update it."
            )
        manifest = msgspec.json.decode(raw, type=Manifest)
        _check_depth([manifest.config, manifest.metrics, manifest.run])
        twice = name_twice(raw.decode())
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        if b'"format": "cofactor-shards/' in raw[:100]:
            raise ArtifactError(
                f"{path.parent} holds shards, not a model; `cofactor describe` shows them."
            ) from None
        raise ArtifactError(
            f"{path} is damaged: {error}. Train the model again, or restore a copy."
        ) from None
    if twice is not None:
        raise ArtifactError(
            f"{path} is damaged: {twice!r} is given twice. Train the model again, or restore a"
            " copy."
        )
    if sorted(manifest.files) != sorted(FILES):
        raise ArtifactError(
            f"{path} lists the files {sorted(manifest.files)}; format {FORMAT} has {sorted(FILES)}."
        )
    return manifest


def _check_depth(value: Any, left: int = _DEEPEST) -> None:
    """Raise RecursionError for what is nested too deeply to be shown or sent."""
    if isinstance(value, (dict, list)):
        if not left:
            raise RecursionError(f"it is nested more than {_DEEPEST} levels deep")
        for one in value.values() if isinstance(value, dict) else value:
            _check_depth(one, left - 1)


def open_file(path: Path) -> BufferedReader:
    """Open a file of a saved model for reading.

    Raises
    ------
    ArtifactError
        If it is a pipe, a device or a folder.
    OSError
        If it can't be opened.
    """
    try:
        return open_regular(path)
    except StateError as error:
        raise ArtifactError(f"{path}: {error}; a saved model is a folder of plain files.") from None


def file_facts(path: Path) -> FileFacts:
    """Return a file's size and SHA-256."""
    with open_file(path) as stream:
        size = os.fstat(stream.fileno()).st_size
        return FileFacts(size, hashlib.file_digest(stream, "sha256").hexdigest())


def verify_file(folder: Path, name: str, facts: FileFacts) -> None:
    """Check one file against the manifest.

    Raises
    ------
    ArtifactError
        If it is missing, or its size or checksum differs.
    """
    path = folder / name
    try:
        with open_file(path) as stream:
            found = os.fstat(stream.fileno()).st_size
    except FileNotFoundError:
        raise ArtifactError(
            f"{folder} lacks the file {name}; the model is incomplete: train it again, or restore a"
            " copy."
        ) from None
    if found != facts.bytes:
        raise ArtifactError(
            f"{path} has {found:,} bytes and should have {facts.bytes:,}; it was cut off or"
            " changed."
        )
    if file_facts(path).sha256 != facts.sha256:
        raise ArtifactError(
            f"{path} isn't what was saved (its SHA-256 differs); it is damaged or was changed."
        )


def array_facts(arrays: dict[str, np.ndarray]) -> dict[str, tuple[str, list[int]]]:
    """Return the dtype and shape of each array."""
    return {name: (str(array.dtype), list(array.shape)) for name, array in arrays.items()}
