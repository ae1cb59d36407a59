"""What a named dataset is, and where it is found on this machine."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path

from cofactor.base.errors import DataError
from cofactor.base.names import unknown_name
from cofactor.data.events import Events
from cofactor.data.readers.columns import Options
from cofactor.data.readers.source_files import Source, SourceFile, is_zip
from cofactor.data.split import Split

HOME = "COFACTOR_DATA"
CACHE = "COFACTOR_CACHE"


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """A public dataset with a name.

    Parameters
    ----------
    name, aliases
        How it is asked for; the name is also its folder's.
    title, origin, terms, citation
        What it is, the page of its publisher, on what terms it may be used (in short; the
        publisher's text counts), and what to cite.
    downloads
        URLs by the file's name below the dataset's folder; empty if it has to be put there by hand.
    md5
        What the publisher says of a download, by the file's name.
    counts
        What is expected: users, items, interactions.
    good_for
        What it can be used for.
    read
        Reads the interactions.
    split, folds
        Reads a published split, and the names of its folds, the default first; None if nobody
        published one.
    variants
        Other ways to read it, by name.
    """

    name: str
    title: str
    origin: str
    terms: str
    citation: str
    counts: Mapping[str, int]
    good_for: tuple[str, ...]
    read: Callable[[Source, Options], Events]
    aliases: tuple[str, ...] = ()
    downloads: Mapping[str, str] = field(default_factory=dict)
    md5: Mapping[str, str] = field(default_factory=dict)
    split: Callable[[Source, str, Options], Split] | None = None
    folds: tuple[str, ...] = ()
    variants: Mapping[str, Callable[[Source, Options], Events]] = field(default_factory=dict)


def find(name: str, registry: Mapping[str, Dataset]) -> Dataset:
    """Return a dataset by its name or an alias; raise UnknownNameError with the nearest ones."""
    by_name = {
        alias: dataset
        for dataset in registry.values()
        for alias in (dataset.name, *dataset.aliases)
    }
    if name not in by_name:
        raise unknown_name("dataset", name, by_name)
    return by_name[name]


def homes(home: Path | str | None) -> list[Path]:
    """Return the folders in which datasets may lie: what is given, or COFACTOR_DATA, and the
    cache after it.
    """
    if home is not None:
        return [Path(home)]
    found = [Path(os.environ[HOME])] if os.environ.get(HOME) else []
    return [*found, cache_folder()]


def cache_folder() -> Path:
    """Return the folder that downloads go to: COFACTOR_CACHE, or the platform's cache folder."""
    if os.environ.get(CACHE):
        return Path(os.environ[CACHE])
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
        return Path(local, "cofactor", "cofactor", "Cache", "datasets")
    default = Path.home() / ("Library/Caches" if sys.platform == "darwin" else ".cache")
    return Path(os.environ.get("XDG_CACHE_HOME") or default, "cofactor", "datasets")


def located(dataset: Dataset, home: Path | str | None) -> Source | None:
    """Return the folder (or the zip in it) that holds a dataset, or None if it isn't here."""
    for folder in homes(home):
        place = folder / dataset.name
        if not place.is_dir():
            continue
        inside = [
            path for path in place.iterdir() if path.is_file() and not path.name.startswith(".")
        ]
        if len(inside) == 1 and inside[0].suffix == ".zip" and is_zip(inside[0]):
            return Source(inside[0])
        if any(place.iterdir()):
            return Source(place)
    return None


@cache
def checksums() -> Mapping[str, tuple[str, int]]:
    """Return SHA-256 and bytes of the unpacked content, by ``dataset/file``, for the files that
    are known.
    """
    lines = (files("cofactor.data.datasets") / "checksums.txt").read_text("utf-8").splitlines()
    rows = (line.split("  ", 2) for line in lines if line and line[0] != "#")
    return {name: (digest, int(size)) for digest, size, name in rows}


def verify(dataset: Dataset, place: Source) -> tuple[int, list[str]]:
    """Check the files whose checksums are known.

    Returns
    -------
    n_checked
        How many files were checked.
    unknown
        Files that are there and whose checksums aren't known.

    Raises
    ------
    DataError
        If a file's content differs.
    """
    known = {
        name.split("/", 1)[1]: facts
        for name, facts in checksums().items()
        if name.startswith(dataset.name + "/")
    }
    n_checked, checked = 0, set()
    for name, (digest, size) in known.items():
        entry = place.find(name)
        if entry is None:
            continue
        checked.add(entry)
        n_checked += 1
        found, length = _digest(entry)
        if found != digest:
            raise DataError(
                f"this isn't the published file: SHA-256 {found[:12]}… of {length:,} bytes instead"
                f" of {digest[:12]}… of {size:,}; fetch it again.",
                source=entry.shown,
            )
    return n_checked, [entry.name for entry in place.entries if entry not in checked]


def _digest(entry: SourceFile) -> tuple[str, int]:
    digest, length = hashlib.sha256(), 0
    for block in entry.blocks():
        digest.update(block)
        length += len(block)
    return digest.hexdigest(), length
