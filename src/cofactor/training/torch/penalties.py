"""Terms added to a loss: the L2 of a batch, and gravity over all pairs."""

from __future__ import annotations

from torch import Tensor


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
    It pulls the scores of unobserved pairs to 0, which keeps items without common users apart.
    Source: Krichene et al., "Efficient Training on Very Large Corpora via Gramian Estimation", ICLR
    2019, eq. 2 and 4."""
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
    Source: Zhou et al., "Large-scale Parallel Collaborative Filtering for the Netflix Prize",
    2008, eq. 2."""
    total = rows[0].square().sum()
    for more in rows[1:]:
        total = total + more.square().sum()
    return total / rows[0].shape[0]
