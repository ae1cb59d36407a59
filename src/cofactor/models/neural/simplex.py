"""SimpleX: cosines of items with the mean of a history, by the cosine contrastive loss. Its state
is plain arrays; only `fit` needs torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

import numpy as np

from cofactor.base.config import setting
from cofactor.base.errors import ArgumentError
from cofactor.base.run import Run
from cofactor.base.search import between, log
from cofactor.data.histories import Histories
from cofactor.data.interactions import Interactions
from cofactor.data.sorting import sparse_rows
from cofactor.data.split import Part
from cofactor.models.defaults import popularity_term
from cofactor.models.defaults.held_out_epochs import log_popularity
from cofactor.models.factors import FACTOR_ARRAYS, FactorModel
from cofactor.models.iterative import CURVE_ARRAYS, IterativeModel
from cofactor.models.neural.factor_settings import FactorConfig
from cofactor.models.traits import ArraySpec, Traits
from cofactor.models.user_batch import States
from cofactor.models.warm_start import KeptRows
from cofactor.retrieval.topk import unit_length
from cofactor.training.losses import LOSSES, Loss, Needs


class SimpleXConfig(FactorConfig):
    """Settings of `SimpleX`: those of `LatentFactor`, with other defaults."""

    search = {
        "factors": log(32, 256),
        "margin": between(0.0, 0.95),
        "negative_weight": log(1.0, 500.0),
        "learning_rate": log(3e-4, 0.02),
        "own_share": between(0.0, 0.9),
    }

    usual_epochs, usual_batch = 30, 1024

    new_defaults = {
        "factors": 64,
        "learning_rate": 0.003,
        "negatives": 64,
        "negative_weight": 16.0,
    }

    loss: str | Loss = setting(
        "cosine_contrastive",
        choices=LOSSES,
        doc="Training loss, one of cosines. A name or a Loss object.",
    )
    margin: float = setting(
        0.0, low=-1.0, high=1.0, doc="The cosine from which negatives count (cosine_contrastive)."
    )
    init_scale: float = setting(
        0.1, above=0.0, high=10.0, doc="Standard deviation of the initial vectors."
    )
    sparse: str = setting(
        "no", choices=("no",), doc="Gradients hold all rows: a history touches too many of them."
    )
    popularity_weight: float | None = setting(
        None,
        low=0.0,
        high=10.0,
        doc=(
            "Weight of the items' log popularity beside the cosine; None: 0, or the weight that"
            " ranks held-out training interactions better, if these also choose the epochs."
        ),
    )
    own_share: float = setting(
        0.0,
        low=0.0,
        below=1.0,
        doc=(
            "g: weight of a user's own vector beside its history's mean; 0: a user is its history"
            " alone."
        ),
    )

    def check(self) -> None:
        """Refuse losses without cosines."""
        super().check()
        if not self.objective.uses_cosine or self.objective.needs is not Needs.NEGATIVES:
            raise ArgumentError(
                f"{self._label('loss')} must be a loss on cosines with sampled negatives, such as"
                f" cosine_contrastive, not {self.objective.name}; use latent_factor for others."
            )


class SimpleX(IterativeModel, FactorModel):
    """Rank items by their cosine with the mean of a user's history, learned from many negatives.

    ``s_ui = cos(x_u, q_i) + c log(n_i + 1)`` with ``x_u = g p_u + (1 - g) M mean_{j in I_u} q_j``,
    n_i an item's number of interactions and c the ``popularity_weight``.

    Trained as `LatentFactor`, by the cosine contrastive loss with many negatives: it brings a
    positive's cosine towards 1, and pushes away only negatives above ``margin``. In training, the
    item to be predicted is left out of the mean of the user's history. An unseen user is
    represented by the mean of the history alone; with g = 0, the default, so is a trained one.

    Cosines hardly express popularity; where little is personal, that is most of what there is to
    learn, and then c isn't 0.

    References
    ----------
    K. Mao et al., "SimpleX: A Simple and Strong Baseline for Collaborative Filtering", CIKM 2021
    (average pooling; there the target isn't left out).
    """

    uses_device = True
    name = "simplex"
    fits_on_engine = trained_together = weighs_popularity = True
    Config = SimpleXConfig
    traits = Traits(has_vectors=True)
    arrays = {
        **FACTOR_ARRAYS,
        "item_lengths": ArraySpec("float32", ("items",)),
        "history_map": ArraySpec.of_items("factors", "factors"),
        "item_bias": ArraySpec("float32", ("items",), optional=True),
        **popularity_term.ARRAYS,
        **CURVE_ARRAYS,
    }

    item_lengths: np.ndarray  # float32 [items]: of the vectors before they were normalised
    history_map: np.ndarray  # float32 [factors, factors]: M

    def _fit(self, data: Interactions, validation: Part | None, run: Run) -> None:
        from cofactor.models.neural import factor_training as training
        from cofactor.models.neural.simplex_module import Aggregation, HistoryTables

        how = Aggregation.of(data.indptr, data.item_rows, self.config.own_share)
        module = training.begin(
            data,
            self.config,
            run,
            self.name,
            lambda u, i, settings: HistoryTables(u, i, settings, how),
        )
        assert isinstance(module, HistoryTables)

        def publish() -> None:
            self._take_over(module, data)

        self.curve = training.train_factors(
            module,
            data,
            self.config,
            run,
            name=self.name,
            control=self._control(data, validation, run, publish),
        )
        publish()

    def _begin_with(
        self, before: Self, fresh: Mapping[str, np.ndarray], rows: KeptRows
    ) -> Mapping[str, np.ndarray]:
        if self.config.own_share:  # users' own vectors aren't kept
            return super()._begin_with(before, fresh, rows)
        vectors = before.item_factors * before.item_lengths[:, None]
        items = np.column_stack((vectors, np.zeros(len(vectors), np.float32)))
        made = dict(fresh)
        for name, array in fresh.items():
            if name.endswith("items.weight"):
                made[name] = rows.moved("items", items, array)
            elif name.endswith(".map"):
                made[name] = before.history_map
        return made

    def _take_over(self, module: object, data: Interactions) -> None:
        from cofactor.models.neural import factor_training as training
        from cofactor.models.neural.simplex_module import HistoryTables

        assert isinstance(module, HistoryTables)
        rows = module.items.weight.detach().cpu().numpy()[:, :-1]
        self.item_lengths = np.linalg.norm(rows, axis=1).astype(np.float32)
        self.history_map = module.histories.map.detach().cpu().numpy().copy()
        weight = self._weight()
        self.item_bias = np.float32(weight) * log_popularity(data) if weight else None
        found = training.factors_of(module, data, self.config)
        self.user_factors, self.item_factors = found.user_factors, found.item_factors

    def _weight(self) -> float:
        """The weight of popularity: as it is set or was chosen, or that of the model before."""
        weight, before = self.config.popularity_weight, self._before
        if weight is None and before is not None and before.item_bias is not None:
            return float(before.item_bias.max() / log_popularity(before.data).max())
        return weight or 0.0

    def _fold_in(self, histories: Histories) -> States:
        indptr, item_rows, _ = histories.csr
        lengths = self.item_lengths[item_rows]
        past = sparse_rows(indptr, item_rows, len(self.item_factors), lengths)
        mean = past @ self.item_factors @ self.history_map
        return unit_length(np.asarray(mean, np.float32))

    def user_vectors(self) -> np.ndarray:
        """Return the trained users' vectors, float32 [n_users, factors], in row order."""
        _ = self.data
        return self.user_factors
