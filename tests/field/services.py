"""Exports of services and programs, and what people make of tables in spreadsheets."""

from __future__ import annotations

from typing import Any

from field.case import Case, Row

_DAY, _SECOND = 1_614_902_400, 1_614_939_072
_AB: list[Row] = [("u1", "a", 3.0), ("u2", "b", 4.0)]


def _text(name: str, origin: str, text: str, rows: list[Row] | None = None, **more: Any) -> Case:
    return Case(name=name, origin=origin, files={"a.csv": text}, rows=rows, **more)


_ALONE = "put it in a folder that names them"
SERVICES = (
    _text(
        "payments",
        "Stripe",
        "id,Created (UTC),Amount,Customer ID,Customer Email,Product ID (metadata)\n"
        "ch_1,2021-03-05 10:11:12,12.50,cus_1,a@b.example,prod_9\n"
        "ch_2,2021-03-05 10:11:13,3.00,cus_2,d@e.example,prod_8\n",
        [("cus_1", "prod_9", None, _SECOND), ("cus_2", "prod_8", None, _SECOND + 1)],
    ),
    _text(
        "a collector's time",
        "Snowplow",
        "user_id,item_id,collector_tstamp\nu1,a,2021-03-05 10:11:12.345\n"
        "u2,b,2021-03-05 10:11:13.345\n",
        [("u1", "a", None, _SECOND), ("u2", "b", None, _SECOND + 1)],
    ),
    _text(
        "payments with date and time in two columns",
        "PayPal",
        "Date,Time,TimeZone,Name,From Email Address,Item ID,Quantity\n"
        "2021-03-05,10:11:12,UTC,Ann,a@b.example,M-1,1\n"
        "2021-03-05,10:11:13,UTC,Bob,d@e.example,P-1,2\n",
        [("a@b.example", "M-1", 1.0, _SECOND), ("d@e.example", "P-1", 2.0, _SECOND + 1)],
    ),
    _text(
        "lists of films",
        "MyAnimeList",
        "username,anime_id,my_score,my_status,my_last_updated\n"
        "ann,21,9,1,1362307973\nbob,59,7,2,1362923691\n",
        [("ann", 21, 9.0, 1362307973), ("bob", 59, 7.0, 1362923691)],
    ),
    _text(
        "products before people, without a header",
        "Amazon's ratings of 2018",
        "B00ABC1234,A1XYZABCDEFGHI,5.0,1614902400\n0123456789,A2XYZABCDEFGHI,4.0,1614902401\n",
        [
            ("A1XYZABCDEFGHI", "B00ABC1234", 5.0, _DAY),
            ("A2XYZABCDEFGHI", "0123456789", 4.0, _DAY + 1),
        ],
    ),
    *(
        _text(f"one person's own list: {service}", service, text, error=_ALONE)
        for service, text in (
            ("Netflix", "Title,Date\nHeat,3/5/21\nAlien,3/6/21\n"),
            ("Letterboxd", "Date,Name,Year,Rating\n2021-03-05,Heat,1995,4.5\n"),
            ("Goodreads", "Book Id,Title,Author,My Rating\n1,Emma,Austen,4\n2,Dune,Herbert,5\n"),
            ("Last.fm", "Artist,Album,Track,Date\nX,A,Y,05 Mar 2021 10:11\n"),
        )
    ),
    Case(
        name="own lists in folders that name their people",
        origin="Netflix, of several people",
        files={
            "d/user=ann/a.csv": "Title,Date\nHeat,2021-03-05\n",
            "d/user=bob/a.csv": "Title,Date\nAlien,2021-03-05\n",
        },
        source="d",
        options={"item": "Title"},
        rows=[("ann", "Heat", None, _DAY), ("bob", "Alien", None, _DAY)],
    ),
    Case(
        name="a folder of files that all lack the same column",
        origin="Netflix, of several people",
        files={
            "d/user=ann/a.csv": "Title,Date\nHeat,2021-03-05\n",
            "d/user=bob/a.csv": "Title,Date\nAlien,2021-03-05\n",
        },
        source="d",
        error="perhaps item='Title'",
    ),
    _text(
        "names of groups above the names of columns",
        "merged cells of a spreadsheet",
        "who,,what,\nuser,name,item,rating\nu1,Ann,a,3\nu2,Bob,b,4\n",
        _AB,
    ),
    _text(
        "a header of which one name is surely one",
        "a frame of histories, written as csv",
        "user\thistory\nu1\t[('a', 3), ('b', 4)]\nu2\t[('c', 1)]\n",
        error="no column is named like an item",
    ),
    _text(
        "a column for each film, without a header",
        "a matrix",
        "1,5,0,3,0,2\n2,0,4,0,1,0\n",
        error="melt",
    ),
    _text(
        "pairs of items and counts in cells",
        "a shop's baskets",
        "user\titems\nu1\ta:3,b:4\nu2\tc:1\n",
        [("u1", "a", 3.0), ("u1", "b", 4.0), ("u2", "c", 1.0)],
        notes=("the numbers beside them in column 'items' read as values",),
    ),
    _text(
        "ids with a word and a colon in cells are no pairs",
        "a shop of films and books",
        "user\titems\nu1\tfilm:3,film:4\nu2\tbook:7\n",
        [("u1", "film:3"), ("u1", "film:4"), ("u2", "book:7")],
    ),
    _text(
        "mappings in cells as JSON",
        "a document store, written as csv",
        'user,items\nu1,"{""a"": 3, ""b"": 4.5}"\nu2,"{""c"": 1}"\n',
        [("u1", "a", 3.0), ("u1", "b", 4.5), ("u2", "c", 1.0)],
    ),
    _text(
        "mappings of mappings in cells",
        "a document store, written as csv",
        "user,items\nu1,\"{'a': {'n': 3}}\"\nu2,\"{'c': {'n': 1}}\"\n",
        error="2 rows have an object",
    ),
    Case(
        name="times as seconds and nanoseconds",
        origin="Firestore",
        files={
            "a.jsonl": '{"user":"u1","item":"a","time":{"_seconds":1614939072,"_nanoseconds":0}}\n'
            '{"user":"u2","item":"b","time":{"seconds":1614939073,"nanos":5}}\n'
        },
        rows=[("u1", "a", None, _SECOND), ("u2", "b", None, _SECOND + 1)],
    ),
    *(
        Case(name=name, origin="a wrong file", files={"a.txt": text}, error=error)
        for name, text, error in (
            (
                "a log of a system",
                "Mar  5 10:11:12 host app[1]: u1 saw a\nMar  5 10:11:13 host app[1]: u2 saw b\n",
                "a log of a system",
            ),
            (
                "Vowpal Wabbit",
                "1 |user u1 |item i3\n-1 2.0 |user u2 |item i3\n",
                "Vowpal Wabbit's lines",
            ),
            ("a table of LaTeX", "u1 & a & 3 \\\\\nu2 & b & 4 \\\\\n", "a table of LaTeX"),
            ("keys of YAML", "u1:\n  a: 3\n  b: 4\nu2:\n  a: 1\n", "this is YAML"),
        )
    ),
    Case(
        name="records in the values of messages",
        origin="Kafka",
        files={
            "a.jsonl": '{"topic":"x","value":{"user_id":"u1","item_id":"a","rating":3}}\n'
            '{"topic":"x","value":{"user_id":"u2","item_id":"b","rating":4}}\n'
        },
        rows=_AB,
    ),
    Case(
        name="rows before and after a change",
        origin="Debezium",
        files={
            "a.jsonl": '{"before":null,"after":{"user_id":"u1","item_id":"a","rating":3}}\n'
            '{"before":{"user_id":"u2","item_id":"b","rating":1},'
            '"after":{"user_id":"u2","item_id":"b","rating":4}}\n'
        },
        rows=_AB,
    ),
    Case(
        name="an object without fields",
        origin="an API that had nothing to say",
        files={"a.json": "{}"},
        error="no columns",
    ),
    _text("edges of a graph", "Gephi", "source,target\nu1,a\nu2,b\n", error="named like"),
    _text(
        "two words that ask who and what",
        "a form",
        "who,what\nu1,a\nu2,b\n",
        error="give it as user=NAME",
    ),
    _text(
        "a word above dates, and one row",
        "Jira",
        "Issue key,Reporter,Created\nP-1,ann,2021-03-05\n",
        error="named like",
    ),
    _text(
        "a missing value in the first row, without a header",
        "PostgreSQL's COPY",
        "u1\ta\t\\N\nu2\tb\t4\nu3\tc\t5\n",
        error="1 row has a value in .* that is missing",
    ),
    _text(
        "lists within fields between Hive's signs",
        "Hive",
        "u1\x01a\x02b\nu2\x01c\n",
        [("u1", "a"), ("u1", "b"), ("u2", "c")],
    ),
    _text(
        "fields of field-aware machines", "libffm", "1 0:5:1 1:7:1\n0 0:6:1 1:8:1\n", error="libsvm"
    ),
    *(
        _text(
            f"a frame as {program} prints it",
            "a notebook, copied",
            f"  user item  rating\n{first}   u1    a       3\n{first + 1}   u2    b       4\n",
            _AB,
        )
        for program, first in (("pandas", 0), ("R", 1))
    ),
    _text(
        "numbers with eighteen digits",
        "numpy.savetxt",
        "1.000000000000000000e+00 1.000000000000000000e+01 3.000000000000000000e+00\n"
        "2.000000000000000000e+00 2.000000000000000000e+01 4.000000000000000000e+00\n",
        [(1, 10, 3.0), (2, 20, 4.0)],
        notes=("read as whole numbers",),
    ),
    _text(
        "ids that have lost characters",
        "an export through ASCII",
        "user,item\nM\ufffdller,a\nu2,b\n",
        [("M\ufffdller", "a"), ("u2", "b")],
        notes=("have lost characters",),
    ),
)
