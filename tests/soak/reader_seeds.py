"""Small files that the mutations of `fuzz_readers` begin with: sound ones of every format and
layout that the readers know, what they refuse by name, and the single files of the field suite.
"""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import sqlite3
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pyarrow as pa
from pyarrow import feather, orc
from pyarrow import parquet as pq

from field.test_field import CASES

# Bytes up to which a file of the field suite is a seed.
LARGEST = 4096
COLUMNS: dict[str, list[Any]] = {
    "user": ["u1", "u2", "u3", "u1", "u2", "u3"],
    "item": [7, 8, 9, 10, 11, 12],
    "rating": [1.0, 2.5, 3.0, 4.0, 5.0, 2.0],
    "time": [1_546_646_400 + n for n in range(6)],
}
TABLE = pa.table(COLUMNS)
ROWS = TABLE.to_pylist()


def _lines(delimiter: str) -> str:
    return "".join(delimiter.join(map(str, row.values())) + "\n" for row in ROWS)


TEXT = "user,item,rating,time\n" + _lines(",")
JSON_LINES = "".join(json.dumps(row) + "\n" for row in ROWS).encode()

# A line of MovieLens 100K's films.
_FILM = b"1|A (1995)|01-Jan-1995||http://a.b|" + b"|".join([b"0", b"1"] * 9 + [b"0"])
# The files of known layouts, by name.
LAYOUTS: dict[str, dict[str, bytes]] = {
    "ml-100k": {
        "u.data": b"1\t1\t4\t881250949\n2\t1\t3\t881250950\n3\t1\t5\t881250951\n",
        "u.item": _FILM + b"\n",
        "u.genre": "".join(f"Genre {n}|{n}\n" for n in range(19)).encode(),
        "u.user": b"1|24|M|technician|85711\n2|53|F|other|94043\n",
    },
    "ml-1m": {
        "ratings.dat": b"1::1::4::978300760\n2::1::3::978300761\n2::2::5::978300762\n",
        "movies.dat": b"1::A (1995)::Drama|War\n2::B (1996)::Comedy\n",
    },
    "ml-csv": {
        "ratings.csv": b"userId,movieId,rating,timestamp\n1,1,4.0,964982703\n"
        b"2,1,3.5,964982704\n2,2,5.0,964982705\n",
        "movies.csv": b"movieId,title,genres\n1,A (1995),Drama|War\n2,B (1996),(none)\n",
    },
    "goodbooks": {
        "ratings.csv": b"user_id,book_id,rating\n1,1,4\n2,1,3\n2,2,5\n",
        "books.csv": b"book_id,goodreads_book_id,authors,original_publication_year,title\n"
        b'1,10,C,1999.0,A\n2,20,"D, E",,B\n',
        "tags.csv": b"tag_id,tag_name\n1,war\n",
        "book_tags.csv": b"goodreads_book_id,tag_id,count\n10,1,5\n",
    },
    "bx": {
        "BX-Book-Ratings.csv": b'"User-ID";"ISBN";"Book-Rating"\n"1";"034545104X";"5"\n'
        b'"2";"034545104X";"0"\n"2";"0155061224";"7"\n"3";"0155061224";"10"\n',
    },
    "beauty": {"Beauty.txt": b"1 1 2 3 4 5\n2 2 3 4 5 6\n3 1 3 5 7 9 11\n"},
    "recbole": {
        "a.inter": b"user_id:token\titem_id:token\n1\ta\n2\ta\n2\tb\n",
        "a.item": b"item_id:token\ttitle:token_seq\na\tA b\nb\tC\n",
    },
    "lists": {"train.txt": b"0 1 2 3\n1 2\n2 0 1 3 4\n", "test.txt": b"0 4\n1 1 3\n2 2\n"},
    "amazon": {
        "Toys.json": b'{"reviewerID": "A1", "asin": "B1", "overall": 4.0}\n'
        b'{"reviewerID": "A2", "asin": "B1", "overall": 3.0}\n'
        b'{"reviewerID": "A2", "asin": "B2", "overall": 5.0}\n',
        "meta_Toys.json": b'{"asin": "B1", "title": "A", "brand": "C"}\n',
    },
}


@dataclass(frozen=True)
class Seed:
    """A file to begin with.

    Parameters
    ----------
    name
        The file's name.
    content
        What is changed.
    options
        What `cofactor.read` is told.
    packed
        What makes the file of the changed content; None if the content is the file.
    """

    name: str
    content: bytes
    options: Mapping[str, Any] = field(default_factory=dict)
    packed: Callable[[bytes], bytes] | None = None


def of_formats() -> list[Seed]:
    """Return seeds of every format, those packed too, of which the content is changed before it is
    packed, and of what is refused.
    """
    plain = seeds() | refused()
    return [
        *(Seed(name, content) for name, content in plain.items()),
        *(
            Seed(f"inner.csv{end}", TEXT.encode(), packed=pack)
            for end, pack in (
                (".gz", partial(gzip.compress, compresslevel=1, mtime=0)),
                (".bz2", partial(bz2.compress, compresslevel=1)),
                (".xz", partial(lzma.compress, preset=0)),
                (".zst", partial(pa.compress, codec="zstd", asbytes=True)),
                (".zip", lambda content: zipped({"ratings.csv": content})),
                (".tar", lambda content: tarred({"ratings.csv": content})),
            )
        ),
        *_of_layouts(),
        Seed("inner.xlsx", *_sheet()),
    ]


def _of_layouts() -> list[Seed]:
    """A seed for each file of each known layout, in a zip with the others."""

    def packed(members: Mapping[str, bytes], name: str) -> Callable[[bytes], bytes]:
        return lambda content: zipped({**members, name: content})

    return [
        Seed(f"{layout}.zip", content, packed=packed(members, name))
        for layout, members in LAYOUTS.items()
        for name, content in members.items()
    ]


def of_field() -> list[Seed]:
    """Return the single small files of the field suite, with their options."""
    found = []
    for case in CASES:
        if len(case.files) == 1 and case.source is None:
            [(name, content)] = case.files.items()
            whole = content.encode() if isinstance(content, str) else content
            if len(whole) <= LARGEST and "/" not in name:
                found.append(Seed(name, whole, {"now": 1.8e9, **case.options}))
    return found


def seeds() -> dict[str, bytes]:
    """Return small sound files of every format, by name."""
    return _texts() | _documents() | _archives() | _binaries() | _databases()


def _texts() -> dict[str, bytes]:
    dated = "user;item;rating;date\n" + "".join(
        f"{r['user']};{r['item']};{r['rating']};0{n + 1}.01.2019 08:0{n}\n"
        for n, r in enumerate(ROWS)
    )
    quoted = "user\titem\ttitle\n" + "".join(
        f'"{r["user"]}"\t{r["item"]}\t"a ""b""\nc"\n' for r in ROWS
    )
    return {
        "plain.csv": TEXT.encode(),
        "dated.csv": dated.encode(),
        "quoted.tsv": quoted.encode(),
        "bare.dat": _lines("::").encode(),
        "wide.csv": TEXT.encode("utf-16"),
        "latin.csv": TEXT.replace("u1", "Zoë").encode("latin-1"),
        "aligned.txt": "".join(f"{u:>6} {i:>4} {v:>5}\n" for u, i, v, _ in _cells()).encode(),
        "hive.csv": b"1\x017\x028\x02\n2\x018\n3\x017\x029\n",
        "said.csv": b"sep=;\nuser;item;rating\nu1;a;4,5\nu2;b;3,25\nu3;c;1\n",
        "titled.csv": b"Report\n\nuser,item,kind\nu1,a,view\nu2,b,buy\nu1,c,view\n",
        "clocked.csv": b"user,item,date,time\nu1,a,2019-01-05,07:08\nu2,b,2019-01-06,09:10\n"
        b"u2,c,2019-01-06,09:11\n",
        "cells.csv": b"user,items\nu1,\"['a', 'b']\"\nu2,\"['c']\"\nu3,\"['a', 'c']\"\n",
        "mapping.csv": b"user,items\nu1,\"{'a': 3, 'b': 4}\"\nu2,\"{'c': 5}\"\n",
        "typed.inter": b"user_id:token\titem_id:token\trating:float\n1\ta\t4\n2\tb\t3\n1\tc\t1\n",
        "judged.qrels": b"1 0 d1 1\n1 0 d2 0\n2 0 d1 2\n3 0 d4 1\n",
        "lists.txt": b"1 2 3 4\n2 3 4\n3 1 2 3 4 5\n4 5\n",
        "owned.txt": b"u1: a, b, c\nu2: c, d\nu3: e, f, a, b\n",
        "netflix.txt": b"1:\n10,3,2005-09-06\n11,4,2005-09-07\n2:\n10,5,2005-10-01\n",
    }


def _cells() -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in ROWS]


def _documents() -> dict[str, bytes]:
    mongo = [
        {"user": {"$oid": f"{n:024x}"}, "item": n, "time": {"$date": 1546646400000}}
        for n in range(5)
    ]
    orders = [
        {"user_id": f"u{n}", "items": [{"product_id": "a"}, {"product_id": f"b{n}"}]}
        for n in range(3)
    ]
    review = {"reviewerID": "A1", "asin": "B1", "overall": 4.0, "unixReviewTime": 1546646400}
    return {
        "lines.jsonl": JSON_LINES,
        "array.json": json.dumps(ROWS).encode(),
        "columns.json": json.dumps(COLUMNS).encode(),
        "mongo.jsonl": "".join(json.dumps(row) + "\n" for row in mongo).encode(),
        "orders.jsonl": "".join(json.dumps(row) + "\n" for row in orders).encode(),
        "users.json": json.dumps({"u1": ["a", "b"], "u2": ["c"]}).encode(),
        "reviews.json": 3 * (json.dumps(review) + "\n").encode(),
        "literal.json": 3 * f"{review}\n".encode(),
        "goodreads_interactions.csv": b"user_id,book_id,rating\n1,2,0\n1,3,4\n2,2,5\n3,4,1\n",
    }


def zipped(members: Mapping[str, bytes], how: int = zipfile.ZIP_STORED) -> bytes:
    """Return a zip of some members."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", how) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content, how)
    return held.getvalue()


def tarred(members: Mapping[str, bytes], how: str = "w") -> bytes:
    """Return a tar of some members."""
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode=how) as tar:  # type: ignore[call-overload]
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return held.getvalue()


def _archives() -> dict[str, bytes]:
    content = TEXT.encode()
    return {
        "plain.csv.gz": gzip.compress(content, mtime=0),
        "plain.csv.bz2": bz2.compress(content),
        "plain.csv.xz": lzma.compress(content),
        "plain.csv.zst": pa.compress(content, codec="zstd", asbytes=True),
        "lines.jsonl.gz": gzip.compress(JSON_LINES, mtime=0),
        "one.zip": zipped({"ratings.csv": content}, zipfile.ZIP_DEFLATED),
        "two.zip": zipped({"a.csv": content, "b.csv": content.replace(b"u", b"v")}),
        "one.tar.gz": tarred({"ratings.csv": content}, "w:gz"),
        "one.tar": tarred({"ratings.csv": content}),
    } | {f"{name}.zip": zipped(members) for name, members in LAYOUTS.items()}


def _binaries() -> dict[str, bytes]:
    found = {name: io.BytesIO() for name in ("table.parquet", "nested.parquet", "typed.parquet")}
    coded = TABLE.set_column(0, "user", TABLE.column("user").dictionary_encode())
    stamped = coded.set_column(3, "time", TABLE.column("time").cast(pa.timestamp("s")))
    nested = pa.table({"who": pa.array([{"user": u, "item": i} for u, i, *_ in _cells()])})
    pq.write_table(TABLE, found["table.parquet"])
    pq.write_table(nested, found["nested.parquet"])
    pq.write_table(stamped, found["typed.parquet"], compression="none")
    for name, how in (("table.feather", "uncompressed"), ("packed.arrow", "lz4")):
        found[name] = io.BytesIO()
        feather.write_feather(stamped, found[name], compression=how)
    found["stream.arrow"] = io.BytesIO()
    with pa.ipc.new_stream(found["stream.arrow"], TABLE.schema) as stream:
        stream.write_table(TABLE)
    content, pack = _sheet()[0], _sheet()[2]
    return {name: held.getvalue() for name, held in found.items()} | {"book.xlsx": pack(content)}


def _sheet() -> tuple[bytes, dict[str, Any], Callable[[bytes], bytes]]:
    """The XML of a workbook's sheet, no options, and what puts it into the workbook."""
    book, held = openpyxl.Workbook(write_only=True), io.BytesIO()
    sheet = book.create_sheet("ratings")
    for row in ([*COLUMNS], *_cells()):
        sheet.append(row)
    book.save(held)
    with zipfile.ZipFile(held) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = next(name for name in members if "sheet1" in name)
    return members[name], {}, lambda content: zipped({**members, name: content})


_STORE = """CREATE TABLE store_meta (name TEXT, value TEXT);
INSERT INTO store_meta VALUES ('format', 'cofactor events'), ('schema', '2');
CREATE TABLE events (seq INTEGER PRIMARY KEY, user_id, item_id, kind, value, time, undone);
INSERT INTO events VALUES (1, 'u1', 'a', 'view', NULL, 1546646400, NULL),
    (2, 'u2', 'a', 'buy', 1.0, 1546646401, NULL), (3, 'u2', 'b', 'buy', 1.0, 1546646402, NULL);
CREATE TABLE items (item_id, title, text, features, state INTEGER);
INSERT INTO items VALUES ('a', 'A', NULL, '{"year": 1995}', 0);
CREATE TABLE item_changes (a); CREATE TABLE erasures (a); CREATE TABLE counters (a);"""


def _databases() -> dict[str, bytes]:
    return {
        "base.db": _database(
            "CREATE TABLE ratings (user TEXT, item INT, rating REAL, time INT);"
            "INSERT INTO ratings VALUES " + ", ".join(str(cells) for cells in _cells())
        ),
        "store.db": _database(_STORE),
    }


def _database(script: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.db"
        with closing(sqlite3.connect(path)) as base:
            base.executescript("PRAGMA page_size=512;" + script)
        return path.read_bytes()


def refused() -> dict[str, bytes]:
    """Return small files of formats that are refused by name."""
    numbers, columns = io.BytesIO(), io.BytesIO()
    np.save(numbers, np.arange(6.0))
    orc.write_table(TABLE, columns)
    mail = '10.0.0.1 - - [05/Jan/2019:07:08:09 +0100] "GET /a HTTP/1.1" 200 5\n'
    return {
        "table.orc": columns.getvalue(),
        "array.npy": numbers.getvalue(),
        "arrays.npz": zipped({"rating.npy": numbers.getvalue()}),
        "object.pkl": b"\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00]\x94(K\x01K\x02e.",
        "matrix.mtx": b"%%MatrixMarket matrix coordinate real general\n3 3 2\n1 1 4\n2 3 5\n",
        "page.html": b"<!DOCTYPE html>\n<html><body><table><tr><td>u1</td></tr></table></html>\n",
        "rows.xml": b'<?xml version="1.0"?>\n<rows><row user="u1" item="a"/></rows>\n',
        "rows.yaml": b"- user: u1\n  item: a\n- user: u2\n  item: b\n",
        "access.log": 3 * mail.encode(),
        "events.log": 3 * b"2019-01-05 07:08:09 INFO user=u1 item=a\n",
        "pairs.libsvm": b"1 1:4 7:2\n0 2:1 3:5\n1 1:1 2:2\n",
        "ranked.letor": b"1 qid:1 1:0.5 2:0.1 # d1\n0 qid:1 1:0.2 2:0.3 # d2\n",
        "rows.arff": b"@relation ratings\n@attribute user string\n@data\nu1\n",
        "dump.sql": b"CREATE TABLE ratings (user int);\nINSERT INTO ratings VALUES (1);\n",
        "sheet.ods": zipped({"mimetype": b"application/vnd.oasis", "content.xml": b"<office/>"}),
        "drawn.txt": b" user | item \n------+------\n u1   | a    \n",
    }
