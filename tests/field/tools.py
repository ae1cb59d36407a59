"""What other tools write: programs that export, streams, spreadsheets, logs, other libraries."""

from __future__ import annotations

import json
from collections import namedtuple

import numpy as np
import polars as pl
import pyarrow as pa

from field.case import Case

_ROWS = [("u1", "a", 4.0), ("u2", "b", 3.0)]
_PLAIN = "user,item,rating\nu1,a,4\nu2,b,3\n"
_JSON = '{"user":"u1","item":"a","rating":4}', '{"user":"u2","item":"b","rating":3}'
_DAY = 1_546_646_400
_Bought = namedtuple("_Bought", "item user rating")
_LOG = [(n % 3, 100 + n % 4, n % 5 + 1.0, _DAY + 7 * n) for n in range(9)]
_TIMED = [("u1", "a", None, _DAY), ("u2", "b", None, _DAY)]


def _times(cell: str) -> dict[str, str]:
    return {"a.csv": f"user,item,time\nu1,a,{cell}\nu2,b,{cell}\n"}


def _values(*cells: str) -> dict[str, str]:
    return {"a.csv": "user;item;rating\n" + "".join(f"u{n};i;{c}\n" for n, c in enumerate(cells))}


TOOLS = (
    Case(
        name="UTF-16 without its mark",
        origin="a Windows program's export",
        files={"a.csv": _PLAIN.encode("utf-16-le")},
        rows=_ROWS,
    ),
    Case(
        name="UTF-32",
        origin="a Unix tool's export",
        files={"a.csv": _PLAIN.encode("utf-32")},
        rows=_ROWS,
    ),
    Case(
        name="JSON lines in UTF-16",
        origin="PowerShell's >",
        files={"a.jsonl": "\n".join(_JSON).encode("utf-16")},
        rows=_ROWS,
    ),
    Case(
        name="empty lines of commas below the table",
        origin="a spreadsheet whose range was too long",
        files={"a.csv": _PLAIN + ",,\n,,\n"},
        rows=_ROWS,
        notes=("2 empty lines",),
    ),
    Case(
        name="rows that end with a delimiter, the header doesn't",
        origin="a script that joins cells",
        files={"a.csv": "user,item,rating\nu1,a,4,\nu2,b,3,\n"},
        rows=_ROWS,
    ),
    Case(
        name="names over two lines in quotes",
        origin="headers wrapped in a spreadsheet, below a title",
        files={"a.csv": 'Orders 2024\r\n"user\r\nid";item;"how\r\nmany"\r\nu1;a;4\r\nu2;b;3\r\n'},
        options={"value": 2},
        rows=_ROWS,
    ),
    Case(
        name="a bad row below names over two lines",
        origin="headers wrapped in a spreadsheet",
        files={"a.csv": '"user\nid",item,rating\nu1,a,4\n,b,3\n'},
        error="line 4",
    ),
    Case(
        name="objects one after another over several lines",
        origin="jq '.[]'",
        files={"a.json": "\n".join(json.dumps(json.loads(one), indent=1) for one in _JSON)},
        rows=_ROWS,
    ),
    Case(
        name="objects without anything between them",
        origin="a delivery stream to a bucket",
        files={"a.json": "".join(_JSON)},
        rows=_ROWS,
    ),
    Case(
        name="an array's lines without its brackets",
        origin="grep over a JSON file",
        files={"a.jsonl": ",\n".join(_JSON) + ",\n"},
        rows=_ROWS,
    ),
    Case(
        name="a rating that only late lines have",
        origin="a log that grew a field",
        files={"a.jsonl": '{"user":"u","item":"a"}\n' * 300 + _JSON[0] + "\n"},
        error="300 rows have a value in column 'rating' that is missing",
    ),
    Case(
        name="rows of JSON below a row of names",
        origin="a sheet's API",
        files={"a.json": '[["item","user","rating"],["a","u1",4],["b","u2",3]]'},
        rows=_ROWS,
    ),
    Case(
        name="a schema beside the records",
        origin="pandas' to_json(orient='table')",
        files={
            "a.json": f'{{"schema":{{"fields":[{{"name":"user"}}]}},"data":[{",".join(_JSON)}]}}'
        },
        rows=_ROWS,
    ),
    Case(
        name="hits of a search",
        origin="Elasticsearch's answer",
        files={"a.json": f'{{"hits":{{"hits":[{{"_id":1,"_source":{_JSON[0]}}}]}}}}'},
        rows=_ROWS[:1],
    ),
    Case(
        name="named tuples in another order",
        origin="pandas' itertuples, rows of SQLAlchemy",
        source=lambda: [_Bought("a", "u1", 4.0), _Bought("b", "u2", 3.0)],
        rows=_ROWS,
    ),
    Case(
        name="a mapping of columns of different lengths",
        origin="lists filled in a loop with an exception",
        source=lambda: {"user": ["u1", "u2"], "item": ["a"]},
        error="one length",
    ),
    Case(
        name="a mapping of arrays",
        origin="np.load of an npz file",
        source=lambda: {"user": np.array(["u1", "u2"]), "item": np.array(["a", "b"])},
        rows=[("u1", "a"), ("u2", "b")],
    ),
    Case(
        name="a stream of Arrow",
        origin="ADBC, Flight",
        source=lambda: pa.table({"user": ["u1"], "item": ["a"]}).to_reader(),
        rows=[("u1", "a")],
    ),
    Case(
        name="columns in Arrow's newer layouts",
        origin="engines that keep runs and views",
        source=lambda: pa.table(
            {
                "user": pa.RunEndEncodedArray.from_arrays([1, 2], ["u1", "u2"]),
                "items": pa.array([["a", "b"], ["c"]], pa.list_view(pa.string())),
            }
        ),
        rows=[("u1", "a"), ("u1", "b"), ("u2", "c")],
    ),
    Case(
        name="empty lists are noted",
        origin="group_by(...).agg(list) with gaps",
        source=lambda: pl.DataFrame({"user": ["u1", "u2", "u3"], "items": [["a"], None, []]}),
        rows=[("u1", "a")],
        notes=("2 lists are empty",),
    ),
    Case(
        name="ids as floats beyond 2^53",
        origin="64-bit ids in a column with gaps",
        source=lambda: [(9007199254740993.0, "a"), (9007199254740992.0, "b")],
        error="double",
    ),
    Case(
        name="ids written as floats beyond 2^53",
        origin="64-bit ids in a column with gaps, saved as text",
        files={"a.csv": "user,item\n9007199254740992.0,a\n2.0,b\n"},
        rows=[(9007199254740992, "a"), (2, "b")],
        notes=("lost digits",),
    ),
    Case(
        name="bytes of ids that are no texts",
        origin="UUIDs in a binary column",
        source=lambda: pa.table({"user": [bytes(15) + b"\x05"], "item": ["a"]}),
        rows=[("0" * 31 + "5", "a")],
    ),
    Case(
        name="the time before the item, without a header",
        origin="a click log",
        files={"a.tsv": "".join(f"{u}\t{t}\t{i}\t{int(v)}\n" for u, i, v, t in _LOG)},
        rows=list(_LOG),
    ),
    Case(
        name="ten-digit ids of items in the second column stay ids",
        origin="ISBNs without their zeros",
        files={"a.csv": "".join(f"{n},15903{n}7163,{n % 5 + 1}\n" for n in range(2, 9))},
        rows=[(n, 15_903_07_163 + 10_000 * n, n % 5 + 1.0) for n in range(2, 9)],
    ),
    Case(
        name=".NET's ticks",
        origin="DateTime.Ticks",
        files=_times("636822432000000000"),
        rows=_TIMED,
        notes=("ticks",),
    ),
    Case(
        name="file times of Windows",
        origin="columns of a directory service",
        files=_times("131911200000000000"),
        rows=_TIMED,
        notes=("1601",),
    ),
    Case(
        name="seconds since 2001 are noted",
        origin="Core Data",
        files=_times("568339200"),
        rows=[("u1", "a", None, 568339200), ("u2", "b", None, 568339200)],
        notes=("1988-01-05",),
    ),
    *(
        Case(name=f"a time such as {cell}", origin=origin, files=_times(cell), rows=_TIMED)
        for origin, cell in (
            ("a database's default", "Jan  5 2019 12:00AM"),
            ("a web server's log", "[05/Jan/2019:01:00:00 +0100]"),
            ("a browser", "Sat Jan 05 2019 00:00:00 GMT+0000 (Coordinated Universal Time)"),
        )
    ),
    Case(
        name="points group thousands beside decimal commas",
        origin="a German till",
        files=_values("1.234,5", "2,5", "1.000"),
        rows=[("u0", "i", 1234.5), ("u1", "i", 2.5), ("u2", "i", 1000.0)],
    ),
    Case(
        name="euros behind decimal commas",
        origin="a till",
        files=_values("3,50 €", "4,00 €"),
        rows=[("u0", "i", 3.5), ("u1", "i", 4.0)],
    ),
    Case(
        name="out of 5 stars",
        origin="copied from a shop's page",
        files=_values("4.0 out of 5 stars", "3.5 out of 5 stars"),
        rows=[("u0", "i", 4.0), ("u1", "i", 3.5)],
    ),
    Case(
        name="zeros among ratings are noted",
        origin="0 for 'not rated'",
        files=_values("0", "5", "0"),
        rows=[("u0", "i", 0.0), ("u1", "i", 5.0), ("u2", "i", 0.0)],
        notes=("2 of 3 are 0.*min_value",),
    ),
    Case(
        name="counts beyond 2^24 are noted",
        origin="bytes listened to",
        files=_values("16777217", "5"),
        rows=[("u0", "i", 16777216.0), ("u1", "i", 5.0)],
        notes=("16,777,216.*seven digits",),
    ),
    *(
        Case(
            name=f"a header in another script: {header}",
            origin="shops elsewhere",
            files={"a.csv": f"{header}\nu1,a,4\nu2,b,3\n"},
            rows=_ROWS,
        )
        for header in (
            *("пользователь,товар,оценка", "用户,商品,评分", "ユーザー,アイテム,評価"),
            *("사용자,상품,평점", "kullanıcı,ürün,puan", "użytkownik,produkt,ocena"),
        )
    ),
    *(
        Case(name=f"no table: {what}", origin="a link's other file", files={"a": text}, error=what)
        for what, text in (
            ("SQL", "INSERT INTO ratings VALUES (1,'a',4),(2,'b',3);\n"),
            ("YAML", "- user: u1\n  item: a\n- user: u2\n  item: b\n"),
            ("ARFF", "@relation r\n@attribute user string\n@attribute item string\n@data\nu1,a\n"),
            ("Matrix Market", "%%MatrixMarket matrix coordinate real general\n3 3 1\n1 1 5.0\n"),
            ("libsvm", "1 qid:1 1:0.1 2:0.2\n0 qid:1 1:0.3 2:0.1\n"),
        )
    ),
)
