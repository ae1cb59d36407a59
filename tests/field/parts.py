"""Tables in parts, and tables whose columns only their contents tell."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa

from field.case import Case, parquet

_HEAD = "user,item,rating\n"
_PLAYS = [
    {"ts": "2021-03-05T10:11:12Z", "username": user, "spotify_track_uri": f"spotify:track:{user}"}
    for user in ("ann", "bob")
]


def _parquet(**columns: Any) -> bytes:
    return parquet(pa.table(columns))


def _text(name: str, origin: str, text: str, rows: list[Any], **more: Any) -> Case:
    return Case(name=name, origin=origin, files={"a.csv": text}, rows=rows, **more)


PARTS = (
    Case(
        name="users in the names of folders, above equal files",
        origin="Spark's partitionBy",
        files={f"user={n}/p.parquet": _parquet(item=["a", "b"]) for n in (1, 2)},
        source=".",
        rows=[(1, "a"), (1, "b"), (2, "a"), (2, "b")],
        notes=("the folders' names give user",),
    ),
    Case(
        name="a folder and its file name the same column",
        origin="Hive, and a copy of the table",
        files={"user=9/p.parquet": _parquet(user=[1], item=["a"])},
        source=".",
        rows=[(1, "a")],
        notes=("give user where the file has no such column",),
    ),
    Case(
        name="dates in the names of folders",
        origin="Hive",
        files={f"date=2024-01-0{n}/p.parquet": _parquet(user=[n], item=["a"]) for n in (1, 2)}
        | {"_SUCCESS": b""},
        source=".",
        rows=[(1, "a", None, 1704067200), (2, "a", None, 1704153600)],
    ),
    *(
        Case(
            name=f"a folder for each kind of events, {name}",
            origin="exports by table",
            files={
                f"{kind}/a.csv": f"user,item,event\nu1,a,{kind}\n"
                for kind in ("buy", "save", "view")
            },
            source=".",
            options=options,
            rows=rows,
            notes=(said,),
        )
        for name, options, rows, said in (
            (
                "without weights",
                {},
                [("u1", "a"), ("u1", "a"), ("u1", "a")],
                r"\A.*\n.*\nthey hold kinds.* the same: buy \(1\), save \(1\), view \(1\); .*\Z",
            ),
            (
                "with weights of some",
                {"kinds": {"view": 1, "buy": 5, "like": 2}},
                [("u1", "a", 5.0), ("u1", "a", 1.0)],
                r"\A.*\nleft out a.csv: none of its events is of a kind that has a weight\n.*\n"
                r"column 'event' holds no event of kind like\Z",
            ),
        )
    ),
    *(
        Case(
            name=f"files of one folder: {name}",
            origin="exports by table",
            files={"a/first.csv": "user,item\nu1,a\nu2,b\n"} | files,
            source=".",
            rows=rows,
            error=error,
            notes=notes,
        )
        for name, files, rows, error, notes in (
            (
                "ids with zeros in front in one of them",
                {"a/first.csv": "user,item\n7,a\n8,b\n", "b.csv": "user,item\n007,a\n9,b\n"},
                [("7", "a"), ("8", "b"), ("007", "a"), ("9", "b")],
                None,
                ("users: 1 id like '007' beside '7': alike but for",),
            ),
            (
                "stars and per cent",
                {
                    "a/first.csv": _HEAD + "u1,a,5\nu2,b,4\nu3,a,3\n",
                    "b.csv": _HEAD + "u1,b,90\nu2,a,75\nu4,a,60\n",
                },
                [
                    *(("u1", "a", 5.0), ("u2", "b", 4.0), ("u3", "a", 3.0)),
                    *(("u1", "b", 90.0), ("u2", "a", 75.0), ("u4", "a", 60.0)),
                ],
                None,
                ("lie between 3 and 5, those of .* between 60 and 90; if these are two scales",),
            ),
            (
                "a column that one of them lacks",
                {"b.csv": _HEAD + "u1,a,3\n"},
                None,
                "whose columns differ .'rating' is in b.csv, and not in first.csv.; name one",
                (),
            ),
        )
    ),
    Case(
        name="files named like kinds of events",
        origin="exports by table",
        files={f"{kind}.csv": f"user,item\nu1,{kind[0]}\n" for kind in ("likes", "dislikes")},
        source=".",
        rows=[("u1", "d"), ("u1", "l")],
        notes=(r"named like kinds of events \(dislikes, likes\), all of which count the same",),
    ),
    Case(
        name="folders for kinds of which none has a weight",
        origin="a word of another language",
        files={f"{kind}/a.csv": f"user,item,event\nu1,a,{kind}\n" for kind in ("buy", "view")},
        source=".",
        options={"kinds": {"kauf": 1}},
        error="unknown kind of event",
    ),
    Case(
        name="folders' names above csv, one of nobody",
        origin="DuckDB's PARTITION_BY",
        files={
            "user=u%201/p.csv": "item,rating\na,3\n",
            "user=__HIVE_DEFAULT_PARTITION__/p.csv": "item,rating\na,3\n",
        },
        source=".",
        options={"on_bad": "skip"},
        rows=[("u 1", "a", 3.0)],
        notes=("left out p.csv: no row is left",),
    ),
    Case(
        name="folders' names above csv without a header",
        origin="Spark's csv",
        files={"user=7/p.csv": "a1,3\nb2,4\n", "user=8/p.csv": "c2,3\n"},
        source=".",
        rows=[(7, "a1", 3.0), (7, "b2", 4.0), (8, "c2", 3.0)],
    ),
    Case(
        name="folders' names above JSON lines",
        origin="a stream's sink",
        files={
            "dt=20240101/user=7/p.jsonl": '{"item":"a"}\n',
            "dt=20240102/user=8/p.jsonl": '{"item":"a"}\n',
        },
        source=".",
        rows=[(7, "a", None, 1704067200), (8, "a", None, 1704153600)],
    ),
    Case(
        name="a part with a header alone, and an empty one",
        origin="Spark's csv",
        files={"p0.csv": _HEAD + "u1,a,3\n", "p1.csv": _HEAD, "p2.csv": b""},
        source=".",
        rows=[("u1", "a", 3.0)],
        notes=("left out p1.csv", "left out p2.csv"),
    ),
    Case(
        name="a part of Parquet without rows",
        origin="Spark",
        files={
            "p0.parquet": _parquet(user=["u1"], item=["a"]),
            "p1.parquet": _parquet(user=pa.array([], "string"), item=pa.array([], "string")),
        },
        source=".",
        rows=[("u1", "a")],
    ),
    Case(
        name="a folder of JSON documents",
        origin="a streaming history",
        files={f"endsong_{n}.json": json.dumps([row]) for n, row in enumerate(_PLAYS)},
        source=".",
        rows=[(u, f"spotify:track:{u}", None, 1614939072) for u in ("ann", "bob")],
    ),
    _text(
        "places on the earth are neither items nor values",
        "check-ins (Gowalla)",
        "0\t2010-10-19T23:55:27Z\t30.2359091167\t-97.7951395833\t22847\n"
        "1\t2010-10-18T22:17:43Z\t30.2691029532\t-97.7493953705\t420315\n",
        [(0, 22847, None, 1287532527), (1, 420315, None, 1287440263)],
    ),
    _text(
        "codes of categories are no values",
        "clicks (UserBehavior)",
        "1,2268318,2520377,pv,1511544070\n2,2333346,2520771,pv,1511561733\n",
        [(1, 2268318, None, 1511544070), (2, 2333346, None, 1511561733)],
    ),
    _text(
        "a last column of zeros is no time",
        "hours of games (Steam)",
        "151,Skyrim,play,273.0,0\n151,Fallout 4,play,2.0,0\n",
        [(151, "Skyrim", 273.0, None), (151, "Fallout 4", 2.0, None)],
    ),
    Case(
        name="the number of an event is no item",
        origin="web analytics",
        files={"a.csv": "user_id,event,event_id,page\nu1,view,e1,p\nu2,view,e2,q\n"},
        error="no column is named like an item's",
    ),
    _text(
        "an item in every row of its own, noted",
        "a log whose ids number its rows",
        "time,event_id,user_id\n" + "".join(f"{1600000000 + n},{n},u{n % 3}\n" for n in range(12)),
        [(f"u{n % 3}", n, None, 1600000000 + n) for n in range(12)],
        notes=("each of the 12 rows has another item",),
    ),
    _text(
        "quantities of products, times of servers",
        "two shops' reports",
        "Customer ID,Product ID,Product Qty,serverTimestamp\n5,77,2,1614939072\n",
        [(5, 77, 2.0, 1614939072)],
    ),
    _text(
        "a profile's name",
        "a video service",
        "Profile Name,Start Time,Film Title\nann,2021-03-05 20:00:01,Heat\n",
        [("ann", "Heat", None, 1614974401)],
    ),
    Case(
        name="one person's films are refused without a wild guess",
        origin="Letterboxd",
        files={"a.csv": "Date,Name,Year,Rating\n2021-03-05,Heat,1995,4.5\n"},
        error="Rating': give it as user=NAME",
    ),
    *(
        Case(
            name=f"parts behind the first one's header: {what}",
            origin="split -l",
            files={
                "d/xaa.csv": "item,user,rating\na,u1,3\nb,u2,4\n",
                "d/xab.csv": "c,u3,5\nd,u4,1\n",
            },
            source=source,
            rows=[("u1", "a", 3.0), ("u2", "b", 4.0), ("u3", "c", 5.0), ("u4", "d", 1.0)],
            notes=("xab.csv is read by the header of xaa.csv",),
        )
        for what, source in (("a folder", "d"), ("a pattern", "d/x*.csv"))
    ),
    Case(
        name="parts without a header that have other columns",
        origin="a folder of downloads",
        files={
            "xaa.csv": "item,user,rating\na,u1,3\nb,u2,4\n",
            "xab.csv": "c,u3,5,1600000000\nd,u4,1,1600000001\n",
        },
        source="x*.csv",
        error="it has no header, as xaa.csv has, and 4 columns, not 3",
    ),
    *(
        Case(
            name=f"parts of different scales: {first} and {second}",
            origin="a report a month, from two programs",
            files={
                "d/a.csv": f"user;item;rating\nu1;a;{first}\n",
                "d/b.csv": f"user;item;rating\nu2;b;{second}\n",
            },
            source="d",
            error=error,
        )
        for first, second, error in (
            ("4/5", "8/10", "some parts are out of 10, those of others out of 5"),
            ("80 %", "0.8", "shares of 100, those of others fractions below 1"),
            ("12.50 EUR", "3.00 USD", "in 'EUR', those of others in 'USD'"),
            ("1h 20m", "4/5", "out of 5, those of others seconds"),
        )
    ),
    Case(
        name="parts of one scale",
        origin="a report a month",
        files={"d/a.csv": _HEAD + "u1,a,4/5\n", "d/b.csv": _HEAD + "u2,b,3/5\nu3,c,4\n"},
        source="d",
        rows=[("u1", "a", 4.0), ("u2", "b", 3.0), ("u3", "c", 4.0)],
    ),
    Case(
        name="bytes of texts in one part, of anything in another",
        origin="Parquet of two programs",
        files={
            "d/a.parquet": _parquet(user=[b"u1"], item=["a"]),
            "d/b.parquet": _parquet(user=[b"u1", b"\xff"], item=["a", "b"]),
        },
        source="d",
        error="hexadecimal digits, and in others not",
    ),
)
