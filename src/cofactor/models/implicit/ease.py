"""EASE: the best linear item model in closed form."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from cofactor.base import memory
from cofactor.base.config import setting
from cofactor.base.engine import Engine
from cofactor.base.errors import ArgumentError, ArtifactError, TrainingError
from cofactor.base.run import Run
from cofactor.base.search import among, between, log
from cofactor.base.threads import current_threads
from cofactor.data.interactions import Interactions
from cofactor.data.split import Part
from cofactor.models.defaults import popularity_term
from cofactor.models.implicit.ease_pieces import weights_in_pieces
from cofactor.models.implicit.linear import (
    LinearItemModel,
    WeightedConfig,
    by_user_and_item,
    dense_scores,
    weighed,
)
from cofactor.models.implicit.sparse_ease import neighbour_weights
from cofactor.models.implicit.sparse_weights import SPARSE_ARRAYS, SparseWeights
from cofactor.models.traits import ArraySpec, Traits

# The way by the users is taken from so many fewer users than items: what comes after its smaller
# inverse isn't free.
FEWER_USERS = 0.9


class EASEConfig(WeightedConfig):
    """Settings of `EASE`."""

    renamed = {"popularity_power": "frequency_exponent"}
    search = {
        "regularization": log(1.0, 20_000.0),
        "frequency_exponent": between(0.0, 1.0),
        "user_exponent": between(0.0, 1.0),
        "dropout": between(0.0, 0.8),
        "weighting": among("none", "tfidf"),
    }

    regularization: float = setting(
        200.0, above=0, doc="λ, added to each item's own count in the Gram matrix."
    )
    frequency_exponent: float = setting(
        0.0,
        low=0,
        high=2,
        doc=(
            "p: item i gets λ (n_i / mean n)^p; 0 is EASE proper, higher values"
            " penalise popular items."
        ),
    )
    user_exponent: float = setting(
        0.0,
        low=0,
        high=2,
        doc=(
            "q: a user with n items weighs n^-q in the loss; λ is times the"
            " mean weight. 0: all the same."
        ),
    )
    dropout: float = setting(
        0.0,
        low=0,
        below=1,
        doc="d: dropout probability of each past item in training (EDLAE); 0: none.",
    )
    keep: int | None = setting(
        None,
        low=1,
        high=100_000,
        doc=(
            "How many weights of each recommended item are kept, the largest; None: all (a"
            " dense matrix)."
        ),
    )
    neighbours: int | None = setting(
        None,
        low=1,
        high=100_000,
        doc=(
            "How many items may predict each item, the strongest; no dense matrix is made then."
            " None: all items."
        ),
    )

    def check(self) -> None:
        """Refuse to cut twice."""
        if self.keep is not None and self.neighbours is not None:
            raise ArgumentError(
                f"{self._label('neighbours')} and keep can't both be set: keep cuts a dense matrix,"
                " which neighbours never makes; leave one of them None."
            )


class EASE(LinearItemModel[EASEConfig]):
    """Item-to-item weights B that minimise ``|X - X B|² + λ |B|²`` with a zero diagonal.

    With G = X'X and P = (G + λ I)^-1: ``B_ij = -P_ij / P_jj``, ``B_jj = 0``; the score is ``s_u =
    x_u B``. With ``user_exponent`` q, user u's row counts c_u = n_u^-q: G = X'CX, and λ times the
    mean of c. With ``dropout`` d, the ridge of item i grows by d / (1 - d) G_ii: the limit of
    training on inputs of which a share d is dropped at random.

    One n_items × n_items matrix of float32 is held: G is inverted and turned into B in place, in
    about n_items³ multiplications and additions. Where the users are fewer, n_users³ do (Woodbury's
    identity), which takes a second matrix of n_users × n_users, or, with ``keep``, that one alone.
    A fit that needs more memory than is available is refused before it begins.

    With ``neighbours`` k, for catalogues whose square is too large, item j is predicted by its k
    strongest neighbours alone, with the best weights for that: 28 k bytes an item while they are
    found, 8 k kept, and a time that grows with the neighbours' interactions (see
    `cofactor.models.implicit.sparse_ease`).

    Notes
    -----
    Harald Steck. 2019. Embarrassingly Shallow Autoencoders for Sparse Data. WWW. Dropout: Harald
    Steck. 2020. Autoencoders that don't overfit towards the Identity. NeurIPS. The weights of
    users, the optional power of the popularity in λ, and keeping only the largest weights, are not
    part of the papers. Keeping costs accuracy: on Gowalla 100 weights for each of 40,981 items (49
    MB instead of 6.7 GB) take Recall@20 from .183 to .169.
    """

    name = "ease"
    fits_on_engine = True
    traits = Traits(explains=True)
    arrays = {
        "weights": ArraySpec("float32", ("items", "items"), optional=True),
        **{
            name: ArraySpec(spec.dtype, spec.axes, optional=True)
            for name, spec in SPARSE_ARRAYS.items()
        },
        **popularity_term.ARRAYS,
    }

    dense: np.ndarray | None
    sparse: SparseWeights | None

    def _fit(self, data: Interactions, validation: Part | None, run: Run) -> None:
        dense = self.config.neighbours is None
        by_users = dense and run.engine is None and self._goes_by_users(data)
        user_weights = self._user_weights(data)
        x = weighed(data, self.config, self.name) * np.sqrt(user_weights)[data.user_rows]
        ridge = self._ridge(data, x, float(user_weights.mean()))
        self.dense, self.sparse = None, None
        with run.progress.task("EASE", 100) as task:
            shown = _Percent(task.advance)
            if self.config.neighbours is not None:
                self.sparse = neighbour_weights(data, x, ridge, self.config.neighbours, run)
            elif run.engine is not None:
                self._fit_in_pieces(data, x, ridge, run.engine)
            elif by_users:
                self._fit_by_users(data, x, ridge, run.n_threads, shown)
            else:
                self._fit_by_items(data, x, ridge, run.n_threads, shown)

    def _fit_by_items(
        self, data: Interactions, x: np.ndarray, ridge: np.ndarray, n_threads: int, shown: _Percent
    ) -> None:
        from cofactor.kernels.cpu.gram import ease_weights, gram_lower, mirror_lower
        from cofactor.kernels.cpu.neighbours import strongest

        matrix = gram_lower(*by_user_and_item(data, x), n_threads)
        diagonal = np.einsum("ii->i", matrix)
        diagonal += ridge
        _invert(matrix, n_threads, shown)
        if self.config.keep is None:
            ease_weights(matrix, n_threads)
            self.dense = matrix
            return
        mirror_lower(matrix, n_threads)
        columns, values, count = strongest(matrix, self._kept(data.n_items), n_threads)
        # P is symmetric: its row j, divided by -P_jj, is column j of B.
        weights = -values / np.diag(matrix)[:, None]
        self.sparse = SparseWeights.of_recommended(columns, weights, count)

    def _fit_in_pieces(
        self, data: Interactions, x: np.ndarray, ridge: np.ndarray, engine: Engine
    ) -> None:
        orders = by_user_and_item(data, x)
        if self.config.keep is None:
            self.dense = weights_in_pieces(engine, orders, ridge, None)
            return
        found = weights_in_pieces(engine, orders, ridge, self._kept(data.n_items))
        self.sparse = SparseWeights.of_recommended(*found)

    def _fit_by_users(
        self, data: Interactions, x: np.ndarray, ridge: np.ndarray, n_threads: int, shown: _Percent
    ) -> None:
        from cofactor.kernels.cpu.gram import ease_weights, gram_lower, mirror_lower
        from cofactor.kernels.cpu.woodbury import inverse_lower, strongest_weights

        scale = (ridge**-0.5).astype(np.float32)
        *by_user, item_indptr, item_users, item_values = by_user_and_item(
            data, x * scale[data.item_rows]
        )
        # X~ X~' is the Gram matrix of the transposed data.
        matrix = gram_lower(
            item_indptr, item_users, item_values, by_user[0], by_user[1], by_user[2], n_threads
        )
        diagonal = np.einsum("ii->i", matrix)
        diagonal += 1.0
        _invert(matrix, n_threads, shown)
        mirror_lower(matrix, n_threads)
        if self.config.keep is None:
            self.dense = inverse_lower(
                item_indptr, item_users, item_values, matrix, scale, n_threads
            )
            ease_weights(self.dense, n_threads)
            return
        keep = self._kept(data.n_items)
        found = strongest_weights(
            item_indptr, item_users, item_values, matrix, scale, keep, n_threads
        )
        self.sparse = SparseWeights.of_recommended(*found)

    def _kept(self, n_items: int) -> int:
        others = max(1, n_items - 1)
        return others if self.config.keep is None else min(self.config.keep, others)

    def _goes_by_users(self, data: Interactions) -> bool:
        """Decide which way is cheaper and fits; refuse if none does. The peak in bytes is that
        of `_bytes`.
        """
        free = memory.available_bytes()
        needed = self._bytes(data, by_users=True)
        if data.n_users < FEWER_USERS * data.n_items and (free is None or needed <= free):
            return True
        memory.require(
            self._bytes(data, by_users=False),
            what=f"EASE's {data.n_items:,} × {data.n_items:,} matrix",
            cure=(
                "set neighbours (to 200, say), which needs no such matrix, or use item_knn or ials"
            ),
        )
        return False

    def _bytes(self, data: Interactions, *, by_users: bool) -> int:
        """4 n² for each matrix held at once, the kept weights, the data in both orders."""
        side = data.n_users if by_users else data.n_items
        whole = 4 * data.n_items**2 if by_users and self.config.keep is None else 0
        kept = 0 if self.config.keep is None else 40 * data.n_items * self._kept(data.n_items)
        return 4 * side**2 + whole + kept + 64 * len(data) + 2**26

    def _user_weights(self, data: Interactions) -> np.ndarray:
        """c_u = n_u^-q, float32 [n_users]."""
        counts = np.maximum(data.user_counts, 1).astype(np.float32)
        weights: np.ndarray = counts**-self.config.user_exponent
        return weights

    def _ridge(self, data: Interactions, x: np.ndarray, mean_weight: float) -> np.ndarray:
        """λ mean c (n_i / mean n)^p + d / (1 - d) G_ii for each item, float32 [n_items]."""
        config = self.config
        counts = np.maximum(data.item_counts, 1) / max(1.0, float(data.item_counts.mean()))
        ridge: np.ndarray = config.regularization * mean_weight * counts**config.frequency_exponent
        if config.dropout:
            squares = np.bincount(data.item_rows, x.astype(np.float64) ** 2, minlength=data.n_items)
            ridge = ridge + config.dropout / (1 - config.dropout) * squares
        return ridge.astype(np.float32)

    def _product(
        self, indptr: np.ndarray, past: np.ndarray, values: np.ndarray, item_rows: np.ndarray | None
    ) -> np.ndarray:
        if self.sparse is None:
            assert self.dense is not None
            return dense_scores(indptr, past, values, self.dense, item_rows)
        scores = self.sparse.scores(indptr, past, values, current_threads())
        return scores if item_rows is None else scores[:, item_rows]

    def _column(self, past: np.ndarray, item_row: int) -> np.ndarray:
        if self.sparse is not None:
            return self.sparse.column(past, item_row)
        assert self.dense is not None
        return np.asarray(self.dense[past, item_row])

    def _state(self) -> dict[str, np.ndarray]:
        if self.sparse is not None:
            return self.sparse.arrays()
        assert self.dense is not None
        return {"weights": self.dense}

    def _restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        config = self.config
        dense = config.keep is None and config.neighbours is None
        wanted = {"weights"} if dense else set(SPARSE_ARRAYS)
        if set(arrays) != wanted:
            raise ArtifactError(
                f"EASE with keep={config.keep} and neighbours={config.neighbours} must have arrays"
                f" {sorted(wanted)}, not {sorted(arrays)}."
            )
        self.dense = arrays.get("weights")
        self.sparse = (
            None if self.dense is not None else SparseWeights.of_arrays(arrays, self.data.n_items)
        )


class _Percent:
    """Turns the share that is done into steps of a hundredth."""

    def __init__(self, advance: Callable[[int], None]) -> None:
        self.advance = advance
        self.shown = 0

    def __call__(self, share: float) -> None:
        steps = int(100 * share) - self.shown
        self.shown += steps
        self.advance(steps)


def _invert(matrix: np.ndarray, n_threads: int, shown: _Percent) -> None:
    """Replace the lower triangle of a positive definite matrix by that of its inverse."""
    from cofactor.kernels.cpu.inverse import invert_lower

    if invert_lower(matrix, n_threads, shown) >= 0:
        raise TrainingError(
            "EASE's Gram matrix isn't positive definite in float32; raise the regularization."
        )
