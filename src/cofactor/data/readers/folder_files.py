"""Which files of a folder or an archive hold data, and in which order they are read."""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import PurePath

from cofactor.base.errors import DataError
from cofactor.data.readers.partitions import partition_of
from cofactor.data.readers.source_files import Source, SourceFile

_PAPERS = (
    *("readme", "licen", "licence", "license", "notice", "citation", "changelog"),
    # What the Hugging Face library writes beside a table.
    *("dataset_info.json", "state.json"),
)
# Beside such files those of data may hold rows that were deleted.
_LOGGED = (
    ("Delta Lake", re.compile(r"/_delta_log/\d+\.json$")),
    ("Iceberg", re.compile(r"/metadata/[^/]*\.metadata\.json$")),
)
_PARTS = tuple(map(re.compile, ("train", r"valid|\b(val|dev)\b", "test")))
_NO_DATA = frozenset(
    (
        *(".pdf", ".html", ".htm", ".md", ".rst", ".tex", ".bib", ".doc", ".docx", ".pptx"),
        *(".png", ".jpg", ".jpeg", ".gif", ".svg", ".py", ".sh", ".r", ".ipynb", ".sql"),
        *(".yaml", ".yml", ".toml", ".ini", ".cfg", ".conf", ".lock"),
    )
)


def data_files(place: Source) -> list[SourceFile]:
    """Return the files that may hold data (no readme, licence, page or picture), those for training
    before those for tests.

    Raises
    ------
    DataError
        If they are those of a table whose log says which of them count.
    """
    paths = ["/" + (entry.member or entry.path.as_posix()) for entry in place.entries]
    logged = [what for what, sign in _LOGGED if any(map(sign.search, paths))]
    if logged or (place.path / ".hoodie").is_dir():
        raise DataError(
            f"this is a table of {(*logged, 'Hudi')[0]}, whose log says which of its files count;"
            " read it with that library and pass the data frame, or export it to Parquet.",
            source=str(place.path),
        )
    held = (
        entry
        for entry in place.entries
        if not entry.name.lower().startswith(_PAPERS) and entry.suffix not in _NO_DATA
    )
    return sorted(held, key=partial(_training_first, place))


def without_copies(entries: Sequence[SourceFile]) -> tuple[list[SourceFile], list[str]]:
    """Return the files without those that are another's copy, such as a second download's
    ``a (1).csv``, and notes on them.
    """
    first: dict[bytes, SourceFile] = {}
    sizes = Counter(entry.packed_bytes for entry in entries)
    # A file and its packed copy beside it.
    names = Counter((entry.path.parent, entry.name) for entry in entries)
    kept, notes = [], []
    for entry in entries:
        if sizes[entry.packed_bytes] < 2 and names[entry.path.parent, entry.name] < 2:
            kept.append(entry)
            continue
        digest = hashlib.sha256(repr(sorted(partition_of(entry).items())).encode())
        for block in entry.blocks():
            digest.update(block)
        other = first.setdefault(digest.digest(), entry)
        if other is entry:
            kept.append(entry)
        else:
            notes.append(f"left out {entry.name}, which is the same as {other.name}")
    return kept, notes


def _training_first(place: Source, entry: SourceFile) -> int:
    """Training comes before test, whatever the order of their names, or of their folders'."""
    inner = entry.member or os.path.relpath(entry.path, place.path)
    names = (entry.name.lower(), *reversed(PurePath(inner.lower()).parts[:-1]))
    found = (n for name in names for n, word in enumerate(_PARTS, 1) if word.search(name))
    return next(found, 0)
