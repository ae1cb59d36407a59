"""Transformer: the next item by causal attention over a history; SASRec and its successors."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from cofactor.base.config import setting
from cofactor.base.errors import ArgumentError
from cofactor.models.factors import FactorModel
from cofactor.models.iterative import IterativeModel
from cofactor.models.sequence.next_item_config import NextItemConfig
from cofactor.models.sequence.next_item_network import Layout, NextItemHooks
from cofactor.models.traits import Traits

if TYPE_CHECKING:
    from torch import Tensor

    from cofactor.models.sequence.transformer_module import ItemEncoder

_EPSILON, _ROTARY_BASE = 1e-6, 10_000.0

# The names that people look for, as settings of one model; and the settings of the boards in
# `cofactor reproduce sequences`, chosen on validation data.
PRESETS: dict[str, dict[str, Any]] = {
    "SASRec": {
        "gated": False,
        "positions": "learned",
        "expansion": 1,
        "loss": "softmax",
        "popularity_prior": 0.0,
    },
    "gSASRec": {
        "popularity_prior": 0.0,
        "gated": False,
        "positions": "learned",
        "expansion": 1,
        "loss": "gbce",
        "negatives": 256,
        "calibration": 0.75,
    },
    "eSASRec": {
        "popularity_prior": 0.0,
        "gated": True,
        "positions": "rotary",
        "expansion": 4,
        "loss": "sampled_softmax",
        "negatives": 256,
    },
    "sasrec-ml-1m": {
        "popularity_prior": 0.0,
        "factors": 128,
        "expansion": 1,
        "loss": "sampled_softmax",
        "negatives": 1024,
        "batch_tokens": 3200,
        "dropout": 0.2,
        "learning_rate": 0.0015,
        "schedule": "cosine",
        "warmup_ratio": 0.05,
        "epochs": 26,
    },
    "amazon-beauty-5core": {
        "popularity_prior": 0.0,
        "factors": 128,
        "initial_embeddings": "spectral",
        "init_scale": 0.04,
        "heads": 1,
        "expansion": 1,
        "low_pass": 0.5,
        "loss": "softmax",
        "max_length": 50,
        "history_length": 50,
        "batch_tokens": 1600,
        "dropout": 0.5,
        "attention_dropout": 0.5,
        "event_dropout": 0.1,
        "optimizer": "adamw",
        "weight_decay": 0.05,
        "learning_rate": 0.0015,
        "schedule": "cosine",
        "warmup_ratio": 0.05,
        "epochs": 30,
    },
}


class TransformerConfig(NextItemConfig):
    """Settings of `Transformer`."""

    heads: int = setting(2, low=1, high=64, doc="Attention heads; factors is a multiple of them.")
    expansion: int = setting(
        2,
        low=1,
        high=16,
        doc="Hidden width of a block's feed-forward network, in multiples of factors.",
    )
    gated: bool = setting(False, doc="Whether blocks have gates and a SwiGLU network (LiGR).")
    low_pass: float = setting(
        0.0,
        low=0,
        below=1,
        doc="Weight of a trainable moving average beside attention; 0 leaves it out.",
    )
    positions: str = setting(
        "rotary",
        choices=("rotary", "learned", "none"),
        doc="How positions are encoded: by their distance, by a vector each, or not at all.",
    )
    attention_dropout: float = setting(
        0.0, low=0, below=1, doc="Dropout probability of attention weights."
    )

    def check(self) -> None:
        """Refuse settings that contradict one another."""
        super().check()
        if self.factors % self.heads:
            raise ArgumentError(
                f"{self._label('factors')} must be a multiple of heads ({self.heads}), not"
                f" {self.factors}."
            )
        if self.low_pass and self.factors % (2 * self.heads):
            raise ArgumentError(
                f"{self._label('factors')} must be a multiple of twice the heads ({self.heads}) for"
                f" low_pass, not {self.factors}."
            )


class Transformer(IterativeModel, NextItemHooks, FactorModel):
    """A causal transformer over item embeddings E, which also score: ``s_uj = h_u · E_j``.

    ``x_t = √d E_(i_t)``; each block ``x ← x + g ⊙ mix(norm x)``, ``x ← x + g' ⊙ ffn(norm x)``; ``h
    = norm x`` at the last position. Mix is causal attention, by default with rotary positions, so
    a hidden vector depends on how long ago events were and not on where a window begins. Every
    position of a window predicts its next item. Windows are padded on the right and grouped by
    length.

    Notes
    -----
    `PRESETS` holds SASRec, gSASRec and eSASRec. A user is represented by the history alone, so each
    new event counts in the next answer. Only `fit` needs PyTorch.

    References
    ----------
    Kang and McAuley. 2018. Self-Attentive Sequential Recommendation. ICDM. Klenitskiy and Vasilev.
    2023. Turning Dross Into Gold Loss. RecSys. Petrov and Macdonald. 2023. gSASRec. RecSys. Shin et
    al. 2024. An Attentive Inductive Bias for Sequential Recommendation beyond the Self-Attention
    (BSARec, whose filter isn't causal). AAAI.
    """

    name = "transformer"
    Config = TransformerConfig
    traits = Traits(has_vectors=True, uses_order=True, same_on_any_threads=False)

    config: TransformerConfig

    @classmethod
    def layout(cls, config: NextItemConfig) -> Layout:
        """Return the names and shapes of the weights beside the embeddings, in order."""
        assert isinstance(config, TransformerConfig)
        d, wide = config.factors, config.factors * config.expansion
        shapes: Layout = []
        if config.positions == "learned":
            shapes.append(("positions.weight", (config.max_length, d)))
        for n in range(config.blocks):
            linear = [("attention.inputs", 3 * d, d), ("attention.output", d, d)]
            linear += [("up", wide, d), ("down", d, wide)]
            if config.gated:
                linear += [("gate_up", wide, d), ("gates.0", d, d), ("gates.1", d, d)]
            own: Layout = [(f"norms.{k}.{w}", (d,)) for k in (0, 1) for w in ("weight", "bias")]
            if config.low_pass:
                own += [("attention.decays", (2 * config.heads,)), ("attention.high", (d,))]
            for name, rows, columns in linear:
                own += [(f"{name}.weight", (rows, columns)), (f"{name}.bias", (rows,))]
            shapes += [(f"blocks.{n}.{name}", shape) for name, shape in own]
        return [*shapes, ("norm.weight", (d,)), ("norm.bias", (d,))]

    def _encoder(self, n_items: int, content: Tensor | None = None) -> ItemEncoder:
        from cofactor.models.sequence.transformer_module import TransformerEncoder

        return TransformerEncoder(n_items, self.config, content)

    def _hidden(self, inputs: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        if self.config.positions == "learned":
            inputs = inputs + self.weights["positions.weight"][: inputs.shape[1]]
        for n in range(self.config.blocks - 1):
            inputs = self._block(f"blocks.{n}.", inputs)
        # Of the last block nothing but the last place is read.
        last = self._block(f"blocks.{self.config.blocks - 1}.", inputs, lengths - 1)
        return self._norm("norm", last)

    def _block(self, at: str, x: np.ndarray, last: np.ndarray | None = None) -> np.ndarray:
        """A block's output [B, L, d] at all places, or [B, d] at one place of each window."""
        normed = self._norm(f"{at}norms.0", x)
        mixed = self._mixed(f"{at}attention.", normed, last)
        if last is not None:
            places = np.arange(len(last)), last
            x, normed = x[places], normed[places]
        x = x + self._gated(f"{at}gates.0", normed, mixed)
        normed = self._norm(f"{at}norms.1", x)
        up = self._linear(f"{at}up", normed)
        if self.config.gated:
            gate = self._linear(f"{at}gate_up", normed)
            up *= gate * _sigmoid(gate)
        else:
            np.maximum(up, 0, out=up)
        return x + self._gated(f"{at}gates.1", normed, self._linear(f"{at}down", up))

    def _mixed(self, at: str, x: np.ndarray, last: np.ndarray | None) -> np.ndarray:
        batch, length, width = x.shape
        heads = self.config.heads
        split = self._linear(f"{at}inputs", x).reshape(batch, length, 3, heads, width // heads)
        query, key, value = np.ascontiguousarray(split.transpose(2, 0, 3, 1, 4))
        if self.config.positions == "rotary":
            query, key = _rotate(query), _rotate(key)
        hidden = _later(1 << length.bit_length())[:length, :length]
        if last is not None:
            query = query[np.arange(batch), :, last][:, :, None]
            hidden = hidden[last][:, None, None]
        scores = query @ key.swapaxes(-1, -2)
        scores *= np.float32((width // heads) ** -0.5)
        scores += hidden
        scores -= scores.max(-1, keepdims=True)
        np.exp(scores, out=scores)
        scores /= scores.sum(-1, keepdims=True)
        joined = (scores @ value).transpose(0, 2, 1, 3).reshape(batch, -1, width)
        attended = self._linear(f"{at}output", joined if last is None else joined[:, 0])
        share = np.float32(self.config.low_pass)
        if not share:
            return attended
        smooth = self._filtered(at, x)
        if last is not None:
            smooth = smooth[np.arange(batch), last]
        return share * smooth + (1 - share) * attended

    def _filtered(self, at: str, x: np.ndarray) -> np.ndarray:
        decay = _sigmoid(self.weights[f"{at}decays"])
        channels = x.reshape(*x.shape[:2], len(decay), -1)
        low, state = np.empty_like(channels), np.zeros_like(channels[:, 0])
        for t in range(x.shape[1]):
            state = decay[:, None] * state + (1 - decay[:, None]) * channels[:, t]
            low[:, t] = state
        smooth = low.reshape(x.shape)
        return smooth + np.square(self.weights[f"{at}high"]) * (x - smooth)

    def _gated(self, at: str, normed: np.ndarray, change: np.ndarray) -> np.ndarray:
        return _sigmoid(self._linear(at, normed)) * change if self.config.gated else change

    def _linear(self, at: str, x: np.ndarray) -> np.ndarray:
        made: np.ndarray = x @ self.weights[f"{at}.weight"].T
        made += self.weights[f"{at}.bias"]
        return made

    def _norm(self, at: str, x: np.ndarray) -> np.ndarray:
        # `ndarray.mean` takes longer than these sums of a short history.
        width = np.float32(x.shape[-1])
        centred = x - np.add.reduce(x, -1, keepdims=True) / width
        squares = np.add.reduce(np.square(centred), -1, keepdims=True) / width
        centred /= np.sqrt(squares + np.float32(_EPSILON))
        centred *= self.weights[f"{at}.weight"]
        centred += self.weights[f"{at}.bias"]
        return centred


def _sigmoid(x: np.ndarray) -> np.ndarray:
    flipped: np.ndarray = 1 / (1 + np.exp(-np.clip(x, -80, 80)))
    return flipped.astype(np.float32)


@lru_cache(maxsize=256)
def _turns(length: int, half: int) -> tuple[np.ndarray, np.ndarray]:
    """Cosines and sines of each place's angles, float32 [length, half]."""
    frequencies = _ROTARY_BASE ** (-np.arange(half, dtype=np.float32) / half)
    angles = np.arange(length, dtype=np.float32)[:, None] * frequencies
    return np.cos(angles), np.sin(angles)


@lru_cache(maxsize=2)
def _later(length: int) -> np.ndarray:
    """float32 [length, length]: -inf where the column's place is after the row's, else 0."""
    hidden: np.ndarray = np.triu(np.full((length, length), -np.inf, np.float32), 1)
    return hidden


def _rotate(x: np.ndarray) -> np.ndarray:
    """Turn pairs of channels by their place; see `transformer_module.rotate`."""
    half = x.shape[-1] // 2
    cos, sin = _turns(x.shape[-2], half)
    first, second = x[..., :half], x[..., half : 2 * half]
    turned = (first * cos - second * sin, first * sin + second * cos, x[..., 2 * half :])
    return np.concatenate(turned, -1)
