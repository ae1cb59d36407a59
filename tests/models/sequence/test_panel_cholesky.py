"""Panels of a lower triangle, and the memory of the model that is solved by them."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pyarrow as pa
import pytest

from cofactor.base import memory
from cofactor.base.errors import MemoryLimitError, TrainingError
from cofactor.base.run import Run
from cofactor.data.events import Events
from cofactor.data.interactions import Interactions
from cofactor.models.sequence import panel_cholesky
from cofactor.models.sequence.panel_cholesky import factorise, panel_rows, solve_lines
from cofactor.models.sequence.sequence_linear import SequenceLinear

ONE = Run(threads=1)


@pytest.mark.parametrize("n", [1, 64, 65, 200])
def test_panels_solve_what_the_square_solves(n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(panel_cholesky, "_LINES", 5)
    rng = np.random.default_rng(n)
    x = rng.normal(size=(2 * n, n)).astype(np.float32)
    gram = x.T @ x + np.eye(n, dtype=np.float32)
    panels = factorise(lambda first, end: np.tril(gram)[first:end], n)
    assert [len(own) for own in panels[:-1]] == [panel_rows(n)] * (len(panels) - 1)
    lower = np.zeros((n, n), np.float32)
    for own in panels:
        lower[own.shape[1] - len(own) : own.shape[1], : own.shape[1]] = own
    np.testing.assert_allclose(lower @ lower.T, gram, rtol=1e-4, atol=1e-3)
    lines = rng.normal(size=(13, n)).astype(np.float32)
    expected = np.linalg.solve(gram.astype(np.float64), lines.T).T
    solve_lines(panels, lines)
    np.testing.assert_allclose(lines, expected, rtol=1e-3, atol=1e-5)


def test_a_matrix_that_has_no_factor_is_refused_with_the_row() -> None:
    square = np.eye(100, dtype=np.float32)
    square[70, 70] = -1.0
    with pytest.raises(ArithmeticError, match="row 70"):
        factorise(lambda first, end: square[first:end], 100)
    final = np.zeros((3, 3), np.float32)
    final[1, 0] = 1e6
    model = SequenceLinear(decays=(0.5,))
    with pytest.raises(TrainingError, match=r"isn't positive definite \(row 1\); raise"):
        model._solve(np.zeros((3, 3), np.float32), np.ones(3), lambda first, end: final[first:end])


@pytest.mark.parametrize("kept", [False, True])
def test_sequence_linear_takes_no_more_than_it_says(kept: bool) -> None:
    rng = np.random.default_rng(0)
    who, what = (pa.chunked_array([pa.array(rng.integers(0, n, 2000))]) for n in (150, 200))
    data = Interactions.build(Events(who, what, times=np.arange(2000)))
    model = SequenceLinear(decays=(0.3, 0.6, 0.9), regularization=5.0, keep_sums=kept)
    model.fit(data, run=ONE)
    said = model._needed(data.n_items) - 2**26
    tracemalloc.start()
    model.sums = None
    model._learn_from(data.histories(), ONE)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert 0.7 * said < peak < said + 2**20
    with (
        memory.limited(said),
        pytest.raises(MemoryLimitError, match="items with 3 decays needs .* memory, and"),
    ):
        model.fit(data, run=ONE)
