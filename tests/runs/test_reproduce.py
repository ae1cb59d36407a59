"""The tutorials' recipes: found by name, reported beside the published figures, and reaching
their bars on the real data.
"""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pytest

from cofactor.base.errors import UnknownNameError
from cofactor.base.progress import SilentProgress
from cofactor.base.run import Run
from cofactor.data import datasets
from cofactor.data.splits import split
from cofactor.data.synthetic import shop
from cofactor.evaluation.evaluate import evaluate
from cofactor.models.baselines.bias import Bias
from cofactor.runs.board import Board, BoardEntry, Measure, Row, measured
from cofactor.runs.cold.beauty import new_item_questions
from cofactor.runs.ratings.folds import rated
from cofactor.runs.reproduce import SUITES, recipes, reproduce
from cofactor.runs.tutorials.figures import Figure, Reproduced
from cofactor.training.curve import LearningCurve


def test_every_recipe_of_every_suite_has_a_module_with_a_recipe() -> None:
    for suite, package in SUITES.items():
        names = recipes(suite)
        assert names, suite
        for name in names:
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


def test_curves_are_drawn_where_an_experiment_has_some(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    curve = LearningCurve(loss=np.array([1.0, 0.5]), seconds=np.array([1.0, 1.0]))
    found = {"mf": {"latent_factor": curve}, "dense": {}}
    for name, curves in found.items():
        done = Reproduced(name, name, "", curves=curves)
        module = importlib.import_module(f"cofactor.runs.tutorials.{name}")
        monkeypatch.setattr(module, "recipe", lambda run, done=done: done)
        list(reproduce("tutorials", name, plots=tmp_path))
    assert [file.name for file in tmp_path.iterdir()] == ["mf.html"]
    assert not Board("b", "A board").curves


def test_a_bar_of_an_error_is_an_upper_bound() -> None:
    low = Row("m", "ids", {"rmse": (0.88, None, None)}, {"rmse": 0.885})
    high = Row("m", "ids", {"rmse": (0.89, None, None)}, {"rmse": 0.885})
    assert (low.reached, high.reached) == (True, False)
    assert low.to_row()["at least"] == "≤ 0.885"
    recall = Row("m", "ids", {"recall@20": (0.19, 0.18, 0.2)}, {"recall@20": 0.2})
    assert recall.reached is False
    assert recall.to_row()["recall@20"] == "0.19 [0.18, 0.2]"


class _Said(SilentProgress):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)


def test_a_board_of_sets_of_items_measures_and_says_what_costs_much() -> None:
    data = split(shop(n_users=60, n_items=40), "per-user", test=0.2, seed=0)
    board, said = Board("b", "A board"), _Said()
    entry = BoardEntry(model="popularity", settings={}, label="p", cost="a week")
    measure = Measure(metrics=("recall@5",), repeats=None)
    (result,) = measured(board, data, [entry], measure, Run(progress=said))
    (row,) = board.figures
    assert row.values["recall@5"][0] == result["recall@5"] > 0
    assert said.lines[0] == "p: a fit takes a week"


def test_errors_are_means_over_folds_with_an_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    data = shop(n_users=60, n_items=40)
    cuts = {str(seed): split(data, "random", test=0.2, seed=seed) for seed in range(3)}
    monkeypatch.setattr(datasets, "load_split", lambda name, fold: cuts[fold])
    monkeypatch.setattr(datasets, "verified", lambda name: (1, []))
    board = Board("b", "A board")
    rated(board, "shop", list(cuts), [BoardEntry(model="bias", settings={}, label="bias")], Run())
    value, low, high = board.figures[0].values["rmse"]
    each = [
        evaluate(Bias().fit(cut.train), cut, "rmse", resamples=0)["rmse"] for cut in cuts.values()
    ]
    assert value == pytest.approx(np.mean(each), rel=1e-6)
    assert low < min(each) < max(each) < high


def test_questions_of_new_items_know_only_what_came_before() -> None:
    data = shop(n_users=60, n_items=40)
    new = np.array([3, 7, 11, 20])
    part = new_item_questions(data, new, 1000, seed=0)
    histories, asked = data.histories(), part.truth.item_rows
    assert set(asked.tolist()) <= set(new.tolist())
    assert part.candidates.tolist() == new.tolist()
    counted = 0
    for user in range(data.n_users):
        own = histories.take([user]).item_rows
        for place in np.flatnonzero(np.isin(own, new) & (np.arange(len(own)) > 0)):
            prefix = part.histories(np.array([counted])).item_rows
            assert prefix.tolist() == own[:place].tolist()
            assert asked[counted] == own[place]
            counted += 1
    assert counted == len(asked) > 20


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
