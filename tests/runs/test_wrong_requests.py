"""Requests of another type are refused by the argument's name, before any work."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import cofactor
from cofactor.base.errors import ArgumentError
from cofactor.data.synthetic import power_law
from cofactor.models.baselines.popularity import Popularity

DATA: Any = power_law(40, 20, 300, seed=3)
BOTH = ["popularity", "ease"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: cofactor.compare(DATA, 3), "models must be models or names of them"),
        (lambda: cofactor.compare(DATA, BOTH, settings=3), "settings must be a mapping"),
        (lambda: cofactor.compare(DATA, BOTH, split="x"), "split must be a Split"),
        (lambda: cofactor.compare(DATA, BOTH, baselines="x"), "baselines must be True or False"),
        (lambda: cofactor.compare(DATA, BOTH, run=3), "run must be a Run"),
        (lambda: cofactor.compare(DATA, BOTH, reading=3), "reading must be a Reading"),
        (lambda: cofactor.compare(DATA, BOTH, cutting=3), "cutting must be a Cutting"),
        (lambda: cofactor.tune(DATA, "ials", run=3), "run must be a Run"),
        (lambda: cofactor.tune(DATA, "ials", reading=3), "reading must be a Reading"),
        (lambda: cofactor.tune(DATA, "ials", cutting=3), "cutting must be a Cutting"),
        (lambda: cofactor.tune(DATA, "ials", search={"factors": 3}), "must be a Range or Choices"),
        (lambda: cofactor.tune(DATA, "ials", settings=3), "settings must be a list"),
        (lambda: cofactor.tune(DATA, "ials", out=3), "out must name a file"),
        (lambda: cofactor.tune(DATA, "ials", out=""), "out must name a file"),
        (lambda: cofactor.auto(DATA, run=3), "run must be a Run"),
        (lambda: cofactor.auto(DATA, reading=3), "reading must be a Reading"),
        (lambda: cofactor.auto(DATA, cutting=3), "cutting must be a Cutting"),
        (lambda: cofactor.train(DATA, "popularity", run=3), "run must be a Run"),
        (lambda: cofactor.cross_validate("popularity", DATA, [3]), "folds must be a number"),
        (lambda: Popularity().fit(DATA, run=3), "run must be a Run"),
        (lambda: Popularity().fit(DATA, run={}), "run must be a Run"),
        (lambda: Popularity().fit(DATA).recommend(run=0), "run must be a Run"),
    ],
)
def test_requests_of_another_type_are_refused(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        call()


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"metrics": 3}, "metrics must be a mapping"),
        ({"metrics": {"a": object()}}, "metrics and run hold numbers and texts"),
        ({"run": 3}, "run must be a mapping"),
        ({"split": 3}, "split must be a text"),
        ({"licence": 3}, "licence must be a text"),
    ],
)
def test_facts_that_no_manifest_holds_are_refused(
    facts: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ArgumentError, match=message):
        cofactor.save(Popularity().fit(DATA), tmp_path / "model", **facts)
    assert not list(tmp_path.iterdir())
