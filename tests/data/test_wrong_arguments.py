"""Calls as people get them wrong, at the doors of the data: refused in a sentence that names the
argument, never another library's error or a silently different result.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from scipy import sparse

import cofactor
from cofactor import Catalogue, Events, Histories, IdMap, Interactions, Part, Rerank, Run, Split
from cofactor.base.errors import CofactorError
from cofactor.models.implicit.ials import IALS
from cofactor.models.neural.mlp import MLP

PAIRS = pd.DataFrame({"user": ["a", "a", "b"], "item": ["x", "y", "x"], "rating": [1.0, 2.0, 3.0]})
EVENTS = cofactor.read(PAIRS)
DATA = Interactions.build(EVENTS)
TITLED = Catalogue(pa.table({"title": ["x", "y"]}), "title")


def _folded(indptr: list[int], item_rows: list[int]) -> Any:
    history = Histories(np.array(indptr), np.array(item_rows, np.int32), None, None, 2)
    return cofactor.EASE().fit(DATA).fold_in(history)


def _damaged() -> Any:
    matrix = sparse.csr_matrix(np.array([[1.0, 0, 2], [0, 3, 0]]))
    matrix.indptr = np.array([0, 3, 2], np.int32)
    return matrix


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Interactions.from_matrix(_damaged()), "the matrix is damaged: indptr"),
        (
            lambda: Interactions.from_rows([0], [0], users=2**40, items=1),
            r"users .* 0\.\.2147483647",
        ),
        (lambda: IdMap(["a", None]), "an id is missing"),
        (lambda: IdMap(5), "ids must be a list"),
        (lambda: IdMap("abc"), "ids must be a list"),
        (lambda: DATA.where(np.array([0, 2, 1])), "keep must be 3 bools"),
        (lambda: DATA.where(["False"] * 3), "keep must be 3 bools"),
        (lambda: DATA.where([True]), "keep must be 3 bools"),
        (lambda: DATA.histories(np.array([9])), r"user_rows must be rows in 0\.\.1"),
        (lambda: DATA.histories(np.array([-1])), r"user_rows must be rows in 0\.\.1"),
        (lambda: DATA.where(np.ma.masked_array([True] * 3, [0, 1, 0])), "some of keep are masked"),
        (lambda: DATA.items_of(-1), r"user_row must be an integer in 0\.\.1, not -1"),
        (lambda: DATA.items_of(9), r"user_row must be an integer in 0\.\.1, not 9"),
        (lambda: DATA.catalogue_titles([9]), r"rows must be rows in 0\.\.1, not 9"),
        (lambda: DATA.catalogue.titles([0.5]), "rows must be a vector of row numbers"),
        (lambda: DATA.catalogue.row(-1), r"row must be an integer in 0\.\.1"),
        (lambda: TITLED.search("x", limit=-1), "limit must be an integer at least 0"),
        (lambda: TITLED.search(None), "words must be a text"),
        (lambda: DATA.items.ids([True, False]), "rows must be a vector of row numbers"),
        (lambda: DATA.items.ids(["x"]), "rows must be a vector of row numbers"),
        (lambda: DATA.histories().take([-1]), r"users must be rows in 0\.\.1"),
        (lambda: DATA.histories().where([True]), "keep must be 3 bools"),
        (lambda: DATA.histories().tail(-1), "length must be an integer at least 0"),
        (lambda: EVENTS.where([1, 0, 1]), "keep must be 3 bools"),
        (lambda: EVENTS.where([True]), "keep must be 3 bools"),
        (lambda: DATA.with_catalogue_items([{"item_id": "q"}]), "table must be an Arrow table"),
        (lambda: DATA.with_catalogue_items(pa.table({"x": [1]})), "with a column item_id"),
        (
            lambda: Interactions.build(cofactor.read(PAIRS), keep_catalogue_items="yes"),
            "keep_catalogue_items must be True or False",
        ),
        (lambda: Part(None, DATA), "truth must be Interactions"),
        (lambda: Part(DATA, DATA, fold_in="yes"), "fold_in must be True or False"),
        (lambda: Part(DATA, DATA, candidates=np.array([-1])), r"candidates must be rows in 0\.\.1"),
        (lambda: Part(DATA, DATA, candidates=[True, False]), "candidates must be a vector of row"),
        (lambda: Part(DATA, DATA, negatives=np.ones((2, 5), int)), r"item rows \[3, n_negatives"),
        (lambda: Part(DATA, DATA, negatives=np.full((3, 5), 9)), r"negatives must be rows in 0"),
        (lambda: Split(DATA, DATA, None, "x"), "test must be a Part"),
        (lambda: Split(None, Part(DATA, DATA), None, "x"), "train must be Interactions"),
        (lambda: Catalogue(PAIRS), "table must be an Arrow table"),
        (
            lambda: _folded([0, 2], [1, 9]),
            "a history holds item row 9, and the rows run from 0 to 1",
        ),
        (lambda: _folded([0, 2], [1, -1]), "a history holds item row -1"),
        (lambda: _folded([0, 5], [1, 0]), "must rise from 0 to their 2 events"),
        (lambda: _folded([0, 2, 1, 2], [1, 0]), "must rise from 0 to their 2 events"),
        (lambda: Run(progress=3), "progress must be a Progress"),
        (lambda: Run(progress=None), "progress must be a Progress"),
        (lambda: Run(progress=SimpleNamespace(task=print)), "methods task and say"),
        (lambda: Run(engine="ray"), "engine must be an Engine"),
        (lambda: Run(device=3), "device must be auto"),
        (lambda: Rerank(caps=3), "caps must be a mapping"),
        (lambda: Rerank(caps={3: 1}), "caps: a column must be a text"),
        (lambda: Rerank(mmr=0.5, by=3), "by must be a column's name"),
        (lambda: Rerank(boosts=3), "boosts must be a mapping"),
        (lambda: Rerank(at_least=3), "at_least must be a mapping"),
        (lambda: Rerank(pins=3), "pins must be a list"),
        (lambda: MLP(hidden=np.array(16)), "hidden must be a list"),
        (lambda: MLP(hidden={16, 8}), "hidden must be a list"),
        (lambda: MLP(hidden={16: 8}), "hidden must be a list"),
        (lambda: IALS().on_epoch_end(3), "callback must be a function"),
        (lambda: IALS().monitor("x", None, higher_is_better=True), "measure must be a function"),
        (lambda: IALS().monitor("x", len, higher_is_better="max"), "must be True or False"),
        (lambda: IALS().checkpoint_to(""), "path must name a file"),
        (lambda: IALS().checkpoint_to(3), "path must name a file"),
        (lambda: IALS().checkpoint_to(Path.cwd()), "is a folder, and isn't replaced by a file"),
        (lambda: IALS().fit(PAIRS).plot(None), "path must name a file"),
        (lambda: IALS(patience=10**30), r"patience must be an integer in 0\.\.9223372036854775807"),
    ],
)
def test_wrong_arguments_are_refused(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(CofactorError, match=message):
        call()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"user": True}, "user must be a column's name or its position"),
        ({"item": False}, "item must be a column's name or its position"),
        ({"header": "yes"}, "header must be True or False"),
        ({"delimiter": 3}, "delimiter must be a text"),
        ({"quote": "no"}, "quote must be one character"),
        ({"time_format": 3}, "time_format must be a text"),
        ({"member": 3}, "member must be a text"),
        ({"table": 3}, "table must be a text"),
        ({"query": ""}, "query must be a text"),
        ({"item_id": 3}, "item_id must be a text"),
        ({"rejects": 3}, "rejects must name a file"),
        ({"progress": 3}, "progress must be a Progress"),
    ],
)
@pytest.mark.parametrize("in_memory", [False, True])
def test_options_of_another_type_are_refused(
    options: dict[str, Any], message: str, in_memory: bool, tmp_path: Path
) -> None:
    source: Any = PAIRS
    if not in_memory:
        source = tmp_path / "a.csv"
        PAIRS.to_csv(source, index=False)
    with pytest.raises(CofactorError, match=message):
        cofactor.read(source, **options)


def test_seeds_and_threads_of_numpy_become_integers_of_python() -> None:
    run = Run(seed=np.int64(3), threads=np.uint8(1))  # type: ignore[arg-type]
    assert (type(run.seed), type(run.threads)) == (int, int)
    assert run == Run(seed=3, threads=1)


@pytest.mark.parametrize("order", ["<", ">"])
def test_ids_of_any_byte_order_are_integers(order: str) -> None:
    ids = np.array([3, 1], f"{order}i8")
    assert IdMap(ids).ids() == [3, 1]
    assert Interactions.build(Events(ids, ids)).users.ids() == [1, 3]  # type: ignore[arg-type]


def test_histories_are_made_of_what_is_read_once() -> None:
    made = Histories.of((rows for rows in [[0, 1], [1]]), 2, (v for v in [[1, 2], [3]]))  # type: ignore[arg-type]
    assert (made.lengths.tolist(), made.values.tolist()) == ([2, 1], [1, 2, 3])  # type: ignore[union-attr]


def test_a_series_of_polars_of_lists_names_the_cure() -> None:
    with pytest.raises(CofactorError, match="a series .Series. of lists doesn't say whose each is"):
        cofactor.read(pl.Series("item", [["x", "y"], ["x"]]))
