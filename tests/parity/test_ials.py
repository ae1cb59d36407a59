"""Implicit ALS: the compiled solvers against their plain twins, on random and on nasty input."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import scipy.sparse as sp

from cofactor.base.errors import TrainingError
from cofactor.base.threads import native_threads
from cofactor.kernels.cpu import ials as cpu
from cofactor.kernels.cpu.ials_cg import solve_cg as cpu_cg
from cofactor.kernels.cpu.ials_direct import solve_direct as cpu_direct
from cofactor.kernels.cpu.ials_subspace import solve_subspace as cpu_subspace
from cofactor.kernels.reference import ials as reference
from cofactor.kernels.reference.ials_cg import RowSystems
from cofactor.kernels.reference.ials_cg import solve_cg as reference_cg
from cofactor.kernels.reference.ials_direct import solve_direct as reference_direct
from cofactor.kernels.reference.ials_subspace import solve_subspace as reference_subspace

SOLVERS = {
    "cg": (cpu_cg, reference_cg, (3,)),
    "cg to the end": (cpu_cg, reference_cg, (40,)),
    "cg to a tolerance": (cpu_cg, reference_cg, (40, 0.02)),
    "direct": (cpu_direct, reference_direct, ()),
    "subspace": (cpu_subspace, reference_subspace, (5,)),
    "subspace of one": (cpu_subspace, reference_subspace, (1,)),
}


def csr(n_rows, n_columns, lengths, rng):
    """CSR arrays with the given row lengths and weights in (0.5, 3); one weight is zero."""
    rows = [np.sort(rng.choice(n_columns, n, replace=False)) for n in lengths]
    indptr = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    indices = np.concatenate([*rows, np.empty(0)]).astype(np.int32)
    weights = rng.uniform(0.5, 3.0, len(indices)).astype(np.float32)
    if len(weights) > 1:
        weights[1] = 0.0
    assert len(indptr) == n_rows + 1
    return indptr, indices, weights


def problem(name, seed=5):
    rng = np.random.default_rng(seed)
    if name == "random":
        n_rows, n_columns, f = 53, 37, 24
        lengths = rng.integers(1, 31, n_rows)
    elif name == "giant row and empty rows":
        n_rows, n_columns, f = 9, 211, 19
        lengths = [0, 2, 211, 0, 0, 3, 150, 1, 0]
    elif name == "64 factors":  # which registers hold
        n_rows, n_columns, f = 41, 90, 64
        lengths = np.arange(41)
    elif name == "whole blocks of factors":
        n_rows, n_columns, f = 41, 90, 80
        lengths = np.arange(41)
    elif name == "one factor":
        n_rows, n_columns, f = 12, 31, 1
        lengths = rng.integers(0, 9, n_rows)
    else:
        n_rows, n_columns, f = 7, 5, 8
        lengths = [0] * n_rows
    fixed = rng.standard_normal((n_columns, f)).astype(np.float32)
    solved = rng.standard_normal((n_rows, f)).astype(np.float32)
    return (*csr(n_rows, n_columns, lengths, rng), fixed, solved)


CASES = [
    "random",
    "64 factors",
    "whole blocks of factors",
    "giant row and empty rows",
    "one factor",
    "nothing at all",
]


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("solver", SOLVERS)
def test_solver_equals_its_reference(case, solver):
    indptr, indices, weights, fixed, solved = problem(case)
    basis, diagonal = reference.gram_basis(fixed, 0.3)
    reference.rotate(fixed, basis)
    ridge = reference.row_ridge(indptr, len(fixed), 0.3, 0.05, 0.7)
    rows = np.arange(len(solved))
    fast, slow, extra = SOLVERS[solver]
    extra = tuple(min(size, fixed.shape[1]) for size in extra) if "subspace" in solver else extra
    ours, truth = solved.copy(), solved.copy()
    systems = RowSystems(indptr, indices, weights, fixed, diagonal, ridge)
    assert fast(systems, rows, ours, *extra) == -1
    assert slow(systems, rows, truth, *extra) == -1
    np.testing.assert_allclose(ours, truth, atol=2e-5)
    assert not ours[np.diff(indptr) == 0].any()


@pytest.mark.parametrize("factors", [80, 21])
def test_gram_matrix_is_that_of_all_rows(factors):
    fixed = np.random.default_rng(3).standard_normal((2_213, factors)).astype(np.float32)
    shares = np.random.default_rng(4).uniform(0.2, 3.0, len(fixed)).astype(np.float32)
    basis, diagonal = cpu.gram_basis(fixed, 0.3, shares)
    wide = fixed.astype(np.float64)
    np.testing.assert_allclose(
        basis.T @ (0.3 * (wide.T * shares) @ wide) @ basis, np.diag(diagonal), atol=2e-3
    )


@pytest.mark.parametrize("shape", [(2_003, 64), (83, 16), (1, 80), (19, 144), (61, 21), (0, 32)])
def test_rotation_equals_its_reference(shape):
    rng = np.random.default_rng(6)
    matrix = rng.standard_normal(shape).astype(np.float32)
    basis = np.linalg.qr(rng.standard_normal((shape[1],) * 2))[0].astype(np.float32)
    right, turned, into = matrix.copy(), matrix.copy(), np.full(shape, np.nan, np.float32)
    reference.rotate(right, basis)
    cpu.rotate(turned, basis)
    np.testing.assert_allclose(turned, right, atol=5e-6)
    for first, end in pairwise([part * shape[0] // 8 for part in range(9)]):
        cpu.rotate_into(matrix[first:end], basis, into[first:end])
    assert np.array_equal(into, turned)


@pytest.mark.parametrize("shape", [(3000, 24), (9000, 7), (5, 64), (0, 3)])
def test_weighted_squares_equal_their_reference(shape):
    rng = np.random.default_rng(2)
    vectors = rng.standard_normal(shape).astype(np.float32)
    weights, ridge = rng.uniform(0, 3, (2, shape[0])).astype(np.float32)
    columns, penalty = cpu.weighted_squares(vectors, weights, ridge)
    right_columns, right_penalty = reference.weighted_squares(vectors, weights, ridge)
    np.testing.assert_allclose(columns, right_columns, rtol=1e-5)
    assert penalty == pytest.approx(right_penalty, rel=1e-5)
    with native_threads(1):
        alone = cpu.weighted_squares(vectors, weights, ridge)
    assert (alone[0] == columns).all()
    assert alone[1] == penalty


@pytest.mark.parametrize("solver", SOLVERS)
def test_solver_touches_only_the_rows_it_is_given(solver):
    indptr, indices, weights, fixed, solved = problem("random")
    before = solved.copy()
    fast, _, extra = SOLVERS[solver]
    diagonal, ridge = np.ones(fixed.shape[1], np.float32), np.ones(len(solved), np.float32)
    fast(
        RowSystems(indptr, indices, weights, fixed, diagonal, ridge),
        np.array([4, 17]),
        solved,
        *extra,
    )
    changed = np.flatnonzero((solved != before).any(axis=1))
    assert changed.tolist() == [4, 17]


@pytest.mark.parametrize("solver", SOLVERS)
def test_solver_gives_the_same_bits_for_any_thread_count(solver):
    indptr, indices, weights, fixed, solved = problem("random")
    fast, _, extra = SOLVERS[solver]
    diagonal, ridge = np.ones(fixed.shape[1], np.float32), np.ones(len(solved), np.float32)
    systems, results = RowSystems(indptr, indices, weights, fixed, diagonal, ridge), []
    for threads in (1, 2):
        out = solved.copy()
        with native_threads(threads):
            fast(systems, np.arange(len(solved)), out, *extra)
        results.append(out)
    assert np.array_equal(*results)


@pytest.mark.parametrize("solver", ["cg", "cholesky", "subspace"])
@pytest.mark.parametrize("case", CASES)
def test_half_epoch_gives_the_same_scores_as_its_reference(case, solver):
    indptr, indices, weights, fixed, solved = problem(case)
    ridge = cpu.row_ridge(indptr, len(fixed), 0.2, 0.1, 1.0)
    np.testing.assert_allclose(
        ridge, reference.row_ridge(indptr, len(fixed), 0.2, 0.1, 1.0), rtol=1e-6
    )
    scores = []
    shares = None if solver == "cholesky" else np.linspace(0.5, 2, len(fixed)).astype(np.float32)
    for module in (cpu, reference):
        y, x = fixed.copy(), solved.copy()
        # Enough steps to be exact, and one block: eigenvectors may differ in sign, and then so
        # would a partial solution.
        module.half_epoch(
            indptr, indices, weights, y, x, 0.2, ridge, solver, 60, fixed.shape[1], shares
        )
        scores.append(x @ y.T)
    np.testing.assert_allclose(scores[0], scores[1], atol=5e-5)


def test_giant_row_is_found_and_solved_exactly(monkeypatch):
    indptr, indices, weights, fixed, solved = problem("giant row and empty rows")
    for module in (cpu, reference):
        assert module.giant_rows(indptr).tolist() == []
        monkeypatch.setattr(module, "GIANT_ROW", 64)
        assert module.giant_rows(indptr).tolist() == [2, 6]
    ridge = np.ones(len(solved), np.float32)
    scores = []
    for module, solver in ((cpu, "cg"), (reference, "cholesky")):
        y, x = fixed.copy(), solved.copy()
        module.half_epoch(indptr, indices, weights, y, x, 0.2, ridge, solver, 1)
        scores.append((x @ y.T)[[2, 6]])
    np.testing.assert_allclose(scores[0], scores[1], atol=5e-5)


@pytest.mark.parametrize("module", [cpu, reference])
@pytest.mark.parametrize("solver", ["cg", "cholesky", "subspace"])
def test_singular_row_is_named(module, solver):
    indptr, indices, weights, fixed, solved = problem("random")
    fixed[:] = 0
    with pytest.raises(
        TrainingError, match=r"row 0 \(\d+ interactions\) is singular.*Raise the regularization"
    ):
        module.half_epoch(
            indptr, indices, weights, fixed, solved, 0.0, np.zeros(len(solved), np.float32), solver
        )


@pytest.mark.parametrize("module", [cpu, reference])
@pytest.mark.parametrize("solver", ["cg", "cholesky", "subspace"])
def test_row_with_nan_weight_is_named(module, solver):
    indptr, indices, weights, fixed, solved = problem("random")
    weights[indptr[7]] = np.nan
    with pytest.raises(TrainingError, match="row 7 "):
        module.half_epoch(
            indptr, indices, weights, fixed, solved, 0.1, np.ones(len(solved), np.float32), solver
        )


@pytest.mark.parametrize("module", [cpu, reference])
def test_nan_in_the_fixed_factors_is_refused(module):
    indptr, indices, weights, fixed, solved = problem("random")
    fixed[3, 2] = np.nan
    with pytest.raises(TrainingError, match="fixed factors hold NaN"):
        module.half_epoch(
            indptr, indices, weights, fixed, solved, 0.1, np.ones(len(solved), np.float32)
        )


def test_random_matrix_of_scipy_is_accepted_as_it_is():
    matrix = sp.random(17, 13, 0.3, "csr", np.float32, np.random.default_rng(3))
    assert matrix.indices.dtype == np.int32
    fixed, solved = np.ones((13, 3), np.float32), np.zeros((17, 3), np.float32)
    cpu.half_epoch(
        matrix.indptr.astype(np.int64),
        matrix.indices,
        matrix.data,
        fixed,
        solved,
        0.1,
        np.ones(17, np.float32),
    )
    assert np.isfinite(solved).all()
