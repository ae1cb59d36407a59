"""Cells of catalogues as shops and film databases write them: what a reader and a model make of
them."""

from __future__ import annotations

import csv
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet as pq

import cofactor
from cofactor.base.errors import ArtifactError, DataError
from cofactor.data.catalogue import Catalogue
from cofactor.data.features import FeatureSpec
from cofactor.data.readers import read_table

_N = 40
_GENRES = ("Action", "Drama", "Comedy", "Science Fiction", "Film-Noir")
_LISTS = [[_GENRES[n % 5], _GENRES[n * n % 5 - 1]][: 1 + n % 3] for n in range(_N)]
_VALUES = sorted({genre.lower() for cells in _LISTS for genre in cells})


def _table(folder: Path, name: str, cells: list[Any]) -> tuple[pa.Table, str]:
    """A catalogue of a text file with one column, as it is read, and its notes."""
    path = folder / "items.csv"
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(("item_id", "title", name))
        writer.writerows((f"i{n:02}", f"Thing {n}", cell) for n, cell in enumerate(cells))
    events = cofactor.read([(f"u{n % 7}", f"i{n:02}") for n in range(_N)], items=path)
    assert events.item_table is not None
    return events.item_table.sort_by("item_id"), "\n".join(events.notes)


def _spec(column: Any, name: str = "x") -> FeatureSpec:
    return FeatureSpec.fit(Catalogue(pa.table({name: column})), rows=np.arange(_N))


@pytest.mark.parametrize(
    ("name", "cell", "value"),
    [
        ("price", lambda n: f"${n}.50", lambda n: n + 0.5),
        ("price", lambda n: f"{n},50 €", lambda n: n + 0.5),
        ("price", lambda n: f"1.{n + 100},50\u00a0€", lambda n: 1100.5 + n),
        ("price", lambda n: f"EUR {n}.50", lambda n: n + 0.5),
        ("price", lambda n: f"US${n}", lambda n: n),
        ("price", lambda n: f"₹1,00,0{n + 10}.25", lambda n: None),
        ("off", lambda n: f"{n} %", lambda n: n),
        ("weight", lambda n: f"{n}.5 kg", lambda n: n + 0.5),
        ("memory", lambda n: f"{n}GB", lambda n: n),
        ("length", lambda n: "1 page" if n == 1 else f"{n} pages", lambda n: n),
        ("price", lambda n: "-" if n % 7 == 3 else f"{n}.5", lambda n: n + 0.5),
        # Codes, places and mixed currencies stay texts.
        ("shelf", lambda n: f"A{n}", None),
        ("place", lambda n: f"{10115 + n} Berlin", None),
        ("place", lambda n: f"FR {75000 + n}", None),
        ("ref", lambda n: f"{1000 + n}DE", None),
        ("price", lambda n: f"{'$€'[n % 2]}{n}", None),
        ("code", lambda n: "-" if n == 3 else f"0{n}", None),
    ],
)
def test_amounts_with_their_unit_are_numbers(
    name: str,
    cell: Callable[[int], str],
    value: Callable[[int], float | None] | None,
    tmp_path: Path,
) -> None:
    cells = [cell(n) for n in range(_N)]
    table, notes = _table(tmp_path, name, cells)
    found = table.column(name).to_pylist()
    if value is None or value(0) is None:
        assert found == cells
        return
    assert found == [None if c == "-" else value(n) for n, c in enumerate(cells)]
    assert ("the number in cells such as" in notes) == (cells[3] != "-")


@pytest.mark.parametrize(
    "written",
    [
        json.dumps,
        str,
        lambda cells: str(tuple(cells)).replace("(", "[").replace(")", "]"),
        lambda cells: "{" + ",".join(f'"{cell}"' if " " in cell else cell for cell in cells) + "}",
        lambda cells: "[" + " ".join(map(repr, cells)) + "]",
        lambda cells: json.dumps([{"id": n, "name": cell} for n, cell in enumerate(cells)]),
        lambda cells: str([{"name": cell, "id": 3} for cell in cells]),
        lambda cells: json.dumps([cells]),
    ],
)
def test_lists_in_brackets_are_lists(written: Callable[[list[str]], str], tmp_path: Path) -> None:
    table, _ = _table(tmp_path, "genres", [written(cells) for cells in _LISTS])
    assert table.column("genres").to_pylist() == _LISTS


@pytest.mark.parametrize("form", ["records", "frame", "arrow", "a.parquet", "a.jsonl", "a.db"])
def test_cells_mean_the_same_in_every_form(form: str, tmp_path: Path) -> None:
    columns = {
        "item_id": ["a", "b", "c"],
        "genres": ['["x", "y"]', "[]", None],
        "price": ["$3.50", None, "$4.50"],
        "cost": ["3.50", "4.00", None],
        "size": ["7", "8", "9"],
    }
    table, path = pa.table(columns), tmp_path / form
    records = table.to_pylist()
    source: Any = {"records": records, "frame": table.to_pandas(), "arrow": table}.get(form, path)
    if form == "a.parquet":
        pq.write_table(table, path)
    elif form == "a.jsonl":
        path.write_text("".join(json.dumps(record) + "\n" for record in records))
    elif form == "a.db":
        with closing(sqlite3.connect(path)) as base:
            base.execute("CREATE TABLE items (item_id, genres, price, cost, size)")
            base.executemany("INSERT INTO items VALUES (?, ?, ?, ?, ?)", table.to_pandas().values)
            base.commit()
        source = f"sqlite:///{path}"
    found = read_table(source)
    assert found.column("genres").to_pylist() == [["x", "y"], [], None]
    assert found.column("price").to_pylist() == [3.5, None, 4.5]
    assert found.column("cost").to_pylist() == [3.5, 4.0, None]
    assert found.column("size").to_pylist() == columns["size"]


@pytest.mark.parametrize("cells", [["[Hardcover]", "[Paperback]"], ['{"a": 1}', '{"a": 2}']])
def test_other_texts_in_brackets_stay_texts(cells: list[str], tmp_path: Path) -> None:
    table, _ = _table(tmp_path, "x", cells * (_N // 2))
    assert table.column("x").to_pylist() == cells * (_N // 2)


@pytest.mark.parametrize("sign", ["|", " | ", ", ", ",", ";", "; ", "/"])
def test_values_between_signs_are_features_of_their_own(sign: str) -> None:
    spec = _spec([sign.join(cells) for cells in _LISTS])
    assert [(c.kind, len(spec.hashes)) for c in spec.columns] == [("list", len(_VALUES))]
    again = FeatureSpec.from_arrays(spec.arrays())
    one = Catalogue(pa.table({"x": [sign.join(_GENRES[:2])]}))
    assert again.columns == spec.columns
    assert again.transform(one).nnz == 2
    assert set(again.names({"x": f"Drama{sign}Comedy"}).values()) == {"x: Drama", "x: Comedy"}


def test_a_form_that_is_none_is_refused() -> None:
    spec = _spec([";".join(cells) for cells in _LISTS])
    arrays = {**spec.arrays()}
    said = bytes(arrays["spec"]).replace(b'"list", ";"', b'"list", "?"')
    with pytest.raises(ArtifactError, match="don't fit"):
        FeatureSpec.from_arrays({**arrays, "spec": np.frombuffer(said, np.uint8)})


@pytest.mark.parametrize(
    ("cell", "first"),
    [
        (lambda n: f"{n % 12 + 1}/{n % 28 + 1}/2001", 11323.0),
        (lambda n: f"{n % 28 + 1}/{n % 12 + 1}/2001", 11323.0),
        (lambda n: f"{('March', 'April')[n % 2]} {n % 28 + 1}, 2001", 11382.0),
        (lambda n: f"2001-0{n % 9 + 1}", 11323.0),
        (lambda n: f"2001-01-{n % 28 + 1:02}T10:00:00Z", 11323 + 10 / 24),
        (lambda n: f"2001-01-{n % 28 + 1:02}T10:00:00.123+02:00", 11323 + 8 / 24),
    ],
)
def test_dates_as_texts_are_dates(cell: Callable[[int], str], first: float) -> None:
    from cofactor.data.features.dense import numbers_in

    cells = [cell(n) for n in range(_N)]
    spec = _spec(cells)
    assert [c.kind for c in spec.columns] == ["date"]
    for table in (pa.table({"x": cells}), pa.table({"x": cells[:1]})):
        assert numbers_in(table, spec.columns)[0][0] == pytest.approx(first)


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        ([[n / 7, 0.5, -1.0] for n in range(_N)], "vector"),
        ([None, *([n / 7, 0.5, -1.0] for n in range(1, _N))], "vector"),
        ([[n / 7] * (1 + n % 2) for n in range(_N)], "list"),
        ([[n % 5, n % 3] for n in range(_N)], "list"),
        ([[{"id": 1, "name": cell} for cell in cells] for cells in _LISTS], "list"),
        ([[cells] for cells in _LISTS], "list"),
    ],
)
def test_lists_of_other_formats_are_read(column: list[Any], kind: str) -> None:
    spec = _spec(pa.array(column))
    assert [c.kind for c in spec.columns] == [kind]
    again = FeatureSpec.from_arrays(spec.arrays())
    made = again.transform(pa.table({"x": pa.array(column[1:2])}))
    assert made.shape == (1, spec.width)
    assert made.nnz or column[1] == [1 / 7, 1 / 7]


@pytest.mark.parametrize(
    ("name", "cells", "kind"),
    [
        ("age_rating", ("PG", "R"), "category"),
        ("fsk_rating", (12, 16), "number"),
        ("avg_rating", (3.5, 4.5), ""),
        ("n_reviews", (3, 5), ""),
        ("viewCount", (3, 5), ""),
        ("salesRank", (3, 5), ""),
        ("popularity", ("high", "low"), ""),
        ("ideas", ("a", "b"), "category"),
        ("idle_power", (3, 5), "number"),
        ("brand_id", (3, 5), "category"),
        ("sellerId", ("s3", "s5"), "category"),
        ("poster_path", ("/a.jpg", "/b.jpg"), ""),
        ("front", ("https://x.org/a.jpg", "https://x.org/b.jpg"), ""),
        ("Unnamed: 0", tuple(range(_N)), ""),
        ("barcode", tuple(range(_N)), ""),
    ],
)
def test_names_and_contents_say_what_tells_nothing_of_a_new_item(
    name: str, cells: tuple[Any, ...], kind: str
) -> None:
    spec = _spec(list(cells) * (_N // len(cells)), name)
    assert "".join(column.kind for column in spec.columns) == kind
    assert kind or any(f"column {name!r} was left out" in note for note in spec.notes)


_CELLS = {"genres": '["Drama"]', "price": "$3.50", "weight": "2 kg", "note": "a;b"}


def _grown(items: Any, folder: Path, **of_catalogue: Any) -> Any:
    """The last row of a saved model with a catalogue of such cells, and with more items."""
    table = [{"item_id": f"i{n:02}", **_CELLS, **of_catalogue} for n in range(_N)]
    data = cofactor.Interactions.build(
        cofactor.read([(f"u{n % 7}", f"i{n % _N:02}") for n in range(2 * _N)], items=table)
    )
    cofactor.save(cofactor.ContentKNN(features=tuple(_CELLS)).fit(data), folder / "model")
    more = cofactor.load(folder / "model").with_items(items)
    return more.data.catalogue.row(_N)


@pytest.mark.parametrize(
    "items",
    [
        [{"item_id": "new", **_CELLS}],
        [{"item_id": "new", **_CELLS, "genres": ["Drama"], "price": 3.5, "weight": "2.0 KG"}],
        b'item_id,genres,price,weight,note\nnew,"[""Drama""]",$3.50,2 kg,a;b\n',
        b"item_id,genres,price,weight,note\nnew,Drama,3.50,2,a;b\n",
    ],
)
def test_new_items_are_read_as_the_catalogue_was(items: Any, tmp_path: Path) -> None:
    if isinstance(items, bytes):
        (tmp_path / "new.csv").write_bytes(items)
        items = tmp_path / "new.csv"
    row = _grown(items, tmp_path)
    assert row == {"genres": ["Drama"], "price": 3.5, "weight": 2.0, "note": "a;b"}


def test_texts_of_a_catalogue_stay_texts_in_new_items(tmp_path: Path) -> None:
    """As models of older versions have them."""
    texts = {name: pa.array([cell] * _N) for name, cell in _CELLS.items()}
    items = pa.table({"item_id": [f"i{n:02}" for n in range(_N)], **texts})
    data = cofactor.Interactions.build([(f"u{n % 7}", f"i{n % _N:02}") for n in range(2 * _N)])
    data = replace(data, catalogue=Catalogue.aligned(data.items, items, "item_id"))
    more = cofactor.ContentKNN().fit(data).with_items([{"item_id": "new", **_CELLS}])
    assert more.data.catalogue.row(_N) == _CELLS


@pytest.mark.parametrize(
    ("name", "cell", "said"),
    [
        ("price", "€3.50", "in 'eur', and the catalogue's in '\\$'; convert"),
        ("weight", "2 lb", "in 'lb', and the catalogue's in 'kg'; convert"),
        ("price", "four", "is string \\(such as 'four'\\), and the catalogue's is double; write"),
    ],
)
def test_new_items_in_another_unit_are_refused(
    name: str, cell: str, said: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=said):
        _grown([{"item_id": "new", **_CELLS, name: cell}], tmp_path)
