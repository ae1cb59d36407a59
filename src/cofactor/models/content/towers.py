"""The module behind `TwoTower`: a row's vector is its own embedding plus a trained embedding of each of its features."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional


class Tower(nn.Module):
    """Vectors ``v_r = m_r e_r + Σ_k f_rk E_k``: an embedding e of the row and an embedding bag E over its features.

    While training, m is 0 for a share ``drop`` of the look-ups, so that the features learn to stand alone; else it is 1.

    Parameters
    ----------
    rows
        float32 [n, width]: the embeddings e to begin with.
    features
        SciPy CSR float32 [n, n_features].
    drop
        The share of look-ups that go without e.
    """

    indptr: Tensor
    places: Tensor
    amounts: Tensor

    def __init__(self, rows: Tensor, features: Any, drop: float) -> None:
        super().__init__()
        self.own = nn.Embedding.from_pretrained(rows, freeze=False)
        # From zero, the features first learn what the rows have in common; no seed is needed.
        self.bag = nn.Parameter(torch.zeros(features.shape[1], rows.shape[1]))
        self.drop = drop
        self.register_buffer("indptr", torch.from_numpy(features.indptr.astype(np.int64)), persistent=False)
        self.register_buffer("places", torch.from_numpy(features.indices.astype(np.int64)), persistent=False)
        self.register_buffer("amounts", torch.from_numpy(features.data.astype(np.float32)), persistent=False)

    def content(self, rows: Tensor) -> Tensor:
        """Return the features' part of some distinct rows [n], [n, width]."""
        starts, lengths = self.indptr[rows], self.indptr[rows + 1] - self.indptr[rows]
        offsets = torch.cumsum(lengths, 0) - lengths
        at = torch.repeat_interleave(starts - offsets, lengths) + torch.arange(int(lengths.sum()), device=rows.device)
        return functional.embedding_bag(self.places[at], self.bag, offsets, mode="sum", per_sample_weights=self.amounts[at])

    def forward(self, rows: Tensor) -> Tensor:
        """Return the vectors of rows of any shape, [..., width]."""
        distinct, which = torch.unique(rows.long(), return_inverse=True)
        own = self.own(rows)
        if self.training and self.drop:
            kept = torch.rand(rows.shape, device=own.device) >= self.drop
            own = own * kept[..., None]
        return own + functional.embedding(which, self.content(distinct))

    @property
    def weight(self) -> Tensor:
        """The vectors of all rows, [n, width]."""
        return self.own.weight + self.content(torch.arange(len(self.own.weight), device=self.own.weight.device))
