"""Which ridge suits the data, and which weight of items that co-occur: what ranks held-out warm
items best.

Where users have few items, or texts say much, what items have in common by their users is noise
beside what they have in common by their content."""

from __future__ import annotations

from itertools import product
from typing import Any, NamedTuple

import numpy as np

from cofactor.base.run import Run
from cofactor.base.threads import native_threads
from cofactor.data.interactions import Interactions
from cofactor.data.sorting import sparse_rows
from cofactor.models import validation
from cofactor.models.content import check as checking

_RIDGES, _NEIGHBOURS = (10.0, 100.0), (20.0, 0.0, 200.0)  # the usual ones first
_MOST = 2500  # warm items that are looked at; a fifth of them is held out
_USERS, _FEWEST = 1000, 100  # users who are measured, and how few say nothing


class RidgeSettings(NamedTuple):
    """λ and β of `ContentRidge`, and the powers of users' and items' counts."""

    ridge: float | None
    neighbours: float | None
    user_power: float
    item_power: float


def settled(data: Interactions, inputs: Any, given: RidgeSettings, run: Run) -> tuple[float, float]:
    """Return λ and β: those that are given, else 10 and 20, or others that rank held-out items
    significantly better.

    A fifth of the items with interactions (of 2,500 at most) is held out. λ of 10 and 100 and β of
    20, 0 and 200 are tried on the others, and compared by the users' recall of held-out items: the
    best pair is taken if it is better than the usual one by the paired t-test.

    Parameters
    ----------
    data
        The training interactions.
    inputs
        Of all items, SciPy CSR float32 [n_items, width].
    given
        Settings; None where they are open.
    run
        Seed, threads and progress.
    """
    ridges = _RIDGES if given.ridge is None else (given.ridge,)
    weights = _NEIGHBOURS if given.neighbours is None else (given.neighbours,)
    pairs = list(product(ridges, weights))
    if len(pairs) == 1:
        return pairs[0]
    held = _HeldOutWarm(data, inputs, given, run)
    if len(held.users) < _FEWEST:
        return pairs[0]
    with native_threads(run.n_threads, blas=run.n_threads):
        found = {pair: one for ridge in ridges for pair, one in held.recalls(ridge, weights)}
    best = max(pairs, key=lambda pair: float(found[pair].mean()))
    if not validation.proven(found[best] - found[pairs[0]]):
        return pairs[0]
    run.progress.say(f"content_ridge: ridge={best[0]:g}, neighbours={best[1]:g}")
    return best


class _HeldOutWarm:
    """Some warm items, a part of them held out, and users who have items of both parts."""

    def __init__(self, data: Interactions, inputs: Any, given: RidgeSettings, run: Run) -> None:
        from scipy import sparse

        draw = run.generator("content_ridge", "held out")
        some = draw.permutation(np.flatnonzero(data.item_counts))[:_MOST]
        self.data, self.items = data, np.sort(some[: len(some) // 5])
        rest = np.sort(some[len(some) // 5 :])
        x = sparse_rows(data.indptr, data.item_rows, data.n_items)
        mine = x[:, rest].tocsr()
        counts, n_out = np.diff(mine.indptr), np.diff(x[:, self.items].tocsr().indptr)
        users = np.flatnonzero((counts > 0) & (n_out > 0))
        self.users = np.sort(draw.permutation(users)[:_USERS])
        by_item = np.maximum(np.bincount(mine.indices, minlength=len(rest)), 1)
        self.scaled = (
            sparse.diags((np.maximum(counts, 1) ** -given.user_power).astype(np.float32))
            @ mine
            @ sparse.diags((by_item**-given.item_power).astype(np.float32))
        ).tocsr()
        self.past = mine[self.users]
        self.gram = (inputs[rest] @ inputs[rest].T).toarray()
        self.cross = (inputs[rest] @ inputs[self.items].T).toarray()

    def recalls(
        self, ridge: float, weights: tuple[float, ...]
    ) -> list[tuple[tuple[float, float], np.ndarray]]:
        """Return the users' recalls with one λ and each β."""
        from scipy.linalg import solve

        system = self.gram + np.float32(ridge) * np.eye(len(self.gram), dtype=np.float32)
        solved = solve(system, self.cross, assume_a="pos", overwrite_a=True)
        own = self.past @ solved
        together = (self.past @ self.scaled.T) @ (self.scaled @ solved)
        return [
            (
                (ridge, weight),
                checking.recalls(
                    own + np.float32(weight) * together, self.data, self.users, self.items
                ),
            )
            for weight in weights
        ]
