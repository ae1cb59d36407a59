"""Links between users, fields of one record, and lists of which some have values."""

from __future__ import annotations

from itertools import permutations

from field.case import Case, Row

_LINKED = "users are recommended to users then"
_NAMES = [f"ann{n}@x.example" for n in range(6)]
_FIELDS = "this is lines of 'name: value'"


def _links(name: str, pairs: list[Row], *notes: str, head: str = "") -> Case:
    text = head + "".join(f"{user}\t{item}\n" for user, item in pairs)
    return Case(name=name, origin="a network", files={"a.tsv": text}, rows=pairs, notes=notes)


def _ring(names: list[str] | list[int]) -> list[Row]:
    return [(one, names[n - 1]) for n, one in enumerate(names)]


_NONE = r"\A(?!.*\n(.*\n)*.*recommended to users)"
LINKS = (
    _links("followees by their name", [("u1", "u2")], _LINKED, head="follower_id\tfollowee_id\n"),
    _links("addresses on both sides", _ring([*_NAMES, *(f"b{n}" for n in range(9))]), _LINKED),
    _links("numbers that are linked both ways", list(permutations(range(101, 112), 2)), _LINKED),
    _links("numbers that both sides share", _ring(list(range(101, 120))), _NONE),
    _links(
        "numbers that both sides share, all with all",
        [(user, item) for user in range(101, 112) for item in range(101, 112)],
        _NONE,
    ),
    *(
        Case(
            name=f"a graph by what stands above it: {above.split()[-1]}",
            origin=origin,
            files={"a.txt": f"{above}\n1\t2\n3\t7\n4\t9\n"},
            rows=[(1, 2), (3, 7), (4, 9)],
            notes=(said,),
        )
        for origin, above, said in (
            ("SNAP", "# Directed graph\n# FromNodeId\tToNodeId", _LINKED),
            ("KONECT", "% asym unweighted", _LINKED),
            ("KONECT", "% bip", _NONE),
        )
    ),
    *(
        Case(
            name=f"friends of users, {name}",
            origin="a network",
            files={"a.csv": f"{name}\n1,2\n2,1\n"},
            error=f"perhaps item='{name.split(',')[1]}'",
        )
        for name in ("user_id,friend_id", "user,followed_user_id")
    ),
    *(
        Case(name=f"fields: {name}", origin="a wrong file", files={"a.txt": text}, error=error)
        for name, text, error in (
            (
                "a mail",
                "From: ann@x.org\nTo: bob@x.org\nDate: Fri, 5 Mar 2021\n\nHello Bob,\n",
                "this is a mail",
            ),
            ("a mailbox", "From ann@x.org Fri Mar  5 10:11:12 2021\nTo: bob@x.org\n", "is a mail"),
            ("a ticket", "To: bob@x.org\nSubject: Meeting at ten\nOwner: ann\n", _FIELDS),
            ("settings", "host: localhost\nport: 8080\nmode: fast\n", _FIELDS),
        )
    ),
    Case(
        name="names and what they have in common are lists",
        origin="written by hand",
        files={"a.txt": "ann: milk bread\nbob: eggs\ncat: bread eggs\n"},
        rows=[
            *(("ann", "milk"), ("ann", "bread"), ("bob", "eggs")),
            *(("cat", "bread"), ("cat", "eggs")),
        ],
    ),
    Case(
        name="values in late lines of lists",
        origin="two programs' lines in one file",
        files={"a.txt": "".join(f"{n} {n + 1} {n + 2}\n" for n in range(40)) + "41 1:5 2:3\n"},
        error="2 items such as '1:5' are pairs of numbers, and others such as '1' are not",
    ),
    Case(
        name="lists of codes with a colon",
        origin="chapters and verses",
        files={"a.txt": "u1 1:5 2:3\nu2 1:5\nu3 2:3 a\n"},
        rows=[("u1", "1:5"), ("u1", "2:3"), ("u2", "1:5"), ("u3", "2:3"), ("u3", "a")],
    ),
)
