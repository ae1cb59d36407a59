"""The MovieLens releases: 100K (``u.data``), 1M and 10M (``::``), and the csv ones
(latest-small, 20M, 25M, 32M).
"""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa

from cofactor.base import checks
from cofactor.data.arrow import with_column
from cofactor.data.events import Events
from cofactor.data.readers.columns import Options
from cofactor.data.readers.layout import (
    Layout,
    appended,
    delimited_events,
    first_line,
    joined,
    listed,
    parts,
    text_table,
    words_of,
    year_in,
)
from cofactor.data.readers.movielens_items import films_100k, films_dat, genres_of
from cofactor.data.readers.source_files import Source
from cofactor.data.split import Part, Split

FOLDS_100K = ("u1", "u2", "u3", "u4", "u5", "ua", "ub")
FOLDS_1M = ("1", "2", "3", "4", "5")
_EXTRA = (
    "item_id",
    "film",
    "year",
    "age_rating",
    "released",
    "genre_text",
    "director",
    "writer",
    "actors",
    "plot",
    "poster",
)


def read_100k(place: Source, options: Options) -> Events:
    """Read MovieLens 100K: ratings, titles with genres, users with age, gender and occupation."""
    events = delimited_events(place.get("u.data"), options, delimiter="\t", header=False)
    return _with_100k_tables(place, events)


def split_100k(place: Source, fold: str, options: Options) -> Split:
    """Read one of the published folds of MovieLens 100K: ``u1`` to ``u5`` (80/20), ``ua``,
    ``ub`` (ten ratings a user).
    """
    checks.choice(fold, "fold", FOLDS_100K)
    whole = read_100k(place, options)
    files = [place.get(f"{fold}.base"), place.get(f"{fold}.test")]
    events = [delimited_events(entry, options, delimiter="\t", header=False) for entry in files]
    kind = "ten ratings of each user" if fold in ("ua", "ub") else "a fifth of the ratings"
    return _fold(events, whole, f"the published fold {fold} of MovieLens 100K: {kind} held out")


def read_dat(place: Source, options: Options) -> Events:
    """Read MovieLens 1M or 10M: ``::`` between the fields; plots and people are joined where the
    folder has them.

    Where the official ``ratings.dat`` is missing, ``ratings.uir.dat``, the same rows without times,
    is read instead."""
    entry = place.find("ratings.dat") or place.get("ratings.uir.dat")
    events = delimited_events(entry, options, delimiter="::", header=False)
    if entry.name != "ratings.dat":
        events = events.noted("ratings.uir.dat has no times; its rows aren't in order of time")
    return _with_dat_tables(place, events)


def read_latest(place: Source, options: Options) -> Events:
    """Read the complete rows of MovieLens 1M's latest fifth, where a folder has them as
    ``ratings.latest20pct.dat``.
    """
    events = delimited_events(
        place.get("ratings.latest20pct.dat"), options, delimiter="::", header=False
    )
    return _with_dat_tables(place, events)


def split_1m(place: Source, fold: str, options: Options) -> Split:
    """Read one of the five folds of MovieLens 1M that the SiReN paper published; the other four
    are the training part.
    """
    checks.choice(fold, "fold", FOLDS_1M)
    folds = {
        name: delimited_events(
            place.get(f"test_1m{name}.dat"), options, delimiter=",", header=False
        )
        for name in FOLDS_1M
    }
    train = appended(*[events for name, events in folds.items() if name != fold])
    whole = _with_dat_tables(place, train)
    return _fold(
        [train, folds[fold]],
        whole,
        f"fold {fold} of the published five of MovieLens 1M (SiReN): 80/20 by rating",
    )


def read_csv_folder(place: Source, options: Options) -> Events:
    """Read a MovieLens release in csv files: ratings, titles with genres and year, and tags as
    lists.
    """
    events = delimited_events(place.get("ratings.csv"), options)
    table, notes = text_table(place.get("movies.csv"), id_column="movieId")
    table = table.rename_columns({"movieId": "item_id"})
    if "genres" in table.column_names:
        genres = words_of(table.column("genres"), "|", "(no genres listed)")
        table = with_column(table, "genres", genres)
    if "year" not in table.column_names:
        table = table.append_column("year", year_in(table.column("title")))
    tags = place.find("tags.csv")
    if tags is not None and _has(place, "tags.csv", "movieId", "tag"):
        rows, more = text_table(tags, id_column="movieId")
        notes += more
        rows = rows.rename_columns({"movieId": "item_id", "tag": "tags"})
        rows = with_column(rows, "tags", rows.column("tags").cast(pa.string()))
        table = joined(table, listed(rows, "item_id", "tags"), "item_id")
    return replace(events, item_table=table).noted(*notes)


def _fields(place: Source, name: str, delimiter: str, count: int) -> bool:
    """Whether a file's first line has at least so many fields."""
    return first_line(place, name).count(delimiter.encode()) + 1 >= count


def _has(place: Source, name: str, *columns: str) -> bool:
    """Whether a file's first line names these columns."""
    first = first_line(place, name).removeprefix(b"\xef\xbb\xbf").decode("latin-1")
    return {*columns} <= {word.strip().strip('"') for word in first.split(",")}


def _fold(events: list[Events], whole: Events, sentence: str) -> Split:
    events[0] = replace(events[0], item_table=whole.item_table, user_table=whole.user_table)
    train, truth = parts(events)
    return Split(train, Part(truth, train), None, sentence)


def _with_100k_tables(place: Source, events: Events) -> Events:
    table, notes = films_100k(place.get("u.item"), genres_of(place.find("u.genre")))
    people = place.find("u.user")
    if people is None:
        return replace(events, item_table=table).noted(*notes)
    users, more = text_table(
        people,
        ["user_id", "age", "gender", "occupation", "zip"],
        id_column="user_id",
        delimiter="|",
    )
    return replace(events, item_table=table, user_table=users).noted(*notes, *more)


def _with_dat_tables(place: Source, events: Events) -> Events:
    table, notes = films_dat(place.get("movies.dat"))
    extra = place.find("movies_extrainfos.dat")
    if extra is not None:
        facts, more = text_table(extra, _EXTRA, delimiter="::", quote=False)
        notes += more
        table = joined(table, facts.drop_columns(["film", "year", "genre_text"]), "item_id")
    tags = place.find("tags.dat")
    if tags is not None:
        rows, more = text_table(
            tags, ["user", "item_id", "tags", "time"], delimiter="::", quote=False
        )
        notes += more
        table = joined(table, listed(rows, "item_id", "tags"), "item_id")
    people = place.find("users.dat")
    users = None
    if people is not None:
        names = ["user_id", "gender", "age", "occupation", "zip"]
        users, more = text_table(people, names, id_column="user_id", delimiter="::", quote=False)
        notes += more
    return replace(events, item_table=table, user_table=users).noted(*notes)


LAYOUTS = (
    Layout(
        "MovieLens 100K",
        lambda place: _fields(place, "u.data", "\t", 4) and _fields(place, "u.item", "|", 20),
        read_100k,
    ),
    Layout(
        "MovieLens 1M or 10M",
        lambda place: (
            (_fields(place, "ratings.dat", "::", 4) or _fields(place, "ratings.uir.dat", "::", 3))
            and _fields(place, "movies.dat", "::", 3)
        ),
        read_dat,
    ),
    Layout(
        "MovieLens csv",
        lambda place: (
            _has(place, "ratings.csv", "userId", "movieId", "rating")
            and _has(place, "movies.csv", "movieId", "title", "genres")
        ),
        read_csv_folder,
    ),
)
