"""Losses: one function each, with its equation and its source.

Legend: ``B`` examples in the batch, ``n`` negatives of each; ``s⁺`` the score of an observed item,
``s⁻`` that of one that wasn't observed. Every negative of row ``b`` belongs to the same user as the
positive of row ``b``; no loss here mixes rows, except `in_batch_softmax`, which says so. All return
a scalar, the mean over the batch."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional


def squared_error(predicted: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
    """Mean squared error.

    ``L = 1/B Σ_b w_b (ŷ_b − y_b)²``

    Parameters
    ----------
    predicted, target
        float [B].
    weight
        float [B], at least 0, or None for ones.

    Returns
    -------
    Tensor
        A scalar.

    Notes
    -----
    Source: Gauss; for factorisation Koren, Bell and Volinsky, "Matrix Factorization Techniques",
    2009, eq. 2.
    """
    return _mean((predicted - target).square(), weight)


def logistic(scores: Tensor, labels: Tensor, weight: Tensor | None = None) -> Tensor:
    """Mean logistic loss of single pairs, on scores before the sigmoid.

    ``L = 1/B Σ_b w_b [softplus(s_b) − y_b s_b]``, which is ``−y log σ(s) − (1 − y) log(1 − σ(s))``.

    Parameters
    ----------
    scores
        float [B].
    labels
        float [B] in 0..1: 1 observed, 0 sampled.
    weight
        float [B], at least 0, or None for ones.

    Returns
    -------
    Tensor
        A scalar.

    Notes
    -----
    Source: He et al., "Neural Collaborative Filtering", WWW 2017, eq. 7.
    """
    return _mean(functional.softplus(scores) - labels * scores, weight)


def bpr(positive: Tensor, negatives: Tensor) -> Tensor:
    """Bayesian personalised ranking.

    ``L = 1/(Bn) Σ_b Σ_j −log σ(s⁺_b − s⁻_bj)``

    Parameters
    ----------
    positive
        float [B].
    negatives
        float [B, n], of the same users.

    Returns
    -------
    Tensor
        A scalar.

    Notes
    -----
    Source: Rendle et al., "BPR", UAI 2009, BPR-Opt (section 4.1).
    """
    return functional.softplus(negatives - positive[:, None]).mean()


def hinge(positive: Tensor, negatives: Tensor, margin: float = 1.0) -> Tensor:
    """Pairwise hinge.

    ``L = 1/(Bn) Σ_b Σ_j max(0, margin − s⁺_b + s⁻_bj)``

    Parameters
    ----------
    positive
        float [B].
    negatives
        float [B, n], of the same users.
    margin
        By how much the positive has to win, at least 0.

    Returns
    -------
    Tensor
        A scalar.

    Notes
    -----
    Source: Herbrich, Graepel and Obermayer, "Large margin rank boundaries for ordinal regression",
    2000.
    """
    return functional.relu(margin - positive[:, None] + negatives).mean()


def adaptive_hinge(positive: Tensor, negatives: Tensor, margin: float = 1.0) -> Tensor:
    """Hinge against the hardest of each row's own negatives.

    ``L = 1/B Σ_b max(0, margin − s⁺_b + max_j s⁻_bj)``

    Parameters
    ----------
    positive
        float [B].
    negatives
        float [B, n]; row ``b`` holds n items drawn for the user of row ``b``.
    margin
        By how much the positive has to win, at least 0.

    Returns
    -------
    Tensor
        A scalar.

    Notes
    -----
    The maximum is taken along a row, that is within one user. (Reshaping a flat draw to [n, B] and
    taking the maximum over the wrong axis compares users with one another: a known mistake, and a
    test holds it off.) Source: Weston, Bengio and Usunier, "WSABIE", 2011, with the sampling
    bounded at n as in Kula's Spotlight, 2017.
    """
    return functional.relu(margin - positive + negatives.amax(1)).mean()


def warp(positive: Tensor, negatives: Tensor, n_items: int, margin: float = 1.0) -> Tensor:
    """WARP: the first violator among the draws, weighted by the rank that the number of draws
    suggests.

    ``t`` is the first draw with ``s⁻_t > s⁺ − margin``; ``rank ≈ ⌊(n_items − 1) / t⌋``; ``L = 1/B
    Σ_b Φ(rank_b) (margin − s⁺_b + s⁻_bt)`` with ``Φ(k) = Σ_{i=1..k} 1/i``; rows without a violator
    give 0.

    Parameters
    ----------
    positive
        float [B].
    negatives
        float [B, n], of the same users, in the order in which they were drawn.
    n_items
        The number of items that negatives are drawn from, at least 2.
    margin
        By how much the positive has to win, at least 0.

    Returns
    -------
    Tensor
        A scalar.

    Notes
    -----
    The paper draws one by one and stops; here n are scored at once, so a positive whose rank is far
    better than ``n_items / n`` is mostly left alone. Source: Weston, Bengio and Usunier, "WSABIE",
    IJCAI 2011, eq. 2 to 5.
    """
    violates = negatives > positive[:, None] - margin
    first = violates.to(torch.uint8).argmax(1)
    found = violates.any(1)
    rank = torch.div(n_items - 1, first + 1, rounding_mode="floor").clamp_min(1)
    weight = _harmonic(rank, positive.dtype) * found
    hardest = negatives.gather(1, first[:, None]).squeeze(1)
    return (weight * functional.relu(margin - positive + hardest)).mean()


def cosine_contrastive(
    positive: Tensor, negatives: Tensor, margin: float = 0.5, negative_weight: float = 1.0
) -> Tensor:
    """Cosine contrastive loss (CCL).

    ``L = 1/B Σ_b [(1 − c⁺_b) + w/n Σ_j max(0, c⁻_bj − margin)]``

    Parameters
    ----------
    positive
        float [B]: cosines in −1..1.
    negatives
        float [B, n]: cosines of the same users with sampled items.
    margin
        Negatives below this cosine are left alone, in −1..1.
    negative_weight
        ``w``: the weight of the negatives beside the positive, at least 0.

    Returns
    -------
    Tensor
        A scalar.

    Notes
    -----
    Source: Mao et al., "SimpleX", CIKM 2021, eq. 1.
    """
    return (1 - positive).mean() + negative_weight * functional.relu(negatives - margin).mean()


def sampled_softmax(
    positive: Tensor, negatives: Tensor, positive_log_q: Tensor, negative_log_q: Tensor
) -> Tensor:
    """Softmax over the positive and the sampled negatives, corrected for how they were drawn.

    ``L = 1/B Σ_b −log [e^{s⁺ − log q⁺} / (e^{s⁺ − log q⁺} + Σ_j e^{s⁻_j − log q_j})]``

    Parameters
    ----------
    positive
        float [B].
    negatives
        float [B, n], of the same users.
    positive_log_q, negative_log_q
        float [B] and [B, n]: the log of the *expected number* of times that each item comes up
        among the n draws (``log(n q_j)``), so that the sum estimates the full one. Zeros turn the
        correction off.

    Returns
    -------
    Tensor
        A scalar.

    Notes
    -----
    With q the draws' law, ``Σ_j e^{s_j} / (n q_j)`` is an unbiased estimate of the full
    denominator's negative part; the positive is there by design and not by chance, so its own
    correction is log 1 = 0 in that estimate. Both readings are in use; this function takes what it
    is given. Source: Bengio and Senécal, "Adaptive Importance Sampling", 2008; Yi et al.,
    "Sampling-Bias-Corrected Neural Modeling", RecSys 2019, eq. 3.
    """
    logits = torch.cat(((positive - positive_log_q)[:, None], negatives - negative_log_q), 1)
    return (torch.logsumexp(logits, 1) - logits[:, 0]).mean()


def in_batch_softmax(scores: Tensor, log_q: Tensor, forbidden: Tensor) -> Tensor:
    """Softmax over the items of the batch itself, corrected for their popularity.

    ``L = 1/B Σ_b −log [e^{s_bb − log q_b} / Σ_{c allowed} e^{s_bc − log q_c}]``

    Parameters
    ----------
    scores
        float [B, B]: row ``b`` scores the user of example ``b`` against the items of all examples.
    log_q
        float [B]: the log of each item's probability to stand in a batch.
    forbidden
        bool [B, B]: True where item ``c`` is a positive of user ``b`` (the diagonal is let in
        whatever it says).

    Returns
    -------
    Tensor
        A scalar.

    Notes
    -----
    Source: Yi et al., "Sampling-Bias-Corrected Neural Modeling", RecSys 2019, eq. 3 to 5.
    """
    own = torch.eye(len(scores), dtype=torch.bool, device=scores.device)
    logits = (scores - log_q[None, :]).masked_fill(forbidden & ~own, -math.inf)
    return (torch.logsumexp(logits, 1) - logits.diagonal()).mean()


def full_softmax(scores: Tensor, target: Tensor) -> Tensor:
    """Softmax over the whole catalogue.

    ``L = 1/B Σ_b [log Σ_j e^{s_bj} − s_b,target]``

    Parameters
    ----------
    scores
        float [B, n_items].
    target
        int64 [B]: the row of the observed item.

    Returns
    -------
    Tensor
        A scalar.

    Notes
    -----
    Source: Bridle, "Probabilistic Interpretation of Feedforward Classification Network Outputs",
    1990.
    """
    return functional.cross_entropy(scores, target)


def gravity(user_factors: Tensor, item_factors: Tensor) -> Tensor:
    """Gravity: the mean square of the scores of *all* pairs of users and items.

    ``g = 1/(n_users n_items) Σ_u Σ_i ⟨U_u, V_i⟩² = 1/(n_users n_items) Σ_{k,l} (UᵀU)_{kl}
    (VᵀV)_{kl}``

    The two Gram matrices are K × K, so the cost is ``O((n_users + n_items) K²)`` instead of
    ``O(n_users n_items K)``.

    Parameters
    ----------
    user_factors
        float [n_users, K].
    item_factors
        float [n_items, K].

    Returns
    -------
    Tensor
        A scalar.

    Notes
    -----
    It pulls the scores of unobserved pairs to 0, which keeps items that no user shares from ending
    up side by side. Source: Krichene et al., "Efficient Training on Very Large Corpora via Gramian
    Estimation", ICLR 2019, eq. 2 and 4.
    """
    pairs = user_factors.shape[0] * item_factors.shape[0]
    return ((user_factors.T @ user_factors) * (item_factors.T @ item_factors)).sum() / pairs


def l2_of_batch(*rows: Tensor) -> Tensor:
    """Squared length of the vectors that this batch touches, per example.

    ``r = 1/B Σ_b (‖p_b‖² + ‖q_b‖² + …)``: over an epoch each user and item is counted once for each
    of its examples, which is the frequency-weighted regularisation of Zhou et al. Weight decay
    instead shrinks every row at every step.

    Parameters
    ----------
    rows
        float [B, K] each: the vectors (or [B] biases) that the batch looked up.

    Returns
    -------
    Tensor
        A scalar.

    Notes
    -----
    Source: Zhou et al., "Large-scale Parallel Collaborative Filtering for the Netflix Prize", 2008,
    eq. 2.
    """
    total = rows[0].square().sum()
    for more in rows[1:]:
        total = total + more.square().sum()
    return total / rows[0].shape[0]


def pairwise(
    name: str, *, n_items: int, margin: float = 1.0, negative_weight: float = 1.0
) -> Callable[[Tensor, Tensor], Tensor]:
    """Return one of the losses of a positive against its negatives as a function of both scores
    alone.
    """
    if name == "warp":
        return lambda positive, negatives: warp(positive, negatives, n_items, margin)
    if name == "cosine_contrastive":
        return lambda positive, negatives: cosine_contrastive(
            positive, negatives, margin, negative_weight
        )
    if name == "bpr":
        return bpr
    if name in ("hinge", "adaptive_hinge"):
        chosen = hinge if name == "hinge" else adaptive_hinge
        return lambda positive, negatives: chosen(positive, negatives, margin)
    raise ValueError(f"{name} is not one of the pairwise losses of two arguments.")


def _mean(each: Tensor, weight: Tensor | None) -> Tensor:
    return each.mean() if weight is None else (each * weight).mean()


def _harmonic(rank: Tensor, dtype: torch.dtype) -> Tensor:
    """Φ(k) = ψ(k + 1) + γ, the k-th harmonic number."""
    return (torch.digamma(rank.to(torch.float64) + 1) + 0.5772156649015329).to(dtype)
