from __future__ import annotations

import numpy as np
import pytest

from cofactor.kernels.cpu import bpr as fast
from cofactor.kernels.reference import bpr as slow
from cofactor.kernels.reference.sampling import alias_table
from parity.nasty import UNIFORM, make_rows, nasty_rows, start

SEED = np.uint64(2**63 + 12345)


@pytest.mark.parametrize(("factors", "law"), [(5, "uniform"), (16, "popular"), (35, "uniform")])
def test_one_thread_equals_the_reference(factors: int, law: str) -> None:
    n_items = 23
    indptr, indices = make_rows(nasty_rows(n_items))
    n_users = len(indptr) - 1
    table = (
        UNIFORM
        if law == "uniform"
        else alias_table(np.bincount(indices, minlength=n_items).astype(np.float64))
    )
    order = np.random.default_rng(1).permutation(n_users).astype(np.int32)
    ours, theirs = start(n_users, n_items, factors), start(n_users, n_items, factors)
    settings = (0.1, 0.01, 0.02, 0.03, 0.04)
    for epoch in range(3):
        seed = SEED + np.uint64(epoch)
        a = fast.bpr_epoch(indptr, indices, order, *ours, *settings, *table, seed, 1)
        b = slow.bpr_epoch(indptr, indices, order, *theirs, *settings, *table, seed, 1)
        assert a == pytest.approx(b, rel=1e-5)
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine, other, rtol=2e-4, atol=2e-6)


def test_one_thread_is_reproducible_bit_for_bit() -> None:
    indptr, indices = make_rows(nasty_rows(31))
    n_users = len(indptr) - 1
    order = np.arange(n_users, dtype=np.int32)
    runs = []
    for _ in range(2):
        parameters = start(n_users, 31, 16)
        result = fast.bpr_epoch(
            indptr, indices, order, *parameters, 0.1, 0.01, 0.01, 0.01, 0.0, *UNIFORM, SEED, 1
        )
        runs.append((result, [array.tobytes() for array in parameters]))
    assert runs[0] == runs[1]


def test_users_with_no_item_or_all_items_stay_as_they_are() -> None:
    indptr, indices = make_rows([[], [0, 1, 2], [0, 2]])
    users, items, bias = start(3, 3, 16)
    before = users.copy()
    fast.bpr_epoch(
        indptr,
        indices,
        np.arange(3, dtype=np.int32),
        users,
        items,
        bias,
        0.1,
        0.1,
        0.1,
        0.1,
        0.1,
        *UNIFORM,
        SEED,
        2,
    )
    np.testing.assert_array_equal(users[:2], before[:2])
    assert np.abs(users[2] - before[2]).min() > 0


def test_an_epoch_without_pairs_gives_zero_loss() -> None:
    indptr, indices = make_rows([[], [0, 1, 2]])
    users, items, bias = start(2, 3, 16)
    order = np.arange(2, dtype=np.int32)
    result = fast.bpr_epoch(
        indptr, indices, order, users, items, bias, 0.1, 0.0, 0.0, 0.0, 0.0, *UNIFORM, SEED, 1
    )
    assert result == (0.0, 0.0)


def test_each_positive_is_walked_once_by_every_stride() -> None:
    for count in range(1, 40):
        for bits in (0, 2**31, 2**32 - 1, 0x9E3779B97F4A7C15):
            stride = slow.coprime_stride(bits, count)
            assert sorted(n * stride % count for n in range(count)) == list(range(count))


def test_gradient_is_that_of_the_log_loss() -> None:
    generator = np.random.default_rng(3)
    u, i, j = generator.normal(size=(3, 7))
    _, z = slow.bpr_gradient(u, i, j, 0.3)
    analytic = {"u": z * (i - j), "i": z * u, "j": -z * u}
    for name, gradient in analytic.items():
        for k in range(7):
            shift = {key: np.eye(7)[k] * 1e-6 * (key == name) for key in "uij"}
            up = slow.bpr_gradient(u + shift["u"], i + shift["i"], j + shift["j"], 0.3)[0]
            down = slow.bpr_gradient(u - shift["u"], i - shift["i"], j - shift["j"], 0.3)[0]
            assert -(up - down) / 2e-6 == pytest.approx(gradient[k], rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("margin", [-200.0, -60.0, -1.0, 0.0, 1.0, 60.0])
def test_loss_of_a_wide_margin_is_true(margin: float) -> None:
    indptr, indices = make_rows([[0]])
    users, items = np.ones((1, 16), np.float32), np.zeros((2, 16), np.float32)
    bias = np.array([margin, 0.0], np.float32)
    order = np.zeros(1, np.int32)
    loss, _ = fast.bpr_epoch(
        indptr, indices, order, users, items, bias, 0.1, 0.0, 0.0, 0.0, 0.0, *UNIFORM, SEED, 1
    )
    assert loss == pytest.approx(np.logaddexp(0.0, -margin), rel=1e-5, abs=1e-12)


def test_blocks_are_learned_on_two_threads() -> None:
    rows = [
        [item for item in range(30) if item % 3 == user % 3 and (item + user) % 7]
        for user in range(60)
    ]
    indptr, indices = make_rows(rows)
    generator = np.random.default_rng(0)
    users, items = (generator.normal(0, 0.1, (n, 16)).astype(np.float32) for n in (60, 30))
    bias, losses = np.zeros(30, np.float32), []
    for epoch in range(60):
        order = generator.permutation(60).astype(np.int32)
        seed = np.uint64(epoch)
        losses.append(
            fast.bpr_epoch(
                indptr, indices, order, users, items, bias, 0.1, *[0.001] * 4, *UNIFORM, seed, 2
            )
        )
    assert losses[-1][0] < 0.5 * losses[0][0]
    scores = users @ items.T + bias
    same = np.arange(60)[:, None] % 3 == np.arange(30)[None, :] % 3
    assert scores[same].mean() > scores[~same].mean() + 2.0


def test_fold_in_equals_the_reference_and_depends_on_the_history_alone() -> None:
    n_items = 23
    rows = nasty_rows(n_items)
    indptr, indices = make_rows(rows)
    _, items, bias = start(3, n_items, 16)
    settings = (items, bias, 0.1, 0.01, *UNIFORM, 4, 20, SEED)
    ours = fast.bpr_fold_in(indptr, indices, *settings)
    np.testing.assert_allclose(
        ours, slow.bpr_fold_in(indptr, indices, *settings), rtol=1e-3, atol=1e-5
    )
    assert not ours[[0, 1, 5]].any()
    alone = fast.bpr_fold_in(*make_rows([rows[-1]]), *settings)
    np.testing.assert_array_equal(alone[0], ours[-1])
