"""Each loss against a plain Python loop; what every loss promises; losses of one's own."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from cofactor.base.errors import ArgumentError
from cofactor.models.neural.factor_fold_in import (
    Penalty,
    implicit_vectors,
    rating_vectors,
    ridge_vectors,
)
from cofactor.models.neural.latent_factor import LatentFactorConfig
from cofactor.models.neural.mlp import MLP
from cofactor.training.losses import (
    LOSSES,
    Candidates,
    Loss,
    Needs,
    Pointwise,
)
from cofactor.training.losses.loss_config import LossConfig
from cofactor.training.torch import penalties

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


SETTINGS = LossConfig(margin=1.0, negatives=N)
CONTRASTIVE = SETTINGS.replace(margin=0.3, negative_weight=2.0)
CASES: dict[str, Callable[..., float]] = {
    "bpr": _loop_bpr,
    "hinge": _loop_hinge,
    "adaptive_hinge": _loop_adaptive,
    "warp": _loop_warp,
    "cosine_contrastive": _loop_contrastive,
}


def _value(name: str, positive: Tensor, negatives: Tensor, **candidates: Tensor) -> Tensor:
    scores = torch.cat((positive[:, None], negatives), 1)
    settings = CONTRASTIVE if name == "cosine_contrastive" else SETTINGS
    return LOSSES[name].value(scores, Candidates(N_ITEMS, **candidates), settings)


@pytest.mark.parametrize("name", list(CASES))
def test_pairwise_loss_equals_a_plain_loop_in_value_and_gradient(name: str) -> None:
    loop = CASES[name]
    p, n = POSITIVE.clone().requires_grad_(), NEGATIVES.clone().requires_grad_()
    loss = _value(name, p, n)
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


def test_adaptive_hinge_never_mixes_users() -> None:
    # User 0's negatives are easy, user 1's are hard: user 0's loss must not see the hard ones of
    # user 1.
    positive = torch.tensor([5.0, 5.0], requires_grad=True)
    negatives = torch.tensor([[0.0, 1.0, 2.0], [9.0, 8.0, 7.0]], requires_grad=True)
    loss = _value("adaptive_hinge", positive, negatives)
    assert loss.item() == pytest.approx((0 + (1 - 5 + 9)) / 2)
    loss.backward()
    assert positive.grad.tolist() == [0.0, -0.5]
    assert negatives.grad.tolist() == [[0.0, 0.0, 0.0], [0.5, 0.0, 0.0]]
    # The loss of each user alone adds up to the batch's: nothing passes between the rows.
    alone = [
        _value("adaptive_hinge", positive[b : b + 1], negatives[b : b + 1]).item() for b in range(2)
    ]
    assert sum(alone) / 2 == pytest.approx(loss.item())


def test_pointwise_losses_equal_a_plain_loop() -> None:
    target = _draw(B, seed=3)
    labels = torch.tensor([1.0, 0.0, 1.0, 0.0, 0.5], dtype=torch.float64)
    wanted = sum((p - t) ** 2 for p, t in zip(POSITIVE.tolist(), target.tolist(), strict=True)) / B
    of = lambda name, y: LOSSES[name].value(POSITIVE, Candidates(N_ITEMS, y), SETTINGS)  # noqa: E731
    assert of("squared", target).item() == pytest.approx(wanted)
    sigma = [1 / (1 + math.exp(-s)) for s in POSITIVE.tolist()]
    wanted = (
        -sum(
            y * math.log(q) + (1 - y) * math.log(1 - q)
            for y, q in zip(labels.tolist(), sigma, strict=True)
        )
        / B
    )
    assert of("logistic", labels).item() == pytest.approx(wanted)
    # With drawn items and no target, the first of a row is 1 and the others are 0.
    rows = torch.cat((POSITIVE[:, None], NEGATIVES), 1)
    labels = torch.zeros_like(rows)
    labels[:, 0] = 1
    drawn = _value("squared", POSITIVE, NEGATIVES)
    assert drawn.item() == pytest.approx(float(((rows - labels) ** 2).mean()))


def test_logistic_of_huge_scores_is_finite() -> None:
    scores = torch.tensor([1e4, -1e4])
    labels = Candidates(N_ITEMS, torch.tensor([0.0, 1.0]))
    assert LOSSES["logistic"].value(scores, labels, SETTINGS).item() == pytest.approx(1e4)


def test_sampled_softmax_equals_a_plain_loop_with_its_correction() -> None:
    n_q = _draw(B, N, seed=6)
    total = 0.0
    for p, row, nq in zip(POSITIVE.tolist(), NEGATIVES.tolist(), n_q.tolist(), strict=True):
        whole = math.exp(p) + sum(math.exp(s - q) for s, q in zip(row, nq, strict=True))
        total -= math.log(math.exp(p) / whole)
    ours = _value("sampled_softmax", POSITIVE, NEGATIVES, log_expected=n_q)
    assert ours.item() == pytest.approx(total / B)


def _full_softmax(scores: Tensor, target: Tensor) -> Tensor:
    return LOSSES["full_softmax"].value(scores, Candidates(scores.shape[1], target), SETTINGS)


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
        _value(
            "sampled_softmax", s[4:5], s[free][None, :], log_expected=log_expected[None, :]
        ).backward()
        return s.grad

    s = scores.clone().requires_grad_()
    _full_softmax(s[None, :], torch.tensor([4])).backward()
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
    assert _full_softmax(scores, target).item() == pytest.approx(total / B)
    square, log_q = _draw(B, B, seed=10), _draw(B, seed=11)
    forbidden = torch.rand(B, B, generator=torch.Generator().manual_seed(1)) < 0.4
    total = 0.0
    for b in range(B):
        allowed = [c for c in range(B) if c == b or not forbidden[b, c]]
        whole = sum(math.exp(square[b, c] - log_q[c]) for c in allowed)
        total -= math.log(math.exp(square[b, b] - log_q[b]) / whole)
    candidates = Candidates(N_ITEMS, log_expected=log_q, forbidden=forbidden)
    in_batch = lambda s: LOSSES["in_batch_softmax"].value(s, candidates, SETTINGS)  # noqa: E731
    assert in_batch(square).item() == pytest.approx(total / B)
    assert torch.autograd.gradcheck(lambda s: _full_softmax(s, target), (scores.requires_grad_(),))
    assert torch.autograd.gradcheck(in_batch, (square.requires_grad_(),))


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
    assert penalties.gravity(users, items).item() == pytest.approx(total / (7 * N_ITEMS))
    assert torch.autograd.gradcheck(penalties.gravity, (users, items))


def test_l2_of_batch_counts_rows_and_biases_per_example() -> None:
    rows, bias = _draw(B, K, seed=14), _draw(B, seed=15)
    wanted = (
        sum(x * x for row in rows.tolist() for x in row) + sum(x * x for x in bias.tolist())
    ) / B
    assert penalties.l2_of_batch(rows, bias).item() == pytest.approx(wanted)


def _scores(loss: Loss, own: Tensor, others: Tensor) -> tuple[Tensor, Candidates]:
    """One user's own items, each against all others, as the loss takes them while training."""
    n, m = len(own), len(others)
    if loss.needs is Needs.PAIRS:
        return own, Candidates(m, torch.ones_like(own))
    rows = torch.cat((own[:, None], others.expand(n, m)), 1)
    if loss.needs is Needs.NEGATIVES:
        return rows, Candidates(N_ITEMS, log_expected=torch.zeros_like(rows[:, 1:]))
    if loss.needs is Needs.CATALOGUE:
        return rows, Candidates(N_ITEMS, torch.zeros(n, dtype=torch.int64))
    # The batch holds one own item at a time; the others stand at the places of other users' items.
    square = torch.zeros(n + m, n + m, dtype=own.dtype)
    square[:n, n:] = others
    square = square + torch.diag(torch.cat((own, torch.zeros(m, dtype=own.dtype))))
    forbidden = torch.ones(n + m, n + m, dtype=torch.bool)
    forbidden[:n, n:] = False
    zero = torch.zeros(n + m, dtype=own.dtype)
    return square, Candidates(N_ITEMS, log_expected=zero, forbidden=forbidden)


@pytest.mark.parametrize("name", list(LOSSES))
@pytest.mark.parametrize("m", [1, 4])
def test_slopes_of_every_loss_are_the_gradient_of_its_value(name: str, m: int) -> None:
    loss = LOSSES[name]
    if m > 1 and name == "warp":
        pytest.skip("its fold-in is by a convex bound, which is exact for one negative alone")
    settings = LossConfig(margin=0.3, negative_weight=2.0, negatives=m)
    own, others = _draw(3, seed=20).requires_grad_(), _draw(m, seed=21).requires_grad_()
    scores, candidates = _scores(loss, own, others)
    value = loss.value(scores, candidates, settings)
    if loss.needs is Needs.IN_BATCH:
        # Rows of the others compare nothing: their loss is 0, and only the mean sees them.
        value = value * len(scores) / len(own)
    value.backward()
    found = loss.slopes(own.detach().numpy(), others.detach().numpy(), settings, N_ITEMS)
    assert found.value == pytest.approx(value.item(), rel=1e-9)
    np.testing.assert_allclose(found.own, own.grad.numpy(), rtol=1e-7, atol=1e-12)
    np.testing.assert_allclose(found.others, others.grad.numpy(), rtol=1e-7, atol=1e-12)


@pytest.mark.parametrize("name", list(LOSSES))
def test_fold_in_of_every_loss_is_a_minimum_of_its_objective(name: str) -> None:
    loss, rng = LOSSES[name], np.random.default_rng(4)
    config = LatentFactorConfig(loss=name, margin=0.3, regularization=0.1, negatives=3)
    q = rng.normal(size=(40, 3)).astype(np.float32)
    if loss.uses_cosine:
        q /= np.linalg.norm(q, axis=1, keepdims=True)
    b = (0 * q[:, 0]).astype(np.float32)
    own, counts = np.arange(0, 12, 2, dtype=np.int32), np.full(40, 5)
    settled = implicit_vectors(np.array([0, len(own)]), own, q, b, config, counts)[0, :-1]
    others = np.setdiff1d(np.arange(40), own)
    if loss.needs is Needs.IN_BATCH:
        pytest.skip("it folds in against draws by popularity, which only the fold-in knows")

    def objective(p: np.ndarray) -> float:
        if loss.uses_cosine:
            p = p / np.linalg.norm(p)
        value = loss.slopes(q[own] @ p, _in_order(q, others) @ p, config, 40).value
        return value + (0 if loss.uses_cosine else 0.1 * float(p @ p))

    best = objective(settled.astype(np.float64))
    for axis in range(3):
        for step in (-1e-2, 1e-2):
            moved = settled.astype(np.float64)
            moved[axis] += step
            assert objective(moved) > best - 1e-9


def _in_order(q: np.ndarray, others: np.ndarray) -> np.ndarray:
    """The other items in the order in which a fold-in over all items takes them."""
    from cofactor.base import rng

    order = rng.generator(0, "fold-in", len(q)).permutation(len(q))
    return q[order[np.isin(order, others)]].astype(np.float64)


def test_rating_vectors_by_descent_equal_the_closed_form_of_squared_error() -> None:
    rng = np.random.default_rng(5)
    q, indptr = rng.normal(size=(9, 3)).astype(np.float32), np.array([0, 4, 4, 9])
    items = np.array([0, 2, 5, 7, 1, 3, 4, 6, 8], np.int32)
    residuals = rng.normal(size=9).astype(np.float32)
    strength = np.array([1.0, 1.0, 0.7])
    squared = LOSSES["squared"]
    assert isinstance(squared, Pointwise)
    for bias_ridge in (0.05, None):
        penalty = Penalty(strength, 0.1, bias_ridge, 0.2)
        closed = ridge_vectors(indptr, items, residuals, q, penalty)
        found = rating_vectors(squared, indptr, items, residuals, q, penalty)
        np.testing.assert_allclose(found, closed, atol=2e-4)


def test_losses_refuse_settings_under_which_they_are_not_defined() -> None:
    for name in LOSSES:
        LossConfig(loss=name)
    for name in ("hinge", "adaptive_hinge", "warp"):
        with pytest.raises(ArgumentError, match=f"margin of {name} must be at least 0"):
            LossConfig(loss=name, margin=-0.5)
    with pytest.raises(ArgumentError, match="at most 1"):
        LossConfig(loss="cosine_contrastive", margin=1.5)
    with pytest.raises(ArgumentError, match="batch_size of in_batch_softmax"):
        LossConfig(loss="in_batch_softmax", batch_size=1)
    for name in ("full_softmax", "in_batch_softmax", "cosine_contrastive"):
        with pytest.raises(ArgumentError, match=f"MLP loss can't be {name}"):
            MLP(loss=name)
