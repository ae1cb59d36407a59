"""Named public datasets: where they come from, on what terms, and how they are read; fetched
only when asked to.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from cofactor.base import checks
from cofactor.base.errors import ArgumentError, DownloadError
from cofactor.data.datasets.fetch import fetch_files
from cofactor.data.datasets.known import KNOWN
from cofactor.data.datasets.registry import (
    Dataset,
    cache_folder,
    checksums,
    find,
    homes,
    located,
    verify,
)
from cofactor.data.events import Events
from cofactor.data.readers.columns import Options
from cofactor.data.readers.source_files import Source
from cofactor.data.split import Split

__all__ = [
    "Dataset",
    "available",
    "cache_folder",
    "checksums",
    "datasets",
    "fetch",
    "get",
    "known",
    "load",
    "load_split",
    "verified",
]


def datasets() -> Mapping[str, Dataset]:
    """Return all named datasets by name, in order."""
    return {name: KNOWN[name] for name in sorted(KNOWN)}


def get(name: str) -> Dataset:
    """Return what is known of a dataset (its origin, terms, citation, counts); an alias will do.

    Raises
    ------
    UnknownNameError
        With the nearest names.
    """
    return find(name, KNOWN)


def known(name: str) -> bool:
    """Return whether a name is a dataset's name or alias."""
    return any(name in (dataset.name, *dataset.aliases) for dataset in KNOWN.values())


def available(name: str, *, home: Path | str | None = None) -> bool:
    """Return whether a dataset is on this machine: in COFACTOR_DATA, or in the cache."""
    return located(get(name), home) is not None


def load(
    name: str,
    *,
    variant: str | None = None,
    home: Path | str | None = None,
    options: Options | None = None,
    **reading: Any,
) -> Events:
    """Read a named dataset.

    Parameters
    ----------
    name
        Its name or an alias.
    variant
        Another way to read it, such as ``"history"`` of Book-Crossing; None for the usual one.
    home
        The folder that holds the dataset's folder; None for COFACTOR_DATA, then the cache.
    options, reading
        As for `cofactor.data.readers.read`: ``value=False``, ``on_bad="skip"`` ...

    Returns
    -------
    Events
        With what is known of items and users.

    Raises
    ------
    UnknownNameError
        If there is no such dataset or variant.
    DownloadError
        If it isn't on this machine; nothing is ever fetched unasked.
    """
    dataset = get(name)
    reader = dataset.read
    if variant is not None:
        reader = dataset.variants[
            checks.choice(variant, f"variant of {dataset.name}", dataset.variants)
        ]
    events = reader(_place(dataset, home), options if options is not None else Options(**reading))
    return replace(
        events, source=dataset.name if variant is None else f"{dataset.name} ({variant})"
    )


def load_split(
    name: str, *, fold: str | int | None = None, home: Path | str | None = None, **reading: Any
) -> Split:
    """Read a published split of a named dataset.

    Parameters
    ----------
    name
        Its name or an alias.
    fold
        Which one, where there are several (``"u1"``, ``"cold"`` ...); None for the first.
    home, reading
        As for `load`.

    Raises
    ------
    ArgumentError
        If no split of it was published.
    UnknownNameError
        If there is no such dataset or fold.
    DownloadError
        If it isn't on this machine.
    """
    dataset = get(name)
    if dataset.split is None:
        with_one = ", ".join(
            other for other, entry in datasets().items() if entry.split is not None
        )
        raise ArgumentError(
            f"no split of {dataset.name} was published that Cofactor knows; there are those of"
            f" {with_one}."
        )
    chosen = (
        dataset.folds[0]
        if fold is None
        else checks.choice(str(fold), f"fold of {dataset.name}", dataset.folds)
    )
    return dataset.split(_place(dataset, home), chosen, Options(**reading))


def fetch(name: str, *, home: Path | str | None = None, **how: Any) -> Path:
    """Fetch a dataset from its publisher into the cache, check it, and return its folder.

    Parameters
    ----------
    name
        Its name or an alias.
    home
        The folder to put the dataset's folder in; None for the cache.
    how
        ``progress``: where to report to; ``timeout``: seconds to wait for an answer.

    Raises
    ------
    DownloadError
        If it isn't offered for download, if the connection fails, or if what came isn't the
        published content.
    """
    return fetch_files(get(name), Path(home) if home is not None else cache_folder(), **how)


def verified(name: str, *, home: Path | str | None = None) -> tuple[int, list[str]]:
    """Check the content of a dataset's files against the known checksums.

    Returns
    -------
    n_checked
        How many files were checked and are as published.
    unknown
        Files whose checksums aren't known.

    Raises
    ------
    DataError
        If a file isn't as published.
    """
    dataset = get(name)
    return verify(dataset, _place(dataset, home))


def _place(dataset: Dataset, home: Path | str | None) -> Source:
    place = located(dataset, home)
    if place is None:
        looked = " and ".join(str(folder / dataset.name) for folder in homes(home))
        cure = (
            f"fetch it with: cofactor datasets fetch {dataset.name}"
            if dataset.downloads
            else f"it has to be put there by hand; it is described at {dataset.origin}"
        )
        raise DownloadError(
            f"the dataset {dataset.name} is not on this machine (looked for {looked}): {cure}; "
            "or set COFACTOR_DATA to a folder that holds it."
        )
    return place
