"""The same guards in every reader, joins that report their hits, sources read only once."""

from __future__ import annotations

import datetime
import os
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from scipy import sparse

import cofactor
from cofactor.base.errors import ArgumentError, CofactorError
from cofactor.data.catalogue import Catalogue
from cofactor.data.events import Events
from cofactor.data.features.columns import choose
from cofactor.data.features.spec import FeatureSpec
from cofactor.data.ids import IdMap, wire_id
from cofactor.data.interactions import KEEP, Interactions
from cofactor.data.readers.item_tables import read_table
from cofactor.data.records import table_of
from cofactor.models.answering.new_items import with_new_items
from cofactor.runs.source import Reading
from cofactor.runs.train import train


def test_pairs_that_repeat_in_a_matrix_are_added_up_by_both_readers_and_the_matrix_stays() -> None:
    matrix = sparse.coo_matrix(([1.0, 2.0, 5.0], ([0, 0, 1], [1, 1, 0])), shape=(2, 2))
    for data in (Interactions.from_matrix(matrix), Interactions.build(cofactor.read(matrix))):
        assert data.values is not None
        assert data.values.tolist() == [3.0, 5.0]
    assert matrix.nnz == 3


_PAIRS = {"user": [3, 1, 3], "item": ["a", "b", "b"]}


_SOURCES: dict[str, Callable[[], Any]] = {
    "pandas": lambda: pd.DataFrame(_PAIRS),
    "polars": lambda: pl.DataFrame(_PAIRS),
    "polars, lazy": lambda: pl.LazyFrame(_PAIRS),
    "Arrow": lambda: pa.table(_PAIRS),
    "DuckDB": lambda: duckdb.from_arrow(pa.table(_PAIRS)),
    "tuples": lambda: list(zip(*_PAIRS.values(), strict=True)),
    "records": lambda: [{"user": u, "item": i} for u, i in _SOURCES["tuples"]()],
    "columns": lambda: _PAIRS,
}


@pytest.mark.parametrize("name", _SOURCES)
def test_interactions_are_built_from_whatever_a_model_is_fitted_on(name: str) -> None:
    fitted = cofactor.Popularity().fit(_SOURCES[name]()).data
    built = Interactions.build(_SOURCES[name]())
    assert built.fingerprint == fitted.fingerprint
    assert built.users.ids() == [1, 3]


def test_a_matrix_is_built_as_it_is_fitted_with_its_empty_rows() -> None:
    matrix = sparse.coo_matrix(([1.0, 5.0], ([0, 2], [1, 0])), shape=(4, 3))
    built = Interactions.build(matrix)
    assert built.fingerprint == cofactor.Popularity().fit(matrix).data.fingerprint
    assert (built.n_users, built.n_items) == (4, 3)
    named = Interactions.build(matrix, items=IdMap.of(["a", "b", "c"]))
    assert named.items.ids() == ["a", "b", "c"]


def test_interactions_are_built_from_a_folder_of_shards(tmp_path: Path) -> None:
    from cofactor.data.readers.sharded import shard

    pd.DataFrame(_PAIRS).to_csv(tmp_path / "a.csv", index=False)
    shard([tmp_path / "a.csv"], tmp_path / "shards")
    built = Interactions.build(tmp_path / "shards")
    assert built.fingerprint == cofactor.Popularity().fit(tmp_path / "shards").data.fingerprint
    with pytest.raises(ArgumentError, match="shards.* repeats"):
        Interactions.build(tmp_path / "shards", repeats="sum")


def test_what_is_no_events_is_refused_with_the_way() -> None:
    for given in (5, None, Interactions.build(_PAIRS)):
        with pytest.raises(ArgumentError, match=r"cofactor\.read"):
            Interactions.build(given)  # type: ignore[arg-type]


def _bought(ids: list[Any]) -> Events:
    return Events(pa.array([f"u{n}" for n in range(len(ids))]), pa.array(ids))


@pytest.mark.parametrize(
    ("items", "catalogue", "said"),
    [
        ([7, 8], ["007", "008"], "knows 0 of 2 items; ids such as '7' against '007'"),
        (list(range(100)), [5, 500, 501, 502], r"knows 1 of 100 items; ids such as '0' .* '500'"),
        ([1, 2], [1, 2, 3], "knows 2 of 2 items; 1 of its 3 lines"),
        ([1, 2], [1, 1, 2], "1 lines repeat an id"),
        (["a"], ["a", None, ""], "knows 1 of 1 items; lines without an id: 2"),
    ],
)
def test_a_join_reports_its_hits(items: list[Any], catalogue: list[Any], said: str) -> None:
    import re
    from dataclasses import replace

    table = read_table(pa.table({"item_id": catalogue, "title": ["t"] * len(catalogue)}))
    data = Interactions.build(replace(_bought(items), item_table=table))
    assert any(re.search(said, note) for note in data.notes), data.notes


def test_ids_of_a_catalogue_follow_the_rule_for_ids() -> None:
    table = read_table(pa.table({"item_id": [" 7", "8.0", "NULL"], "title": ["a", "b", "c"]}))
    assert table.column("item_id").to_pylist() == [7, 8]
    floats = read_table(pd.DataFrame({"item_id": [7.0, np.nan], "title": ["a", "b"]}))
    assert floats.column("item_id").to_pylist() == [7]


def test_items_nobody_has_had_stay_in_models_that_read_the_catalogue(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    pd.DataFrame({"user": draw.integers(0, 20, 200), "item": draw.integers(0, 12, 200)}).to_csv(
        tmp_path / "bought.csv", index=False
    )
    for ids in (list(range(15)), [*range(14), "NEW"]):
        pd.DataFrame(
            {"item": ids, "title": [f"word{n % 4} other{n % 3}" for n in range(15)]}
        ).to_csv(tmp_path / "items.csv", index=False)
        done = train(
            tmp_path / "bought.csv",
            "content_knn",
            tmp_path / "model",
            reading=Reading(items=tmp_path / "items.csv"),
            overwrite=True,
        )
        data = done.model.data
        assert data.n_items == 15
        assert data.catalogue.titles(data.items.rows(ids[-1]))[0] == "word2 other2"
        bought = {tuple(p) for p in pd.read_csv(tmp_path / "bought.csv").to_numpy().tolist()}
        pairs = zip(data.users.ids(data.user_rows), data.items.ids(data.item_rows), strict=True)
        assert {(int(u), int(i)) for u, i in pairs} == bought
        assert len(done.model.recommend(history=[ids[-1]], k=3)) == 3


_COLUMNS = {
    "struct": pa.array([{"a": n} for n in range(12)]),
    "map": pa.array([[("a", n)] for n in range(12)], pa.map_(pa.string(), pa.int64())),
    "duration": pa.array([datetime.timedelta(minutes=n) for n in range(12)]),
    "time": pa.array([datetime.time(n, 30) for n in range(12)]),
    "binary": pa.array([bytes([200 + n]) for n in range(12)]),
    "text in bytes": pa.array([b"ab", b"cd"] * 6),
    "decimal": pa.array([Decimal(n) / 4 for n in range(12)]),
    "beyond 64 bits": pa.array([Decimal(2**70 + n) for n in range(12)]),
    "unsigned": pa.array([2**63 + n for n in range(12)], pa.uint64()),
    "interval": pa.array([(1, n, 0) for n in range(12)], pa.month_day_nano_interval()),
    "lists of structs": pa.array([[{"a": 1}]] * 12),
    "lists of lists": pa.array([[[1, 2]]] * 12),
    "lists of numbers": pa.array([[1, n] for n in range(12)]),
    "views": pa.array(["x", "y"] * 6, pa.string_view()),
    "nothing": pa.nulls(12),
    "infinite": pa.array([float("inf")] + [1.0] * 11),
    "dictionary of numbers": pa.array([1, 2] * 6).dictionary_encode(),
    "moments": pa.array([datetime.datetime(2019, 1, 1 + n) for n in range(12)], pa.timestamp("ns")),
}
if hasattr(pa, "uuid"):  # Arrow 18 and later
    _COLUMNS["uuid"] = pa.array([uuid.UUID(int=n).bytes for n in range(12)], pa.uuid())


@pytest.mark.parametrize("name", _COLUMNS)
def test_a_column_of_any_type_makes_features_or_is_left_out(name: str) -> None:
    table = pa.table({"title": ["red shoe", "blue hat"] * 6, name: _COLUMNS[name]})
    catalogue = Catalogue(table)
    for features in ((), (name,)):
        spec = FeatureSpec.fit(catalogue, features=features)
        matrix = spec.transform(catalogue)
        assert matrix.shape[0] == 12
        assert np.isfinite(matrix.data).all()
    assert choose(catalogue, (), ())[0][0].name == "title"


def test_lists_with_commas_are_lists() -> None:
    genres = ["Action, Drama", "Drama", "Action, Comedy", "Comedy, Drama"] * 5
    table = pa.table({"genres": genres})
    columns, _ = choose(Catalogue(table), (), ("genres",))
    assert columns[0].kind == "list"
    spec = FeatureSpec.fit(Catalogue(table), features=("genres",))
    assert spec.width == 3


def test_records_keep_what_the_first_of_them_lacks() -> None:
    table = table_of([{"a": 1}, {"a": 2, "b": "x"}, {"c": 2**70, "b": [1, "y"]}, {"d": {"e": 1}}])
    assert table.column_names == ["a", "b", "c", "d"]
    assert table.column("b").to_pylist() == [None, "x", '[1, "y"]', None]
    assert table.column("c").to_pylist() == [None, None, str(2**70), None]


def test_new_items_keep_what_the_first_of_them_lacks() -> None:
    table = pa.table({"item_id": [1, 2], "title": ["a", "b"], "colour": ["red", "blue"]})
    from dataclasses import replace

    data = Interactions.build(replace(_bought([1, 2]), item_table=table))
    grown = with_new_items(data, [{"item_id": 3, "title": "c"}, {"item_id": 4, "colour": "green"}])
    assert grown.catalogue.row(3) == {"colour": "green"}


def test_ids_on_the_wire_survive_floats() -> None:
    assert wire_id(2**53) == 2**53
    assert wire_id(9148955329465709066) == "9148955329465709066"
    assert wire_id(-(2**53) - 1) == str(-(2**53) - 1)
    ids = IdMap(pa.array([9148955329465709065, 9148955329465709066]))
    assert ids.find(["9148955329465709066"]).tolist() == [1]


def test_ids_are_found_as_they_are_typed() -> None:
    numbers, texts = IdMap(pa.array([7, 17850])), IdMap(pa.array(["5f1d7a3e2b4c5d6e7f8a9b0c", "a"]))
    asked = ["17850", " 7", "007", 7.0, Decimal(7), "x"]
    assert numbers.find(asked).tolist() == [1, 0, -1, 0, 0, -1]
    # Whether "7.0" is 7 only a whole column can tell.
    assert numbers.find(["7.0"]).tolist() == [-1]
    assert texts.find([" a ", '{"$oid": "5f1d7a3e2b4c5d6e7f8a9b0c"}', "A"]).tolist() == [1, 0, -1]


_MANY = 200_000


def rows(count: int) -> str:
    return "".join(f"u{n % 977},i{n % 401},{n % 5 + 1}\n" for n in range(count))


@pytest.fixture(scope="module")
def streamed(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What one process prints of a process substitution and of its standard input."""
    path = tmp_path_factory.mktemp("streamed") / "big.csv"
    path.write_text("user,item,rating\n" + rows(_MANY))
    code = (
        "import sys, cofactor; e = cofactor.read(sys.argv[1]);"
        " print(len(e), e.items.to_pylist()[-1]);"
        ' e = cofactor.read("-"); print(len(e), e.source)'
    )
    done = subprocess.run(
        ["bash", "-c", f"cat {path} | {sys.executable} -X faulthandler -c '{code}' <(cat {path})"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.returncode == 0, (done.returncode, done.stderr)
    return done.stdout.splitlines()


def test_all_rows_of_a_process_substitution_are_read(streamed: list[str]) -> None:
    assert streamed[0].split() == ["200000", f"i{199_999 % 401}"]


def test_all_rows_of_standard_input_are_read(streamed: list[str]) -> None:
    assert streamed[1:] == ["200000 standard input"]


@pytest.mark.parametrize("count", [1, _MANY])
def test_all_rows_of_a_named_pipe_are_read(tmp_path: Path, count: int) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_text("user,item,rating\n" + rows(count)))
    writer.start()
    assert len(cofactor.read(pipe)) == count
    writer.join()


def test_what_was_skipped_is_listed(tmp_path: Path) -> None:
    import json

    (tmp_path / "a.csv").write_text("user,item,rating\nu1,a,1\nNULL,b,2\nu2,c\nu3,d,x1\nu4,e,4\n")
    (tmp_path / "a.jsonl").write_text('{"user":"u1","item":"a"}\nbroken\n{"user":null,"item":1}\n')
    rejects = tmp_path / "rejects.jsonl"
    wanted = {"a.csv": [3, 4, 5], "a.jsonl": [2, 3]}
    for name, lines in wanted.items():
        events = cofactor.read(tmp_path / name, on_bad="skip", rejects=rejects)
        found = [json.loads(line) for line in rejects.read_text().splitlines()]
        assert sorted(one["line"] for one in found) == lines
        assert all(one["reason"] for one in found)
        assert len(events) == (2 if name == "a.csv" else 1)
    frame = pd.DataFrame({"user": ["u1", None], "item": ["a", "b"]})
    assert len(cofactor.read(frame, on_bad="skip", rejects=rejects)) == 1
    assert len(rejects.read_text().splitlines()) == 1


def test_a_workbook_is_read(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.active.append(["Orders of 2024"])
    book.active.append([])
    book.active.append(["Customer", "Product SKU", "Qty", "Order Date"])
    book.active.append(["c1", 7, 2, datetime.datetime(2019, 1, 5)])
    book.active.append(["c2", 8, 1, datetime.datetime(2019, 1, 6)])
    book.save(tmp_path / "orders.xlsx")
    events = cofactor.read(tmp_path / "orders.xlsx")
    assert events.items.to_pylist() == [7, 8]
    assert events.times is not None
    assert events.times.tolist() == [1546646400, 1546732800]


def test_a_feather_file_is_read(tmp_path: Path) -> None:
    from pyarrow import feather

    feather.write_feather(
        pa.table({"user": [1, 2], "item": ["a", "b"]}), str(tmp_path / "a.feather")
    )
    assert cofactor.read(tmp_path / "a.feather").items.to_pylist() == ["a", "b"]


def test_several_files_are_one(tmp_path: Path) -> None:
    for n in range(3):
        (tmp_path / f"{n}.csv").write_text(f"user,item\nu{n},a\n")
    events = cofactor.read([tmp_path / f"{n}.csv" for n in range(3)])
    assert events.users.to_pylist() == ["u0", "u1", "u2"]
    (tmp_path / "3.csv").write_text("user,item,rating\nu3,a,1\n")
    with pytest.raises(CofactorError, match="no values"):
        cofactor.read(str(tmp_path / "*.csv"))


@pytest.mark.parametrize(("low", "said"), [(-1.0, "negative"), (0.0, "labels")])
def test_models_of_implicit_feedback_tell_what_is_no_liking(low: float, said: str) -> None:
    from cofactor.base.run import Run

    rows = [(f"u{n}", n % 5, low if n % 5 == 0 else 1.0) for n in range(40)]
    data = Interactions.build(cofactor.read(rows))
    for model in (cofactor.IALS(factors=4), cofactor.ItemKNN(), cofactor.Popularity()):
        model.fit(data, run=Run(threads=1))
        assert any(said in note and "min_value" in note for note in model.notes)
    assert cofactor.Bias().fit(data).notes == ()


@pytest.mark.parametrize("more", [[5], ["new"]])
def test_repeats_keep_their_items_when_the_catalogue_brings_more(more: list[Any]) -> None:
    rows = [("u1", 10, 1.0), ("u1", 9, 1.0), ("u1", 10, 1.0), ("u2", 9, 2.0)]
    data = Interactions.build(cofactor.read(rows), repeats=KEEP)
    table = read_table(pa.table({"item_id": [str(i) for i in [9, 10, *more]]}))
    grown = data.with_catalogue_items(table)
    assert grown.n_items == 3
    for before, after in zip(_lists(data), _lists(grown), strict=True):
        assert [str(i) for i in after] == [str(i) for i in before]


def _lists(data: Interactions) -> list[list[Any]]:
    indptr, item_rows, _ = data.histories().csr
    kept = [item_rows[indptr[n] : indptr[n + 1]] for n in range(data.n_users)]
    assert data.log is not None
    found = [sorted(map(str, data.items.ids(rows))) for rows in kept]
    return [*found, data.items.ids(data.log.item_rows)]
