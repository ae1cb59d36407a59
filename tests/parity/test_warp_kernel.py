from __future__ import annotations

import numpy as np
import pytest

from cofactor.kernels.cpu import warp as fast
from cofactor.kernels.reference import warp as slow
from parity.nasty import UNIFORM, make_rows, nasty_rows, start

SEED = np.uint64(2**62 + 99)


def with_squares(n_users: int, n_items: int, factors: int) -> list[np.ndarray]:
    """The parameters, and the sums of squares of the adaptive steps."""
    sizes = (n_users, n_items, n_items)
    return [*start(n_users, n_items, factors), *(np.zeros(n, np.float32) for n in sizes)]


@pytest.mark.parametrize(
    ("factors", "adaptive", "trials"), [(5, True, 7), (32, False, 30), (35, True, 17)]
)
def test_one_thread_equals_the_reference(factors: int, adaptive: bool, trials: int) -> None:
    n_items = 23
    indptr, indices = make_rows(nasty_rows(n_items))
    n_users = len(indptr) - 1
    order = np.random.default_rng(1).permutation(n_users).astype(np.int32)
    ours, theirs = with_squares(n_users, n_items, factors), with_squares(n_users, n_items, factors)
    settings = (0.05, 0.01, 0.02, 0.03, 1.0, trials, adaptive)
    for epoch in range(2):
        seed = SEED + np.uint64(epoch)
        how = (*settings, *UNIFORM, seed, 1, 1 + 2 * epoch)
        a = fast.warp_epoch(indptr, indices, order, *ours, *how)
        b = slow.warp_epoch(indptr, indices, order, *theirs, *how)
        assert a == pytest.approx(b, rel=1e-4)
        assert b[0] > 0
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-3, atol=1e-5)


def test_gradient_is_that_of_the_hinge() -> None:
    generator = np.random.default_rng(3)
    u, i, j = generator.normal(size=(3, 7))
    margin = float(u @ (i - j)) + 1.3
    assert slow.warp_gradient(u, i, j, 0.0, margin - 2.0) == (0.0, 0.0)
    hinge, z = slow.warp_gradient(u, i, j, 0.0, margin)
    assert hinge == pytest.approx(1.3)
    for k in range(7):
        step = np.eye(7)[k] * 1e-6
        up, down = (slow.warp_gradient(u + s, i, j, 0.0, margin)[0] for s in (step, -step))
        assert -(up - down) / 2e-6 == pytest.approx(z * (i - j)[k], rel=1e-6)


def test_weight_falls_with_the_number_of_draws() -> None:
    assert [round(slow.rank_weight(100, t), 4) for t in (1, 10, 100, 200)] == [
        4.6052,
        2.3026,
        0.0,
        0.0,
    ]


def test_blocks_are_learned_on_two_threads() -> None:
    rows = [
        [item for item in range(30) if item % 3 == user % 3 and (item + user) % 7]
        for user in range(60)
    ]
    indptr, indices = make_rows(rows)
    generator = np.random.default_rng(0)
    parameters = with_squares(60, 30, 16)
    losses = []
    for epoch in range(40):
        order = generator.permutation(60).astype(np.int32)
        settings = (0.05, 0.001, 0.001, 0.001, 1.0, 10, True)
        losses.append(
            fast.warp_epoch(
                indptr, indices, order, *parameters, *settings, *UNIFORM, np.uint64(epoch), 2
            )
        )
    assert losses[-1][0] < 0.3 * losses[0][0]
    assert losses[-1][1] > losses[0][1]
    scores = parameters[0] @ parameters[1].T + parameters[2]
    same = np.arange(60)[:, None] % 3 == np.arange(30)[None, :] % 3
    assert scores[same].mean() > scores[~same].mean() + 1.0


def test_fold_in_equals_the_reference_and_depends_on_the_history_alone() -> None:
    n_items = 23
    rows = nasty_rows(n_items)[:9]
    indptr, indices = make_rows(rows)
    _, items, bias, *_ = with_squares(3, n_items, 16)
    settings = (items, bias, 0.05, 0.01, 1.0, 5, *UNIFORM, 4, 20, SEED)
    ours = fast.warp_fold_in(indptr, indices, *settings)
    np.testing.assert_allclose(
        ours, slow.warp_fold_in(indptr, indices, *settings), rtol=1e-3, atol=1e-5
    )
    assert not ours[[0, 1, 5]].any()
    alone = fast.warp_fold_in(*make_rows([rows[-1]]), *settings)
    np.testing.assert_array_equal(alone[0], ours[-1])
