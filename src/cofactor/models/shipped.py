"""A fitted model on its way to the workers of an engine."""

from __future__ import annotations

from typing import Any

from cofactor.base.cached import cached_property
from cofactor.models.recommender import Recommender


class ShippedModel:
    """A fitted model as its settings, arrays and data, made again once in each worker.

    Parameters
    ----------
    model
        Fitted.
    """

    def __init__(self, model: Recommender) -> None:
        self.kind, self.config = type(model), model.config
        self.arrays, self.data = model.state(), model.data

    @cached_property
    def model(self) -> Recommender:
        """The model."""
        return self.kind.from_state(self.config, self.arrays, self.data)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "model"}
