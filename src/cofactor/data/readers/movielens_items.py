"""MovieLens' tables of films without a header, ``u.item`` (100K) and ``movies.dat`` (1M, 10M):
known by their contents, beside the ratings or alone."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa

from cofactor.base.errors import DataError
from cofactor.data.arrow import with_column
from cofactor.data.readers.layout import lists_of, text_table, words_of, year_in
from cofactor.data.readers.source_files import SourceFile
from cofactor.data.readers.text_encoding import latin, lines_of

# The order of the flags that end a line of u.item, as the README of MovieLens 100K has it.
GENRES_100K = (
    *("unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime"),
    *("Documentary", "Drama", "Fantasy", "Film-Noir", "Horror", "Musical", "Mystery"),
    *("Romance", "Sci-Fi", "Thriller", "War", "Western"),
)
_FIELDS_100K = ("item_id", "title", "release_date", "video_release_date", "url")
_FLAGS = re.compile(r"^\d+\|[^|]+(\|[^|]*){3}(\|[01]){19}\s*$")
_FILM = re.compile(r"^\d+::(?:(?!::).)+\(\d{4}\)\s*::(?:(?!::).)*$")
_NO_GENRES = "(no genres listed)"


def films_of(entry: SourceFile) -> tuple[pa.Table, list[str]] | None:
    """Return the films of a file that is written as ``u.item`` or ``movies.dat``, with notes; None
    of another one.
    """
    lines = lines_of(latin(entry.head(4096)))
    lines = [line for line in (lines[:-1] or lines) if line.strip()]
    if lines and all(map(_FLAGS.match, lines)):
        return films_100k(entry, _genres_beside(entry))
    if lines and 2 * sum(map(bool, map(_FILM.match, lines))) > len(lines):
        return films_dat(entry)
    return None


def films_100k(entry: SourceFile, names: list[str]) -> tuple[pa.Table, list[str]]:
    """Read ``u.item``, whose lines end with a flag for each of some genres."""
    movies, notes = text_table(entry, [*_FIELDS_100K, *names], delimiter="|", quote=False)
    flags = np.stack([np.asarray(movies.column(name)).astype(bool) for name in names])
    table = movies.select(["item_id", "title", "release_date", "url"])
    table = table.append_column("genres", _flagged(flags, names))
    return table.append_column("year", year_in(table.column("title"))), notes


def films_dat(entry: SourceFile) -> tuple[pa.Table, list[str]]:
    """Read ``movies.dat``: ``id::title (year)::genre|genre``."""
    table, notes = text_table(entry, ["item_id", "title", "genres"], delimiter="::", quote=False)
    table = with_column(table, "genres", words_of(table.column("genres"), "|", _NO_GENRES))
    return table.append_column("year", year_in(table.column("title"))), notes


def genres_of(entry: SourceFile | None) -> list[str]:
    """Return the genres of ``u.genre`` in order; the published ones without it."""
    if entry is None:
        return list(GENRES_100K)
    genres, _ = text_table(entry, ["genre", "number"], id_column="number", delimiter="|")
    return list(genres.column("genre").to_pylist())


def _genres_beside(entry: SourceFile) -> list[str]:
    beside = SourceFile(entry.path.with_name("u.genre"))
    if entry.member is not None or not beside.path.is_file():
        return genres_of(None)
    names = genres_of(beside)
    if len(names) != len(GENRES_100K):
        raise DataError(
            f"it has {len(names)} genres, and the lines of {entry.name} have"
            f" {len(GENRES_100K)} flags; take it out, or fetch both again.",
            source=beside.shown,
        )
    return names


def _flagged(flags: np.ndarray, names: list[str]) -> pa.ListArray:
    """Lists of the names whose flags are set, from bool [n_names, n_items]."""
    return lists_of(pa.array(names).take(pa.array(np.nonzero(flags.T)[1])), flags.sum(axis=0))
