"""The module behind `LSTMRating`: an LSTM beside running means."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


class RatingLSTM(nn.Module):
    """Reads ``[e_i ; r − μ − b_i]`` step by step, and keeps ``x_t = [P h_t + M m_t ; w · h_t +
    running bias]`` of the user.

    Parameters
    ----------
    item_bias
        float32 [n_items]: the biases to begin with.
    config
        Widths and dropout.
    """

    def __init__(self, item_bias: Tensor, config: Any) -> None:
        super().__init__()
        n_items = len(item_bias)
        self.inputs = nn.Embedding(n_items, config.factors)
        self.outputs = nn.Embedding(n_items, config.factors)
        for table in (self.inputs, self.outputs):
            nn.init.normal_(table.weight, std=config.init_scale)
        self.item_bias = nn.Embedding.from_pretrained(item_bias[:, None].clone(), freeze=False)
        self.lstm = nn.LSTM(config.factors + 1, config.hidden, batch_first=True)
        self.project = nn.Linear(config.hidden, config.factors + 1)
        # At first the LSTM says nothing: training begins from the running means.
        nn.init.zeros_(self.project.weight)
        nn.init.zeros_(self.project.bias)
        self.memory = nn.Linear(config.factors, config.factors, bias=False)
        nn.init.eye_(self.memory.weight)
        self.dropout = nn.Dropout(config.dropout)

    def begin_with(self, vectors: Tensor, counts: Tensor, ridge: float) -> None:
        """Take item vectors [n_items, factors] from a factorisation, and M from their mean Gram
        matrix: ``(E[q qᵀ] + λ)⁻¹``.
        """
        with torch.no_grad():
            for table in (self.inputs, self.outputs):
                table.weight.copy_(vectors)
            gram = (vectors * counts[:, None]).T @ vectors / counts.sum()
            self.memory.weight.copy_(torch.linalg.inv(gram + (ridge + 1e-6) * torch.eye(len(gram))))

    def states(self, items: Tensor, residuals: Tensor, running: Tensor, lengths: Tensor) -> Tensor:
        """Return what is kept of each user before each step and after the last, float32 [B, T + 1,
        factors + 1].

        Parameters
        ----------
        items
            int64 [B, T], oldest first; what stands beyond a length is never read.
        residuals
            float32 [B, T]: ratings less the mean and the items' biases.
        running
            float32 [B, T + 1, factors + 1]: the damped means of ``residual · [item vector ; 1]``
            before each step and after the last.
        lengths
            int64 [B], at least 1, on the CPU.
        """
        joined = torch.cat((self.dropout(self.inputs(items)), residuals[:, :, None]), 2)
        packed = pack_padded_sequence(joined, lengths, batch_first=True, enforce_sorted=False)
        hidden, _ = pad_packed_sequence(
            self.lstm(packed)[0], batch_first=True, total_length=items.shape[1]
        )
        # Before the first step the state is 0: the answer for an empty history.
        hidden = torch.cat((hidden.new_zeros(len(items), 1, hidden.shape[2]), hidden), 1)
        kept: Tensor = self.project(self.dropout(hidden))
        return kept + torch.cat((self.memory(running[:, :, :-1]), running[:, :, -1:]), 2)

    def forward(self, items: Tensor, residuals: Tensor, running: Tensor, lengths: Tensor) -> Tensor:
        """Return for each step the residual that is expected from what came before it, [B, T],
        without the item's bias.
        """
        before = self.states(items, residuals, running, lengths)[:, :-1]
        return (before[:, :, :-1] * self.dropout(self.outputs(items))).sum(2) + before[:, :, -1]
