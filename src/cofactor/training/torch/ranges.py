"""Rows of a CSR as PyTorch has them."""

from __future__ import annotations

import torch
from torch import Tensor


def ranges(starts: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """Return where ranges of some array begin among their entries one after another, int64 [n], and
    the positions of these entries, int64 [sum of lengths]; as `base.offsets.ranges`.
    """
    begins = torch.cumsum(lengths, 0) - lengths
    places = torch.arange(int(lengths.sum()), device=lengths.device)
    return begins, torch.repeat_interleave(starts - begins, lengths) + places
