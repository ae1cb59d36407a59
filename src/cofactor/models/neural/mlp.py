"""Networks on concatenated embeddings: `MLP`, and its presets `DenseNet` and `CollabFNet`."""

from __future__ import annotations

from typing import Self

import numpy as np
import torch
from torch import Tensor, nn

from cofactor.base.config import setting
from cofactor.base.errors import ArgumentError
from cofactor.base.run import Run
from cofactor.data.interactions import Interactions
from cofactor.models.iterative import IterativeModel
from cofactor.models.neural.embedding_tables import Tables
from cofactor.models.neural.fitting import unit_of
from cofactor.models.neural.latent_factor import LatentFactor
from cofactor.models.neural.module_fold_in import ModuleConfig
from cofactor.models.neural.torch_model import Builder, ModuleHooks, begin_at_biases


class DenseTower(nn.Module):
    """Linear layers with ReLU and dropout between them; the last one gives one number, without
    either.

    Parameters
    ----------
    width
        Length of the input.
    hidden
        Lengths of the hidden layers; none makes it one linear map.
    dropout
        Share of the hidden values that training sets to 0.
    """

    def __init__(self, width: int, hidden: tuple[int, ...], dropout: float) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for narrow in hidden:
            layers += [
                nn.Linear(width, narrow),
                nn.ReLU(),
                *([nn.Dropout(dropout)] if dropout else []),
            ]
            width = narrow
        self.layers = nn.Sequential(*layers, nn.Linear(width, 1))

    def forward(self, inputs: Tensor) -> Tensor:
        """Return [n] numbers for inputs [n, width]."""
        scores: Tensor = self.layers(inputs)
        return scores.squeeze(-1)


class ConcatNet(nn.Module):
    """``s_ui = tower(dropout(φ([p_u ; q_i]))) + b_u + b_i``, φ the identity or ReLU.

    Parameters
    ----------
    n_users, n_items
        Rows of the tables.
    config
        Widths, layers, dropout and whether there are biases.
    """

    def __init__(self, n_users: int, n_items: int, config: MLPConfig) -> None:
        super().__init__()
        self.user_factors = nn.Embedding(n_users, config.factors)
        self.item_factors = nn.Embedding(n_items, config.factors)
        for table in (self.user_factors, self.item_factors):
            nn.init.normal_(table.weight, std=config.init_scale)
        self.user_bias = nn.Embedding(n_users, 1) if config.biases else None
        self.item_bias = nn.Embedding(n_items, 1) if config.biases else None
        for bias in (self.user_bias, self.item_bias):
            if bias is not None:
                nn.init.zeros_(bias.weight)
        self.rectify = config.rectify_input
        self.dropout = nn.Dropout(config.dropout if config.rectify_input else 0.0)
        self.tower = DenseTower(2 * config.factors, config.hidden, config.dropout)

    def forward(self, users: Tensor, items: Tensor) -> Tensor:
        """Return the scores [n] of pairs, before any sigmoid."""
        joined = torch.cat((self.user_factors(users), self.item_factors(items)), 1)
        if self.rectify:
            joined = self.dropout(joined.relu())
        scores: Tensor = self.tower(joined)
        if self.user_bias is not None and self.item_bias is not None:
            scores = scores + (self.user_bias(users) + self.item_bias(items)).squeeze(1)
        return scores


class MLPConfig(ModuleConfig):
    """Settings of `MLP`."""

    new_defaults = {"popularity_prior": 1.0}

    factors: int = setting(32, low=1, high=4096, doc="Length of the user and item embeddings.")
    hidden: tuple[int, ...] = setting(
        (64, 32), low=1, high=65536, doc="Widths of the hidden layers."
    )
    dropout: float = setting(0.1, low=0.0, below=1.0, doc="Dropout probability of hidden values.")
    biases: bool = setting(
        True,
        doc=(
            "Whether users and items have a bias beside the tower; for ratings,"
            " initialised at the damped means."
        ),
    )
    rectify_input: bool = setting(
        False, doc="Whether ReLU and dropout are also applied to the joined embeddings."
    )
    init_scale: float = setting(
        0.1, above=0.0, high=10.0, doc="Standard deviation of the initial embeddings."
    )
    regularization: float | None = setting(  # type: ignore[assignment]
        None,
        low=0.0,
        doc="L2 on the vectors that a batch touches, per example; None: .01 on ratings, else .001.",
    )
    pretrain_epochs: int = setting(
        0,
        low=0,
        doc="Epochs of factorisation that initialise the embeddings; 0: random initialisation.",
    )
    pretrain_regularization: float = setting(
        0.08, low=0.0, doc="The regularization of that factorisation."
    )

    def on(self, data: Interactions) -> Self:
        """Return the settings with the regularization that the data's kind asks for.

        Beside the popularity prior a ranking's vectors grow from a saddle, where .01 would hold
        them; ratings show their noise from the first epoch on.
        """
        if self.regularization is not None:
            return self
        return self.replace(regularization=0.01 if self.fits(data) else 0.001)

    def check(self) -> None:
        """Refuse settings that contradict one another."""
        super().check()
        if self.pretrain_epochs and self.rectify_input and self.factors % 2:
            raise ArgumentError(
                "factors must be even for pretrain_epochs under a rectified input, not"
                f" {self.factors}."
            )


def _initialise(
    module: nn.Module, tables: Tables, data: Interactions, config: MLPConfig, run: Run
) -> None:
    """Begin at the damped means, or with the vectors and biases of a factorisation."""
    begin_at_biases(module, tables, data, config, run)
    if not config.pretrain_epochs:
        return
    assert isinstance(module, ConcatNet)
    # ReLU would lose half of a vector: [p ; -p] keeps all of it.
    signs = (1.0, -1.0) if config.rectify_input else (1.0,)
    begun = LatentFactor(
        loss=config.loss,
        factors=config.factors // len(signs),
        epochs=config.pretrain_epochs,
        schedule="cosine",
        batch_size=config.batch_size,
        negatives=config.negatives,
        regularization=config.pretrain_regularization,
        bias_weight=0.0,
    ).fit(data, run=run)
    unit = np.float32(unit_of(data, config))
    with torch.no_grad():
        for table, rows in (
            (module.user_factors, begun.user_factors / unit),
            (module.item_factors, begun.item_factors),
        ):
            table.weight.copy_(torch.cat([sign * torch.from_numpy(rows) for sign in signs], 1))
        for bias, values in (
            (module.user_bias, begun.user_bias),
            (module.item_bias, begun.item_bias),
        ):
            if bias is not None and values is not None:
                bias.weight.copy_(torch.from_numpy(values / unit)[:, None])


_CONCAT = Builder(ConcatNet, _initialise)


class MLP(IterativeModel, ModuleHooks):
    """A tower of layers on the concatenated embeddings of user and item.

    ``r̂_ui = μ + b_u + b_i + tower([p_u ; q_i])``; for implicit data (``loss="logistic"``) the
    score is the sigmoid of that.

    Notes
    -----
    Source: He et al., "Neural Collaborative Filtering", WWW 2017, eq. 10 (with biases, which it
    doesn't have).
    """

    name = "mlp"
    Config = MLPConfig
    builder = _CONCAT


class DenseNetConfig(MLPConfig):
    """Settings of `DenseNet`."""

    new_defaults = {"hidden": (128,)}


class DenseNet(IterativeModel, ModuleHooks):
    """The tutorials' dense network: one hidden layer on the concatenated embeddings.

    ``r̂_ui = μ + b_u + b_i + w · relu(W [p_u ; q_i] + c)``, trained as `LatentFactor`. It is `MLP`
    with a single hidden layer; the tutorials' experiments and figures are in docs/tutorials.md.
    """

    name = "dense_net"
    Config = DenseNetConfig
    builder = _CONCAT


class CollabFNetConfig(MLPConfig):
    """Settings of `CollabFNet`."""

    new_defaults = {"factors": 64, "hidden": (64,), "rectify_input": True}


class CollabFNet(IterativeModel, ModuleHooks):
    """The tutorials' CollabFNet: ReLU and dropout on the concatenated embeddings, then a hidden
    layer.

    ``r̂_ui = μ + b_u + b_i + w · relu(W dropout(relu([p_u ; q_i])) + c)``, trained as
    `LatentFactor`; the tutorials' experiments and figures are in docs/tutorials.md.
    """

    name = "collab_fnet"
    Config = CollabFNetConfig
    builder = _CONCAT
