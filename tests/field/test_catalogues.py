"""Catalogues as people have them: what is read of each."""

from __future__ import annotations

import gzip
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from scipy import sparse

from cofactor import FeatureIALS, Interactions, read
from cofactor.base.errors import ArgumentError, DataError
from cofactor.data.catalogue import Catalogue
from cofactor.data.ids import IdMap
from cofactor.data.readers import read_table

_TITLES = {1: "Heat", 2: "Alien"}
_NESTED = "".join(
    json.dumps({"item": n, "meta": {"title": title}}) + "\n" for n, title in _TITLES.items()
)


def test_a_catalogue_of_words_alone_has_a_header(tmp_path: Path) -> None:
    path = tmp_path / "items.csv"
    path.write_text("id,title\nA,Mug\nB,Cap\n")
    assert read_table(path).to_pydict() == {"item_id": ["A", "B"], "title": ["Mug", "Cap"]}


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("item,title,price\nint,string,float\n1,Heat,3\n2,Alien,4\n", "title"),
        ("item,title\n1,Heat\nitem,title\n2,Alien\n", "title"),
        ("item,title\n1,Heat\n   \n2,Alien\n", "title"),
        ("My catalogue,,\nitem,title,price\n1,Heat,3\n2,Alien,4\n", "title"),
        ('item,title\n1,"Heat"\n2,"Alien"\n', "title"),
        ("t.item_id,t.title\n1,Heat\n2,Alien\n", "t.title"),
        ("item_id:token\tmovie_title:token_seq\n1\tHeat\n2\tAlien\n", "movie_title:token_seq"),
        ("\ufeff" + _NESTED, "meta.title"),
    ],
)
def test_a_catalogue_has_its_titles(text: str, column: str, tmp_path: Path) -> None:
    path = tmp_path / "items.csv"
    path.write_text(text, encoding="utf-8")
    table = read_table(path)
    found: dict[Any, Any] = dict(
        zip(table["item_id"].to_pylist(), table[column].to_pylist(), strict=True)
    )
    assert found == _TITLES
    catalogue = Catalogue.aligned(IdMap([1, 2]), table, "item_id")
    assert catalogue.title_column == column


def test_words_for_nothing_are_none_in_every_column(tmp_path: Path) -> None:
    path = tmp_path / "items.csv"
    path.write_text("item,title,genre,country\n1,Heat,NULL,NA\n2,NA,crime,\\N\n3,Up,nan,de\n")
    table = read_table(path)
    assert table["genre"].to_pylist() == [None, "crime", None]
    assert table["title"].to_pylist() == ["Heat", None, "Up"]
    assert table["country"].to_pylist() == ["NA", None, "de"]


@pytest.mark.parametrize("cell", ["", " ", "NULL"])
def test_an_empty_cell_is_none_by_every_way(cell: str, tmp_path: Path) -> None:
    rows = [{"item": 1, "title": cell, "genre": "crime"}, {"item": 2, "title": "Up", "genre": cell}]
    path = tmp_path / "items.csv"
    path.write_text(
        "item,title,genre\n" + "".join(f"{r['item']},{r['title']},{r['genre']}\n" for r in rows)
    )
    lines = tmp_path / "items.jsonl"
    lines.write_text("".join(json.dumps(row) + "\n" for row in rows))
    for source in (path, lines, rows, pd.DataFrame(rows), pa.Table.from_pylist(rows)):
        table = read_table(source)
        assert table["title"].to_pylist() == [None, "Up"]
        assert table["genre"].to_pylist() == ["crime", None]


def test_new_items_with_ids_alone_are_refused() -> None:
    items = [{"item": "a", "genre": "x"}, {"item": "b", "genre": "y"}]
    data = Interactions.build(read([("u", "a"), ("u", "b"), ("v", "a")], items=items))
    model = FeatureIALS(factors=2, epochs=1).fit(data)
    for more in ([{"item": "c"}], pd.DataFrame({"item": ["c"]}), {"item": ["c"]}):
        with pytest.raises(DataError, match=r"have ids alone.*\(genre\)"):
            model.with_items(more)
    assert model.with_items([{"item": "c", "genre": None}]).data.n_items == 3


def test_types_below_a_header_leave_numbers_numbers(tmp_path: Path) -> None:
    path = tmp_path / "items.csv"
    path.write_text("item,title,price\nint,varchar(20),float\n1,Heat,3.5\n")
    assert read_table(path)["price"].to_pylist() == [3.5]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("item,title\n", "a header but no rows"),
        ("<items><item id='1'>Heat</item></items>", "HTML or XML"),
        ("a,Heat\nb,Alien\n", "no header .*such as item_id,title, or give item_id='column 0'"),
        ("1,Heat,Drama\n2,Alien,Horror\n", "no header"),
    ],
)
def test_what_is_no_catalogue_is_named(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "items.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        read_table(path)


@pytest.mark.parametrize(
    "column",
    [
        pa.array(["x", "y"], pa.string_view()),
        pa.array([["x"], ["y"]], pa.list_view(pa.string())),
        pa.RunEndEncodedArray.from_arrays(pa.array([2], pa.int32()), pa.array(["x"])),
        pa.array([1, 2], pa.timestamp("ns", "UTC")),
    ],
    ids=lambda column: str(column.type),
)
def test_arrows_newer_layouts_are_features(column: pa.Array) -> None:
    """Arrow's own functions know neither views nor runs, and refuse to cut nanoseconds off."""
    items = pa.table({"item": pa.array(["a", "b"], pa.string_view()), "extra": column})
    data = Interactions.build(read([("u", "a"), ("u", "b"), ("v", "a")], items=items))
    model = FeatureIALS(factors=2, epochs=1).fit(data)
    assert list(model.recommend("v", k=1).ids) == ["b"]


def test_a_catalogue_with_a_name_twice_is_refused() -> None:
    items = pa.table([pa.array(["a"]), pa.array([1]), pa.array([2])], ["item", "g", "g"])
    with pytest.raises(DataError, match="the column 'g' 2 times"):
        read([("u", "a")], items=items)


def test_ids_of_a_matrix_are_an_id_map() -> None:
    with pytest.raises(ArgumentError, match="users must be an IdMap or a count, not list"):
        Interactions.from_matrix(sparse.csr_matrix(np.eye(2)), users=["a", "b"])  # type: ignore[arg-type]


_PARTS = ("item_id,title\na,Heat\nb,Alien\n", "item_id,title\nc,Up\n")
_BY_ID = {"a": "Heat", "b": "Alien", "c": "Up"}


def _titles(source: Any) -> dict[Any, Any]:
    table = read_table(source)
    return dict(zip(table["item_id"].to_pylist(), table["title"].to_pylist(), strict=True))


def test_a_folder_or_an_archive_of_parts_is_a_catalogue(tmp_path: Path) -> None:
    folder = tmp_path / "items"
    folder.mkdir()
    with zipfile.ZipFile(tmp_path / "items.zip", "w") as archive:
        for n, text in enumerate(_PARTS):
            (folder / f"part-{n}.csv").write_text(text)
            archive.writestr(f"part-{n}.csv", text)
    (folder / "_SUCCESS").touch()
    assert _titles(folder) == _BY_ID
    assert _titles(tmp_path / "items.zip") == _BY_ID


def test_parts_of_a_catalogue_have_the_same_columns(tmp_path: Path) -> None:
    (tmp_path / "products.csv").write_text(_PARTS[0])
    (tmp_path / "categories.csv").write_text("id,name\n1,Films\n")
    with pytest.raises(DataError, match=r"categories.csv, products.csv.*give one of them"):
        read_table(tmp_path)


@pytest.mark.parametrize("make", [json.dumps, lambda held: json.dumps(held, indent=1)])
def test_a_file_may_map_ids_to_titles(make: Any, tmp_path: Path) -> None:
    path = tmp_path / "items.json"
    path.write_text(make(_BY_ID))
    assert _titles(path) == _BY_ID


def test_a_series_maps_ids_to_titles() -> None:
    assert _titles(pd.Series(_BY_ID)) == _BY_ID


@pytest.mark.parametrize("price", [float("inf"), -float("inf"), 10**400, "1e400"])
def test_infinite_numbers_of_items_are_refused(price: Any) -> None:
    told = r"price.*'z'.*infinite"
    items = [{"item_id": item, "title": item, "price": 1.5} for item in "abc"]
    data = Interactions.build(read([("u", "a"), ("u", "b"), ("v", "c")], items=items))
    model = FeatureIALS(factors=2, epochs=1, features=("price",)).fit(data)
    new = [{"item_id": "y", "title": "y", "price": 2.5}, {"item_id": "z", "price": price}]
    with pytest.raises(DataError, match=told):
        model.with_items(new)
    if isinstance(price, float):
        with pytest.raises(DataError, match=told):
            read([("u", "z")], items=new)


@pytest.mark.parametrize("nothing", ["NULL", "None", "N/A", "n/a", "nan", "\\N", "<NA>", " NULL "])
def test_a_word_for_nothing_is_no_title(nothing: str, tmp_path: Path) -> None:
    path = tmp_path / "items.csv"
    path.write_text(f"item,title,year\na,Heat,1995\nb,{nothing},{nothing.strip()}\n")
    table = read_table(path)
    assert table["title"].to_pylist() == ["Heat", None]
    assert table["year"].to_pylist() == [1995, None]
    records = [{"item_id": "a", "title": "Heat"}, {"item_id": "b", "title": nothing}]
    for source in (records, pd.DataFrame(records), pa.Table.from_pylist(records)):
        assert read_table(source)["title"].to_pylist() == ["Heat", None]


def test_titles_may_hold_such_words(tmp_path: Path) -> None:
    path = tmp_path / "items.csv"
    path.write_text("item,title,country\na,None but the Brave,NA\nb,Null and Void,DE\n")
    table = read_table(path)
    assert table["title"].to_pylist() == ["None but the Brave", "Null and Void"]
    assert table["country"].to_pylist() == ["NA", "DE"]


def test_lines_of_a_catalogue_in_two_encodings(tmp_path: Path) -> None:
    path = tmp_path / "items.csv"
    path.write_bytes("item,title\na,Zoë\n".encode() + "b,Amélie\n".encode("latin-1"))
    assert _titles(path) == {"a": "Zoë", "b": "Amélie"}


_FILM_100K = "{0}|{1}|01-Jan-1995||http://a.b/{0}|" + "|".join("0100010000000000000") + "\n"
_FILMS_100K = _FILM_100K.format(7, "Café (1995)") + _FILM_100K.format(9, "Unknown")
_FILMS_1M = '7::Café, "The" (1995)::Drama|War\n9::B (1996)::(no genres listed)\n'


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("encoding", ["latin-1", "utf-8"])
@pytest.mark.parametrize(
    ("text", "titles", "genres"),
    [
        (_FILMS_100K, ["Café (1995)", "Unknown"], [["Action", "Comedy"]] * 2),
        (_FILMS_1M, ['Café, "The" (1995)', "B (1996)"], [["Drama", "War"], []]),
    ],
)
def test_films_of_movielens_need_no_header_and_no_ratings_beside_them(
    text: str, titles: list[str], genres: list[Any], encoding: str, packed: bool, tmp_path: Path
) -> None:
    """`u.item` and `movies.dat`, whatever they are called."""
    path, held = tmp_path / "films", text.encode(encoding)
    path.write_bytes(gzip.compress(held) if packed else held)
    table = read([(1, 7), (2, 9)], items=path).item_table
    assert table is not None
    assert table.column("item_id").to_pylist() == [7, 9]
    assert table.column("title").to_pylist() == titles
    assert table.column("genres").to_pylist() == genres
    assert table.column("year").to_pylist()[0] == 1995


def test_films_of_movielens_have_the_genres_that_lie_beside_them(tmp_path: Path) -> None:
    (tmp_path / "u.item").write_text(_FILMS_100K)
    genres = "".join(f"G{n}|{n}\n" for n in range(19))
    (tmp_path / "u.genre").write_text(genres)
    assert read_table(tmp_path / "u.item").column("genres").to_pylist() == [["G1", "G5"]] * 2
    (tmp_path / "u.genre").write_text(genres[:20])
    with pytest.raises(DataError, match="genres, and the lines of u.item have 19"):
        read_table(tmp_path / "u.item")


def test_lines_like_films_without_years_are_no_films_of_movielens(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("7::Mug::kitchen\n9::Cap::clothes\n")
    with pytest.raises(DataError, match="no header"):
        read_table(path)
