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
from cofactor import IdMap, Interactions, Rerank, Run
from cofactor.base.errors import CofactorError
from cofactor.models.implicit.ials import IALS
from cofactor.models.neural.mlp import MLP

PAIRS = pd.DataFrame({"user": ["a", "a", "b"], "item": ["x", "y", "x"], "rating": [1.0, 2.0, 3.0]})
DATA = Interactions.build(cofactor.read(PAIRS))


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
        (lambda: DATA.with_catalogue_items([{"item_id": "q"}]), "table must be an Arrow table"),
        (lambda: DATA.with_catalogue_items(pa.table({"x": [1]})), "with a column item_id"),
        (
            lambda: Interactions.build(cofactor.read(PAIRS), keep_catalogue_items="yes"),
            "keep_catalogue_items must be True or False",
        ),
        (lambda: Run(progress=3), "progress must be a Progress"),
        (lambda: Run(progress=None), "progress must be a Progress"),
        (lambda: Run(progress=SimpleNamespace(task=print)), "methods task and say"),
        (lambda: Run(engine="ray"), "engine must be an Engine"),
        (lambda: Run(device=3), "device must be auto"),
        (lambda: Rerank(caps=3), "caps must be a mapping"),
        (lambda: Rerank(boosts=3), "boosts must be a mapping"),
        (lambda: Rerank(at_least=3), "at_least must be a mapping"),
        (lambda: Rerank(pins=3), "pins must be a list"),
        (lambda: MLP(hidden={16, 8}), "hidden must be a list"),
        (lambda: MLP(hidden={16: 8}), "hidden must be a list"),
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


def test_a_series_of_polars_of_lists_names_the_cure() -> None:
    with pytest.raises(CofactorError, match="a series .Series. of lists doesn't say whose each is"):
        cofactor.read(pl.Series("item", [["x", "y"], ["x"]]))
