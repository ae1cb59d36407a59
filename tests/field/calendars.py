"""Times over several columns, by weeks and days of years, and counts of days with fractions."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pyarrow as pa

from field.case import Case, Row

# 5 March 2021, and a second of that day: 10:11:12.
_DAY, _SECOND = 1_614_902_400, 1_614_939_072
_LAST = 1_640_908_800  # 31 December 2021


def _times(name: str, origin: str, first: str, second: str, *times: int, **more: Any) -> Case:
    column = more.pop("column", "date")
    rows: list[Row] = [("u1", "a", None, times[0]), ("u2", "b", None, times[1])]
    text = f'user,item,{column}\nu1,a,"{first}"\nu2,b,"{second}"\n'
    return Case(name=name, origin=origin, files={"a.csv": text}, rows=rows, **more)


def _columns(name: str, origin: str, text: str, *times: int, **more: Any) -> Case:
    rows: list[Row] = [("u1", "a", None, times[0]), ("u2", "b", None, times[1])]
    return Case(name=name, origin=origin, files={"a.csv": text}, rows=rows, **more)


_YMD = {"user": ["u1", "u2"], "item": ["a", "b"], "year": [2021, 2021], "month": [3, 12]}
_WEEK = 1_707_696_000  # Monday, 12 February 2024

CALENDARS = (
    _times("days of weeks", "ISO 8601", "2024-W05-3", "2020-W53-7", 1706659200, 1609632000),
    _times("weeks begin on Monday", "ISO 8601", "2024-W05", "2019-W01", 1706486400, 1546214400),
    _times("days of years", "ISO 8601", "2024-123", "2023-365", 1714608000, 1703980800),
    _times(
        "days of years as numbers",
        "a mainframe",
        "2024123",
        "2023365",
        1714608000,
        1703980800,
        notes=("dates written as numbers",),
    ),
    _times("hours as numbers", "an analysis", "2021030510", "2021030511", 1614938400, 1614942000),
    _times(
        "Julian days",
        "an observatory's database",
        "2459278.9244444",
        "2459279.5",
        _SECOND,
        _DAY + 86400,
        notes=("Julian days",),
    ),
    _times("whole Julian days", "R", "2459279", "2459280", _DAY, _DAY + 86400),
    _times(
        "fractions of a spreadsheet's days",
        "Excel",
        "44260.4244444444",
        "44260.75",
        _SECOND,
        _DAY + 64800,
        notes=("a spreadsheet's days",),
    ),
    _times(
        "milliseconds before 1970",
        "births",
        "-1000",
        "1614939072000",
        -1,
        _SECOND,
        column="t",
        options={"time": "t"},
    ),
    _times(
        "slashes and a zone",
        "a service",
        "2021/03/05T10:11:12Z",
        "2021/03/05 10:11:12+00:00",
        _SECOND,
        _SECOND,
    ),
    _columns(
        "year, month and day in columns",
        "a warehouse",
        "user,item,year,month,day\nu1,a,2021,3,5\nu2,b,2021,12,31\n",
        *(_DAY, _LAST),
        notes=("time = year, month = month, day = day",),
    ),
    _columns(
        "year, month and day in German",
        "a till",
        "Kunde;Artikel;Jahr;Monat;Tag\nu1;a;2021;3;5\nu2;b;2021;12;31\n",
        *(_DAY, _LAST),
    ),
    _columns(
        "year and month in columns",
        "monthly reports",
        "user,item,year,month\nu1,a,2021,3\nu2,b,2021,12\n",
        *(_DAY - 4 * 86400, _LAST - 30 * 86400),
    ),
    _columns(
        "all parts of a time in columns",
        "ratings of films",
        "user,item,date_day,date_month,date_year,date_hour,date_minute,date_second\n"
        "u1,a,5,3,2021,10,11,12\nu2,b,31,12,2021,0,0,0\n",
        *(_SECOND, _LAST),
    ),
    _columns(
        "a time of day beside year, month and day",
        "a till",
        "user,item,year,month,day,time\nu1,a,2021,3,5,10:11:12\nu2,b,2021,12,31,00:00\n",
        *(_SECOND, _LAST),
    ),
    *(
        _columns(
            f"a time of day as a number: {first}",
            "a till",
            f"{header}\nu1,a,{first}\nu2,b,{second}\n",
            *times,
        )
        for header, first, second, times in (
            ("user,item,date,hour", "2021-03-05,10", "2021-03-05,0", (_DAY + 36000, _DAY)),
            ("user,item,date,time", "20210305,1011", "20210305,9", (_SECOND - 12, _DAY + 540)),
            ("user,item,date,time", "20210305,101112", "20210305,9", (_SECOND, _DAY + 9)),
        )
    ),
    Case(
        name="nanoseconds as texts in JSON lines",
        origin="an API of logs",
        files={
            "a.jsonl": '{"user":"u1","item":"a","ts":"1614939072000000000"}\n'
            '{"user":"u2","item":"b","ts":"1614939073000000000"}\n'
        },
        rows=[("u1", "a", None, _SECOND), ("u2", "b", None, _SECOND + 1)],
    ),
    Case(
        name="year and month in a frame",
        origin="pandas' dt accessor",
        source=lambda: pd.DataFrame(_YMD),
        rows=[("u1", "a", None, _DAY - 4 * 86400), ("u2", "b", None, _LAST - 30 * 86400)],
    ),
    Case(
        name="year, month and day as floats",
        origin="a column with gaps",
        source=lambda: pa.table({**_YMD, "month": [3.0, 12.0], "day": [5.0, 31.0]}),
        rows=[("u1", "a", None, _DAY), ("u2", "b", None, _LAST)],
    ),
    Case(
        name="year, month and day in JSON lines",
        origin="an API",
        files={
            "a.jsonl": '{"user":"u1","item":"a","year":2021,"month":3,"day":5}\n'
            '{"user":"u2","item":"b","year":2021,"month":12,"day":31}\n'
        },
        rows=[("u1", "a", None, _DAY), ("u2", "b", None, _LAST)],
    ),
    Case(
        name="year, month and day in the names of folders",
        origin="Spark's partitionBy",
        files={
            "d/year=2021/month=03/day=05/p.csv": "user,item\nu1,a\n",
            "d/year=2021/month=12/day=31/p.csv": "user,item\nu2,b\n",
        },
        source="d",
        rows=[("u1", "a", None, _DAY), ("u2", "b", None, _LAST)],
    ),
    Case(
        name="a film's year is no time",
        origin="ratings with what they rate",
        files={"a.csv": "user,item,title,year,rating\nu1,a,Heat,1995,4\nu2,b,Alien,1979,3\n"},
        rows=[("u1", "a", 4.0, None), ("u2", "b", 3.0, None)],
    ),
    Case(
        name="a day that the calendar hasn't",
        origin="a till",
        files={"a.csv": "user,item,year,month,day\nu1,a,2021,2,30\nu2,b,2021,12,31\n"},
        error="1 row has no time in column 'year'",
    ),
    *(
        Case(
            name=f"weeks of a year in one column: {name}, {first}",
            origin="sales reports by week",
            files={"a.csv": f"user,item,{name}\nu1,a,{first}\nu2,b,{second}\n"},
            rows=[("u1", "a", None, _WEEK), ("u2", "b", None, _WEEK + 7 * 86_400)],
        )
        for name in ("yearweek", "ISO week", "year_week", "kw", "order_week")
        for first, second in (("202407", "202408"), ("2024-W07", "2024-W08"))
    ),
    *(
        Case(
            name=f"months of a year in one column: {name}, {first}",
            origin="sales reports by month",
            files={"a.csv": f"user,item,{name}\nu1,a,{first}\nu2,b,{second}\n"},
            rows=[("u1", "a", None, 1_719_792_000), ("u2", "b", None, 1_722_470_400)],
        )
        for name in ("yearmonth", "month", "Jahr_Monat")
        for first, second in (("202407", "202408"), ("2024-07", "2024-08"))
    ),
    *(
        Case(
            name=f"a {name} of a year in words: {first}",
            origin="sales reports",
            files={"a.csv": f"user,item,{name}\nu1,a,{first}\nu2,b,{second}\n"},
            rows=[("u1", "a", None, 1_704_067_200), ("u2", "b", None, 1_711_929_600)],
        )
        for name, first, second in (
            ("quarter", "2024-Q1", "2024-Q2"),
            ("Quartal", "2024 Q1", "2024 Q2"),
            ("month", "January 2024", "April 2024"),
            ("Monat", "Januar 2024", "April 2024"),
        )
    ),
    Case(
        name="a week alone is no time",
        origin="sales reports by week",
        files={"a.csv": "user,item,week\nu1,a,7\nu2,b,8\n"},
        rows=[("u1", "a", None, None), ("u2", "b", None, None)],
        notes=("not read: week",),
    ),
    Case(
        name="weeks named as the time",
        origin="sales reports by week",
        files={"a.csv": "user,item,yearweek\nu1,a,202453\nu2,b,202501\n"},
        options={"time": "yearweek"},
        error="1 row has a week that its year doesn't have.*line 2",
    ),
    Case(
        name="milliseconds beside a day",
        origin="a log of videos",
        files={
            "a.csv": "user_id,video_id,date,time_ms\nu1,a,20210305,1614939072123\n"
            "u2,b,20210305,1614939073123\n"
        },
        rows=[("u1", "a", None, _SECOND), ("u2", "b", None, _SECOND + 1)],
    ),
)
