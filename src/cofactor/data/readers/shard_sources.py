"""Sources of shards: the files that they stand for, and what tells that they are the same."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import cofactor
from cofactor.base.errors import ArgumentError, DataError
from cofactor.data.events import Events
from cofactor.data.readers.columns import Options
from cofactor.data.readers.read import parts_of, read
from cofactor.data.readers.source_files import is_debris
from cofactor.data.readers.sources import matched
from cofactor.data.shards import check_shards, is_shards


def opened(
    sources: Sequence[Any], options: Options, note: Callable[[Iterable[str]], None]
) -> tuple[list[Any], Callable[[Any], Events]]:
    """Return what is read in chunks, one after the other, and how it is read where it can't be.

    Parameters
    ----------
    sources
        Those that were named: of a pattern, and of a folder of parts, each file comes alone.
    options
        How they are read.
    note
        Takes what there is to say about them.

    Raises
    ------
    ArgumentError
        If one of them is a folder of shards.
    """
    files: list[Any] = []
    for source in sources:
        if is_shards(source):
            check_shards(source)
            raise ArgumentError(f"{source} holds shards already; name what they were made from.")
        parts, notes = parts_of(source, options)
        files += parts
        note(notes)
    own = ("keep_kinds", "rejects", "offered", "progress")
    how = {f.name: getattr(options, f.name) for f in fields(options) if f.name not in own}
    return files, partial(read, **how)


def key_of(sources: Sequence[Any], options: Options, repeats: str) -> dict[str, Any] | None:
    """Return what shards depend on, as JSON: names, sizes and times of files, options, version;
    None where a source isn't on disk (data frames, databases, standard input), or skipped rows are
    listed.
    """
    files = [_files_of(source) for source in sources]
    if options.rejects is not None or None in files:
        return None
    said = {field.name: getattr(options, field.name) for field in fields(options) if field.compare}
    return {
        "version": cofactor.__version__,
        "sources": [str(source) for source in sources],
        "files": files,
        "options": {**said, "now": str(options.now), "repeats": repeats},
    }


def _files_of(source: Any) -> list[tuple[str, int, int]] | None:
    if not isinstance(source, (str, os.PathLike)):
        return None
    path = Path(os.path.expanduser(source))
    paths = [path] if path.exists() else matched(os.fspath(source))
    if paths is None:
        return None
    if path.is_dir():  # in which the shards themselves may be made
        files = (found for found in path.rglob("*") if found.is_file())
        paths = sorted(f for f in files if not is_debris(f.relative_to(path).as_posix()))
    if not all(found.is_file() for found in paths):  # pipes come once
        return None
    return [_marked(found.resolve()) for found in paths]


def _marked(path: Path) -> tuple[str, int, int]:
    mark = path.stat()
    return str(path), mark.st_size, mark.st_mtime_ns


def refuse_changed(key: Mapping[str, Any] | None) -> None:
    """Refuse files that aren't as they were when their reading began: what was read of them is
    partly old and partly new.

    Parameters
    ----------
    key
        As `key_of` returned it.

    Raises
    ------
    DataError
        If one has another size or time of change.
    """
    for name, *mark in chain.from_iterable(key["files"] if key is not None else ()):
        path = Path(name)
        if not path.is_file() or list(_marked(path)[1:]) != mark:
            raise DataError(
                "it changed while it was read; run again when nothing writes to it, or on a copy.",
                source=name,
            )
