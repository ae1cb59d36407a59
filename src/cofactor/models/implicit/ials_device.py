"""Implicit ALS on a GPU: both sides live there; each epoch's loss is taken from a copy here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from cofactor.base.errors import ArgumentError
from cofactor.base.extras import require
from cofactor.base.run import Run
from cofactor.data.interactions import Interactions
from cofactor.models.implicit.ials_learner import IALSLearner
from cofactor.models.implicit.normal_equations import NormalEquations
from cofactor.training.learner import Epoch, Facts


def on_gpu(device: str) -> bool:
    """Return whether a run asks for a GPU by name; ``"auto"`` trains implicit ALS on the CPU."""
    return device.partition(":")[0] in ("cuda", "mps", "xpu")


class DeviceIALSLearner(IALSLearner):
    """Both sides in turn, each given the other, on a device of PyTorch.

    Parameters
    ----------
    equations
        Weights and ridges, by the settings; the solver must be ``"cg"``.
    data, run
        On what, with which seed, and on which device.
    """

    def __init__(self, equations: NormalEquations, data: Interactions, run: Run) -> None:
        if equations.config.solver != "cg":
            raise ArgumentError(
                f"implicit ALS on a GPU needs the solver cg, not {equations.config.solver};"
                " give solver='cg', or device='cpu'."
            )
        require("torch", purpose="implicit ALS on a GPU")
        from cofactor.kernels.gpu.ials import side_on_device
        from cofactor.training.torch.device import device_of

        super().__init__(equations, data, run)
        self.device = "cpu" if run.device == "auto" else str(device_of(run))
        self.users = side_on_device(*self.of_users, self.user_ridge, self.device)
        self.items = side_on_device(*self.of_items, self.solved_ridge, self.device)
        self.there = {name: self._sent(array) for name, array in super().arrays().items()}
        self.shares_there = None if self.shares is None else self._sent(self.shares)

    def _sent(self, array: np.ndarray) -> Any:
        import torch

        return torch.tensor(array, device=self.device)

    def put(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Set both sides' vectors, here and there."""
        super().put(arrays)
        self.there = {name: self._sent(array) for name, array in arrays.items()}

    def _brought(self) -> None:
        for name, here in super().arrays().items():
            here[...] = self.there[name].cpu().numpy()

    def run_epoch(self, epoch: Epoch) -> Facts:
        """Solve both sides once."""
        from cofactor.kernels.gpu.ials import half_epoch

        _, steps, _ = self.how(epoch)
        x, y = self.there["user_factors"], self.there["item_factors"]
        half_epoch(self.users, y, x, self.alpha0, steps, self.shares_there)
        half_epoch(self.items, x, y, self.alpha0, steps)
        self._brought()
        return {"loss": self.loss()}

    def solve_users(self) -> tuple[np.ndarray, np.ndarray]:
        """Solve all users against the items as they are; return both sides."""
        from cofactor.kernels.gpu.ials import half_epoch

        _, steps, tolerance = self.last_solve
        x, y = self.there["user_factors"], self.there["item_factors"]
        half_epoch(self.users, y, x, self.alpha0, steps, self.shares_there, tolerance)
        self._brought()
        return self.x, self.y
