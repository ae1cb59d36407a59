from __future__ import annotations

import numpy as np
import pytest

from cofactor.base.threads import kernel_threads
from cofactor.kernels.cpu import logistic_mf as fast
from cofactor.kernels.reference import logistic_mf as slow

SEED = np.uint64(2**62 + 5)
N_OTHERS = 23


def nasty_csr() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(5)
    rows: list[list[int]] = [
        [],
        list(range(N_OTHERS)),
        list(range(1, N_OTHERS)),
        [0],
        [N_OTHERS - 1],
    ]
    for size in generator.integers(1, 9, 8):
        rows.append(sorted(generator.choice(N_OTHERS, size, replace=False).tolist()))
    indptr = np.cumsum([0] + [len(row) for row in rows]).astype(np.int64)
    indices = np.concatenate([np.asarray(row, np.int32) for row in rows])
    return indptr, indices, generator.uniform(0.5, 3.0, len(indices)).astype(np.float32)


def start(n_rows: int, factors: int) -> list[np.ndarray]:
    generator = np.random.default_rng(factors)
    shapes = [(n_rows, factors), (n_rows,), (n_rows, factors + 1), (N_OTHERS, factors), (N_OTHERS,)]
    arrays = [generator.normal(0, 0.5, shape).astype(np.float32) for shape in shapes]
    arrays[2][:] = 0.0
    return arrays


@pytest.mark.parametrize(("factors", "negatives"), [(5, 3), (16, 0), (35, 4)])
def test_half_epochs_equal_the_reference(factors: int, negatives: int) -> None:
    indptr, indices, values = nasty_csr()
    ours, theirs = start(len(indptr) - 1, factors), start(len(indptr) - 1, factors)
    for epoch in range(3):
        settings = (0.3, 1.5, 0.2, negatives, SEED + np.uint64(epoch))
        a = fast.logistic_half_epoch(indptr, indices, values, *ours, *settings)
        b = slow.logistic_half_epoch(indptr, indices, values, *theirs, *settings)
        assert a == pytest.approx(b, rel=1e-5)
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine, other, rtol=2e-3, atol=2e-4)


def test_gradient_is_that_of_the_log_posterior() -> None:
    generator = np.random.default_rng(1)
    others, bias = generator.normal(size=(9, 4)), generator.normal(size=9)
    theta = generator.normal(size=5)
    items, values, negatives = np.array([1, 4]), np.array([2.0, 0.5]), np.array([0, 3, 3, 8])

    def loss(at: np.ndarray) -> float:
        return slow.row_gradient(items, values, negatives, at[:-1], at[-1], others, bias, 1.7, 0.3)[
            0
        ]

    _, gradient = slow.row_gradient(
        items, values, negatives, theta[:-1], theta[-1], others, bias, 1.7, 0.3
    )
    numeric = [-(loss(theta + step) - loss(theta - step)) / 2e-6 for step in np.eye(5) * 1e-6]
    np.testing.assert_allclose(gradient, numeric, rtol=1e-6, atol=1e-8)


def test_loss_is_that_of_a_dense_double_loop() -> None:
    indptr, indices, values = nasty_csr()
    parameters = start(len(indptr) - 1, 16)
    x, beta, _, y, b = parameters
    expected = 0.0
    for u in range(len(x)):
        r = dict(
            zip(
                indices[indptr[u] : indptr[u + 1]].tolist(),
                values[indptr[u] : indptr[u + 1]],
                strict=True,
            )
        )
        for i in range(N_OTHERS):
            s = float(x[u] @ y[i]) + float(beta[u]) + float(b[i])
            expected -= 1.5 * r.get(i, 0.0) * s - (1 + 1.5 * r.get(i, 0.0)) * np.log1p(np.exp(s))
        expected += 0.1 * float(x[u] @ x[u])
    found = fast.logistic_half_epoch(indptr, indices, values, *parameters, 0.1, 1.5, 0.2, 0, SEED)
    assert found == pytest.approx(expected, rel=1e-5)


def test_result_does_not_depend_on_threads() -> None:
    indptr, indices, values = nasty_csr()
    runs = []
    for n_threads in (1, 2):
        parameters = start(len(indptr) - 1, 16)
        with kernel_threads(n_threads):
            fast.logistic_half_epoch(indptr, indices, values, *parameters, 0.3, 1.5, 0.2, 4, SEED)
        runs.append([array.tobytes() for array in parameters])
    assert runs[0] == runs[1]


@pytest.mark.parametrize("negatives", [0, 3])
def test_fold_in_equals_the_reference_and_depends_on_the_history_alone(negatives: int) -> None:
    indptr, indices, values = nasty_csr()
    _, _, _, y, b = start(3, 16)
    settings = (y, b, 0.3, 1.5, 0.2, negatives, 12, SEED)
    ours = fast.logistic_fold_in(indptr, indices, values, *settings)
    np.testing.assert_allclose(
        ours, slow.logistic_fold_in(indptr, indices, values, *settings), rtol=5e-3, atol=5e-4
    )
    last = indptr[-2:] - indptr[-2]
    alone = fast.logistic_fold_in(last, indices[indptr[-2] :], values[indptr[-2] :], *settings)
    np.testing.assert_array_equal(alone[0], ours[-1])
    assert not ours[0].any()


def test_fold_in_reaches_the_optimum() -> None:
    indptr, indices, values = nasty_csr()
    _, _, _, y, b = start(3, 16)
    folded = fast.logistic_fold_in(indptr, indices, values, y, b, 0.3, 1.0, 2.0, 0, 2000, SEED)
    mine = slice(indptr[-2], indptr[-1])
    missing = np.setdiff1d(np.arange(N_OTHERS), indices[mine])
    gaps = [
        np.abs(
            slow.row_gradient(
                indices[mine],
                values[mine],
                missing,
                folded[-1].astype(np.float64),
                beta,
                y,
                b,
                1.0,
                2.0,
            )[1][:-1]
        ).max()
        for beta in np.linspace(-3, 3, 601)
    ]
    assert min(gaps) < 0.05
