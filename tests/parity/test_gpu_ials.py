"""Implicit ALS on a device (the CPU's, where there is no GPU) against the reference."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs PyTorch (extra torch)")

from cofactor.base.errors import TrainingError  # noqa: E402
from cofactor.base.run import Run  # noqa: E402
from cofactor.data.synthetic.shapes import power_law  # noqa: E402
from cofactor.kernels.gpu import ials as gpu  # noqa: E402
from cofactor.kernels.reference import ials as reference  # noqa: E402
from cofactor.models.implicit.ials import IALS  # noqa: E402

DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


def problem(seed=1, n_rows=50, n_other=31, factors=6):
    draw = np.random.default_rng(seed)
    lengths = draw.integers(0, 9, n_rows)
    lengths[3] = 0
    indptr = np.concatenate([[0], np.cumsum(lengths)])
    indices = np.concatenate(
        [np.sort(draw.choice(n_other, n, replace=False)) for n in lengths]
    ).astype(np.int32)
    weights = draw.random(len(indices)).astype(np.float32) + 0.5
    fixed = draw.standard_normal((n_other, factors)).astype(np.float32)
    shares = (draw.random(n_other) + 0.5).astype(np.float32)
    ridge = reference.row_ridge(indptr, n_other, 0.1, 0.05, 1.0)
    return indptr, indices, weights, fixed, shares, ridge


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(
    ("steps", "tolerance", "shared", "gathered"),
    [(1, 0.0, False, 1 << 20), (3, 0.0, True, 1 << 20), (12, 1e-5, True, 60)],
)
def test_a_half_epoch_is_that_of_the_reference(
    monkeypatch, device, steps, tolerance, shared, gathered
):
    monkeypatch.setattr(gpu, "GATHERED", gathered)
    indptr, indices, weights, fixed, shares, ridge = problem()
    expected, solved = fixed.copy(), np.zeros((len(ridge), fixed.shape[1]), np.float32)
    given = shares if shared else None
    reference.half_epoch(
        indptr, indices, weights, expected, solved, 0.1, ridge, "cg", steps, 16, given, tolerance
    )
    y = torch.as_tensor(fixed.copy(), device=device)
    x = torch.full((len(ridge), fixed.shape[1]), 7.0, device=device)
    side = gpu.side_on_device(indptr, indices, weights, ridge, device)
    on_device = torch.as_tensor(shares, device=device) if shared else None
    gpu.half_epoch(side, y, x, 0.1, steps, on_device, tolerance)
    # Vectors may be turned and mirrored between two computations of a basis; scores aren't.
    np.testing.assert_allclose((x @ y.T).cpu().numpy(), solved @ expected.T, atol=2e-5, rtol=2e-5)
    assert not x[3].any()


def test_what_is_singular_is_named():
    indptr, indices, weights, fixed, _, ridge = problem()
    weights[indptr[5] :] = np.nan
    side = gpu.side_on_device(indptr, indices, weights, ridge, "cpu")
    with pytest.raises(TrainingError, match=r"row \d+ \(\d+ interactions\) is singular"):
        gpu.half_epoch(side, torch.as_tensor(fixed), torch.zeros(len(ridge), 6), 0.1, 3)


@pytest.mark.parametrize("settings", [{}, {"item_weight_power": 0.3, "confidence": "log"}])
def test_the_model_trained_on_a_device_scores_as_on_the_processor(monkeypatch, settings):
    from cofactor.models.implicit import ials

    data = power_law(300, 120, 4_000, rated=True, seed=1)
    whole = IALS(factors=8, epochs=3, **settings).fit(data, run=Run(seed=2, threads=1))
    # Where there is no GPU the device learner is run on the processor.
    monkeypatch.setattr(ials, "on_gpu", lambda device: True)
    there = IALS(factors=8, epochs=3, **settings).fit(data, run=Run(seed=2, device=DEVICES[-1]))
    rows = np.arange(data.n_users)
    np.testing.assert_allclose(there.score_rows(rows), whole.score_rows(rows), atol=2e-4)
    np.testing.assert_allclose(there.curve.loss, whole.curve.loss, rtol=1e-4)


@pytest.mark.parametrize("solver", ["cholesky", "subspace"])
def test_other_solvers_are_refused_on_a_gpu(solver):
    from cofactor.base.errors import ArgumentError

    data = power_law(30, 12, 100, rated=False, seed=1)
    with pytest.raises(ArgumentError, match="on a GPU needs the solver cg"):
        IALS(factors=4, solver=solver).fit(data, run=Run(device="cuda"))
