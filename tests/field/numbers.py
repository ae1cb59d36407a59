"""Values: decimal commas, thousands, shares, stars."""

from __future__ import annotations

from functools import partial

from field.case import Case, column

_values = partial(column, "rating")


def _rows(*values: float) -> list[tuple[str, str, float]]:
    return [(f"u{n}", "a", value) for n, value in enumerate(values)]


NUMBERS = (
    *(
        Case(
            name=f"{yes} and {no}",
            origin="a form",
            files=_values(yes, no, yes),
            rows=_rows(1, 0, 1),
            notes=(f"words such as {yes!r} read as 1 and 0",),
        )
        for yes, no in (
            *(("👍🏽", "👎"), ("thumbs up", "Thumbs Down"), ("like", "dislike"), ("✓", "✗")),
            *(("نعم", "لا"), ("हाँ", "नहीं")),
        )
    ),
    Case(
        name="a dash before a number",
        origin="typeset tables",
        files=_values("–3", "4"),
        rows=_rows(-3, 4),
    ),
    Case(
        name="decimal commas",
        origin="spreadsheets of most of Europe",
        files=_values("4,5", "3", "2,25"),
        rows=_rows(4.5, 3, 2.25),
        notes=("decimal comma",),
    ),
    Case(
        name="thousands with commas and decimals",
        origin="sales figures",
        files=_values("1,234.50", "3", "12,345,678"),
        rows=_rows(1234.5, 3, 12345678),
        notes=("thousands",),
    ),
    Case(
        name="one comma and three digits is not guessed",
        origin="1,234 plays, or 1.234 kilograms",
        files=_values("1,234", "3"),
        error="decimal",
    ),
    Case(
        name="one comma and three digits, said",
        origin="1,234 plays",
        files=_values("1,234", "3"),
        options={"decimal": "."},
        rows=_rows(1234, 3),
    ),
    Case(
        name="thousands with points, said",
        origin="German sales figures",
        files=_values("1.234,5", "3"),
        options={"decimal": ","},
        rows=_rows(1234.5, 3),
    ),
    Case(
        name="out of five",
        origin="scraped reviews",
        files=_values("4.5/5", "3/5"),
        rows=_rows(4.5, 3),
        notes=("4.5/5",),
    ),
    Case(
        name="per cent",
        origin="progress in books and films",
        files=_values("80 %", "35%"),
        rows=_rows(80, 35),
        notes=("80 %",),
    ),
    Case(
        name="stars",
        origin="scraped reviews",
        files=_values("★★★★☆", "★★"),
        rows=_rows(4, 2),
        notes=("★",),
    ),
    Case(
        name="most odd cells have one shape",
        origin="scraped reviews",
        files=_values("4 stars", "3 stars", "5"),
        error="4 stars",
    ),
    Case(
        name="a negative value is noted",
        origin="returns in invoices",
        files=_values("3", "-1"),
        rows=_rows(3, -1),
        notes=("negative.*min.value",),
    ),
    Case(
        name="points of thousands beside decimal commas in euros",
        origin="a till's export",
        files=_values("1.000 €", "3,50 €"),
        rows=_rows(1000, 3.5),
    ),
    Case(
        name="dollars of thousands",
        origin="a report",
        files=_values("$1,234.50", "$3"),
        rows=_rows(1234.5, 3),
    ),
    Case(
        name="a point where commas were said",
        origin="merged exports",
        files=_values("4,5", "4.5"),
        options={"decimal": ","},
        error="4.5",
    ),
    Case(
        name="a comma where points were said",
        origin="merged exports",
        files=_values("4,5", "4.5"),
        options={"decimal": "."},
        error="4,5",
    ),
    Case(
        name="months of which one has thousands only",
        origin="a folder of a till's monthly exports",
        files={
            "01.csv": "user;item;hours\nu0;a;1.000\nu1;b;2.500\n",
            "02.csv": "user;item;hours\nu0;b;4,5\n",
        },
        source=".",
        rows=[("u0", "a", 1000.0), ("u1", "b", 2500.0), ("u0", "b", 4.5)],
        notes=("decimal commas",),
    ),
    Case(
        name="months of which one has points",
        origin="a folder of exports of two programs",
        files={
            "01.csv": "user;item;hours\nu0;a;1.5\nu1;b;2.5\n",
            "02.csv": "user;item;hours\nu0;b;4,5\n",
        },
        source=".",
        error="decimal",
    ),
    Case(
        name="stars of asterisks",
        origin="scraped reviews",
        files={"a.csv": "user,item,rating\nu1,a,*****\nu2,b,***\n"},
        rows=[("u1", "a", 5.0), ("u2", "b", 3.0)],
    ),
    Case(
        name="out of five with commas",
        origin="scraped reviews",
        files={"a.csv": "user;item;rating\nu1;a;4,5/5\nu2;b;3/5\n"},
        rows=[("u1", "a", 4.5), ("u2", "b", 3.0)],
    ),
    Case(
        name="thousands with spaces",
        origin="French statistics",
        files={"a.csv": "user;item;plays\nu1;a;1 234\nu2;b;3\n"},
        rows=[("u1", "a", 1234.0), ("u2", "b", 3.0)],
    ),
    Case(
        name="yes and no",
        origin="surveys",
        files={"a.csv": "user,item,liked\nu1,a,yes\nu2,b,no\n"},
        rows=[("u1", "a", 1.0), ("u2", "b", 0.0)],
        notes=("min.value",),
    ),
    Case(
        name="out of different numbers is not guessed",
        origin="merged reviews",
        files={"a.csv": "user,item,rating\nu1,a,4/5\nu2,b,8/10\n"},
        error="4/5",
    ),
    Case(
        name="both decimal signs are not guessed",
        origin="merged exports",
        files={"a.csv": "user;item;rating\nu1;a;4,5\nu2;b;3.5\n"},
        error="decimal",
    ),
    *(
        Case(
            name=f"multiples such as {first} are no numbers",
            origin="views and followers as pages show them",
            files=_values(first, second),
            error="no value of column 'rating' is a finite number",
        )
        for first, second in (
            ("1.2k", "3k"),
            ("1.2 M", "3 M"),
            ("3万", "4万"),
            ("2 Mio.", "3 Mio."),
        )
    ),
    Case(
        name="on and off",
        origin="check boxes of web forms",
        files=_values("on", "off"),
        rows=_rows(1, 0),
    ),
)
