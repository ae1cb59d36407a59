"""How text is written: lines, headers, quotes, columns."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
from collections.abc import Mapping

from field.case import Case

_PLAIN = "user,item,rating\nu1,a,4\nu2,b,3\n"
_ROWS = [("u1", "a", 4.0), ("u2", "b", 3.0)]


def _tar(files: Mapping[str, str]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(text.encode())
            archive.addfile(info, io.BytesIO(text.encode()))
    return packed.getvalue()


_REVIEW_ROWS = "".join(f"u{n},i{n % 3},{n % 5},fine\n" for n in range(5))
_REVIEWS = f"user,item,rating,review\n{_REVIEW_ROWS}"

TEXT = (
    Case(
        name="header ended by CR, rows by LF",
        origin="a header pasted in by an old Mac editor over a Unix export",
        files={"a.csv": "user,item,rating\ru1,a,4\nu2,b,3\nu3,c,5\n"},
        rows=[("u1", "a", 4.0), ("u2", "b", 3.0), ("u3", "c", 5.0)],
    ),
    Case(
        name="lines ended by CR alone",
        origin="Excel for Mac, 'CSV (Macintosh)'",
        files={"a.csv": _PLAIN.replace("\n", "\r")},
        rows=_ROWS,
    ),
    Case(
        name="lines of all three endings",
        origin="files joined on different systems",
        files={"a.csv": "user,item,rating\r\nu1,a,4\ru2,b,3\nu3,c,5\r\n"},
        rows=[("u1", "a", 4.0), ("u2", "b", 3.0), ("u3", "c", 5.0)],
    ),
    Case(
        name="a line end within quotes is text",
        origin="reviews exported beside ratings",
        files={"a.csv": 'user,item,rating,review\nu1,a,4,"good\nbook"\nu2,b,3,"so\rso"\n'},
        rows=_ROWS,
    ),
    Case(
        name="the header is repeated in the middle",
        origin="cat part1.csv part2.csv > all.csv",
        files={"a.csv": "user,item,rating\n1,10,4\n2,20,3\nuser,item,rating\n3,30,5\n"},
        rows=[(1, 10, 4.0), (2, 20, 3.0), (3, 30, 5.0)],
        notes=("1 repeat of the header",),
    ),
    Case(
        name="the header is repeated and there are no values",
        origin="cat part1.csv part2.csv > all.csv",
        files={"a.csv": "user,item\nu1,a\nuser,item\nu2,b\n"},
        rows=[("u1", "a"), ("u2", "b")],
        notes=("repeats? of the header",),
    ),
    Case(
        name="a title stands above the header",
        origin="reports of a shop's back office",
        files={"a.csv": "Orders of 2024\n\nuser,item,rating\nu1,a,4\nu2,b,3\n"},
        rows=_ROWS,
        notes=("above the header",),
    ),
    Case(
        name="sep= on the first line",
        origin="Excel's own hint to itself",
        files={"a.csv": "sep=;\nuser;item;rating\nu1;a;4\nu2;b;3\n"},
        rows=_ROWS,
    ),
    Case(
        name="headerless with a time in the third column",
        origin="logs of events without ratings",
        files={
            "a.csv": "u1,a,1546300800\nu2,b,1546387200\nu1,c,1546473600\n",
        },
        rows=[
            ("u1", "a", None, 1546300800),
            ("u2", "b", None, 1546387200),
            ("u1", "c", None, 1546473600),
        ],
        notes=("time = column 2",),
    ),
    Case(
        name="headerless with the time before the rating",
        origin="logs with their columns in another order",
        files={"a.csv": "u1,a,1546300800,4\nu2,b,1546387200,3\nu1,c,1546473600,5\n"},
        rows=[
            ("u1", "a", 4.0, 1546300800),
            ("u2", "b", 3.0, 1546387200),
            ("u1", "c", 5.0, 1546473600),
        ],
    ),
    Case(
        name="an index column without a name",
        origin="pandas' to_csv without index=False",
        files={"a.csv": ",user,item,rating\n0,u1,a,4\n1,u2,b,3\n"},
        rows=_ROWS,
    ),
    Case(
        name="an index column without a header",
        origin="pandas' to_csv(header=False)",
        files={"a.csv": "".join(f"{n},u{n % 3},i{n % 4},{n % 5 + 1}\n" for n in range(8))},
        rows=[(f"u{n % 3}", f"i{n % 4}", n % 5 + 1.0) for n in range(8)],
        notes=("counts the lines",),
    ),
    Case(
        name="columns that have numbers for names",
        origin="pandas' to_csv of a frame read with header=None",
        files={"a.csv": ",0,1,2\n0,u1,a,4\n1,u2,b,3\n"},
        rows=_ROWS,
    ),
    Case(
        name="a column that nobody knows is noted",
        origin="a competition's data: User_ID, Item_ID, Feedback",
        files={"a.csv": "User_ID,Item_ID,Zufriedenheit\nu1,a,4\nu2,b,3\n"},
        rows=[("u1", "a", None), ("u2", "b", None)],
        notes=("Zufriedenheit.*value",),
    ),
    Case(
        name="Feedback is a value",
        origin="a competition's data",
        files={"a.csv": "User_ID,Item_ID,Feedback\nu1,a,4\nu2,b,3\n"},
        rows=_ROWS,
    ),
    Case(
        name="names of an online shop",
        origin="an invoice export (StockCode, InvoiceDate, Quantity)",
        files={
            "a.csv": "InvoiceNo,StockCode,Quantity,InvoiceDate,CustomerID\n"
            "5363,85123A,6,2010-12-01 08:26,17850.0\n5364,71053,2,2010-12-01 08:28,13047.0\n"
        },
        rows=[(17850, "85123A", 6.0, 1291191960), (13047, "71053", 2.0, 1291192080)],
    ),
    Case(
        name="Product SKU, qty and order date",
        origin="a shop system's export",
        files={"a.csv": "Order Date,Customer,Product SKU,Qty\n2024-01-05,c1,S-1,2\n"},
        rows=[("c1", "S-1", 2.0, 1704412800)],
    ),
    Case(
        name="hours played",
        origin="game libraries (user, game, hours)",
        files={"a.csv": "user,game,hours\nu1,g1,12.5\nu2,g2,1\n"},
        rows=[("u1", "g1", 12.5), ("u2", "g2", 1.0)],
    ),
    Case(
        name="a bzip2 file",
        origin="old archives",
        files={"a.csv.bz2": bz2.compress(_PLAIN.encode())},
        rows=_ROWS,
    ),
    Case(
        name="an xz file",
        origin="dumps that are to be small",
        files={"a.csv.xz": lzma.compress(_PLAIN.encode())},
        rows=_ROWS,
    ),
    Case(
        name="a gzip file without the suffix",
        origin="downloads that lost their names",
        files={"a.csv": gzip.compress(_PLAIN.encode())},
        rows=_ROWS,
    ),
    Case(
        name="a tar.gz with one file",
        origin="datasets of universities",
        files={"a.tar.gz": _tar({"data/ratings.csv": _PLAIN, "data/README": "of 2011"})},
        rows=_ROWS,
    ),
    Case(
        name="parts in a folder",
        origin="Spark: part-*, _SUCCESS",
        files={
            "out/part-00000.csv": "user,item,rating\nu1,a,4\n",
            "out/part-00001.csv": "user,item,rating\nu2,b,3\n",
            "out/_SUCCESS": "",
            "out/.part-00000.csv.crc": b"crc\0",
            "out/.DS_Store": b"\0\0",
        },
        source="out",
        rows=_ROWS,
        notes=("2 files",),
    ),
    Case(
        name="a pattern of names",
        origin="daily exports",
        files={
            "d-1.csv": "user,item,rating\nu1,a,4\n",
            "d-2.csv": "user,item,rating\nu2,b,3\n",
            "other.txt": "nothing",
        },
        source="d-*.csv",
        rows=_ROWS,
    ),
    Case(
        name="an object with a list of records",
        origin="a REST API's answer saved as a file",
        files={
            "a.json": '{"ratings":[{"user":"u1","item":"a","rating":4},'
            '{"user":"u2","item":"b","rating":3}]}'
        },
        rows=_ROWS,
    ),
    Case(
        name="an object of lists",
        origin="DataFrame.to_dict('list') dumped",
        files={"a.json": '{"user":["u1","u2"],"item":["a","b"],"rating":[4,3]}'},
        rows=_ROWS,
    ),
    Case(
        name="an object of objects by row",
        origin="pandas' to_json without orient",
        files={
            "a.json": '{"user":{"0":"u1","1":"u2"},"item":{"0":"a","1":"b"},"rating":{"0":4,"1":3}}'
        },
        rows=_ROWS,
    ),
    Case(
        name="a mapping from user to items",
        origin="hand-made lists of favourites",
        files={"a.json": '{"u1":["a","b"],"u2":["b"]}'},
        rows=[("u1", "a"), ("u1", "b"), ("u2", "b")],
    ),
    Case(
        name="a list of items in each record",
        origin="baskets from a document store",
        files={"a.jsonl": '{"user":"u1","items":["a","b"]}\n{"user":"u2","items":["c"]}\n'},
        rows=[("u1", "a"), ("u1", "b"), ("u2", "c")],
    ),
    Case(
        name="a rating that the first line lacks is missing there",
        origin="JSON lines of a log that grew a field",
        files={"a.jsonl": '{"user":"u1","item":"a"}\n{"user":"u2","item":"b","rating":3}\n'},
        error="missing",
    ),
    Case(
        name="JSON nested two hundred thousand deep",
        origin="somebody who tries",
        files={"a.json": "[" * 200_000 + "]" * 200_000},
        error="nested|isn't JSON",
    ),
    Case(
        name="a line of JSON nested deep",
        origin="somebody who tries",
        files={"a.jsonl": '{"user":1,"item":' + "[" * 200_000 + "]" * 200_000 + "}\n"},
        error="nested|isn't JSON|object",
    ),
    Case(
        name="a gzip of nothing but one line without end",
        origin="somebody who tries",
        files={"a.csv": gzip.compress(b"user,item\n") + gzip.compress(b"a" * (1 << 20)) * 80},
        error="line",
    ),
    Case(
        name="the repeated header is written in another case",
        origin="parts by different hands",
        files={"a.csv": "user,item,rating\n1,2,3\nUser,Item,Rating\n2,3,4\n"},
        rows=[(1, 2, 3.0), (2, 3, 4.0)],
        notes=("repeats? of the header",),
    ),
    Case(
        name="titles with commas above the header",
        origin="reports",
        files={"a.csv": "Report, 2024\nuser,item,rating\n1,2,3\n2,3,4\n"},
        rows=[(1, 2, 3.0), (2, 3, 4.0)],
    ),
    Case(
        name="comments above the header",
        origin="exports of laboratories",
        files={"a.csv": "# made by a script\n# 2020\nuser,item,rating\n1,2,3\n2,3,4\n"},
        rows=[(1, 2, 3.0), (2, 3, 4.0)],
    ),
    Case(
        name="a header without a name for the names of rows",
        origin="R's write.table",
        files={"a.csv": '"user","item","rating"\n"1","u1","a",4\n"2","u2","b",3\n'},
        rows=[("u1", "a", 4.0), ("u2", "b", 3.0)],
    ),
    Case(
        name="headerless with a date in the second column",
        origin="logs",
        files={"a.csv": "u1,2019-01-05,a\nu2,2019-01-06,b\n"},
        rows=[("u1", "a", None, 1546646400), ("u2", "b", None, 1546732800)],
    ),
    Case(
        name="headerless with a title before the rating",
        origin="joined tables",
        files={"a.csv": "1,10,Some Film,4\n2,20,Other,5\n1,30,Third,3\n"},
        rows=[(1, 10, 4.0), (2, 20, 5.0), (1, 30, 3.0)],
    ),
    Case(
        name="records two levels down",
        origin="a REST API's answer",
        files={"a.json": '{"data":{"ratings":[{"user":1,"item":2}]},"total":1}'},
        rows=[(1, 2)],
    ),
    Case(
        name="records beside counts",
        origin="a REST API's answer",
        files={
            "a.json": '{"count":2,"next":null,"results":[{"user":1,"item":2},{"user":2,"item":4}]}'
        },
        rows=[(1, 2), (2, 4)],
    ),
    Case(
        name="a mapping from user to items and ratings",
        origin="a hand-made file",
        files={"a.json": '{"u1":{"a":4,"b":3},"u2":{"a":1}}'},
        rows=[("u1", "a", 4.0), ("u1", "b", 3.0), ("u2", "a", 1.0)],
    ),
    *(
        Case(
            name=f"rows behind a quote that isn't closed: {what}",
            origin="texts that people wrote, joined by commas",
            files={name: text},
            error=f"quote.*line {line}:",
        )
        for what, name, line, text in (
            ("to the end", "a.csv", 7, _REVIEWS + 'u9,i1,4,"Great\n' + _REVIEW_ROWS),
            ("to another", "a.csv", 7, _REVIEWS + 'u9,i1,4,"Great\nu8,i1,4,"Bad\n' + _REVIEW_ROWS),
            (
                "to a word",
                "a.csv",
                7,
                _REVIEWS + 'u9,i1,4,"So\n' + _REVIEW_ROWS + 'u8,i2,3,says "wow" ok\n',
            ),
            ("no numbers", "a.csv", 3, 'user,item\nu1,a\nu1,"a\nu2,b\nu1,c\n'),
            ("an id", "a.tsv", 3, 'user\titem\tt\n"u1"\ta\t1\n"u2\tb\t2\n"u3"\tc\t3\n'),
        )
    ),
    Case(
        name="texts that end with a line end are no rows",
        origin="reviews",
        files={"a.csv": _REVIEWS + 'u9,i1,4,"Great\n"\nu8,i1,4,"\n\n"\nu7,i2,3,ok\n'},
        rows=[
            *((f"u{n}", f"i{n % 3}", n % 5) for n in range(5)),
            *(("u9", "i1", 4.0), ("u8", "i1", 4.0), ("u7", "i2", 3.0)),
        ],
    ),
    Case(
        name="texts over lines with commas are no rows",
        origin="reviews",
        files={
            "a.csv": _REVIEWS
            + 'u9,i1,4,"Great, really\n1, 2, 3, 4\nred, blue, green, and yellow\nu1, i1"\n'
        },
        rows=[*((f"u{n}", f"i{n % 3}", n % 5) for n in range(5)), ("u9", "i1", 4.0)],
    ),
    *(
        Case(
            name=f"a header in {encoding}",
            origin="older programs of shops elsewhere",
            files={"a.csv": f"{header}\n{first};a\nu2;b\n".encode(encoding)},
            rows=[(first, "a"), ("u2", "b")],
            notes=(f"read as {encoding}",),
        )
        for encoding, header, first in (
            ("cp1251", "пользователь;товар", "Иван"),
            ("shift_jis", "ユーザー;アイテム", "太郎"),
            ("gb18030", "用户;商品", "张三"),
            ("cp1250", "użytkownik;produkt", "Łukasz"),
        )
    ),
    Case(
        name="a line of totals",
        origin="a report",
        files={"a.csv": "user,item,qty\nu1,a,2\nu2,b,3\nTotal,2 items,5\n"},
        error="total in place of the user.*line 4",
    ),
    Case(
        name="a line of totals is skipped",
        origin="a report",
        files={"a.csv": "Kunde;Artikel;Menge\nu1;a;2,5\nu2;b;3\nGesamt:;2;5,5\n"},
        options={"on_bad": "skip"},
        rows=[("u1", "a", 2.5), ("u2", "b", 3.0)],
    ),
    Case(
        name="an item that is called Total",
        origin="a shop with yoghurt",
        files={"a.csv": "user,item,qty\nu1,a,2\nu2,b,3\nu3,Total,4\n"},
        rows=[("u1", "a", 2.0), ("u2", "b", 3.0), ("u3", "Total", 4.0)],
    ),
)
