"""Which tables of a module belong to users and to items: what lets any module fold in users that
it has never seen.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from cofactor.base.errors import ArgumentError
from cofactor.models.warm_start import KeptRows


@dataclass(frozen=True)
class Tables:
    """The embeddings of a module that hold one row per user, and those that hold one row per item.

    Parameters
    ----------
    users, items
        Names of ``nn.Embedding`` submodules. A user enters the module through these tables alone,
        so a new user is a new row of each.
    """

    users: tuple[str, ...]
    items: tuple[str, ...]

    @classmethod
    def found(cls, module: nn.Module, n_users: int, n_items: int) -> Tables:
        """Find the tables: embeddings with as many rows as there are users or items; names decide
        where both fit.

        Raises
        ------
        ArgumentError
            If there is no table for one side, or if names don't decide which is which.
        """
        sizes = {
            name: m.num_embeddings
            for name, m in module.named_modules()
            if isinstance(m, nn.Embedding)
        }
        if n_users == n_items:
            users = tuple(n for n, size in sizes.items() if size == n_users and "user" in n.lower())
            items = tuple(n for n, size in sizes.items() if size == n_items and "item" in n.lower())
        else:
            users = tuple(n for n, size in sizes.items() if size == n_users)
            items = tuple(n for n, size in sizes.items() if size == n_items)
        for what, names, count in (("user", users, n_users), ("item", items, n_items)):
            if not names:
                raise ArgumentError(
                    f"the module must have an nn.Embedding with one row per {what} ({count}) and"
                    f" {what!r} in its name; its embeddings are {sizes or 'none'}. (Give its name"
                    f" in {what}_tables if it is called otherwise.)"
                )
        return cls(users, items)

    def widths(self, module: nn.Module, names: tuple[str, ...]) -> list[int]:
        """Return the row length of some tables."""
        return [_table(module, name).embedding_dim for name in names]

    def joined(self, module: nn.Module, names: tuple[str, ...]) -> Tensor:
        """Return some tables side by side, [rows, sum of widths], detached."""
        return torch.cat([_table(module, name).weight.detach() for name in names], 1)

    def put(self, module: nn.Module, names: tuple[str, ...], rows: Tensor) -> None:
        """Write tables that `joined` gave back into a module."""
        with torch.no_grad():
            for name, part in zip(names, rows.split(self.widths(module, names), 1), strict=True):
                _table(module, name).weight.copy_(part)

    def free(self, module: nn.Module) -> np.ndarray:
        """Return all weights and buffers that are in no table, one after the other in the order of
        their names, float32 [n].
        """
        parts = [tensor.detach().reshape(-1).to(torch.float32) for tensor in self._free(module)]
        return torch.cat(parts).numpy() if parts else np.zeros(0, np.float32)

    def n_free(self, module: nn.Module) -> int:
        """Return how many weights and buffers `free` gives back."""
        return sum(tensor.numel() for tensor in self._free(module))

    def put_free(self, module: nn.Module, weights: np.ndarray) -> None:
        """Write what `free` gave back into a module."""
        free = self._free(module)
        parts = torch.tensor(weights).split([tensor.numel() for tensor in free])
        with torch.no_grad():
            for tensor, part in zip(free, parts, strict=True):
                tensor.copy_(part.reshape(tensor.shape))

    def _free(self, module: nn.Module) -> list[Tensor]:
        in_tables = {f"{name}.weight" for name in self.users + self.items}
        return [
            tensor
            for name, tensor in sorted(module.state_dict(keep_vars=True).items())
            if name not in in_tables
        ]

    def moved(
        self, module: nn.Module, fresh: Mapping[str, np.ndarray], rows: KeptRows
    ) -> dict[str, np.ndarray]:
        """Return a module's weights for a warm start: tables have the lines of new users and items
        from ``fresh``.
        """
        known = {name: w.detach().cpu().numpy() for name, w in module.state_dict().items()}
        axes = {f"{name}.weight": "users" for name in self.users}
        axes |= {f"{name}.weight": "items" for name in self.items}
        return {
            name: rows.moved(axes[name], known[name], array) if name in axes else known[name]
            for name, array in fresh.items()
        }

    def call(
        self, module: nn.Module, replaced: dict[str, Tensor], users: Tensor, items: Tensor
    ) -> Tensor:
        """Return the module's scores [n] of pairs, with some tables replaced as `weights` gives
        them.

        Parameters
        ----------
        module
            What scores; one that no other thread uses meanwhile (see `Replicas`).
        replaced
            Tables in place of the module's own, by name.
        users, items
            int64 [n]: rows of the tables.
        """
        scores: Tensor = functional_call(module, replaced, (users, items))
        return scores.reshape(items.shape)

    def weights(self, module: nn.Module, names: tuple[str, ...], rows: Tensor) -> dict[str, Tensor]:
        """Return rows of some tables side by side as weights by name, for `call`."""
        parts = rows.split(self.widths(module, names), 1)
        return {
            f"{name}.weight": part.contiguous() for name, part in zip(names, parts, strict=True)
        }

    def strengths(self, module: nn.Module, strength: float, bias_strength: float) -> Tensor:
        """Return the L2 of each place of the user tables side by side, float32 [width]; tables of
        width 1 are biases.
        """
        widths = self.widths(module, self.users)
        return torch.cat([torch.full((w,), bias_strength if w == 1 else strength) for w in widths])

    def penalty(
        self,
        module: nn.Module,
        users: Tensor,
        items: Tensor,
        strength: float,
        bias_strength: float,
    ) -> Tensor | None:
        """Return the L2 of the rows that a batch touched, per example; tables of width 1 are
        biases.

        ``(λ Σ ‖rows of width > 1‖² + λ_b Σ ‖rows of width 1‖²) / B``
        """
        total: Tensor | None = None
        for names, rows in ((self.users, users), (self.items, items.flatten())):
            for weight in (_table(module, name).weight for name in names):
                factor = bias_strength if weight.shape[1] == 1 else strength
                if factor:
                    part = factor * functional.embedding(rows, weight).square().sum() / len(users)
                    total = part if total is None else total + part
        return total


class Replicas:
    """Copies of a module that share its weights, one for each thread that scores at the moment.

    `functional_call` puts weights into the module while it runs, so a module that two threads use
    at once would answer one with the other's.

    Parameters
    ----------
    module
        The module, in eval mode; its weights don't change any more.
    """

    def __init__(self, module: nn.Module) -> None:
        self.module = module
        self._free: list[nn.Module] = []

    @contextmanager
    def one(self) -> Iterator[nn.Module]:
        """Lend a copy for exclusive use until the block ends."""
        try:
            lent = self._free.pop()
        except IndexError:
            shared = {id(t): t for t in (*self.module.parameters(), *self.module.buffers())}
            lent = copy.deepcopy(self.module, shared)
        try:
            yield lent
        finally:
            self._free.append(lent)


def _table(module: nn.Module, name: str) -> nn.Embedding:
    table = module.get_submodule(name)
    if not isinstance(table, nn.Embedding):
        raise ArgumentError(f"{name!r} must be an nn.Embedding, not {type(table).__name__}.")
    return table
