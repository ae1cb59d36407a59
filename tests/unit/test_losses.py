"""Each loss against a plain Python loop, in values and in gradients."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from cofactor.training import losses

B, N, N_ITEMS, K = 5, 3, 11, 4


def _draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


POSITIVE, NEGATIVES = _draw(B, seed=1), _draw(B, N, seed=2)


def _softplus(x: float) -> float:
    return math.log1p(math.exp(-abs(x))) + max(x, 0.0)


def _loop_bpr(positive: list[float], negatives: list[list[float]]) -> float:
    return sum(
        _softplus(n - p) for p, row in zip(positive, negatives, strict=True) for n in row
    ) / (B * N)


def _loop_hinge(positive: list[float], negatives: list[list[float]]) -> float:
    return sum(
        max(0.0, 1 - p + n) for p, row in zip(positive, negatives, strict=True) for n in row
    ) / (B * N)


def _loop_adaptive(positive: list[float], negatives: list[list[float]]) -> float:
    return sum(max(0.0, 1 - p + max(row)) for p, row in zip(positive, negatives, strict=True)) / B


def _loop_warp(positive: list[float], negatives: list[list[float]]) -> float:
    total = 0.0
    for p, row in zip(positive, negatives, strict=True):
        for t, n in enumerate(row, start=1):
            if n > p - 1:
                total += sum(1 / i for i in range(1, max(1, (N_ITEMS - 1) // t) + 1)) * (1 - p + n)
                break
    return total / B


def _loop_contrastive(positive: list[float], negatives: list[list[float]]) -> float:
    return (
        sum(
            1 - p + 2.0 / N * sum(max(0.0, n - 0.3) for n in row)
            for p, row in zip(positive, negatives, strict=True)
        )
        / B
    )


CASES: dict[str, tuple[Callable[..., Tensor], Callable[..., float]]] = {
    "bpr": (losses.bpr, _loop_bpr),
    "hinge": (losses.hinge, _loop_hinge),
    "adaptive_hinge": (losses.adaptive_hinge, _loop_adaptive),
    "warp": (lambda p, n: losses.warp(p, n, N_ITEMS), _loop_warp),
    "cosine_contrastive": (
        lambda p, n: losses.cosine_contrastive(p, n, 0.3, 2.0),
        _loop_contrastive,
    ),
}


@pytest.mark.parametrize("name", list(CASES))
def test_pairwise_loss_equals_a_plain_loop_in_value_and_gradient(name: str) -> None:
    ours, loop = CASES[name]
    p, n = POSITIVE.clone().requires_grad_(), NEGATIVES.clone().requires_grad_()
    loss = ours(p, n)
    assert loss.item() == pytest.approx(loop(POSITIVE.tolist(), NEGATIVES.tolist()), rel=1e-12)
    loss.backward()
    step = 1e-6
    for b in range(B):
        up, down = POSITIVE.tolist(), POSITIVE.tolist()
        up[b] += step
        down[b] -= step
        slope = (loop(up, NEGATIVES.tolist()) - loop(down, NEGATIVES.tolist())) / (2 * step)
        assert p.grad[b].item() == pytest.approx(slope, abs=1e-7)
        for j in range(N):
            up_n, down_n = NEGATIVES.tolist(), NEGATIVES.tolist()
            up_n[b][j] += step
            down_n[b][j] -= step
            slope = (loop(POSITIVE.tolist(), up_n) - loop(POSITIVE.tolist(), down_n)) / (2 * step)
            assert n.grad[b, j].item() == pytest.approx(slope, abs=1e-7)


@pytest.mark.parametrize("name", list(CASES))
def test_gradcheck_of_pairwise_losses(name: str) -> None:
    assert torch.autograd.gradcheck(
        CASES[name][0], (POSITIVE.clone().requires_grad_(), NEGATIVES.clone().requires_grad_())
    )


def test_adaptive_hinge_never_mixes_users() -> None:
    # User 0's negatives are easy, user 1's are hard: user 0's loss must not see the hard ones of
    # user 1.
    positive = torch.tensor([5.0, 5.0], requires_grad=True)
    negatives = torch.tensor([[0.0, 1.0, 2.0], [9.0, 8.0, 7.0]], requires_grad=True)
    loss = losses.adaptive_hinge(positive, negatives)
    assert loss.item() == pytest.approx((0 + (1 - 5 + 9)) / 2)
    loss.backward()
    assert positive.grad.tolist() == [0.0, -0.5]
    assert negatives.grad.tolist() == [[0.0, 0.0, 0.0], [0.5, 0.0, 0.0]]
    # The loss of each user alone adds up to the batch's: nothing passes between the rows.
    alone = [
        losses.adaptive_hinge(positive[b : b + 1], negatives[b : b + 1]).item() for b in range(2)
    ]
    assert sum(alone) / 2 == pytest.approx(loss.item())


def test_pointwise_losses_equal_a_plain_loop() -> None:
    target, weight = _draw(B, seed=3), _draw(B, seed=4).abs()
    labels = torch.tensor([1.0, 0.0, 1.0, 0.0, 0.5], dtype=torch.float64)
    wanted = (
        sum(
            w * (p - t) ** 2
            for p, t, w in zip(POSITIVE.tolist(), target.tolist(), weight.tolist(), strict=True)
        )
        / B
    )
    assert losses.squared_error(POSITIVE, target, weight).item() == pytest.approx(wanted)
    sigma = [1 / (1 + math.exp(-s)) for s in POSITIVE.tolist()]
    wanted = (
        -sum(
            y * math.log(q) + (1 - y) * math.log(1 - q)
            for y, q in zip(labels.tolist(), sigma, strict=True)
        )
        / B
    )
    assert losses.logistic(POSITIVE, labels).item() == pytest.approx(wanted)
    p = POSITIVE.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda s: losses.squared_error(s, target, weight), (p,))
    assert torch.autograd.gradcheck(lambda s: losses.logistic(s, labels), (p,))


def test_logistic_of_huge_scores_is_finite() -> None:
    scores = torch.tensor([1e4, -1e4])
    assert losses.logistic(scores, torch.tensor([0.0, 1.0])).item() == pytest.approx(1e4)


def test_sampled_softmax_equals_a_plain_loop_with_its_correction() -> None:
    p_q, n_q = _draw(B, seed=5), _draw(B, N, seed=6)
    total = 0.0
    for p, row, pq, nq in zip(
        POSITIVE.tolist(), NEGATIVES.tolist(), p_q.tolist(), n_q.tolist(), strict=True
    ):
        whole = math.exp(p - pq) + sum(math.exp(s - q) for s, q in zip(row, nq, strict=True))
        total -= math.log(math.exp(p - pq) / whole)
    assert losses.sampled_softmax(POSITIVE, NEGATIVES, p_q, n_q).item() == pytest.approx(total / B)
    inputs = (POSITIVE.clone().requires_grad_(), NEGATIVES.clone().requires_grad_())
    assert torch.autograd.gradcheck(lambda p, n: losses.sampled_softmax(p, n, p_q, n_q), inputs)


def test_sampled_softmax_with_the_correction_estimates_the_full_softmax_gradient() -> None:
    # Many draws from a skewed law: with log(n q) subtracted the gradient comes near the full one,
    # without it it doesn't.
    scores = _draw(9, seed=7)
    q = torch.softmax(_draw(9, seed=8) * 1.5, 0)
    drawn = torch.multinomial(
        q, 200_000, replacement=True, generator=torch.Generator().manual_seed(0)
    )
    free = drawn[drawn != 4]

    def slope(log_expected: Tensor) -> Tensor:
        s = scores.clone().requires_grad_()
        losses.sampled_softmax(
            s[4:5], s[free][None, :], torch.zeros(1, dtype=torch.float64), log_expected[None, :]
        ).backward()
        return s.grad

    s = scores.clone().requires_grad_()
    losses.full_softmax(s[None, :], torch.tensor([4])).backward()
    assert torch.allclose(slope((len(drawn) * q[free]).log()), s.grad, atol=0.01)
    assert not torch.allclose(
        slope(torch.full((len(free),), math.log(len(drawn) / 9), dtype=torch.float64)),
        s.grad,
        atol=0.03,
    )


def test_full_and_in_batch_softmax_equal_a_plain_loop() -> None:
    scores, target = _draw(B, N_ITEMS, seed=9), torch.tensor([3, 0, 10, 3, 7])
    total = sum(
        -math.log(math.exp(r[t]) / sum(map(math.exp, r)))
        for r, t in zip(scores.tolist(), target.tolist(), strict=True)
    )
    assert losses.full_softmax(scores, target).item() == pytest.approx(total / B)
    square, log_q = _draw(B, B, seed=10), _draw(B, seed=11)
    forbidden = torch.rand(B, B, generator=torch.Generator().manual_seed(1)) < 0.4
    total = 0.0
    for b in range(B):
        allowed = [c for c in range(B) if c == b or not forbidden[b, c]]
        whole = sum(math.exp(square[b, c] - log_q[c]) for c in allowed)
        total -= math.log(math.exp(square[b, b] - log_q[b]) / whole)
    assert losses.in_batch_softmax(square, log_q, forbidden).item() == pytest.approx(total / B)
    assert torch.autograd.gradcheck(
        lambda s: losses.full_softmax(s, target), (scores.requires_grad_(),)
    )
    assert torch.autograd.gradcheck(
        lambda s: losses.in_batch_softmax(s, log_q, forbidden), (square.requires_grad_(),)
    )


def test_gravity_equals_the_mean_square_of_all_scores() -> None:
    users, items = (
        _draw(7, K, seed=12).requires_grad_(),
        _draw(N_ITEMS, K, seed=13).requires_grad_(),
    )
    total = sum(
        sum(a * b for a, b in zip(u, i, strict=True)) ** 2
        for u in users.tolist()
        for i in items.tolist()
    )
    assert losses.gravity(users, items).item() == pytest.approx(total / (7 * N_ITEMS))
    assert torch.autograd.gradcheck(losses.gravity, (users, items))


def test_l2_of_batch_counts_rows_and_biases_per_example() -> None:
    rows, bias = _draw(B, K, seed=14), _draw(B, seed=15)
    wanted = (
        sum(x * x for row in rows.tolist() for x in row) + sum(x * x for x in bias.tolist())
    ) / B
    assert losses.l2_of_batch(rows, bias).item() == pytest.approx(wanted)
