"""The tutorials' recipes: found by name, reported beside the published figures, and reaching
their bars on the real data.
"""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from cofactor.base.errors import UnknownNameError
from cofactor.base.run import Run
from cofactor.runs.reproduce import SUITES, recipes, reproduce
from cofactor.runs.tutorials.recipe import Figure, Reproduced
from cofactor.training.curve import LearningCurve


def test_every_recipe_of_every_suite_has_a_module_with_a_recipe() -> None:
    for suite, package in SUITES.items():
        for name in recipes(suite):
            assert callable(importlib.import_module(f"{package}.{name}").recipe)


def test_unknown_suites_and_experiments_are_refused_with_the_nearest_name() -> None:
    with pytest.raises(UnknownNameError, match="did you mean tutorials"):
        recipes("tutorial")
    with pytest.raises(UnknownNameError, match="did you mean lstm"):
        next(reproduce("tutorials", "lsmt"))


def test_a_figure_says_whether_its_bar_was_reached_in_either_direction() -> None:
    low = Figure("m", "d", "MSE", 0.7, "0.8", 0.72)
    high = Figure("m", "d", "AUC", 0.89, "0.78", 0.9, higher_is_better=True)
    assert (low.reached, high.reached, Figure("m", "d", "MSE", 0.7).reached) == (True, False, None)
    assert (low.to_row()["at least"], high.to_row()["at least"]) == ("≤ 0.72", "≥ 0.9")
    assert not Reproduced("n", "t", "p", [low, high]).reached


def test_the_plot_of_a_recipe_is_one_page(tmp_path: Path) -> None:
    report = Reproduced(
        "n",
        "A title",
        "p",
        curves={"m": LearningCurve([2.0, 1.0], [0.1, 0.1], [1.0, 1.0], {"rmse": [1.0, 0.5]}, 1)},
    )
    assert "A title" in report.plot(tmp_path / "curves" / "n.html").read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.data("ml-100k")
@pytest.mark.parametrize("name", ["mf", "dense", "lstm"])
def test_ml_100k_recipes_reach_their_bars(name: str) -> None:
    (report,) = reproduce("tutorials", name, run=Run(threads=2, device="cpu"))
    assert report.reached, [figure.to_row() for figure in report.figures]


@pytest.mark.slow
@pytest.mark.data("book-crossing")
def test_book_crossing_recipe_reaches_its_bars() -> None:
    (report,) = reproduce("tutorials", "book_crossing", run=Run(threads=2, device="cpu"))
    assert report.reached, [figure.to_row() for figure in report.figures]
