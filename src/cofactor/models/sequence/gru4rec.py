"""GRU4Rec: the next item by gated recurrent units; a user's state is one vector."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cofactor.base.config import setting
from cofactor.models.factors import FactorModel
from cofactor.models.iterative import IterativeModel
from cofactor.models.sequence.next_item_config import NextItemConfig
from cofactor.models.sequence.next_item_network import Layout, NextItemHooks
from cofactor.models.traits import Traits

if TYPE_CHECKING:
    from torch import Tensor

    from cofactor.models.sequence.transformer_module import ItemEncoder


class GRU4RecConfig(NextItemConfig):
    """Settings of `GRU4Rec`."""

    new_defaults = {
        "factors": 128,
        "scale_embeddings": False,
        "init_scale": 0.1,
        "learning_rate": 0.003,
    }

    blocks: int = setting(1, low=1, high=16, doc="Layers of recurrent units.")


class GRU4Rec(IterativeModel, NextItemHooks, FactorModel):
    """Gated recurrent units over item embeddings that also score: ``s_uj = h_u · E_j``.

    ``h_t = (1 - z_t) ⊙ n_t + z_t ⊙ h_(t-1)`` with ``[r_t ; z_t] = σ(W E_(i_t) + U h_(t-1))`` and
    ``n_t = tanh(W_n E_(i_t) + r_t ⊙ U_n h_(t-1))``, with biases that are left out here. Input and
    output share their embeddings (constrained embeddings).

    References
    ----------
    Hidasi, Karatzoglou, Baltrunas and Tikk. 2016. Session-based Recommendations with Recurrent
    Neural Networks. ICLR. Hidasi and Karatzoglou. 2018. Recurrent Neural Networks with Top-k Gains
    for Session-based Recommendations. CIKM (BPR-max, constrained embeddings).
    """

    name = "gru4rec"
    Config = GRU4RecConfig
    traits = Traits(has_vectors=True, uses_order=True, same_on_any_threads=False)

    @classmethod
    def layout(cls, config: NextItemConfig) -> Layout:
        """Return the names and shapes of the weights beside the embeddings, in order."""
        d = config.factors
        kinds = (("weight_ih", (3 * d, d)), ("weight_hh", (3 * d, d)))
        biases = (("bias_ih", (3 * d,)), ("bias_hh", (3 * d,)))
        return [
            (f"layers.{n}.{name}_l0", shape)
            for n in range(config.blocks)
            for name, shape in (*kinds, *biases)
        ]

    def _encoder(self, n_items: int, content: Tensor | None = None) -> ItemEncoder:
        from cofactor.models.sequence.transformer_module import GRUEncoder

        return GRUEncoder(n_items, self.config, content)

    def _hidden(self, inputs: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        for n in range(self.config.blocks):
            inputs = self._layer(f"layers.{n}.", inputs)
        return inputs[np.arange(len(lengths)), lengths - 1]

    def _layer(self, at: str, inputs: np.ndarray) -> np.ndarray:
        d = self.config.factors
        read = inputs @ self.weights[f"{at}weight_ih_l0"].T + self.weights[f"{at}bias_ih_l0"]
        turn, bias = self.weights[f"{at}weight_hh_l0"].T, self.weights[f"{at}bias_hh_l0"]
        state = np.zeros((len(inputs), d), np.float32)
        states = np.empty_like(inputs)
        for t in range(inputs.shape[1]):
            kept = state @ turn + bias
            gates = 1 / (1 + np.exp(-np.clip(read[:, t, : 2 * d] + kept[:, : 2 * d], -80, 80)))
            reset, update = gates[:, :d], gates[:, d:]
            new = np.tanh(read[:, t, 2 * d :] + reset * kept[:, 2 * d :])
            state = (1 - update) * new + update * state
            states[:, t] = state
        return states


# Settings of the boards in `cofactor reproduce sequences`, chosen on validation data.
PRESETS: dict[str, dict[str, Any]] = {
    "sasrec-ml-1m": {
        "popularity_prior": 0.0,
        "loss": "sampled_softmax",
        "negatives": 1024,
        "batch_tokens": 6400,
        "dropout": 0.2,
        "schedule": "cosine",
        "warmup_ratio": 0.05,
        "epochs": 20,
        "precision": "bfloat16",
    },
}
