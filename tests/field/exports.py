"""Exports as shops and spreadsheets write them: headers in other languages, lists, alignment."""

from __future__ import annotations

from field.case import Case

_KINDS = [(f"K{n}", f"A{n % 3}") for n in range(6)]
_ORDERS = "Bestellung;Kunde;Artikel;Menge\nB1;k1;a;3\nB2;k2;b;4\n"

EXPORTS = (
    Case(
        name="a German header above decimal commas and dotted dates",
        origin="a till's export",
        files={
            "a.csv": "Kunde;Artikel;Menge;Datum\n"
            "K1;A1;1,5;05.03.2021\nK2;A2;2,0;06.03.2021\nK1;A2;3,5;07.03.2021\n"
        },
        rows=[
            ("K1", "A1", 1.5, 1614902400),
            ("K2", "A2", 2.0, 1614988800),
            ("K1", "A2", 3.5, 1615075200),
        ],
    ),
    Case(
        name="a header of two words above ids with digits",
        origin="an export without values",
        files={"a.csv": "Kunde,Artikel\n" + "".join(f"{u},{i}\n" for u, i in _KINDS)},
        rows=list(_KINDS),
    ),
    Case(
        name="a Spanish header",
        origin="a survey",
        files={"a.csv": "usuario,producto,calificacion,fecha\nu1,p1,4,2021-03-05\n"},
        rows=[("u1", "p1", 4.0, 1614902400)],
    ),
    Case(
        name="names that are no role's are refused, not taken for a row",
        origin="a report",
        files={
            "a.csv": "visited by,thing bought\n" + "".join(f"{u},{i}\n" for u, i in _KINDS),
        },
        error="no column is named like a user's; the columns are 'visited by'",
    ),
    Case(
        name="people without a header stay rows",
        origin="a list of friends and films",
        files={"a.csv": "ann,Heat\nbob,Alien 3\ncy,Se7en\ndi,Heat\ned,Alien\nflo,Heat\n"},
        rows=[
            ("ann", "Heat"),
            ("bob", "Alien 3"),
            ("cy", "Se7en"),
            ("di", "Heat"),
            ("ed", "Alien"),
            ("flo", "Heat"),
        ],
    ),
    Case(
        name="columns aligned by runs of spaces",
        origin="a printed table",
        files={"a.txt": "user   item   rating\nu1     a      3\nu22    bb     4\n"},
        rows=[("u1", "a", 3.0), ("u22", "bb", 4.0)],
    ),
    Case(
        name="fields in single quotes",
        origin="a dump of a database",
        files={"a.csv": "'user','item','rating'\n'u1','a, b','3'\n'u2','c''d','4'\n"},
        rows=[("u1", "a, b", 3.0), ("u2", "c'd", 4.0)],
    ),
    Case(
        name="an apostrophe is no quote",
        origin="names of products",
        files={"a.csv": "user,item\nu1,'t Hof\nu2,rock 'n' roll\n"},
        rows=[("u1", "'t Hof"), ("u2", "rock 'n' roll")],
    ),
    Case(
        name="a list in brackets in each cell",
        origin="a data frame of baskets written by pandas",
        files={"a.csv": "user,items\nu1,\"['a', 'b, c']\"\nu2,['a']\nu3,[]\n"},
        rows=[("u1", "a"), ("u1", "b, c"), ("u2", "a")],
        notes=("lists of items", "1 empty list"),
    ),
    Case(
        name="lists as NumPy writes them",
        origin="a column of arrays, saved as text",
        files={"a.csv": "user,item\nu1,['a' 'b c']\nu2,['d']\n"},
        rows=[("u1", "a"), ("u1", "b c"), ("u2", "d")],
    ),
    Case(
        name="numbers in brackets",
        origin="a column of arrays of numbers, saved as text",
        files={"a.csv": "user,item\nu1,[1 2]\nu2,[3]\n"},
        rows=[("u1", 1), ("u1", 2), ("u2", 3)],
    ),
    Case(
        name="brackets around ids that are no lists",
        origin="codes of a warehouse",
        files={"a.csv": "user,item\nu1,[A7]\nu2,{b)\n"},
        rows=[("u1", "[A7]"), ("u2", "{b)")],
    ),
    Case(
        name="items between commas in a cell",
        origin="orders, a row each",
        files={"a.csv": 'order,customer,items\n1,c1,"a,b"\n2,c2,"b"\n'},
        rows=[("c1", "a"), ("c1", "b"), ("c2", "b")],
        notes=("lists of items",),
    ),
    Case(
        name="a comma in the name of one item is no list",
        origin="a shop of books",
        files={"a.csv": 'user,item\nu1,"Heat, and Dust"\nu2,"Emma"\n'},
        rows=[("u1", "Heat, and Dust"), ("u2", "Emma")],
    ),
    Case(
        name="a user and a colon before the items",
        origin="playlists",
        files={"a.txt": "ann: a, b, c\nbob: a, d\ncy: e\n"},
        rows=[("ann", "a"), ("ann", "b"), ("ann", "c"), ("bob", "a"), ("bob", "d"), ("cy", "e")],
    ),
    Case(
        name="a number and a colon before the items, all lines as long",
        origin="adjacency lists of graphs",
        files={"a.txt": "0: 1 2 3\n1: 2 3 4\n"},
        rows=[(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (1, 4)],
    ),
    Case(
        name="ids with a prefix and a colon stay ids",
        origin="graph databases",
        files={"a.csv": "user:1,item:5\nuser:2,item:6\nuser:3,item:5\n"},
        rows=[("user:1", "item:5"), ("user:2", "item:6"), ("user:3", "item:5")],
    ),
    Case(
        name="lists of names with spaces",
        origin="favourite films, a line per person",
        files={"a.csv": "ann,Toy Story,Heat\nbob,Heat\ncy,The Big Heat,Alien,Toy Story\n"},
        rows=[
            ("ann", "Toy Story"),
            ("ann", "Heat"),
            ("bob", "Heat"),
            ("cy", "The Big Heat"),
            ("cy", "Alien"),
            ("cy", "Toy Story"),
        ],
    ),
    Case(
        name="baskets without a user",
        origin="market-basket data",
        files={"a.txt": "milk bread\nbread milk eggs\nmilk eggs bread butter\n" * 5},
        error="baskets without a user.*format='lists'",
    ),
    Case(
        name="lines that begin with a user again and again, said",
        origin="sessions, several lines per user",
        files={"a.txt": "1 2 3\n2 1 3 4\n1 3\n" * 5},
        options={"format": "lists"},
        rows=[(1, 2), (1, 3), (2, 1), (2, 3), (2, 4), (1, 3)] * 5,
    ),
    Case(
        name="a table with a column for each item",
        origin="a survey's grid",
        files={"a.csv": "user,Heat,Alien,Emma\nu1,3,,4\nu2,,5,1\n"},
        error="column for each item.*melt",
    ),
    Case(
        name="a page of HTML instead of a file",
        origin="a link that wanted a login",
        files={"a.csv": "<!DOCTYPE html>\n<html><body>please log in, or sign up</body></html>\n"},
        error="HTML",
    ),
    Case(
        name="a spreadsheet's days",
        origin="a date column saved as numbers",
        files={"a.csv": "user,item,date\nu1,a,43831\nu2,b,43832.5\n"},
        rows=[("u1", "a", None, 1577836800), ("u2", "b", None, 1577966400)],
        notes=("spreadsheet",),
    ),
    Case(
        name="a log that begins with the time, without a header",
        origin="a web server's log, cut",
        files={
            "a.csv": "".join(f"{1577836800 + 60 * n},{n % 3},{100 + n % 4}\n" for n in range(8))
        },
        rows=[(n % 3, 100 + n % 4, None, 1577836800 + 60 * n) for n in range(8)],
    ),
    Case(
        name="a log that begins with the time, of which one is missing, without a header",
        origin="a database's dump of events, cut",
        files={
            "a.csv": "".join(
                f"{1577836800 + 60 * n if n != 3 else 'NULL'},{n % 3},{100 + n % 4}\n"
                for n in range(8)
            )
        },
        options={"on_bad": "skip"},
        rows=[(n % 3, 100 + n % 4, None, 1577836800 + 60 * n) for n in range(8) if n != 3],
    ),
    Case(
        name="a user, the time (one is missing) and an item, without a header",
        origin="the same",
        files={
            "a.csv": "".join(
                f"{n % 3},{1577836800 + 60 * n if n != 5 else 'nan'},i{n % 4}\n" for n in range(8)
            )
        },
        options={"on_bad": "skip"},
        rows=[(n % 3, f"i{n % 4}", None, 1577836800 + 60 * n) for n in range(8) if n != 5],
    ),
    Case(
        name="places on the earth, of which one is missing, without a header",
        origin="check-ins",
        files={
            "a.csv": "".join(
                f"{n % 3},{f'-{n + 40}.1234,8.5' if n != 2 else 'NULL,NULL'},p{n % 4}\n"
                for n in range(8)
            )
        },
        rows=[(n % 3, f"p{n % 4}") for n in range(8)],
    ),
    Case(
        name="money and other words around all numbers",
        origin="an order list",
        files={"a.csv": "user,item,rating\nu1,a,4 stars\nu2,b,1 star\nu3,a,3.5 stars\n"},
        rows=[("u1", "a", 4.0), ("u2", "b", 1.0), ("u3", "a", 3.5)],
        notes=("4 stars",),
    ),
    Case(
        name="a word around one number alone is a fault",
        origin="a typing error",
        files={"a.csv": "user,item,rating\nu1,a,4\nu2,b,x1\n"},
        error="line 3",
    ),
    Case(
        name="a line of totals whose word stands beside the ids",
        origin="a shop's report, summed up in Excel",
        files={"a.csv": _ORDERS + "Summe;;;7\n"},
        error="1 row has a total in place of the user; fix.*line 4",
    ),
    Case(
        name="a line of totals whose word stands beside the ids is skipped",
        origin="a shop's report, summed up in Excel",
        files={"a.csv": _ORDERS + '"Total:";;2;7\n'},
        options={"on_bad": "skip"},
        rows=[("k1", "a", 3.0), ("k2", "b", 4.0)],
        notes=("1 row with a total in place of the user",),
    ),
    Case(
        name="a last line without ids that sums up nothing",
        origin="an order that was broken off",
        files={"a.csv": _ORDERS + "Summe;;;2\n"},
        error="1 row has no user id",
    ),
)
