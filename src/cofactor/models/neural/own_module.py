"""A user's own nn.Module as a recommender."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Self

import numpy as np
from torch import nn

from cofactor.base import checks
from cofactor.base.config import Config
from cofactor.base.errors import TraitError
from cofactor.data.interactions import Interactions
from cofactor.models.iterative import IterativeModel
from cofactor.models.neural.embedding_tables import Tables
from cofactor.models.neural.module_fold_in import ModuleConfig
from cofactor.models.neural.torch_model import Builder, ModuleHooks


class _Own(NamedTuple):
    """What was given: not closures, so that a model can be pickled wherever ``make`` can."""

    make: Callable[[int, int], nn.Module]
    user_tables: tuple[str, ...]
    item_tables: tuple[str, ...]

    def build(self, n_users: int, n_items: int, config: Any) -> nn.Module:
        module = self.make(n_users, n_items)
        checks.of_kind(module, "what make(n_users, n_items) returns", nn.Module, "an nn.Module")
        return module

    def find(self, module: nn.Module, n_users: int, n_items: int) -> Tables:
        if self.user_tables and self.item_tables:
            return Tables(self.user_tables, self.item_tables)
        found = Tables.found(module, n_users, n_items)
        return Tables(self.user_tables or found.users, self.item_tables or found.items)


class OwnModule(IterativeModel, ModuleHooks):
    """A module of your own: trained by the loop, scored, filtered, folded in and explained like any
    other model.

    The module must have ``forward(users, items)`` that takes int64 [n] each and returns [n] scores,
    and must look users up in ``nn.Embedding`` tables with one row per user (items likewise); a row
    of them is all it may know of a user.

    Parameters
    ----------
    make
        ``make(n_users, n_items)`` returns a new module; called again for each fit and for each
        restored state.
    user_tables, item_tables
        Names of the embedding submodules, where their sizes and names don't tell (see
        `Tables.found`).
    config
        Loss, optimiser, epochs and so on; or give settings by name.

    Notes
    -----
    It isn't in the registry, so ``cofactor.save`` can't write it: loading a file never imports code
    of yours. Keep the arrays of ``state()`` yourself, and make the model again with
    ``OwnModule.restored(make, config, arrays, data)``.

    Examples
    --------
    >>> from torch import nn
    >>> class Dot(nn.Module):
    ...     def __init__(self, n_users, n_items):
    ...         super().__init__()
    ...         self.user, self.item = nn.Embedding(n_users, 8), nn.Embedding(n_items, 8)
    ...     def forward(self, users, items):
    ...         return (self.user(users) * self.item(items)).sum(1)
    >>> model = OwnModule(Dot, loss="bpr", epochs=5)
    """

    name = "own_module"
    fits_on_engine = trained_together = False  # workers couldn't make it

    def __init__(
        self,
        make: Callable[[int, int], nn.Module],
        config: Config | None = None,
        *,
        user_tables: tuple[str, ...] = (),
        item_tables: tuple[str, ...] = (),
        **settings: Any,
    ) -> None:
        checks.function(make, "make")
        super().__init__(config, **settings)
        self._own = _Own(make, tuple(user_tables), tuple(item_tables))
        self.builder = Builder(self._own.build, find=self._own.find)

    def clone(self) -> Self:
        """Return an unfitted model of the same module with the same settings."""
        make, users, items = self._own
        return type(self)(make, self.config, user_tables=users, item_tables=items)

    @classmethod
    def from_state(
        cls, config: Config, arrays: Mapping[str, np.ndarray], data: Interactions
    ) -> Self:
        """Refuse: the state doesn't hold the module's code; see `restored`."""
        raise TraitError(
            "the state of an OwnModule doesn't hold its code; use OwnModule.restored(make, config,"
            " arrays, data)."
        )

    @classmethod
    def restored(
        cls,
        make: Callable[[int, int], nn.Module],
        config: ModuleConfig,
        arrays: Mapping[str, np.ndarray],
        data: Interactions,
        **tables: tuple[str, ...],
    ) -> Self:
        """Make a fitted model from ``state()``, the function that makes the module, and the data
        it was fitted on.
        """
        from cofactor.models.traits import check_arrays

        check_arrays(arrays, cls.arrays, {"users": data.n_users, "items": data.n_items, "1": 1})
        model = cls(make, config, **tables)
        model._data = data
        model._restore(arrays)
        return model
