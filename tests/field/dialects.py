"""Text as programs and people write it: escapes, titles, headers that only words show, dates."""

from __future__ import annotations

from typing import Any

from field.case import Case, Row

_HEAD = "user,item,rating\n"
_AB: list[Row] = [("u1", "a", 3.0), ("u2", "b", 4.0)]


def _text(name: str, origin: str, text: str | bytes, rows: list[Row] | None, **more: Any) -> Case:
    return Case(name=name, origin=origin, files={"a.csv": text}, rows=rows, **more)


def _picked(n: int) -> list[str]:
    """Some items of a user, of which others have some too."""
    return [f"i{(n + step * step) % 7}" for step in range(2 + n % 3)]


def _values(name: str, origin: str, *cells: str, values: tuple[float, ...], **more: Any) -> Case:
    lines = "".join(f"u{n};i{n};{cell}\n" for n, cell in enumerate(cells))
    rows: list[Row] = [(f"u{n}", f"i{n}", value) for n, value in enumerate(values)]
    return _text(name, origin, "user;item;rating\n" + lines, rows, **more)


def _time(name: str, origin: str, cell: str, second: int | None, **more: Any) -> Case:
    column = more.pop("column", "date")
    text = f'user,item,{column}\nu1,a,"{cell}"\nu2,b,"{cell}"\n'
    rows: list[Row] = [("u1", "a", None, second), ("u2", "b", None, second)]
    return _text(name, origin, text, None if second is None else rows, **more)


_SHOP: list[Row] = [(1, "A1", 2.0), (2, "A2", 1.0)]
DIALECTS = (
    _text(
        "a backslash before a quote",
        "MySQL's dumps",
        'user,item\nu1,"a \\"x\\", b"\nu2,c\n',
        [("u1", 'a "x", b'), ("u2", "c")],
        notes=("quotes after",),
    ),
    _text(
        "a backslash that ends a quoted path",
        "Windows",
        'user,item\nu1,"C:\\"\nu2,"D:\\"\n',
        [("u1", "C:\\"), ("u2", "D:\\")],
    ),
    _text(
        "lines of blanks",
        "an editor",
        "user,item,rating\n  \nu1,a,3\n \nu2,b,4\n  \n",
        _AB,
    ),
    _text(
        "fields between Hive's signs",
        "Hive",
        "u1\x01a1\x013\nu2\x01b2\x014\n",
        [("u1", "a1"), ("u2", "b2")],
    ),
    _text(
        "a header behind a sign of comment",
        "awk",
        "#user,item\nu1,a\nu2,b\n",
        [("u1", "a"), ("u2", "b")],
    ),
    _text(
        "a title filled up with delimiters",
        "Excel",
        "My Shop,,\n,,\n" + _HEAD + "u1,a,3\nu2,b,4\n",
        _AB,
        notes=("left out the lines above the header",),
    ),
    _text(
        "a header of two words each above one row",
        "a form's first answer",
        "Kunden Name,Film Titel\nann,Heat\n",
        [("ann", "Heat")],
    ),
    _text(
        "a header of which one name is usual above one row",
        "a form's first answer",
        "user,movie seen\nann,Heat\n",
        None,
        error="perhaps item='movie seen'",
    ),
    _text(
        "a header of one word each above few rows",
        "a video service",
        "profile,item\nann,a\nbob,b\n",
        [("ann", "a"), ("bob", "b")],
    ),
    _text(
        "a header that the caller's names show",
        "a form's first answer",
        "who,thing\nann,Heat\n",
        [("ann", "Heat")],
        options={"user": "who", "item": "thing"},
    ),
    _text(
        "a zero byte within an id",
        "a damaged export",
        "user,item\nu\x001,a\nu2,b\n",
        None,
        error="a zero byte, a boolean, a date or an inexact number as user id",
    ),
    _text(
        "judgements of a search engine",
        "TREC",
        "1 0 doc1 1\n1 0 doc2 0\n2 0 doc1 2\n",
        [(1, "doc1", 1.0), (1, "doc2", 0.0), (2, "doc1", 2.0)],
    ),
    _text(
        "learning to rank",
        "LETOR",
        "2 qid:1 1:0.5 2:0.3 #doc1\n0 qid:1 1:0.1 2:0.2 #doc2\n",
        None,
        error="index:value",
    ),
    _text(
        "ratings as a matrix without a header",
        "Jester",
        "99,-7.82,8.79,-9.66\n4,4.08,-0.29,6.36\n",
        None,
        error="write a row for each user and item",
    ),
    _values(
        "India's thousands",
        "a till in Mumbai",
        "1,23,456.50",
        "2,34,567.00",
        "12.50",
        values=(123456.5, 234567.0, 12.5),
    ),
    _values(
        "narrow blanks between thousands",
        "a French report",
        "1\u202f234,50",
        "2\u00a0000,00",
        "12,50",
        values=(1234.5, 2000.0, 12.5),
    ),
    _values("a minus of typesetters", "a spreadsheet", "\u22121", "2", values=(-1.0, 2.0)),
    _time(
        "a spreadsheet's day in a column named in Spanish",
        "Excel",
        "43831",
        1577836800,
        column="fecha",
    ),
    _time("days since 1970", "R", "18262", 1577836800, notes=("days since 1970",)),
    _time(
        "a date of .NET in JSON", ".NET", "/Date(1614939072000+0100)/", 1614939072, column="time"
    ),
    _time(
        "a date of Java with its region",
        "Java",
        "2021-03-05T10:11:12+01:00[Europe/Berlin]",
        1614935472,
    ),
    _time("a date in small letters", "RFC 3339", "2021-03-05t10:11:12z", 1614939072),
    _time("a date and at", "a takeout", "March 5, 2021 at 10:11 AM", 1614939060),
    _time("a date with its weekday", "an e-reader", "Friday, March 5, 2021", 1614902400),
    _time("a date of Japan", "a Japanese shop", "2021年3月5日", 1614902400),
    _time("a date of Korea", "a Korean shop", "2021. 3. 5.", 1614902400),
    _time("a time of Germany", "a German shop", "05.03.2021 10:11 Uhr", 1614939060),
    *(
        _text(f"a header in {language}", "a shop's export", f"{header}\n1;A1;2\n2;A2;1\n", _SHOP)
        for language, header in (
            ("Spanish, shortened", "Cód. cliente;Cód. artículo;Cantidad"),
            ("Italian", "Codice Cliente;Codice Articolo;Quantità"),
            ("Portuguese", "cod_cliente;cod_produto;qtd"),
            ("Dutch", "Klantnummer;Artikelnummer;Aantal"),
            ("Turkish", "Müşteri No;Ürün Kodu;Adet"),
            ("Chinese", "用户编号;商品编号;数量"),
            ("Japanese", "会員番号;商品コード;数量"),
            ("Korean", "회원번호;상품코드;수량"),
            ("Arabic", "العميل;المنتج;الكمية"),
            ("Greek", "Πελάτης;Προϊόν;Ποσότητα"),
            ("Finnish", "Asiakas;Tuote;Määrä"),
            ("the words of an analysis", "ga:clientId;ga:productSku;ga:itemQuantity"),
        )
    ),
    _text(
        "date and time of day in two columns",
        "a till (Square)",
        "Date,Time,Customer ID,SKU\n2021-03-05,10:11:12,C1,H1\n2021-03-06,10:11,C2,B1\n",
        [("C1", "H1", None, 1614939072), ("C2", "B1", None, 1615025460)],
        notes=("time = Date, clock = Time",),
    ),
    _time("a month, a day and a year between dashes", "a market place", "Mar-05-2021", 1614902400),
    Case(
        name="candidates of an evaluation",
        origin="NCF",
        files={"a.txt": "(0,25)\t1064\t174\n(1,133)\t1072\t3154\n"},
        error="an evaluation's candidates",
    ),
    Case(
        name="a log of a program",
        origin="a service",
        files={"a.txt": "2021-03-05 10:11:12 INFO u1 a\n2021-03-05 10:11:13 INFO u2 b\n"},
        error="a log of a program",
    ),
    Case(
        name="sequences between -1 and -2",
        origin="SPMF",
        files={"a.txt": "1 -1 2 -1 -2\n3 -1 -2\n"},
        error="SPMF's sequences",
    ),
    Case(
        name="a pointer to a large file",
        origin="Git LFS",
        files={"a.csv": "version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 9\n"},
        error="git lfs pull",
    ),
    _text(
        "bytes as Python writes them",
        "a data set of TensorFlow, written as csv",
        "user,item\nb'357',b'12'\nb'41',b'13'\n",
        [(357, 12), (41, 13)],
        notes=("Python's writing of bytes",),
    ),
    _text(
        "a column of sequences",
        "sequential recommendation",
        "user_id,item_seq\n1,5 6 7\n2,6 8\n",
        [(1, 5), (1, 6), (1, 7), (2, 6), (2, 8)],
    ),
    _text(
        "kinds of events between user and item",
        "a click log",
        "u1,view,a\nu2,buy,b\nu1,view,b\n",
        [("u1", "a"), ("u2", "b"), ("u1", "b")],
    ),
    _text(
        "a time of day between user and item",
        "a till's log",
        "u1,10:11:12,a,5\nu2,10:12:12,b,4\n",
        [("u1", "a", 5.0), ("u2", "b", 4.0)],
    ),
    _text(
        "places of two decimals",
        "check-ins, rounded",
        "0\t2010-10-19T23:55:27Z\t30.23\t-97.79\t22847\n"
        "1\t2010-10-18T22:17:43Z\t30.26\t-97.74\t420315\n",
        [(0, 22847, None, 1287532527), (1, 420315, None, 1287440263)],
    ),
    _text(
        "two scores are no place",
        "scores of two models",
        "u1,a,0.123,0.456\nu2,b,0.223,0.556\n",
        [("u1", "a", 0.123), ("u2", "b", 0.223)],
    ),
    Case(
        name="lines in UTF-8 and lines in Latin-1",
        origin="cat of exports of two systems",
        files={
            "a.csv": "user,item,rating\nMüller,a,4\n".encode()
            + "Jürgen,b,3\n".encode("latin-1")
            + "Zoë,a,5\n".encode()
        },
        rows=[("Müller", "a", 4.0), ("Jürgen", "b", 3.0), ("Zoë", "a", 5.0)],
        notes=("line 3 is not UTF-8, so read as Latin-1",),
    ),
    Case(
        name="more lines in Windows' Latin-1 than in UTF-8, ended by CR",
        origin="cat of exports of two systems",
        files={
            "a.csv": "user,item\rMüller,a\r".encode()
            + "Jürgen,b\rÅsa,“c”\r".encode("cp1252")
            + b"u5,d\r"
        },
        rows=[("Müller", "a"), ("Jürgen", "b"), ("Åsa", "“c”"), ("u5", "d")],
        notes=("2 lines, the first of them line 3, are not UTF-8",),
    ),
    _text(
        "vectors of users",
        "embeddings",
        "u1,0.123,0.456,0.789\nu2,0.223,0.556,0.889\n",
        None,
        error="'0.123' isn't an id",
    ),
    *(
        _text(f"no table: {origin}", origin, "\n".join(lines) + "\n", None, error=error)
        for origin, error, lines in (
            (
                "LibraryThing's reviews",
                "lines of a program",
                [f"reviews[('7', 'u{n}')] = {{'stars': 4.0, 'user': 'u{n}'}}" for n in range(9)],
            ),
            (
                "assignments of Python",
                "lines of a program",
                [f"ratings['u{n % 3}', 'i{n % 4}'] = 4.0" for n in range(9)],
            ),
            (
                "calls of R",
                "lines of a program",
                [f"r <- rbind(r, c({n % 3}, {n % 4}, 4))" for n in range(9)],
            ),
            (
                "MongoDB's shell",
                "lines of a program|script",
                [f"db.r.insert({{user: {n % 3}, item: {n % 4}}})" for n in range(9)],
            ),
            (
                "rows that Spark printed",
                "lines of a program",
                [f"Row(user={n % 3}, item={n % 4}, rating=4.0)" for n in range(9)],
            ),
            (
                "ratings of Spark's MLlib",
                "lines of a program",
                [f"Rating({n % 3},{n % 4},4.0)" for n in range(9)],
            ),
            (
                "metrics of Prometheus",
                "lines of a program",
                [f'plays{{user="u{n % 3}",item="i{n % 4}"}} 4' for n in range(9)],
            ),
            (
                "InfluxDB's protocol",
                "InfluxDB",
                [f"r,user=u{n % 3},item=i{n % 4} value=4 150000000{n}" for n in range(9)],
            ),
            (
                "Mahout's lists",
                "pairs of an item and its value in brackets",
                [f"{n}\t[{n + 2}:4.0,{n + 3}:3.0]" for n in range(9)],
            ),
        )
    ),
    *(
        _text(
            f"items that may be lists are told: {sign!r}",
            "histories under a name that isn't plural",
            "user_id\titem_id\n" + "".join(f"u{n}\t{sign.join(_picked(n))}\n" for n in range(12)),
            [(f"u{n}", sign.join(_picked(n))) for n in range(12)],
            notes=("may be lists",),
        )
        for sign in ("|", ";", ", ", " ")
    ),
    _text(
        "keys of two parts are no lists",
        "a shop and its article",
        "user_id,item_id\n" + "".join(f"u{n},s{n % 2}|a{n % 3}\n" for n in range(12)),
        [(f"u{n}", f"s{n % 2}|a{n % 3}") for n in range(12)],
    ),
    *(
        _text(
            f"a header elsewhere: {header}",
            "shops elsewhere",
            f"{header}\nu1,a,4\nu2,b,3\n",
            [("u1", "a", 4.0), ("u2", "b", 3.0)],
        )
        for header in (
            *("gebruiker,artikel,beoordeling", "bruker,vare,vurdering", "bruger,vare,bedømmelse"),
            *("käyttäjä,tuote,arvosana", "користувач,товар,оцінка", "utilizator,produs,nota"),
            *("felhasználó,termék,értékelés", "χρήστης,προϊόν,βαθμολογία", "משתמש,מוצר,דירוג"),
            *("người dùng,sản phẩm,đánh giá", "pengguna,barang,nilai", "مستخدم,منتج,تقييم"),
        )
    ),
)
