"""What stands above a table, around its lines or in place of one."""

from __future__ import annotations

from typing import Any

from field.case import Case, Row

_AB: list[Row] = [("u1", "a", 3.0), ("u2", "b", 4.0)]
_TRIPLES: list[Row] = [(1, 1, 5.0), (1, 2, 3.0), (2, 1, 4.0)]
_LINES = "1{0}1{0}5\n1{0}2{0}3\n2{0}1{0}4\n"


def _text(name: str, origin: str, text: str, rows: list[Row] | None = None, **more: Any) -> Case:
    return Case(name=name, origin=origin, files={"a.csv": text}, rows=rows, **more)


def _refused(what: str, origin: str, text: str, error: str) -> Case:
    return Case(name=f"no table: {what}", origin=origin, files={"a.txt": text}, error=error)


HEADS = (
    *(
        _text(
            f"sizes above triples: {first!r}",
            "libraries of matrices",
            text,
            _TRIPLES,
            notes=("left out the lines above",),
        )
        for first, text in (
            ("3 4 3", "3 4 3\n" + _LINES.format(" ")),
            ("2,2,3", "2,2,3\n" + _LINES.format(",")),
            ("3", "3\n" + _LINES.format(" ")),
        )
    ),
    _text(
        "sizes above more triples than are looked at",
        "libraries of matrices",
        "900\t1600\t50000\n"
        + "".join(f"{n % 900 + 1}\t{n % 1600 + 1}\t5\n" for n in range(50_000)),
        [(n % 900 + 1, n % 1600 + 1, 5.0) for n in range(50_000)],
        notes=("left out the lines above",),
    ),
    _text(
        "a first row with large numbers is no size",
        "triples in descending order",
        "9 9 5\n" + _LINES.format(" "),
        [(9, 9, 5.0), *_TRIPLES],
    ),
    _text(
        "lists of which the first is short",
        "adjacency lists",
        "0 3\n1 2 4\n2 5 6\n",
        [(0, 3), (1, 2), (1, 4), (2, 5), (2, 6)],
    ),
    _text(
        "decimal commas between commas",
        "a program in Europe",
        "user,item,rating\nu1,a,4,5\nu2,b,3,0\n",
        error="the 3 fields of the first",
    ),
    _text(
        "a column without its name",
        "a script that forgot one",
        "user\titem\trating\nu1\ta\t4\t1614939072\nu2\tb\t3\t1614939073\n",
        error="the 3 fields of the first",
    ),
    _text(
        "row numbers with gaps, without a name",
        "R's write.table of some rows",
        '"user" "item" "rating"\n"3" "u1" "a" 3\n"7" "u2" "b" 4\n',
        _AB,
    ),
    _text(
        "a header below rows without one",
        "cat of two exports",
        "1,10,4\nuser,item,rating\n2,11,3\n",
        error="there is a header below rows",
    ),
    _text(
        "a title of pairs with a usual name",
        "a report",
        "report,ratings,v1\ncreated,2024-05-01,me\nuser,item,rating\nu1,a,3\nu2,b,4\n",
        _AB,
        notes=("left out the lines above",),
    ),
    _text(
        "identifiers above few rows of letters",
        "a competition's sessions",
        "prev_items,next_item,locale\nB1,B3,DE\nB5,B7,DE\n",
        error="named like a user",
    ),
    _text(
        "ids made of words are no header",
        "a test",
        "user_a,item_b\nuser_c,item_d\n",
        [("user_a", "item_b"), ("user_c", "item_d")],
    ),
    *(
        _text(
            f"fields between {sign!r}",
            "a mainframe",
            f"user{sign}item{sign}rating\nu1{sign}a{sign}3\nu2{sign}b{sign}4\n",
            _AB,
        )
        for sign in "^~§¦"
    ),
    *(
        _text(
            f"lines in quotes as a whole: {how}",
            "Excel",
            text,
            rows,
            notes=("quotes around whole lines",),
        )
        for how, text, rows in (
            ("commas", '"user,item,rating"\n"u1,a,3"\n"u2,b,4"\n', _AB),
            ("empty columns behind them", '"user,item,rating",,\n"u1,a,3",,\n"u2,b,4",,\n', _AB),
            (
                "semicolons and quotes",
                '\ufeff"user;item;rating"\r\n"u1;""a; b"";4,5"\r\n"u2;b;3"\r\n',
                [("u1", "a; b", 4.5), ("u2", "b", 3.0)],
            ),
        )
    ),
    *(
        _refused(*one)
        for one in (
            ("a dump with a comment", "mysqldump", "/*!40101 SET x */;\nINSERT INTO r;\n", "SQL"),
            ("a dump below a line", "pg_dump", "--\n-- PostgreSQL dump\n--\nSET x = 1;\n", "SQL"),
            ("pragmas", "sqlite3 .dump", "PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\n", "SQL"),
            ("a database's name first", "SQL Server", "USE [shop]\nGO\nINSERT [r] (a)\n", "SQL"),
            ("mappings a line", "YAML", "- {user: u1, item: a}\n- {user: u2, item: b}\n", "YAML"),
            ("a document's mark", "YAML", "---\n- user: u1\n  item: a\n", "YAML"),
            ("keys below a comment", "YAML", "# of May\nr:\n  - user: u1\n    item: a\n", "YAML"),
            ("lists of Lisp", "Emacs", '(("u1" "a" 4) ("u2" "b" 3))\n', "lists"),
            ("an object of R", "dput", 'structure(list(user = c("u1", "u2")))\n', "of R"),
            (
                "a program",
                "a web page",
                "<?php return [['user' => 'u1', 'item' => 'a']];\n",
                "prog",
            ),
            (
                "a field a line",
                "SNAP's reviews",
                "product/id: B1\nreview/user: A1\n\nproduct/id: B2\nreview/user: A2\n",
                "name: value",
            ),
            (
                "JSON behind a logger's name",
                "Python's logging",
                'INFO:root:{"user":"u1","item":"a"}\nINFO:root:{"user":"u2","item":"b"}\n',
                "JSON behind a key",
            ),
            (
                "a log that begins with levels",
                "a service",
                "INFO 2021-03-05 10:11:12 u1 a\nWARN 2021-03-05 10:11:13 u2 b\n",
                "a log of a program",
            ),
            ("queries", "a web server", "user=u1&item=a\nuser=u2&item=b\n", "name=value"),
            ("a network", "Pajek", '*Vertices 2\n1 "u1"\n2 "a"\n*Edges\n1 2\n', "Pajek"),
            ("ARFF below a comment", "Weka", "% of May\n@RELATION r\n@DATA\n1,2\n", "ARFF"),
        )
    ),
    _refused("a patch", "git", "diff --git a/r.csv b/r.csv\n+u1,a,4\n", "a patch"),
    _refused(
        "a mapping's lines", "print", "'u1': ['a','b'],\n'u2': ['c'],\n", "without its braces"
    ),
    _refused(
        "a text",
        "a README",
        "It was a bright cold day\nand the clocks were striking\nthirteen of them that day\n",
        "a text or a program",
    ),
    _refused("a program of Python", "a wrong file", "import x\ndf = x.read(1)\n", "a program"),
    _refused(
        "a chat",
        "a messenger",
        "05/03/2021, 10:11 - Ann: hi\n05/03/2021, 10:12 - Bob: hi there\n",
        "isn't an id",
    ),
    _text(
        "numbers of lines before columns",
        "cat -n",
        "     1\tuser,item,rating\n     2\tu1,a,3\n     3\tu2,b,4\n",
        error="behind a line number",
    ),
    _text(
        "a header far below rows without one",
        "cat of two exports",
        "".join(f"u{n % 7},i{n % 5}\n" for n in range(300)) + "user,item\nu1,i1\n",
        error="there is a header below rows.*line 301",
    ),
    _text(
        "very many columns of small numbers, without a header",
        "a matrix",
        "\n".join(",".join(str((7 * n + k) % 5 + 1) for k in range(40)) for n in range(5)),
        error="melt",
    ),
    _text("distances", "a matrix", "0,0.1,0.2\n0.1,0,0.3\n0.2,0.3,0\n", error="isn't an id"),
    *(
        _text(
            f"commas within fields, without a header: {text.splitlines()[0]}",
            "a till in Europe",
            text,
            rows,
        )
        for text, rows in (
            ("u1;a;4,5\nu2;b;3,5\n", [("u1", "a", 4.5), ("u2", "b", 3.5)]),
            ("1|10|4,5\n2|20|3,0\n", [(1, 10, 4.5), (2, 20, 3.0)]),
            (
                "u1;Heat, The;3\nu2;Game, The;4\n",
                [("u1", "Heat, The", 3.0), ("u2", "Game, The", 4.0)],
            ),
            ("Doe, Ann;a;3\nRoe, Bob;b;4\n", [("Doe, Ann", "a", 3.0), ("Roe, Bob", "b", 4.0)]),
            ("u1,a,x;y\nu2,b,x;z\n", [("u1", "a"), ("u2", "b")]),
            ('"u1";"A, B";"4,5"\n"u2";"C, D";"3,0"\n', [("u1", "A, B", 4.5), ("u2", "C, D", 3.0)]),
            ("u1 7 4,5\nu2 8 3,0\n", [("u1", 7, 4.5), ("u2", 8, 3.0)]),
            ("u1,7,9,2 Jun 2020\nu2,8,5,3 Jun 2020\n", [("u1", 7, 9.0), ("u2", 8, 5.0)]),
        )
    ),
    _text(
        "a comma and a tab between fields",
        "somebody's script",
        "user,\titem,\trating\nu1,\ta,\t3\nu2,\tb,\t4\n",
        _AB,
    ),
    _text(
        "names with blanks in quotes between blanks",
        "NumPy's savetxt of texts",
        'user item rating\nu1 "The Big Heat" 3\nu2 Alien 4\n',
        [("u1", "The Big Heat", 3.0), ("u2", "Alien", 4.0)],
    ),
    _text(
        "a backslash before a quote at the end",
        "MySQL's dumps",
        'user,item,rating,review\nu1,a,3,"He said \\"wow, cool\\""\nu2,b,4,"x"\n',
        _AB,
    ),
    _text(
        "codes of goods in Germany are no milliseconds",
        "a till's log",
        "".join(f"u{n % 3}\t400048345{n}038\t{n}\n" for n in range(1, 8)),
        [(f"u{n % 3}", int(f"400048345{n}038"), n) for n in range(1, 8)],
    ),
    Case(
        name="files with numbers in their order",
        origin="daily exports",
        files={f"d/{n}.csv": f"user,item\nu{n},a\n" for n in (1, 2, 10)},
        source="d",
        rows=[("u1", "a"), ("u2", "a"), ("u10", "a")],
    ),
    Case(
        name="a shop's three tables in German",
        origin="an ERP",
        files={
            "d/artikel.csv": "Artikel;Bezeichnung\na;Hose\nb;Pan\n",
            "d/bewertungen.csv": "Kunde;Artikel;Bewertung\nu1;a;3\nu2;b;4\n",
            "d/kunden.csv": "Kunde;Ort\nu1;X\nu2;Y\n",
        },
        source="d",
        rows=_AB,
        notes=("artikel.csv as the catalogue, with kunden.csv",),
    ),
    _text(
        "columns that hold nothing, without a header",
        "two tabs between all fields",
        "1\t\t5\t\t0.25\n1\t\t7\t\t-9.5\n2\t\t5\t\t-9.75\n",
        [(1, 5, 0.25), (1, 7, -9.5), (2, 5, -9.75)],
    ),
    _text(
        "a column of negative numbers is no value",
        "check-ins with their zones' minutes",
        "1\t4b\t-240\t1333476009\n2\t4c\t-240\t1333476025\n",
        [(1, "4b", None, 1333476009), (2, "4c", None, 1333476025)],
    ),
    _text(
        "ranks before scores",
        "TREC's runs",
        "1 Q0 d1 1 14.5 run\n1 Q0 d2 2 13.5 run\n2 Q0 d1 1 9.5 run\n",
        [(1, "d1", 14.5), (1, "d2", 13.5), (2, "d1", 9.5)],
    ),
    Case(
        name="blocks in files of their own",
        origin="a prize's training set",
        files={
            "t/m1.txt": "1:\n5,3,2005-09-06\n6,5,2005-05-13\n",
            "t/m2.txt": "2:\n7,4,2005-10-19\n",
        },
        source="t",
        rows=[(5, 1, 3.0), (6, 1, 5.0), (7, 2, 4.0)],
    ),
    Case(
        name="a folder of training before one of test",
        origin="folders of benchmarks",
        files={"d/test/a.csv": "user,item\nu2,b\n", "d/train/a.csv": "user,item\nu1,a\n"},
        source="d",
        rows=[("u1", "a"), ("u2", "b")],
    ),
)
