"""Loading: names, shapes, dtypes, finiteness, bounds and checksums are checked before use."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import numpy as np

from cofactor.artifact import format as fmt
from cofactor.artifact.mapped import header_of, mapped_tensors
from cofactor.base import checks
from cofactor.base.errors import ArtifactError, CofactorError, MissingExtraError, UnknownNameError
from cofactor.base.json_names import name_twice
from cofactor.base.offsets import distinct_within
from cofactor.data.histories import Histories
from cofactor.data.interactions import Interactions
from cofactor.models import registry
from cofactor.models.recommender import Recommender
from cofactor.models.traits import check_csr, check_offsets

Result = TypeVar("Result")

# Exceptions of NumPy, Arrow, safetensors, PyTorch and Python itself over invalid content.
# Arrow's own exceptions are subclasses of these.
_CONTENT = (
    ArithmeticError,  # OverflowError too
    AssertionError,
    AttributeError,
    LookupError,  # KeyError and IndexError
    OSError,
    RuntimeError,  # RecursionError and NotImplementedError too
    TypeError,
    ValueError,  # UnicodeError too
)
_TRIES = 50  # how often a folder may be replaced while it is read
# Bound of times and positions: beyond any real one, and differences still fit into 64 bits.
_FAR = 2**61


def inspect(path: str | os.PathLike[str]) -> fmt.Manifest:
    """Return what a saved model is, from its manifest alone; no array is read.

    Parameters
    ----------
    path
        The folder that `save` made.

    Returns
    -------
    Manifest
        The model's name, settings, data, arrays, files, metrics, run and versions.

    Raises
    ------
    ArtifactError
        If there is no model, or its manifest is damaged or of another format.
    """
    folder = checks.path(path, "path")
    return _of_one_moment(folder, lambda: fmt.read_manifest(folder))


def load(path: str | os.PathLike[str], *, mapped: bool = False) -> Recommender:
    """Load a saved model.

    Parameters
    ----------
    path
        The folder that `save` made.
    mapped
        Whether arrays are mapped from their file instead of read, so that several processes that
        load it share its memory. The file must not be changed in place then.

    Returns
    -------
    Recommender
        The fitted model.

    Raises
    ------
    ArtifactError
        If a file is missing, cut off or changed, or an array has a wrong name, dtype, shape, a
        number out of its bounds or a NaN; it says which.
    """
    folder, mapped = checks.path(path, "path"), checks.boolean(mapped, "mapped")
    return _of_one_moment(folder, lambda: _loaded(folder, mapped))


def _of_one_moment(folder: Path, read: Callable[[], Result]) -> Result:
    """Read from a folder that may be replaced meanwhile, or files of which may; read again if so,
    also what seemed whole: it may be part of one model and part of another.
    """
    for _ in range(_TRIES):
        before = identity(folder)
        damaged: ArtifactError | None = None
        try:
            found = read()
        except ArtifactError as error:
            damaged = error
        if identity(folder) == before:
            if damaged is not None:
                raise damaged
            return found
    raise ArtifactError(f"{folder} is replaced repeatedly; try again.")


def identity(folder: Path) -> list[tuple[int, ...]]:
    """Return something that changes whenever a saved model or one of its files is replaced or
    written to.
    """
    facts: list[tuple[int, ...]] = []
    for path in (folder, *(folder / name for name in (fmt.MANIFEST, *fmt.FILES))):
        try:
            one = path.stat()
        except (OSError, ValueError):
            facts.append(())
        else:
            facts.append((one.st_dev, one.st_ino, one.st_size, one.st_ctime_ns))
    return facts


@contextmanager
def refused(what: Path) -> Iterator[None]:
    """Turn exceptions over the content of a file or a saved model, those of other libraries too,
    into an ArtifactError of one sentence. Sums beyond the largest number are for the checks that
    follow, no warnings.
    """
    try:
        with np.errstate(all="ignore"):
            yield
    except (ArtifactError, MissingExtraError, MemoryError):
        raise
    except CofactorError as error:
        raise ArtifactError(f"{what}: {error}") from None
    except Exception as error:
        if not isinstance(error, _CONTENT) and type(error).__name__ != "SafetensorError":
            raise
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise ArtifactError(f"{what} can't be read: {reason}.") from error


def _loaded(folder: Path, mapped: bool) -> Recommender:
    manifest = fmt.read_manifest(folder)
    try:
        kind = registry.get(manifest.model)
    except UnknownNameError as error:
        raise ArtifactError(f"{folder}: {error}") from None
    try:
        with refused(folder / fmt.MANIFEST):
            config = kind.Config.from_dict(manifest.config)
    except ArtifactError as error:
        raise ArtifactError(
            f"{folder}: the settings in the manifest don't fit {manifest.model}: {error}"
        ) from None
    for name in fmt.FILES:
        with refused(folder / name):
            fmt.verify_file(folder, name, manifest.files[name])
    with refused(folder / fmt.TENSORS):
        arrays = _read_tensors(folder / fmt.TENSORS, manifest, mapped)
    data = _interactions(folder, manifest, arrays)
    state = {
        n.removeprefix(fmt.MODEL_PREFIX): a
        for n, a in arrays.items()
        if n.startswith(fmt.MODEL_PREFIX)
    }
    try:
        with refused(folder / fmt.TENSORS):
            model = kind.from_state(config, state, data)
    except ArtifactError as error:
        if str(folder) in str(error):
            raise
        raise ArtifactError(f"{folder / fmt.TENSORS}: {error}") from None
    chosen_by = manifest.run.get("chosen_by")  # older versions kept none
    model.chosen_by = chosen_by if isinstance(chosen_by, str) else None
    return model


def _read_tensors(path: Path, manifest: fmt.Manifest, mapped: bool) -> dict[str, np.ndarray]:
    from safetensors.numpy import load_file

    arrays: dict[str, np.ndarray] = mapped_tensors(path) if mapped else load_file(path)
    twice = name_twice(header_of(path).decode())
    if twice is not None:
        raise ArtifactError(f"{path} is damaged: {twice!r} is given twice in its header.")
    if fmt.array_facts(arrays) != manifest.arrays:
        odd = _differing(arrays, manifest)
        raise ArtifactError(
            f"{path} doesn't hold the arrays that the manifest lists; these differ:"
            f" {', '.join(odd)}."
        )
    unknown = [n for n in arrays if not n.startswith(fmt.MODEL_PREFIX) and n not in fmt.HISTORY]
    if unknown:
        raise ArtifactError(f"{path} holds unknown arrays {sorted(unknown)}.")
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
    from cofactor.artifact.tables import read_table

    facts = manifest.data
    # The history first: its arrays are in memory, and bound the number of users.
    history = {name.removeprefix("history."): _history(arrays, name) for name in fmt.HISTORY}
    log = _log(folder / fmt.TENSORS, history, facts)
    _check_history(folder / fmt.TENSORS, history, facts)
    with refused(folder / fmt.USERS):
        users, profiles = read_table(folder / fmt.USERS, facts.n_users, None)
    with refused(folder / fmt.ITEMS):
        items, catalogue = read_table(folder / fmt.ITEMS, facts.n_items, facts.title_column)
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
        source_order=order,
        catalogue=catalogue,
        profiles=profiles,
        source=facts.source,
        notes=tuple(facts.notes),
        log=log,
    )


def _log(
    path: Path, history: dict[str, np.ndarray | None], facts: fmt.DataFacts
) -> Histories | None:
    """Take the events with repeats out of the arrays and check them; None if there are none."""
    indptr, item_rows, values, times = (history.pop(f"log_{name}") for name in fmt.LOG)
    if indptr is None and item_rows is None:
        return None
    fits = (
        indptr is not None
        and item_rows is not None
        and all(one is None or len(one) == len(item_rows) for one in (values, times))
        and (not len(item_rows) or 0 <= item_rows.min() <= item_rows.max() < facts.n_items)
        and (values is None or checks.are_small(values))
        and (times is None or _is_near(times))
    )
    if not fits:
        raise ArtifactError(
            f"{path}: the events in it don't fit together (history.log_indptr ...)."
        )
    assert indptr is not None and item_rows is not None  # noqa: PT018
    check_offsets(indptr, item_rows, facts.n_users, ("history.log_indptr", "history.log_item_rows"))
    return Histories(indptr, item_rows, values, times, facts.n_items)


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


def _is_near(numbers: np.ndarray) -> bool:
    return not len(numbers) or bool(-_FAR < numbers.min() <= numbers.max() < _FAR)


def _check_history(path: Path, history: dict[str, np.ndarray | None], facts: fmt.DataFacts) -> None:
    """The training interactions must be a CSR matrix of the stated size: kernels index by it
    without checks.
    """
    indptr, item_rows = history["indptr"], history["item_rows"]
    assert indptr is not None and item_rows is not None  # noqa: PT018 (checked by _history)
    if any(
        len(a) != facts.n_interactions
        for n, a in history.items()
        if n != "indptr" and a is not None
    ):
        raise ArtifactError(
            f"{path}: the training interactions in it don't fit together: history.item_rows and"
            f" the others must have {facts.n_interactions} entries."
        )
    names = ("history.indptr", "history.item_rows")
    check_csr(indptr, item_rows, (facts.n_users, facts.n_items), names)
    order = history["order"]
    assert order is not None
    if len(order) and (order.min() < 0 or not distinct_within(indptr, order)):
        raise ArtifactError(
            f"{path}: array 'history.order' must hold the position of each interaction in its"
            " source: at least 0, and none twice of one user."
        )
    for name in ("times", "order"):
        array = history[name]
        if array is not None and not _is_near(array):
            raise ArtifactError(f"{path}: array 'history.{name}' holds values out of range.")
    if history["values"] is not None and not checks.are_small(history["values"]):
        raise ArtifactError(
            f"{path}: array 'history.values' holds NaN, infinite numbers or ones beyond"
            f" {checks.LARGEST_VALUE:g}."
        )
