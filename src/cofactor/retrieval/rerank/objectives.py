"""What the next item of a list adds: relevance, marginal relevance, a determinant, calibration.

An objective is given the candidate that was placed, and says what each one would add now. Equal
gains are decided by the caller, in favour of the more relevant item."""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np

_LEAST = 1e-10  # of a conditional variance, where an item is a combination of those placed
_NOISE = 1e-6  # of a conditional variance, below which it is the rounding of float32 vectors
_SMOOTHED = 0.01  # Steck's α: the user's own mix has this weight in the list's


class Objective(Protocol):
    """What the greedy choice asks."""

    def gains(self) -> np.ndarray:
        """Return what each candidate would add, float64 [n]."""

    def place(self, n: int) -> None:
        """Take note that candidate ``n`` is in the list."""


class Relevance:
    """The relevance alone.

    Parameters
    ----------
    relevance
        float64 [n].
    """

    def __init__(self, relevance: np.ndarray) -> None:
        self._relevance = relevance

    def gains(self) -> np.ndarray:
        """Return the relevance."""
        return self._relevance

    def place(self, n: int) -> None:
        """Change nothing."""


class MarginalRelevance:
    """Maximal marginal relevance: ``λ r_i - (1 - λ) max_{j in list} cos(i, j)``.

    Parameters
    ----------
    relevance
        float64 [n].
    units
        float [n, width], of length 1 or 0: the candidates' vectors.
    weight
        λ in [0, 1].

    References
    ----------
    Carbonell and Goldstein (1998), "The use of MMR, diversity-based reranking for reordering
    documents and producing summaries", SIGIR, equation in section 2.
    """

    def __init__(self, relevance: np.ndarray, units: np.ndarray, weight: float) -> None:
        self._relevance, self._units, self._weight = relevance, units, weight
        self._closest: np.ndarray | None = None

    def gains(self) -> np.ndarray:
        """Return the marginal relevance."""
        if self._closest is None:
            return self._weight * self._relevance
        return self._weight * self._relevance - (1 - self._weight) * self._closest

    def place(self, n: int) -> None:
        """Note how close each candidate is to the new item."""
        closeness = np.asarray(self._units @ self._units[n], np.float64)
        before = self._closest
        self._closest = closeness if before is None else np.maximum(before, closeness)


class Determinant:
    """A determinantal point process: ``log det`` of the list's kernel, greedily.

    The kernel is ``L = diag(e^(α r)) S diag(e^(α r))`` with ``S_ij = (1 + cos(i, j)) / 2`` and
    ``α = θ / (2 (1 - θ))``, so that ``log det L_Y = 2 α Σ r + log det S_Y``. An item's gain is
    ``2 α r_i + log d_i²``, where ``d_i²`` is what is left of ``S_ii`` given the list; each placed
    item updates it by one row of an incremental Cholesky factorisation, in O(n · list).

    Parameters
    ----------
    relevance
        float64 [n].
    units
        float [n, width], of length 1 or 0.
    weight
        θ in [0, 1).

    References
    ----------
    Chen, Zhang and Zhou (2018), "Fast greedy MAP inference for determinantal point process to
    improve recommendation diversity", NeurIPS, algorithm 1 and section 4.
    """

    def __init__(self, relevance: np.ndarray, units: np.ndarray, weight: float) -> None:
        self._units = units
        self._offset = weight / (1 - weight) * relevance
        self._left = np.ones(len(relevance))
        self._rows: list[np.ndarray] = []

    def gains(self) -> np.ndarray:
        """Return what each item adds to the log of the determinant."""
        return self._offset + np.log(np.maximum(self._left, _LEAST))

    def place(self, n: int) -> None:
        """Append a row to the factorisation, if the item isn't a combination of those placed."""
        if self._left[n] > _NOISE:
            similar = (1 + np.asarray(self._units @ self._units[n], np.float64)) / 2
            similar[n] = 1.0
            for row in self._rows:
                similar -= row[n] * row
            row = similar / math.sqrt(self._left[n])
            left = self._left - row**2
            self._left = np.where(left > _NOISE, left, 0.0)
            self._rows.append(row)
        self._left[n] = 0.0


class Calibration:
    """Calibration: ``(1 - λ) r_i - λ KL(p ‖ q̃(list with i))``.

    ``p(g) = Σ_{i in history} p(g|i) / n`` is the user's mix of entries, ``q(g)`` the list's
    (each item's entries share its weight equally), and ``q̃ = (1 - α) q + α p`` with α = 0.01.

    Parameters
    ----------
    relevance
        float64 [n].
    shares
        float64 [n, entries]: ``p(g|i)`` of each candidate, for the entries of the mix alone.
    held
        bool [n]: which candidates have entries at all.
    mix
        float64 [entries], above 0: ``p(g)``.
    weight
        λ in [0, 1].

    References
    ----------
    Steck (2018), "Calibrated recommendations", RecSys, equations 1 to 7.
    """

    def __init__(
        self,
        relevance: np.ndarray,
        shares: np.ndarray,
        held: np.ndarray,
        mix: np.ndarray,
        weight: float,
    ) -> None:
        self._relevance, self._shares, self._weight = relevance, shares, weight
        self._mix, self._held = mix, held.astype(np.float64)
        self._sum, self._count = np.zeros(len(mix)), 0.0

    def gains(self) -> np.ndarray:
        """Return the relevance less the divergence that the list would have."""
        count = np.maximum(self._count + self._held, 1.0)[:, None]
        mixed = (1 - _SMOOTHED) * (self._sum + self._shares) / count + _SMOOTHED * self._mix
        divergence = (self._mix * np.log(self._mix / mixed)).sum(axis=1)
        return (1 - self._weight) * self._relevance - self._weight * divergence

    def place(self, n: int) -> None:
        """Add an item's entries to the list's."""
        self._sum = self._sum + self._shares[n]
        self._count += self._held[n]
