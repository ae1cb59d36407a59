"""The module behind `TwoTower`: a row's vector is its own embedding plus what a network makes of
its features.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from cofactor.models.neural.latent_factor_module import FactorTables, TableSettings
from cofactor.training.torch.learner import Step
from cofactor.training.torch.ranges import ranges

# How a tower answers: with everything, with everything but for no gradient, or with the features
# alone.
WHOLE, FIXED, CONTENT = "whole", "fixed", "content"


class Table(nn.Module):
    """An embedding whose rows can be looked up without a gradient.

    Parameters
    ----------
    rows
        float32 [n, width]: the embeddings to begin with.
    sparse
        Whether gradients hold only the rows of a batch.
    """

    def __init__(self, rows: Tensor, *, sparse: bool = False) -> None:
        super().__init__()
        self.own = nn.Embedding.from_pretrained(rows, freeze=False, sparse=sparse)
        self.mode = WHOLE
        # What the last call looked up that is to be held back by the penalty.
        self.penalised: Tensor | None = None

    def forward(self, rows: Tensor) -> Tensor:
        """Return the vectors of rows of any shape, [..., width]."""
        self.penalised = self.own(rows) if self.mode != FIXED else self.own(rows).detach()
        return self.penalised

    @property
    def weight(self) -> Tensor:
        """The vectors of all rows, [n, width]."""
        return self.own.weight


class Tower(Table):
    """Vectors ``v_r = e_r + t_r h(f_r)``: an embedding e of the row, and a network h over its
    features f, by its gate t.

    h is an embedding bag ``Σ_k f_rk E_k``, followed, if there are hidden layers, by ReLU and linear
    maps without constants: then h is as its argument is scaled, and what each feature adds can be
    explained exactly.

    Parameters
    ----------
    rows
        float32 [n, width]: the embeddings e to begin with.
    features
        SciPy CSR float32 [n, n_features].
    gate
        float32 [n]: t, in 0..1.
    hidden
        Widths of the hidden layers; none makes h linear.
    generator
        Draws what the hidden layers begin with.
    """

    indptr: Tensor
    places: Tensor
    amounts: Tensor
    gate: Tensor

    def __init__(
        self,
        rows: Tensor,
        features: Any,
        gate: np.ndarray,
        hidden: Sequence[int] = (),
        generator: torch.Generator | None = None,
        *,
        sparse: bool = False,
    ) -> None:
        super().__init__(rows, sparse=sparse)
        widths = [features.shape[1], *hidden, rows.shape[1]]
        # A linear bag begins at zero, so that the features first learn what the rows have in
        # common; through hidden layers zero would pass no gradient.
        first = (
            torch.zeros(widths[:2])
            if not hidden
            else torch.randn(widths[:2], generator=generator) * 0.1
        )
        self.bag = nn.Parameter(first)
        self.layers = nn.ParameterList(
            torch.randn((a, b), generator=generator) * (2 / a) ** 0.5
            for a, b in pairwise(widths[1:])
        )
        if hidden:
            self.layers[-1].data.mul_(0.1)
        self._last: tuple[Tensor, Tensor] | None = None
        self.register_buffer(
            "indptr", torch.from_numpy(features.indptr.astype(np.int64)), persistent=False
        )
        self.register_buffer(
            "places", torch.from_numpy(features.indices.astype(np.int64)), persistent=False
        )
        self.register_buffer(
            "amounts", torch.from_numpy(features.data.astype(np.float32)), persistent=False
        )
        self.register_buffer(
            "gate", torch.from_numpy(np.asarray(gate, np.float32)), persistent=False
        )

    def content(self, rows: Tensor) -> Tensor:
        """Return the features' part of some distinct rows [n], [n, width]."""
        starts, lengths = self.indptr[rows], self.indptr[rows + 1] - self.indptr[rows]
        offsets, at = ranges(starts, lengths)
        made = functional.embedding_bag(
            self.places[at], self.bag, offsets, mode="sum", per_sample_weights=self.amounts[at]
        )
        for layer in self.layers:
            made = functional.relu(made) @ layer
        return made

    def forward(self, rows: Tensor) -> Tensor:
        """Return the vectors of rows of any shape, [..., width], as the mode says."""
        if self.mode == FIXED:
            with torch.no_grad():
                made = self.own(rows) + self.gate[rows.long()][..., None] * self._looked_up(rows)
            self.penalised = made
            return made
        content = self._looked_up(rows)
        if self.mode == CONTENT:
            self.penalised = content
            return content
        own = self.own(rows)
        # What pulls vectors to zero pulls the row's own part alone, so that with little data a row
        # is what its features say.
        self.penalised = own
        return own + self.gate[rows.long()][..., None] * content

    def _looked_up(self, rows: Tensor) -> Tensor:
        """The content of rows of any shape; each distinct row is computed once, and rows asked
        twice in a step not again.
        """
        grad = torch.is_grad_enabled()
        if (
            grad
            and self._last is not None
            and self._last[0].shape == rows.shape
            and torch.equal(self._last[0], rows)
        ):
            made, self._last = self._last[1], None
            return made
        distinct, which = torch.unique(rows.long(), return_inverse=True)
        made = functional.embedding(which, self.content(distinct))
        self._last = (rows, made) if grad and self.training else None
        return made

    @property
    def weight(self) -> Tensor:
        """The vectors of all rows, [n, width]."""
        return self.own.weight + self.gate[:, None] * self.content(
            torch.arange(len(self.own.weight), device=self.own.weight.device)
        )

    def maps(self) -> list[np.ndarray]:
        """Return the bag and the layers after it, each float32 [in, out]."""
        return [one.detach().cpu().numpy().copy() for one in (self.bag, *self.layers)]


class TowerTables(FactorTables):
    """The tables of `LatentFactor` with towers in the place of one or both; see `Tower`.

    Parameters
    ----------
    users, items
        float32 [n, factors + 1]: the rows to begin with.
    settings
        Those of `FactorTables`.
    towers
        For ``"users"`` and ``"items"``, where they have features, the next arguments of a `Tower`.
    """

    def __init__(
        self,
        users: Tensor,
        items: Tensor,
        settings: TableSettings,
        towers: dict[str, tuple[Any, ...]],
    ) -> None:
        super().__init__(users, items, settings)
        for side, rows in (("users", users), ("items", items)):
            made = (
                Tower(rows, *towers[side], sparse=settings.sparse)
                if side in towers
                else Table(rows, sparse=settings.sparse)
            )
            setattr(self, side, made)

    def answer(self, users: str, items: str) -> None:
        """Say how each side answers from now on: see `WHOLE`, `FIXED` and `CONTENT`."""
        self.users.mode, self.items.mode = users, items

    def penalty(self, users: Tensor, items: Tensor) -> Tensor | None:
        """Return the L2 of what the last call looked up: of towers, of the part that was to be
        learnt.
        """
        sides: Any = (self.users, self.items)
        self._touched = tuple(side.penalised for side in sides)
        return super().penalty(users, items)


def with_content_alone(step: Step, module: Any, share: float, *, with_profiles: bool) -> Step:
    """Return a step of the loss with everything, and beside it, on the same draws, that of each
    side's content against the other side as it is.
    """
    if share == 0:
        return step
    whole, alone = (WHOLE, WHOLE, 1 - share), [(FIXED, CONTENT, share)]
    if with_profiles:
        alone = [(FIXED, CONTENT, share / 2), (CONTENT, FIXED, share / 2)]
    passes = [whole, *alone] if share < 1 else [(CONTENT if with_profiles else WHOLE, CONTENT, 1.0)]

    def both(batch: tuple[Tensor, ...], generator: torch.Generator) -> Tensor:
        drawn = generator.get_state()
        total: Any = 0.0
        for users, items, weight in passes:
            generator.set_state(drawn)
            module.answer(users, items)
            total = total + weight * step(batch, generator)
        module.answer(WHOLE, WHOLE)
        return total

    return both
