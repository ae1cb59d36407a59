"""The modules behind next-item models: a causal transformer and a GRU over item embeddings.

Both read [B, T] item rows, padded on the right, and give a hidden vector [B, T, width] for each
place, which depends on that place and those before it alone: padding needs no mask.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

EPSILON = 1e-6  # of layer normalisation
ROTARY_BASE = 10_000.0
_STARTS = 16  # of stretches, drawn at once
_WRITTEN_OUT = 512  # places: the longest attention whose weights stand in memory on a CPU


class Masks:
    """What dropout multiplies by, drawn once for a batch: each layer takes a stretch that begins at
    a place of its own. On a CPU the draws of torch's own dropout are a fifth of all training.

    Parameters
    ----------
    probability
        Of a zero, in [0, 1); rounded to a multiple of 1/256 below 1, since a random number of 64
        bits gives eight draws.
    """

    def __init__(self, probability: float) -> None:
        self.below = min(round(256 * probability), 255)
        self.kept: dict[torch.dtype, Tensor] = {}
        self.starts: list[int] = []

    def draw(self, size: int) -> None:
        """Draw for stretches of at most ``size`` places."""
        numbers = torch.empty(-(-size // 4), dtype=torch.int64).random_(-(2**63), None)
        kept = numbers.view(torch.uint8) >= self.below
        self.kept = {torch.float32: kept.float().mul_(256 / (256 - self.below))}
        self.starts = []

    def like(self, x: Tensor) -> Tensor:
        """Return a stretch in the shape and type of x."""
        if x.dtype not in self.kept:
            self.kept[x.dtype] = self.kept[torch.float32].to(x.dtype)
        pool = self.kept[x.dtype]
        if not self.starts:
            self.starts = torch.randint(2**62, (_STARTS,)).tolist()
        start = self.starts.pop() % (len(pool) - x.numel() + 1)
        return pool[start : start + x.numel()].view(x.shape)


class Dropout(nn.Dropout):
    """Dropout by masks that are shared with other layers, on a CPU."""

    def __init__(self, masks: Masks) -> None:
        super().__init__(masks.below / 256)
        self.masks = masks

    def forward(self, x: Tensor) -> Tensor:
        """Return x with places set to 0, and the others made larger by as much."""
        if self.training and self.p and x.device.type == "cpu":
            return x * self.masks.like(x)
        dropped: Tensor = super().forward(x)
        return dropped


class ItemEncoder(nn.Module):
    """Item vectors, and what reads sequences of them; a subclass brings `encode`.

    The vector of an item is its embedding, plus a linear map of its content where there is any.

    Parameters
    ----------
    n_items
        Rows of the embedding table.
    config
        Widths, dropout and the scale of the start.
    content
        float32 [n_items, content_factors], or None.
    """

    content_vectors: Tensor

    def __init__(self, n_items: int, config: Any, content: Tensor | None = None) -> None:
        super().__init__()
        self.embeddings = nn.Embedding(n_items, config.factors)
        nn.init.normal_(self.embeddings.weight, std=config.init_scale)
        self.content: nn.Linear | None = None
        if content is not None:
            self.register_buffer("content_vectors", content, persistent=False)
            self.content = nn.Linear(content.shape[1], config.factors, bias=False)
            nn.init.normal_(self.content.weight, std=config.init_scale)
        self.scale = math.sqrt(config.factors) if config.scale_embeddings else 1.0
        self.masks = Masks(config.dropout)
        self.widest = config.factors
        self.dropout = Dropout(self.masks)

    def item_vectors(self, kept: Tensor | None = None) -> Tensor:
        """Return the vectors of all items [n_items, width].

        Parameters
        ----------
        kept
            bool [n_items]: the items whose embeddings count, or None for all.
        """
        own: Tensor = self.embeddings.weight
        if self.content is None:
            return own
        own = own if kept is None else own * kept[:, None]
        return own + self.content(self.content_vectors)

    def forward(self, items: Tensor, vectors: Tensor | None = None) -> Tensor:
        """Return the hidden vectors [B, T, width] after each place of int64 items [B, T].

        Parameters
        ----------
        items
            Item rows.
        vectors
            What `item_vectors` gave, if it is known already.
        """
        table = self.item_vectors() if vectors is None else vectors
        inputs, kind = functional.embedding(items, table) * self.scale, items.device.type
        if torch.is_autocast_enabled(kind):
            inputs = inputs.to(torch.get_autocast_dtype(kind))
        if self.training and self.dropout.p and kind == "cpu":
            self.masks.draw(items.numel() * self.widest)
        return self.encode(self.dropout(inputs))

    def encode(self, inputs: Tensor) -> Tensor:
        """Return the hidden vectors [B, T, width] of embedded inputs [B, T, width]."""
        raise NotImplementedError


class TransformerEncoder(ItemEncoder):
    """Blocks of causal attention and a feed-forward network, then layer normalisation."""

    def __init__(self, n_items: int, config: Any, content: Tensor | None = None) -> None:
        super().__init__(n_items, config, content)
        self.positions: nn.Embedding | None = None
        if config.positions == "learned":
            self.positions = nn.Embedding(config.max_length, config.factors)
            nn.init.normal_(self.positions.weight, std=config.init_scale)
        self.widest *= config.expansion
        self.of_weights, self.heads = Dropout(Masks(config.attention_dropout)), config.heads
        self.blocks = nn.ModuleList(
            TransformerBlock(config, self.dropout, self.of_weights) for _ in range(config.blocks)
        )
        self.norm = nn.LayerNorm(config.factors, eps=EPSILON)

    def encode(self, inputs: Tensor) -> Tensor:
        """Return the hidden vectors [B, T, width]."""
        batch, length, _ = inputs.shape
        if self.training and self.of_weights.p and inputs.device.type == "cpu":
            self.of_weights.masks.draw(batch * self.heads * length**2)
        if self.positions is not None:
            inputs = inputs + self.positions.weight[: inputs.shape[1]]
        for block in self.blocks:
            inputs = block(inputs)
        normed: Tensor = self.norm(inputs)
        return normed


class TransformerBlock(nn.Module):
    """``x + g_1 ⊙ mix(norm x)``, then ``x + g_2 ⊙ ffn(norm x)``; the gates g are 1 unless gated.

    Gated blocks take ``g = σ(W norm x)`` and a SwiGLU network (LiGR); classic ones a ReLU network.
    """

    def __init__(self, config: Any, dropout: Dropout, of_weights: Dropout) -> None:
        super().__init__()
        width, hidden = config.factors, config.factors * config.expansion
        self.norms = nn.ModuleList(nn.LayerNorm(width, eps=EPSILON) for _ in range(2))
        self.attention = Attention(config, of_weights)
        self.up = nn.Linear(width, hidden)
        self.down = nn.Linear(hidden, width)
        self.gate_up = nn.Linear(width, hidden) if config.gated else None
        self.gates = nn.ModuleList(nn.Linear(width, width) for _ in range(2 * config.gated))
        self.dropout = dropout

    def forward(self, x: Tensor) -> Tensor:
        """Return [B, T, width]."""
        normed = self.norms[0](x)
        x = x + self._gated(0, normed, self.dropout(self.attention(normed)))
        normed = self.norms[1](x)
        up = self.up(normed)
        inner = up.relu() if self.gate_up is None else functional.silu(self.gate_up(normed)) * up
        return x + self._gated(1, normed, self.dropout(self.down(self.dropout(inner))))

    def _gated(self, which: int, normed: Tensor, change: Tensor) -> Tensor:
        return torch.sigmoid(self.gates[which](normed)) * change if len(self.gates) else change


class Attention(nn.Module):
    """Causal attention by heads, mixed with a causal low-pass filter where that has a weight.

    The filter is an exponential moving average of the inputs with one trainable decay for each
    head's channels, ``y_t = a y_(t-1) + (1 - a) x_t``; what it leaves out, the high frequencies, is
    added back with a trainable weight for each channel."""

    def __init__(self, config: Any, dropout: Dropout) -> None:
        super().__init__()
        width = config.factors
        self.heads, self.share = config.heads, config.low_pass
        self.rotary = config.positions == "rotary"
        self.inputs = nn.Linear(width, 3 * width)
        self.output = nn.Linear(width, width)
        self.dropout = dropout
        if self.share:
            self.decays = nn.Parameter(torch.linspace(-1.0, 2.0, config.heads * 2))
            self.high = nn.Parameter(torch.randn(width) * 0.1)

    def forward(self, x: Tensor) -> Tensor:
        """Return [B, T, width]."""
        batch, length, width = x.shape
        split = self.inputs(x).view(batch, length, 3, self.heads, width // self.heads)
        split = split.permute(2, 0, 3, 1, 4).contiguous()
        query, key = rotate(split[:2]) if self.rotary else split[:2]
        value = split[2]
        mixed = self._attended(query, key, value)
        attended: Tensor = self.output(mixed.transpose(1, 2).reshape(batch, length, width))
        if not self.share:
            return attended
        return self.share * self._filtered(x) + (1 - self.share) * attended

    def _attended(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        length, on_cpu = query.shape[-2], query.device.type == "cpu"
        dropped = self.training and self.dropout.p > 0
        plain = query.dtype != torch.float32 or dropped
        if not (plain and on_cpu and length <= _WRITTEN_OUT):
            return functional.scaled_dot_product_attention(
                query, key, value, dropout_p=self.dropout.p if dropped else 0.0, is_causal=True
            )
        # A CPU takes a third of the fused operation's time for these in bfloat16, and .6 of it with
        # dropout, which isn't fused there.
        scale, flat = query.shape[-1] ** -0.5, [part.flatten(0, 1) for part in (query, key, value)]
        scores = torch.baddbmm(
            _future(length, query.dtype), flat[0], flat[1].transpose(1, 2), alpha=scale
        )
        return (self.dropout(torch.softmax(scores, -1)) @ flat[2]).view(query.shape)

    def _filtered(self, x: Tensor) -> Tensor:
        batch, length, width = x.shape
        age = torch.arange(length, device=x.device)
        age = age[:, None] - age[None, :]
        decay = torch.sigmoid(self.decays)[:, None, None]
        weights = (1 - decay) * decay ** age.clamp_min(0) * (age >= 0)
        channels = x.view(batch, length, len(self.decays), -1)
        low = torch.einsum("hts,bshc->bthc", weights, channels).reshape(batch, length, width)
        return low + self.high.square() * (x - low)


@lru_cache(maxsize=8)
def _future(length: int, dtype: torch.dtype) -> Tensor:
    """[length, length] on the CPU: -inf where the column's place is after the row's, else 0."""
    return torch.full((length, length), -math.inf, dtype=dtype).triu_(1)


def rotate(x: Tensor) -> Tensor:
    """Turn each pair of channels of [B, heads, T, c] by its place times the pair's frequency.

    Inner products of turned vectors depend on how far apart their places are, and on nothing else
    of the places. Source: Su et al., "RoFormer", 2021, eq. 15.
    """
    half = x.shape[-1] // 2
    cos, sin = _turns(x.shape[-2], half, x.dtype, x.device)
    first, second = x[..., :half], x[..., half : 2 * half]
    return torch.cat(
        (first * cos - second * sin, first * sin + second * cos, x[..., 2 * half :]), -1
    )


@lru_cache(maxsize=8)
def _turns(
    length: int, half: int, dtype: torch.dtype, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Cosines and sines of each place's angles, [length, half]."""
    frequencies = ROTARY_BASE ** (-torch.arange(half, device=device) / half)
    angles = torch.arange(length, device=device)[:, None] * frequencies
    return angles.cos().to(dtype), angles.sin().to(dtype)


class GRUEncoder(ItemEncoder):
    """Layers of gated recurrent units; the width is that of the embeddings."""

    def __init__(self, n_items: int, config: Any, content: Tensor | None = None) -> None:
        super().__init__(n_items, config, content)
        self.layers = nn.ModuleList(
            nn.GRU(config.factors, config.factors, batch_first=True) for _ in range(config.blocks)
        )

    def encode(self, inputs: Tensor) -> Tensor:
        """Return the hidden vectors [B, T, width]."""
        for layer in self.layers:
            inputs = self.dropout(layer(inputs)[0])
        return inputs
