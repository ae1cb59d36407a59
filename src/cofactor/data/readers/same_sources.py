"""What tells that sources and options are those of an earlier run."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import cofactor
from cofactor.data.readers.columns import Options
from cofactor.data.readers.sources import matched


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
    path = Path(source).expanduser()
    paths = [path] if path.exists() else matched(os.fspath(source))
    if paths is None:
        return None
    if path.is_dir():
        paths = sorted(found for found in path.rglob("*") if found.is_file())
    if not all(found.is_file() for found in paths):  # pipes come once
        return None
    marks = ((found, found.stat()) for found in paths)
    return [(str(found.resolve()), mark.st_size, mark.st_mtime_ns) for found, mark in marks]
