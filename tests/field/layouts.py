"""Folders and files of a known making, and those that only look like one."""

from __future__ import annotations

from field.case import Case

_OWN = "user,item,rating\nu1,a,4\nu2,b,3\n"

LAYOUTS = (
    Case(
        name="train.txt and test.txt of tab triples",
        origin="knowledge-graph and rating benchmarks that use LightGCN's names",
        files={"d/train.txt": "0\t10\t4\n0\t11\t5\n1\t10\t3\n", "d/test.txt": "1\t12\t2\n"},
        source="d",
        rows=[(0, 10, 4.0), (0, 11, 5.0), (1, 10, 3.0), (1, 12, 2.0)],
    ),
    Case(
        name="train.txt and test.txt of lists",
        origin="LightGCN's own splits",
        files={"d/train.txt": "0 10 11 12\n1 10\n2 12 10\n", "d/test.txt": "0 13\n1 12 13\n"},
        source="d",
        rows=[(0, 10), (0, 11), (0, 12), (1, 10), (2, 12), (2, 10), (0, 13), (1, 12), (1, 13)],
    ),
    Case(
        name="a count before each list",
        origin="one-class data of the 2000s: 'n item item ...', a line per user",
        files={"users.dat": "3 17 29 41\n1 17\n2 29 30\n3 1 2 3\n"},
        rows=[(0, 17), (0, 29), (0, 41), (1, 17), (2, 29), (2, 30), (3, 1), (3, 2), (3, 3)],
        notes=("count",),
    ),
    Case(
        name="counts are columns too where all lists are equal",
        origin="the same, when each user has three items",
        files={"users.dat": "3 17 29 41\n3 17 30 41\n3 1 2 3\n"},
        rows=[(0, 17), (0, 29), (0, 41), (1, 17), (1, 30), (1, 41), (2, 1), (2, 2), (2, 3)],
        notes=("count",),
    ),
    Case(
        name="a folder with a movies.csv of one's own",
        origin="a cinema's export",
        files={
            "d/ratings.csv": "user,movie,stars\nu1,m1,4\nu2,m2,3\n",
            "d/movies.csv": "movie,title,year\nm1,One,1999\nm2,Two,2001\n",
        },
        source="d",
        rows=[("u1", "m1", 4.0), ("u2", "m2", 3.0)],
        notes=("movies.csv",),
    ),
    Case(
        name="MovieLens' columns with a year of one's own",
        origin="MovieLens with a column added",
        files={
            "d/ratings.csv": "userId,movieId,rating,timestamp\n1,1,4,978300760\n",
            "d/movies.csv": "movieId,title,genres,year\n1,One,Drama,1999\n",
        },
        source="d",
        rows=[(1, 1, 4.0, 978300760)],
    ),
    Case(
        name="blocks that begin with the film",
        origin="Netflix' prize data, combined_data_1.txt",
        files={"c.txt": "1:\n1488844,3,2005-09-06\n822109,5,2005-05-13\n2:\n885013,4,2005-10-19\n"},
        rows=[
            (1488844, 1, 3.0, 1125964800),
            (822109, 1, 5.0, 1115942400),
            (885013, 2, 4.0, 1129680000),
        ],
    ),
    Case(
        name="blocks whose lines end as on Windows",
        origin="Netflix' prize data, unpacked on Windows",
        files={"c.txt": "1:\r\n1488844,3,2005-09-06\r\n2:\r\n885013,4,2005-10-19\r\n"},
        rows=[(1488844, 1, 3.0, 1125964800), (885013, 2, 4.0, 1129680000)],
    ),
    Case(
        name="two files that have nothing in common",
        origin="a folder of downloads",
        files={"d/a.csv": "user,item\nu1,a\n", "d/b.csv": "x,y\n1,2\n"},
        source="d",
        error="2 files.*member",
    ),
    Case(
        name="kinds of events have weights",
        origin="shops' event logs",
        files={"a.csv": "visitorid,event,itemid\n1,view,10\n1,transaction,11\n2,addtocart,10\n"},
        options={"kinds": {"view": 1, "transaction": 5}},
        rows=[(1, 10, 1.0), (1, 11, 5.0)],
        notes=("addtocart",),
    ),
    Case(
        name="kinds of events are noted",
        origin="shops' event logs",
        files={"a.csv": "visitorid,event,itemid\n1,view,10\n1,transaction,11\n2,view,10\n"},
        rows=[(1, 10), (1, 11), (2, 10)],
        notes=("event.*view.*kinds",),
    ),
    Case(
        name="an unknown kind of event",
        origin="a misspelt option",
        files={"a.csv": "visitorid,event,itemid\n1,view,10\n1,transaction,11\n2,view,10\n"},
        options={"kinds": {"purchase": 5}},
        error="purchase.*view",
    ),
    Case(
        name="labels of 0 and 1 are noted",
        origin="click logs for click-through models",
        files={"a.csv": "user_id,item_id,label\n1,10,0\n1,11,1\n2,10,1\n"},
        rows=[(1, 10, 0.0), (1, 11, 1.0), (2, 10, 1.0)],
        notes=("min.value",),
    ),
    Case(
        name="counts before lists with tabs",
        origin="one-class data",
        files={"a.txt": "3\t17\t29\t41\n2\t1\t2\n1\t9\n"},
        rows=[(0, 17), (0, 29), (0, 41), (1, 1), (1, 2), (2, 9)],
        notes=("count",),
    ),
    Case(
        name="counts before lists with commas",
        origin="one-class data",
        files={"a.csv": "3,17,29,41\n2,1,2\n1,9\n"},
        rows=[(0, 17), (0, 29), (0, 41), (1, 1), (1, 2), (2, 9)],
        notes=("count",),
    ),
    Case(
        name="lists with commas",
        origin="baskets",
        files={"a.csv": "u1,a,b,c\nu2,d\nu3,a,b\n"},
        rows=[("u1", "a"), ("u1", "b"), ("u1", "c"), ("u2", "d"), ("u3", "a"), ("u3", "b")],
        notes=("a line per user",),
    ),
    Case(
        name="lists behind a colon",
        origin="hand-made lists",
        files={"a.txt": "u1: a b c\nu2: d e\n"},
        rows=[("u1", "a"), ("u1", "b"), ("u1", "c"), ("u2", "d"), ("u2", "e")],
    ),
    Case(
        name="lists behind a tab",
        origin="baskets",
        files={"a.txt": "u1\ta,b,c\nu2\td\nu3\ta,b\n"},
        rows=[("u1", "a"), ("u1", "b"), ("u1", "c"), ("u2", "d"), ("u3", "a"), ("u3", "b")],
    ),
    Case(
        name="libsvm",
        origin="features of a classifier",
        files={"a.txt": "1 1:1 2:1\n0 3:1 4:1\n"},
        error="libsvm",
    ),
    Case(
        name="ratings, items and users",
        origin="a shop's export",
        files={
            "d/ratings.csv": "user,item,rating\n1,2,3\n",
            "d/users.csv": "user,age\n1,20\n",
            "d/items.csv": "item,title\n2,x\n",
        },
        source="d",
        rows=[(1, 2, 3.0)],
        notes=("items.csv as the catalogue, with users.csv",),
    ),
    Case(
        name="u.data and u.item without the other files",
        origin="MovieLens 100K, the two files that are used",
        files={
            "d/u.data": "1\t1\t4\t881250949\n2\t1\t3\t881250950\n",
            "d/u.item": "1|A (1995)|01-Jan-1995||http://a.b" + "|0|1" * 9 + "|0\n",
        },
        source="d",
        rows=[(1, 1, 4.0, 881250949), (2, 1, 3.0, 881250950)],
        notes=("read as MovieLens 100K",),
    ),
    Case(
        name="u.data and u.item of one's own",
        origin="files that share a famous name",
        files={"d/u.data": "user,item\n1,2\n", "d/u.item": "x|y\n"},
        source="d",
        error="2 files",
    ),
    *(
        Case(
            name=f"files of one's own that have a data set's names: {', '.join(files)}",
            origin="folders named after a tutorial",
            files={f"d/{name}": text for name, text in files.items()},
            source="d",
            rows=[("u1", "a", 4.0), ("u2", "b", 3.0)],
        )
        for files in (
            {"BX-Book-Ratings.csv": _OWN},
            {"Beauty.txt": _OWN},
            {"a.csv": _OWN, "~$a.xlsx": "open", "a.csv~": "old"},
        )
    ),
    *(
        Case(
            name=f"files of one's own that could be either table: {', '.join(files)}",
            origin="folders named after a tutorial",
            files={f"d/{name}": text for name, text in files.items()},
            source="d",
            error="files .* of no known layout",
        )
        for files in (
            {"users.dat": _OWN, "item-tag.dat": "item,tag\na,x\n"},
            {"ratings.csv": _OWN, "books.csv": "item,title\na,x\n", "tags.csv": "item,tag\na,y\n"},
        )
    ),
    Case(
        name="a file that was downloaded twice",
        origin="a folder of downloads",
        files={"a.csv": "user,item\nu1,a\nu2,b\n", "a (1).csv": "user,item\nu1,a\nu2,b\n"},
        source=".",
        rows=[("u1", "a"), ("u2", "b")],
        notes=("the same as",),
    ),
    Case(
        name="what an editor left behind",
        origin="a folder in which somebody edited",
        files={"a.csv": "user,item\nu1,a\nu2,b\n", "a.csv.bak": "user,item\nu1,old\nu2,b\n"},
        source=".",
        rows=[("u1", "a"), ("u2", "b")],
    ),
    Case(
        name="val.csv comes after train.csv",
        origin="folders of benchmarks",
        files={
            name: f"user,item\nu1,{name[:2]}\nu2,b\n"
            for name in ("test.csv", "train.csv", "val.csv")
        },
        source=".",
        rows=[("u1", "tr"), ("u2", "b"), ("u1", "va"), ("u2", "b"), ("u1", "te"), ("u2", "b")],
    ),
    *(
        Case(
            name=f"a table whose log says which files count: {which}",
            origin="a lake",
            files={f"d/{log}": "{}\n", "d/part-0.csv": "user,item\nu1,a\nu2,b\n"},
            source="d",
            error=f"table of {which}",
        )
        for which, log in (
            ("Delta Lake", "_delta_log/00000.json"),
            ("Iceberg", "metadata/v1.metadata.json"),
            ("Hudi", ".hoodie/hoodie.properties"),
        )
    ),
)
