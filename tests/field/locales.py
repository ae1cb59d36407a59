"""Dates and values as people write them in their own language; times of day beside days."""

from __future__ import annotations

import datetime
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa

from field.case import Case, Row, parquet

# 5 March 2021, and a second of that day: 10:11:12.
_DAY, _SECOND = 1_614_902_400, 1_614_939_072
_NEXT = 86_400


def _dates(name: str, origin: str, first: str, second: str, *times: int, **more: Any) -> Case:
    text = f"user;item;date\nu1;a;{first}\nu2;b;{second}\n"
    rows: list[Row] = [("u1", "a", None, times[0]), ("u2", "b", None, times[1])] if times else []
    return Case(name=name, origin=origin, files={"a.csv": text}, rows=rows or None, **more)


def _of_language(language: str, *writings: str) -> Case:
    first, second = (writing.format for writing in writings)
    return _dates(
        f"dates in words: {language}", "a spreadsheet", first(5), second(6), _DAY, _DAY + _NEXT
    )


def _values(name: str, first: str, second: str, *values: float) -> Case:
    return Case(
        name=name,
        origin="a page of reviews",
        files={"a.csv": f"user;item;rating\nu1;a;{first}\nu2;b;{second}\n"},
        rows=[("u1", "a", values[0]), ("u2", "b", values[1])],
    )


def _beside(name: str, origin: str, text: str, **more: Any) -> Case:
    """A file whose users u1 and u2 act on 5 and 6 March 2021 at 10:11:12 and 10:11:13."""
    rows: list[Row] = [("u1", "a", None, _SECOND), ("u2", "b", None, _SECOND + _NEXT + 1)]
    return Case(name=name, origin=origin, files={"a.csv": text}, **{"rows": rows, **more})


_TABLE = {
    "user": ["u1", "u2"],
    "item": ["a", "b"],
    "date": [datetime.date(2021, 3, 5), datetime.date(2021, 3, 6)],
    "time": [datetime.time(10, 11, 12), datetime.time(10, 11, 13)],
}
_ROWS: list[Row] = [("u1", "a", None, _SECOND), ("u2", "b", None, _SECOND + _NEXT + 1)]


LOCALES = (
    *(
        _of_language(*row)
        for row in (
            ("German", "{}. März 2021", "Samstag, {}. März 2021"),
            ("German, shortened", "{}. Mrz 2021", "{} Mär. 2021"),
            ("French", "{} mars 2021", "samedi {} mars 2021"),
            ("Spanish", "{} de marzo de 2021", "{} de marzo del 2021"),
            ("Portuguese", "{} de março de 2021", "{} de marco de 2021"),
            ("Dutch", "{} maart 2021", "{}-mrt-2021"),
            ("Italian", "{} marzo 2021", "{} Marzo 2021"),
            ("Polish", "{} marca 2021", "{} marca 2021 r."),
            ("Russian", "{} марта 2021", "{} марта 2021 г."),
            ("Turkish", "{} Mart 2021", "{} mart 2021"),
            ("English with ordinals", "{}th March 2021", "March {}th, 2021"),
        )
    ),
    _dates("the first day", "French", "1er décembre 2021", "2 déc. 2021", 1638316800, 1638403200),
    _dates(
        "a date in words with its time",
        "a German report",
        "5. März 2021 um 10:11 Uhr",
        "5. März 2021, 10:11:12",
        _SECOND - 12,
        _SECOND,
    ),
    _dates(
        "a month that means two in two languages",
        "Polish and Croatian",
        "5 listopada 2021",
        "6 listopada 2021",
        error="no time",
    ),
    _dates(
        "zones by name",
        "programs of banks and shops",
        "2021-03-05 05:11:12 EST",
        "2021-03-05 11:11:12 CET",
        _SECOND,
        _SECOND,
    ),
    _dates(
        "a zone whose name means two",
        "China and Chicago",
        "2021-03-05 05:11:12 CST",
        "2021-03-06 05:11:12 CST",
        error="no time",
    ),
    _dates("before 1970", "an archive", "1965-03-01", "1969-12-31", -152668800, -86400),
    _dates("seconds before 1970", "an archive", "-86400", "-172800", -86400, -172800),
    _values("four of five", "4 of 5", "5 of 5", 4, 5),
    _values("four of five in German", "4 von 5", "3,5 von 5 Sternen", 4, 3.5),
    _values("four of five in French", "4 sur 5", "3,5 sur 5", 4, 3.5),
    _values("exponents behind decimal commas", "1,5E+03", "2,5E-01", 1500, 0.25),
    _beside(
        "day and time of day in German",
        "a till",
        "Kunde;Datum;Uhrzeit;Artikel\nu1;05.03.2021;10:11:12;a\nu2;06.03.2021;10:11:13;b\n",
    ),
    _beside(
        "day and time of day with AM and PM",
        "a till",
        "date,time,user,item\n2021-03-05,10:11:12 AM,u1,a\n2021-03-06,10:11:13 a.m.,u2,b\n",
    ),
    _beside(
        "a day whose order the column tells beside a time of day",
        "a till in America",
        "Date,Time,user,item\n3/5/2021,10:11:12,u1,a\n3/26/2021,10:11:13,u2,b\n",
        rows=[("u1", "a", None, _SECOND), ("u2", "b", None, _SECOND + 21 * _NEXT + 1)],
    ),
    _beside(
        "a day written as a number beside a time of day",
        "SAP",
        "date,time,user,item\n20210305,10:11:12,u1,a\n20210306,10:11:13,u2,b\n",
    ),
    _beside(
        "a time of day that is missing is midnight",
        "a till",
        "date,time,user,item\n2021-03-05,10:11:12,u1,a\n2021-03-06,,u2,b\n",
        rows=[("u1", "a", None, _SECOND), ("u2", "b", None, _DAY + _NEXT)],
    ),
    _beside(
        "times of day of which there is none",
        "a till whose clock nobody set",
        "date,time,user,item\n2021-03-05,,u1,a\n2021-03-06,,u2,b\n",
        rows=[("u1", "a", None, _DAY), ("u2", "b", None, _DAY + _NEXT)],
    ),
    _beside(
        "what is no time of day beside a day",
        "a till",
        "date,time,user,item\n2021-03-05,10:11:12,u1,a\n2021-03-06,noon,u2,b\n",
        rows=None,
        error="no time in column 'time'",
    ),
    _beside(
        "a span of time is no time of day",
        "a video service",
        "date,duration,user,item\n2021-03-05,10:11:12,u1,a\n2021-03-06,10:11:13,u2,b\n",
        rows=[("u1", "a", None, _DAY), ("u2", "b", None, _DAY + _NEXT)],
        notes=("not read: duration",),
    ),
    _beside(
        "a day that the caller names stays alone",
        "a till",
        "date,time,user,item\n2021-03-05,10:11:12,u1,a\n2021-03-06,10:11:13,u2,b\n",
        options={"time": "date"},
        rows=[("u1", "a", None, _DAY), ("u2", "b", None, _DAY + _NEXT)],
    ),
    _beside(
        "day and time of day without a header",
        "a log",
        "u1,a,2021-03-05,10:11:12,4\nu2,b,2021-03-06,10:11:13,5\n",
        rows=[("u1", "a", 4.0, _SECOND), ("u2", "b", 5.0, _SECOND + _NEXT + 1)],
    ),
    Case(
        name="day and time of day in JSON lines",
        origin="an API of a till",
        files={
            "a.jsonl": '{"user":"u1","item":"a","date":"2021-03-05","time":"10:11:12"}\n'
            '{"user":"u2","item":"b","date":"2021-03-06","time":"10:11:13"}\n'
        },
        rows=_ROWS,
    ),
    Case(
        name="day and time of day in Parquet",
        origin="a warehouse",
        files={"a.parquet": parquet(pa.table(_TABLE))},
        rows=_ROWS,
    ),
    Case(
        name="day and time of day in pandas",
        origin="read_sql",
        source=lambda: pd.DataFrame(_TABLE),
        rows=_ROWS,
    ),
    Case(
        name="day and time of day in DuckDB",
        origin="a relation",
        source=lambda: duckdb.sql(
            "select 'u1' as user, 'a' as item, date '2021-03-05' as date, time '10:11:12' as time"
        ),
        rows=_ROWS[:1],
    ),
)
