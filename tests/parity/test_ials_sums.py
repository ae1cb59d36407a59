"""Implicit ALS by sums over several places: the kernels against their plain twins, and a whole
solve against conjugate gradients in one place."""

from __future__ import annotations

import numpy as np
import pytest

from cofactor.kernels.cpu import ials_sums as cpu
from cofactor.kernels.reference import ials_sums as reference
from cofactor.kernels.reference.ials_cg import RowSystems, solve_cg
from parity.test_ials import CASES, problem


@pytest.mark.parametrize("case", CASES)
def test_sums_over_two_places_solve_what_one_place_solves(case: str) -> None:
    indptr, indices, weights, fixed, _ = problem(case)
    rng = np.random.default_rng(1)
    diagonal = rng.uniform(0.5, 2.0, fixed.shape[1]).astype(np.float32)
    ridge = rng.uniform(0.1, 1.0, len(indptr) - 1).astype(np.float32)
    places = [parted(indptr, indices, weights, fixed, part) for part in (0, 1)]
    solved = [solved_by(kernels, places, diagonal, ridge, 4) for kernels in (cpu, reference)]
    whole = np.zeros_like(solved[0])
    systems = RowSystems(indptr, indices, weights, fixed, diagonal, ridge)
    solve_cg(systems, np.arange(len(whole)), whole, 4)
    for found in solved:
        np.testing.assert_allclose(found, whole, atol=2e-5)
    assert not solved[0][np.diff(indptr) == 0].any()


def parted(indptr, indices, weights, vectors, part):
    """The interactions with the vectors of one half, and that half."""
    half = len(vectors) // 2
    mine = (indices >= half) == part
    rows = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))[mine]
    own = np.zeros(len(indptr), np.int64)
    np.cumsum(np.bincount(rows, minlength=len(indptr) - 1), out=own[1:])
    block = vectors[half:] if part else vectors[:half]
    return own, indices[mine] - half * part, weights[mine], block


def solved_by(kernels, places, diagonal, ridge, steps):
    residual = sum(kernels.right_sides(*place) for place in places)
    direction, solution = np.empty_like(residual), np.zeros_like(residual)
    rz = kernels.first_directions(residual, diagonal, ridge, direction)
    for _ in range(steps - 1):
        found = sum(kernels.products(*place, direction) for place in places)
        kernels.take_step(found, diagonal, ridge, solution, residual, direction, rz)
    found = sum(kernels.squares(*place, direction) for place in places)
    kernels.take_last_step(found, diagonal, ridge, solution, direction, rz)
    return solution
