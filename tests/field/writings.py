"""Text that looks clear and isn't: thousands, units, joined files, blanks around quotes."""

from __future__ import annotations

import re
from functools import partial

from field.case import Case, column

_ROWS = [("u1", "a", 4.0), ("u2", "b", 3.0)]
_POINT = ("'2.500' read with a decimal point .*decimal=','.*",)


_values = partial(column, "plays")


def _read(*values: float) -> list[tuple[str, str, float]]:
    return [(f"u{n}", "a", value) for n, value in enumerate(values)]


def _refused(name: str, origin: str, texts: tuple[str, ...], error: str) -> Case:
    return Case(name=name, origin=origin, files=_values(*texts), error=error)


WRITINGS = (
    Case(
        name="all values are like 2.500",
        origin="a German till's pieces, or kilograms with three decimals",
        files=_values("2.500", "1.250", "12.000"),
        rows=_read(2.5, 1.25, 12),
        notes=_POINT,
    ),
    Case(
        name="all values are like 2.500, without a header",
        origin="the same, exported without names",
        files={"a.csv": "1;10;2.500\n2;20;1.250\n3;10;12.000\n"},
        rows=[(1, 10, 2.5), (2, 20, 1.25), (3, 10, 12.0)],
        notes=_POINT,
    ),
    Case(
        name="2.500 beside 500",
        origin="counts with points as thousands",
        files=_values("2.500", "500", "750"),
        rows=_read(2.5, 500, 750),
        notes=_POINT,
    ),
    Case(
        name="texts like 2.500 in JSON",
        origin="a shop's API that gives numbers as texts",
        files={"a.jsonl": '{"user":"u1","item":"a","rating":"2.500"}\n'},
        rows=[("u1", "a", 2.5)],
        notes=_POINT,
    ),
    Case(
        name="euros like 2.500",
        origin="a till's export",
        files=_values("€2.500", "€1.000"),
        rows=_read(2.5, 1),
        notes=("'€2.500' read with a decimal point",),
    ),
    Case(
        name="thousands with thin spaces",
        origin="typeset tables",
        files=_values("1\u2009234", "12\u2009345\u2009678"),
        rows=_read(1234, 12345678),
    ),
    _refused("per cent beside shares", "merged exports", ("80%", "0.8"), "80%"),
    _refused("truth beside numbers", "merged exports", ("true", "3"), "true"),
    _refused("negative amounts in brackets", "accounts", ("($3.50)", "($4.00)"), "3.50"),
    *(
        Case(
            name=f"negative numbers of accounts: {first}",
            origin=origin,
            files={"a.csv": f"user;item;qty\nu1;a;{first}\nu2;b;{second}\nu3;c;{third}\n"},
            options=options,
            rows=[("u1", "a", right[0]), ("u2", "b", right[1]), ("u3", "c", right[2])],
            notes=(f"numbers such as {re.escape(repr(first))} read as negative",),
        )
        for origin, first, second, third, right, options in (
            ("Excel", "(12.50)", "3.00", "4", (-12.5, 3, 4), {}),
            ("Excel", "(1,212.50)", "3,000", "4", (-1212.5, 3000, 4), {}),
            ("QuickBooks", "($12.50)", "$3.00", "$4.25", (-12.5, 3, 4.25), {}),
            ("SAP", "12.50-", "3.00", "4.25", (-12.5, 3, 4.25), {}),
            ("SAP", "1.212,50-", "3,00", "1.000-", (-1212.5, 3, -1000), {}),
            ("SAP", "2,50-", "3-", "4,25", (-2.5, -3, 4.25), {}),
            ("SAP", "1.212-", "3", "4", (-1212, 3, 4), {"decimal": ","}),
        )
    ),
    _refused("a span is no number of accounts", "a form", ("3-5", "4-"), "3-5"),
    _refused("footnotes behind numbers", "typeset tables", ("4²", "3²"), "4²"),
    Case(
        name="an object around a number",
        origin="a nested document",
        files={"a.jsonl": '{"user":"u1","item":"a","rating":{"x":3.5}}\n'},
        error="x",
    ),
    Case(
        name="nothing but zeros",
        origin="a column that was never filled",
        files=_values("0", "0"),
        rows=_read(0, 0),
        notes=("all values are 0",),
    ),
    Case(
        name="months of another language that begin as English ones do",
        origin="a Finnish log: 5 November",
        files={"a.csv": "user;item;time\nu1;a;5 marraskuuta 2019\n"},
        error="marraskuuta",
    ),
    *(
        Case(
            name=f"blanks between {sign} and quotes",
            origin="text written by hand or by a loop",
            files={
                "a.csv": f'"user"{sign}"item"{sign}"rating"\n"u, 1"{sign}"a"{sign}4\n'
                f'"u2"{sign}"b"{sign}3\n'
            },
            rows=[("u, 1", "a", 4.0), ("u2", "b", 3.0)],
        )
        for sign in (", ", " , ", "; ")
    ),
    Case(
        name="a count without a name",
        origin="groupby(...).size().reset_index() of pandas",
        files={"a.csv": "user,item,0\nu1,a,4\nu2,b,3\n"},
        rows=[("u1", "a"), ("u2", "b")],
        notes=("not read: 0",),
    ),
    Case(
        name="a header further down with the columns in another order",
        origin="cat of exports by two programs",
        files={"a.csv": "user,item\n1,10\n2,20\nitem,user\n30,3\n"},
        error="another order.*line 4",
    ),
    Case(
        name="a header further down with other names",
        origin="cat of exports by two programs",
        files={"a.csv": "user,item\n1,10\n2,20\nuserId,itemId\n3,30\n"},
        rows=[(1, 10), (2, 20), (3, 30)],
        notes=("repeats? of the header",),
    ),
    *(
        Case(
            name=f"the header {again!r} further down",
            origin="parts joined by different hands",
            files={"a.csv": f"{header}\nu1,a\n{again}\nu2,b\n"},
            rows=[("u1", "a"), ("u2", "b")],
            notes=("repeats? of the header",),
        )
        for header, again in (
            ("Usuário,Item #", "USUÁRIO,item # "),
            ("user,item", " User , ITEM "),
            ("user_id:token,item_id:token", "user_id:token,item_id:token"),
        )
    ),
    *(
        Case(
            name=f"below the header stands {below}",
            origin=origin,
            files={"a.csv": f"user,item\n{below}\n1,2\n3,4\n"},
            rows=[(1, 2), (3, 4)],
            notes=("left out the line below the header",),
        )
        for below, origin in (
            ("int64,int64", "tables with types"),
            ("VARCHAR(20),varchar(8)", "tables with types"),
        )
    ),
    Case(
        name="a line of means",
        origin="a report",
        files={"a.csv": "user,item,rating\nu1,a,4\nu2,b,3\nMean,all,3.5\n"},
        error="total in place of the user.*line 4",
    ),
    Case(
        name="failed formulas are no ids",
        origin="spreadsheets",
        files={"a.csv": "user,item\nu1,#REF!\nu2,b\nu3,#VALUE!\n"},
        options={"on_bad": "skip"},
        rows=[("u2", "b")],
    ),
    Case(
        name="numbers too wide for their cells",
        origin="spreadsheets printed as text",
        files={"a.csv": "user,item\nu1,########\nu2,b\n"},
        rows=[("u1", "########"), ("u2", "b")],
        notes=("may stand for many",),
    ),
    Case(
        name="digits lost by a spreadsheet with decimal commas",
        origin="spreadsheets",
        files={"a.csv": "user;item\nu1;9,78014E+12\nu2;9,78055E+12\n"},
        rows=[("u1", "9,78014E+12"), ("u2", "9,78055E+12")],
        notes=("lost digits",),
    ),
    Case(
        name="zero bytes that fill fields",
        origin="texts of a fixed width in C",
        files={"a.csv": "user,item,rating\nu1\0\0,a,4\nu2\0\0,b,3\n"},
        rows=_ROWS,
        notes=("stripped",),
    ),
    *(
        Case(
            name=f"ids that differ in what is hardly seen: {odd!a}",
            origin="copied from web pages",
            files={"a.csv": f"user,item\n{odd},a\nAnna B,b\n"},
            rows=[(odd, "a"), ("Anna B", "b")],
            notes=("1 id like",),
        )
        for odd in ("An\u200bna B", "An\u00adna B", "Anna  B", "Anna\u00a0B")
    ),
)
