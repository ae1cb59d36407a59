"""The SGD kernels of the rating models against their references."""

from __future__ import annotations

import numpy as np
import pytest

from cofactor.base.threads import native_threads
from cofactor.kernels.cpu import mf_sgd as fast_mf
from cofactor.kernels.cpu import svdpp as fast_svdpp
from cofactor.kernels.reference import mf_sgd as slow_mf
from cofactor.kernels.reference import svdpp as slow_svdpp

N_USERS, N_ITEMS, FACTORS = 23, 17, 11


def ratings(seed: int = 0, giant: bool = True) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A CSR of ratings with empty rows, a row with every item, and columns nobody rated."""
    rng = np.random.default_rng(seed)
    dense = rng.integers(1, 6, (N_USERS, N_ITEMS)) * (rng.random((N_USERS, N_ITEMS)) < 0.3)
    dense[[0, 7, N_USERS - 1]] = 0
    dense[:, 4] = 0
    if giant:
        dense[5] = rng.integers(1, 6, N_ITEMS)
    indptr = np.concatenate([[0], np.cumsum((dense > 0).sum(axis=1))]).astype(np.int64)
    rows, columns = np.nonzero(dense)
    return indptr, columns.astype(np.int32), dense[rows, columns].astype(np.float32)


def parameters(seed: int = 1, factors: int = FACTORS) -> dict[str, np.ndarray]:
    """Starting parameters and a regularisation that differs in every row."""
    rng = np.random.default_rng(seed)

    def draw(*shape: int) -> np.ndarray:
        return (0.3 * rng.standard_normal(shape)).astype(np.float32)

    def positive(n: int) -> np.ndarray:
        return rng.uniform(0.01, 0.2, n).astype(np.float32)

    return {
        "user_bias": draw(N_USERS),
        "item_bias": draw(N_ITEMS),
        "user_factors": draw(N_USERS, factors),
        "item_factors": draw(N_ITEMS, factors),
        "implicit_factors": draw(N_ITEMS, factors),
        "reg_user": positive(N_USERS),
        "reg_item": positive(N_ITEMS),
        "reg_implicit": positive(N_USERS),
        "reg_user_bias": positive(N_USERS),
        "reg_item_bias": positive(N_ITEMS),
    }


def blocked(bounds: list[int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The ratings by user and item block."""
    indptr, indices, values = ratings()
    blocks = len(bounds) - 1
    rows = (
        np.repeat(np.arange(N_USERS), np.diff(indptr)) * blocks
        + np.searchsorted(bounds, indices, side="right")
        - 1
    )
    return (
        np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=N_USERS * blocks))]).astype(
            np.int64
        ),
        indices,
        values,
    )


def run_mf(
    module: object, bounds: list[int], epochs: int = 3, factors: int = FACTORS
) -> tuple[dict[str, np.ndarray], list[float]]:
    """A few epochs of ``module``'s kernel from the same start."""
    held = parameters(factors=factors)
    losses = []
    for epoch in range(epochs):
        order = np.random.default_rng(epoch).permutation(N_USERS)
        losses.append(
            module.mf_sgd_epoch(  # type: ignore[attr-defined]
                *blocked(bounds),
                order,
                3.4,
                held["user_bias"],
                held["item_bias"],
                held["user_factors"],
                held["item_factors"],
                0.03,
                0.05,
                held["reg_user"],
                held["reg_item"],
                held["reg_user_bias"],
                held["reg_item_bias"],
            )
        )
    return held, losses


def run_svdpp(
    module: object, extra: bool, epochs: int = 3, factors: int = FACTORS
) -> tuple[dict[str, np.ndarray], list[float]]:
    """A few epochs of ``module``'s SVD++ kernel, N(u) being the rated items or (extra) another
    set.
    """
    indptr, indices, values = ratings()
    implicit = ratings(seed=5, giant=False)[:2] if extra else (indptr, indices)
    held = parameters(factors=factors)
    losses = []
    for epoch in range(epochs):
        order = np.random.default_rng(epoch).permutation(N_USERS)
        losses.append(
            module.svdpp_epoch(  # type: ignore[attr-defined]
                indptr,
                indices,
                values,
                *implicit,
                order,
                3.4,
                held["user_bias"],
                held["item_bias"],
                held["user_factors"],
                held["item_factors"],
                held["implicit_factors"],
                0.03,
                0.05,
                held["reg_user"],
                held["reg_item"],
                held["reg_implicit"],
                held["reg_user_bias"],
                held["reg_item_bias"],
                1,
            )
        )
    return held, losses


def assert_same(
    ours: tuple[dict[str, np.ndarray], list[float]],
    theirs: tuple[dict[str, np.ndarray], list[float]],
) -> None:
    """All arrays and losses agree to rounding."""
    for name in ours[0]:
        np.testing.assert_allclose(
            ours[0][name], theirs[0][name], rtol=2e-4, atol=2e-5, err_msg=name
        )
    np.testing.assert_allclose(ours[1], theirs[1], rtol=1e-5)


@pytest.mark.parametrize("bounds", [[0, N_ITEMS], [0, 6, N_ITEMS], [0, 0, 9, N_ITEMS]])
def test_mf_epochs_equal_the_reference_for_any_number_of_parts(bounds: list[int]) -> None:
    assert_same(run_mf(fast_mf, bounds), run_mf(slow_mf, bounds))


@pytest.mark.parametrize("factors", [1, 16, 35, 48])
def test_mf_vectors_of_any_length_equal_the_reference(factors: int) -> None:
    assert_same(
        run_mf(fast_mf, [0, 6, N_ITEMS], factors=factors),
        run_mf(slow_mf, [0, 6, N_ITEMS], factors=factors),
    )


@pytest.mark.parametrize("extra", [False, True])
def test_svdpp_one_vector_recurrence_equals_updating_every_implicit_vector_at_every_rating(
    extra: bool,
) -> None:
    assert_same(run_svdpp(fast_svdpp, extra), run_svdpp(slow_svdpp, extra))


@pytest.mark.parametrize("factors", [1, 16, 35, 48])
def test_svdpp_vectors_of_any_length_equal_the_reference(factors: int) -> None:
    one = run_svdpp(fast_svdpp, False, factors=factors)
    assert_same(one, run_svdpp(slow_svdpp, False, factors=factors))


@pytest.mark.parametrize("bounds", [[0, N_ITEMS], [0, 6, N_ITEMS]])
def test_mf_epochs_are_bit_for_bit_the_same_on_one_and_two_threads(bounds: list[int]) -> None:
    with native_threads(1):
        first = run_mf(fast_mf, bounds)
    with native_threads(2):
        second = run_mf(fast_mf, bounds)
    assert first[1] == second[1]
    assert all(np.array_equal(first[0][name], second[0][name]) for name in first[0])


def test_mf_rounds_see_every_rating_exactly_once() -> None:
    # With no step the loss is the sum of squares at the start, whatever the partition.
    indptr, indices, values = ratings()
    held = parameters()
    rows = np.repeat(np.arange(N_USERS), np.diff(indptr))
    guess = 3.4 + held["user_bias"][rows] + held["item_bias"][indices]
    guess = guess + (held["user_factors"][rows] * held["item_factors"][indices]).sum(axis=1)
    expected = float(((values - guess) ** 2).sum())
    for bounds in ([0, N_ITEMS], [0, 3, 8, N_ITEMS]):
        got = fast_mf.mf_sgd_epoch(
            *blocked(bounds),
            np.arange(N_USERS),
            3.4,
            held["user_bias"],
            held["item_bias"],
            held["user_factors"],
            held["item_factors"],
            0.0,
            0.0,
            held["reg_user"],
            held["reg_item"],
            held["reg_user_bias"],
            held["reg_item_bias"],
        )
        assert got == pytest.approx(expected, rel=1e-5)
