"""Which tables of a module belong to users and to items: what lets any module fold in users that
it has never seen.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from cofactor.base.errors import ArgumentError


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
        """Find the tables: embeddings with as many rows as there are users or items, told apart by
        name if need be.

        Raises
        ------
        ArgumentError
            If there is no table for one side, or if names don't tell which is which.
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

    def call(
        self,
        module: nn.Module,
        states: Tensor,
        which: Tensor,
        items: Tensor,
        item_rows: Tensor | None = None,
    ) -> Tensor:
        """Return the module's scores [n] for users with the rows ``states`` [B, width], picked by
        ``which`` [n].

        Parameters
        ----------
        module
            What scores.
        states
            Rows of the user tables side by side, in place of the trained ones.
        which
            int64 [n]: the row of ``states`` of each pair.
        items
            int64 [n]: the item of each pair.
        item_rows
            Item tables side by side in place of the trained ones, or None.
        """
        replaced = self._named(module, self.users, states)
        if item_rows is not None:
            replaced |= self._named(module, self.items, item_rows)
        scores: Tensor = functional_call(module, replaced, (which, items))
        return scores.reshape(items.shape)

    def penalty(
        self,
        module: nn.Module,
        users: Tensor,
        items: Tensor,
        strength: float,
        bias_strength: float,
        states: Tensor | None = None,
    ) -> Tensor | None:
        """Return the L2 of the rows that a batch touched, per example; tables of width 1 are
        biases.

        ``(λ Σ ‖rows of width > 1‖² + λ_b Σ ‖rows of width 1‖²) / B``; with ``states`` only those
        stand in for the users."""
        if not (strength or bias_strength):
            return None
        total: Tensor | None = None
        for names, rows in ((self.users, users), (self.items, items.flatten())):
            if states is not None:
                if names is self.items:
                    continue
                weights: list[Tensor] = list(states.split(self.widths(module, names), 1))
            else:
                weights = [_table(module, name).weight for name in names]
            for weight in weights:
                factor = bias_strength if weight.shape[1] == 1 else strength
                if factor:
                    part = factor * functional.embedding(rows, weight).square().sum() / len(users)
                    total = part if total is None else total + part
        return total

    def _named(self, module: nn.Module, names: tuple[str, ...], rows: Tensor) -> dict[str, Tensor]:
        parts = rows.split(self.widths(module, names), 1)
        return {
            f"{name}.weight": part.contiguous() for name, part in zip(names, parts, strict=True)
        }


def _table(module: nn.Module, name: str) -> nn.Embedding:
    table = module.get_submodule(name)
    if not isinstance(table, nn.Embedding):
        raise ArgumentError(f"{name!r} must be an nn.Embedding, not {type(table).__name__}.")
    return table


def free_weights(module: nn.Module, tables: Tables) -> list[Tensor]:
    """Return all weights and buffers that are in no table, in the order of their names."""
    in_tables = {f"{name}.weight" for name in tables.users + tables.items}
    return [
        tensor
        for name, tensor in sorted(module.state_dict(keep_vars=True).items())
        if name not in in_tables
    ]
