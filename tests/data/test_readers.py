"""What the readers make of well-formed input of any writing."""

from __future__ import annotations

import gzip
import json
import sqlite3
import warnings
import zipfile
from contextlib import closing
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from pyarrow import parquet
from scipy import sparse

from cofactor.base.errors import UnknownNameError
from cofactor.data.interactions import Interactions
from cofactor.data.readers import read, read_table
from cofactor.data.readers.book_crossing import read_books
from cofactor.data.readers.source_files import SourceFile

ROWS = [("u1", 7, 3.5, 964_982_703), ("u2", 9, 1.0, 964_982_704), ("u1", 9, 5.0, 964_982_705)]


def assert_rows(events: object, rows: list[tuple[str, int, float, int]] = ROWS) -> None:
    users, items, values, times = (list(column) for column in zip(*rows, strict=True))
    assert events.users.to_pylist() == users  # type: ignore[attr-defined]
    assert events.items.to_pylist() == items  # type: ignore[attr-defined]
    np.testing.assert_array_equal(events.values, np.array(values, np.float32))  # type: ignore[attr-defined]
    np.testing.assert_array_equal(events.times, np.array(times))  # type: ignore[attr-defined]


def text(
    delimiter: str, *, header: str | None = "userId,movieId,rating,timestamp", end: str = "\n"
) -> str:
    lines = [delimiter.join(map(str, row)) for row in ROWS]
    head = [header.replace(",", delimiter)] if header else []
    return end.join(head + lines) + end


@pytest.mark.parametrize("delimiter", [",", "\t", ";", "|", "::", " "])
@pytest.mark.parametrize("header", [None, "userId,movieId,rating,timestamp"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_delimiter_header_and_line_ends_are_found_in_the_text(
    tmp_path: Path, delimiter: str, header: str | None, end: str
) -> None:
    path = tmp_path / "events.dat"
    path.write_bytes(text(delimiter, header=header, end=end).encode())
    assert_rows(read(path))


@pytest.mark.parametrize("delimiter", ["~", "<>"])
def test_any_delimiter_can_be_given(tmp_path: Path, delimiter: str) -> None:
    path = tmp_path / "events.txt"
    path.write_text(text(delimiter))
    assert_rows(read(path, delimiter=delimiter))


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "latin-1"])
def test_encodings_are_recognised_and_latin_1_is_noted(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "events.csv"
    path.write_bytes("user,item,rating\nJosé,2,3\nÅsa,3,4\n".encode(encoding))
    events = read(path)
    assert events.users.to_pylist() == ["José", "Åsa"]
    assert any("read as Latin-1" in note for note in events.notes) == (encoding == "latin-1")


def test_gzip_and_zip_are_seen_through(tmp_path: Path) -> None:
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(text(",").encode()))
    assert_rows(read(tmp_path / "a.csv.gz"))
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.writestr("folder/README.txt", "about")
        archive.writestr("folder/events.csv", text(","))
    assert_rows(read(tmp_path / "b.zip"))


def test_ids_are_kept_exactly(tmp_path: Path) -> None:
    long, low, high = "x" * 300, -(2**63), 2**63 - 1
    path = tmp_path / "events.csv"
    path.write_text(
        f"user,item,rating\n😀 with spaces,{low},1\n{long},{high},2\n007,0,3\n", "utf-8"
    )
    events = read(path)
    assert events.users.to_pylist() == ["😀 with spaces", long, "007"]
    assert events.items.to_pylist() == [low, high, 0]
    built = Interactions.build(events)
    assert built.users.kind == "string"
    assert built.items.ids() == [low, 0, high]


@pytest.mark.parametrize("odd", ["007", "+7", "-0", "9223372036854775808", "1.5", "7 7"])
def test_one_unusual_number_makes_a_column_of_strings(tmp_path: Path, odd: str) -> None:
    path = tmp_path / "events.csv"
    path.write_text(f"user,item\n1,2\n{odd},3\n")
    assert read(path).users.to_pylist() == ["1", odd]


def test_columns_can_be_given_by_name_and_by_position_and_left_out(tmp_path: Path) -> None:
    path = tmp_path / "events.csv"
    path.write_text("who,what,rating,other,when\na,b,3,9,964982703\n")
    events = read(path, user="who", item=1, value="other", time=4)
    assert events.users.to_pylist() == ["a"]
    assert events.items.to_pylist() == ["b"]
    assert events.values is not None
    assert events.values[0] == 9
    assert events.times is not None
    assert events.notes[0].startswith(
        "columns: user = who, item = what, value = other, time = when"
    )
    bare = read(path, user="who", item="what", value=False, time=False)
    assert bare.values is None
    assert bare.times is None


@pytest.mark.parametrize(
    ("header", "taken"),
    [
        ("reviewerID,asin,overall,unixReviewTime", True),
        ("visitorid,itemid,count,ts", True),
        ("User-ID,ISBN,Book-Rating,date", True),
        ("user_id:token,item_id:token,rating:float,timestamp:float", True),
    ],
)
def test_usual_names_are_found(tmp_path: Path, header: str, taken: bool) -> None:
    path = tmp_path / "events.csv"
    path.write_text(f"{header}\nx,y,2,964982703\n")
    events = read(path)
    assert events.values is not None
    assert events.values[0] == 2
    assert events.times is not None
    assert events.times[0] == 964_982_703


@pytest.mark.parametrize(
    ("written", "second"),
    [
        ("964982703", 964_982_703),
        ("964982703.9", 964_982_703),
        ("2016-09-30T14:19:47-07:00", 1_475_270_387),
        ("2016-09-30T21:19:47Z", 1_475_270_387),
        ("2016-09-30 21:19:47.25", 1_475_270_387),
        ("2016-09-30", 1_475_193_600),
        ("2016/09/30", 1_475_193_600),
        ("Fri Sep 30 14:19:47 -0700 2016", 1_475_270_387),
        ("Fri Sep 30 21:19:47 2016", 1_475_270_387),
        ("Fri, 30 Sep 2016 21:19:47 GMT", 1_475_270_387),
        ("30-Sep-2016", 1_475_193_600),
        ("20160930T211947Z", 1_475_270_387),
        ("1960-01-01", -315_619_200),
    ],
)
def test_times_of_any_writing_become_seconds(tmp_path: Path, written: str, second: int) -> None:
    path = tmp_path / "events.csv"
    path.write_text(f'user,item,time\n1,2,"{written}"\n')
    times = read(path).times
    assert times is not None
    assert times[0] == second


def test_review_time_of_amazon_is_read(tmp_path: Path) -> None:
    path = tmp_path / "reviews.json"
    path.write_text(
        '{"reviewerID": "A", "asin": "B", "overall": 5.0, "reviewTime": "02 28, 2014"}\n'
    )
    times = read(path).times
    assert times is not None
    assert times[0] == 1_393_545_600


@pytest.mark.parametrize(
    ("factor", "word"),
    [(1_000, "milliseconds"), (1_000_000, "microseconds"), (1_000_000_000, "nanoseconds")],
)
def test_finer_units_are_recognised_by_their_size_and_noted(
    tmp_path: Path, factor: int, word: str
) -> None:
    path = tmp_path / "events.csv"
    path.write_text(
        f"user,item,time\n1,2,{964_982_703 * factor + factor // 2}\n1,3,{964_982_704 * factor}\n"
    )
    events = read(path)
    np.testing.assert_array_equal(events.times, np.array([964_982_703, 964_982_704]))
    assert f"times are {word}; converted to seconds" in events.notes


def test_json_lines_arrays_and_literals(tmp_path: Path) -> None:
    rows = [dict(zip(("user", "item", "rating", "timestamp"), row, strict=True)) for row in ROWS]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert_rows(read(tmp_path / "a.jsonl"))
    (tmp_path / "b.json").write_text(json.dumps(rows))
    assert_rows(read(tmp_path / "b.json"))
    (tmp_path / "c.json.gz").write_bytes(gzip.compress("\n".join(map(repr, rows)).encode()))
    events = read(tmp_path / "c.json.gz")
    assert_rows(events)
    assert any("Python literals" in note for note in events.notes)


def test_literal_lines_are_never_run(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(
        "{'user': 'a', 'item': 'b'}\n{'user': __import__('os').getcwd(), 'item': 'c'}\n"
    )
    events = read(tmp_path / "a.json", on_bad="skip")
    assert events.items.to_pylist() == ["b"]


def test_literal_lines_warn_of_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{'user': 'a', 'item': 'b\\d'}\n{'user': 'c', 'item': 'd'}\n")
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        events = read(tmp_path / "a.json")
    assert events.items.to_pylist() == ["b\\d", "d"]
    assert not seen


def test_amazon_2023_layout_prefers_the_parent(tmp_path: Path) -> None:
    row = {
        "rating": 5.0,
        "title": "x",
        "asin": "B1",
        "parent_asin": "P1",
        "user_id": "A",
        "timestamp": 1588615855070,
    }
    (tmp_path / "a.jsonl").write_text(json.dumps(row) + "\n")
    events = read(tmp_path / "a.jsonl")
    assert events.items.to_pylist() == ["P1"]
    assert events.times is not None
    assert events.times[0] == 1_588_615_855


def test_goodreads_zeros_are_no_ratings(tmp_path: Path) -> None:
    rows = [
        {
            "user_id": "u",
            "book_id": str(book),
            "is_read": True,
            "rating": rating,
            "date_added": "Fri Sep 30 14:19:47 -0700 2016",
        }
        for book, rating in ((12, 5), (13, 0), (14, 3))
    ]
    path = tmp_path / "goodreads_interactions_poetry.json.gz"
    path.write_bytes(gzip.compress("\n".join(map(json.dumps, rows)).encode()))
    rated = read(path)
    assert rated.items.to_pylist() == [12, 14]
    assert any("left out 1 row of rating 0" in note for note in rated.notes)
    assert len(read(path, value=False)) == 3


def test_parquet_of_any_id_type(tmp_path: Path) -> None:
    for number, kind in enumerate(
        (
            pa.int32(),
            pa.uint64(),
            pa.string(),
            pa.large_string(),
            pa.dictionary(pa.int8(), pa.string()),
        )
    ):
        column = (
            pa.array(["5", "6", "5"]).cast(kind)
            if "string" in str(kind)
            else pa.array([5, 6, 5], kind)
        )
        path = tmp_path / f"{number}.parquet"
        parquet.write_table(
            pa.table(
                {
                    "user": column,
                    "item": ["a", "b", "c"],
                    "time": pa.array([1, 2, 3], pa.timestamp("ms")),
                }
            ),
            path,
        )
        events = read(path)
        assert Interactions.build(events).users.ids() == [5, 6]
        np.testing.assert_array_equal(events.times, np.zeros(3, np.int64))


def test_sqlite_table_query_and_url(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(
            "CREATE TABLE ratings (user TEXT, item INTEGER, rating REAL, timestamp INTEGER)"
        )
        connection.execute("CREATE TABLE other (x INTEGER)")
        connection.executemany("INSERT INTO ratings VALUES (?, ?, ?, ?)", ROWS)
        connection.commit()
    url = f"sqlite:///{path}"
    assert_rows(read(url))
    assert_rows(read(url + "?table=ratings"))
    assert_rows(read(url, query="SELECT user, item, rating, timestamp FROM ratings"))
    with pytest.raises(UnknownNameError, match="did you mean ratings"):
        read(url, table="rating")


def test_data_frames_of_any_library() -> None:
    frame = pd.DataFrame(ROWS, columns=["user", "item", "rating", "timestamp"])
    assert_rows(read(frame))
    assert_rows(read(frame.astype({"user": "category"})))
    assert_rows(read(pl.from_pandas(frame)))
    assert_rows(read(pl.from_pandas(frame).lazy()))
    assert_rows(read(pa.Table.from_pandas(frame)))
    assert_rows(read(duckdb.sql("SELECT * FROM frame")))
    assert_rows(read(ROWS))
    dated = frame.assign(timestamp=pd.to_datetime(frame["timestamp"], unit="s"))
    assert_rows(read(dated))


def test_matrix_gives_its_stored_entries() -> None:
    matrix = sparse.coo_matrix(
        (np.array([2.0, 3.0]), (np.array([0, 4]), np.array([6, 1]))), shape=(5, 7)
    )
    events = read(matrix)
    assert events.users.to_pylist() == [0, 4]
    assert events.items.to_pylist() == [6, 1]


def test_line_per_user_is_distinguished_from_columns(tmp_path: Path) -> None:
    path = tmp_path / "train.txt"
    path.write_text("0 5 6 7\n1 5\n2\n3 8 6\n")
    events = read(path)
    assert events.users.to_pylist() == [0, 0, 0, 1, 3, 3]
    assert events.items.to_pylist() == [5, 6, 7, 5, 8, 6]
    assert "1 users have no items there" in events.notes


def test_catalogue_is_joined_by_id(tmp_path: Path) -> None:
    (tmp_path / "events.csv").write_text(text(","))
    (tmp_path / "books.csv").write_text(
        'book_id,title,authors\n9,"Nine, a novel",A\n7,Seven,B\n8,Eight,C\n'
    )
    events = read(tmp_path / "events.csv", items=tmp_path / "books.csv")
    data = Interactions.build(events)
    assert data.catalogue.titles([0, 1]) == ["Seven", "Nine, a novel"]
    table = read_table(pd.DataFrame({"asin": ["x"], "title": ["T"]}))
    assert table.column_names == ["item_id", "title"]


def test_values_change_type_between_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cofactor.data.readers.lines.BLOCK", 64)
    lines = [f"{n},{n % 7},{n % 5},{964_982_703 + n}" for n in range(50)]
    lines[40] = "40,5,x,1"
    path = tmp_path / "events.csv"
    path.write_text("user,item,rating,timestamp\n" + "\n".join(lines))
    events = read(path, on_bad="skip")
    assert len(events) == 49
    assert events.users.to_pylist() == [n for n in range(50) if n != 40]
    np.testing.assert_array_equal(
        events.times, np.array([964_982_703 + n for n in range(50) if n != 40])
    )


def test_books_cut_at_semicolons_are_rejoined(tmp_path: Path) -> None:
    tail = "\t".join(("Author", "1999", "House &amp", " Sons", "s", "m", "l")) + "\t"
    path = tmp_path / "items_info.dat"
    head = "\t".join(f"h{n}" for n in range(9))
    path.write_text(
        f"{head}\n1\t007\tPlain &#39\tquoted&#39\t\t{tail}\n2\t008\tOne\t Two\t{tail}\n"
    )
    table, repaired = read_books(SourceFile(path))
    assert repaired == 2
    assert table.column("title").to_pylist() == ["Plain 'quoted'", "One; Two"]
    assert table.column("publisher").to_pylist() == ["House & Sons"] * 2
    assert table.column("isbn").to_pylist() == ["007", "008"]
