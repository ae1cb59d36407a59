"""Optimisers: one for the dense weights, one for the tables whose gradients are sparse."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from cofactor.base.errors import ArgumentError
from cofactor.training.training_config import TrainingConfig

_KINDS = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "adagrad": torch.optim.Adagrad,
    "sgd": torch.optim.SGD,
}
_MOMENTS = ("adam", "adamw")  # those with running means of the gradients and their squares


def optimizers(module: nn.Module, config: TrainingConfig) -> list[torch.optim.Optimizer]:
    """Return the optimisers of a module: of its dense weights, and of its tables that give sparse
    gradients.

    Parameters
    ----------
    module
        Tables made with ``nn.Embedding(..., sparse=True)`` are stepped only at the rows that a
        batch touched.
    config
        Which optimiser, and how.

    Raises
    ------
    ArgumentError
        If sparse tables are asked for with weight decay, which would touch every row after all.

    Notes
    -----
    The sparse Adam is lazy: a row's moments decay only when it is touched, so its steps differ from
    Adam's.
    """
    sparse = {id(m.weight) for m in module.modules() if isinstance(m, nn.Embedding) and m.sparse}
    weights = [w for w in module.parameters() if w.requires_grad]
    made = [_dense([w for w in weights if id(w) not in sparse], config)]
    if sparse:
        if config.weight_decay:
            raise ArgumentError(
                "weight_decay shrinks every row at every step: tables can't be sparse with it; use"
                " regularization."
            )
        made.append(_sparse([w for w in weights if id(w) in sparse], config))
    return [optimizer for optimizer in made if optimizer is not None]


def clip_gradient(weights: Iterable[Tensor], longest: float) -> None:
    """Shorten the whole gradient to ``longest`` where it is longer; sparse gradients count by
    their merged rows.
    """
    gradients = []
    for weight in weights:
        if weight.grad is not None:
            if weight.grad.is_sparse:
                weight.grad = weight.grad.coalesce()
            gradients.append(weight.grad.values() if weight.grad.is_sparse else weight.grad)
    length = torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(g) for g in gradients]))
    scale = (longest / (length + 1e-12)).clamp(max=1.0)
    for gradient in gradients:
        gradient.mul_(scale)


@cache
def _plain(kind: type[torch.optim.Optimizer]) -> Any:
    """The same optimiser outside ``torch.compile``.

    PyTorch wraps these methods so that its compiler leaves them alone, and the first call of one
    imports the compiler: over a second of each process that trains, which compiles nothing.
    """
    names = ("state_dict", "load_state_dict", "zero_grad", "add_param_group")
    bare: dict[str, Any] = {name: inspect.unwrap(getattr(kind, name)) for name in names}
    # The wrapper of `step` is also what keeps gradients from being recorded.
    bare["step"] = torch.no_grad()(inspect.unwrap(kind.step))
    return type(kind.__name__, (kind,), bare)


def _dense(weights: list[Tensor], config: TrainingConfig) -> torch.optim.Optimizer | None:
    if not weights:
        return None
    how: dict[str, Any] = {"lr": config.learning_rate, "weight_decay": config.weight_decay}
    # One pass over all weights instead of ten small operations for each: on a CPU those are what
    # costs.
    how["fused" if config.optimizer in _MOMENTS else "foreach"] = True
    if config.optimizer == "sgd":
        how["momentum"] = config.momentum
    return _plain(_KINDS[config.optimizer])(weights, **how)


def _sparse(weights: list[Tensor], config: TrainingConfig) -> torch.optim.Optimizer:
    if config.momentum:
        raise ArgumentError(
            "momentum moves every row at every step, so tables can't be sparse with it; set"
            " momentum=0."
        )
    if config.optimizer in _MOMENTS:
        return _plain(torch.optim.SparseAdam)(weights, lr=config.learning_rate)
    return _plain(_KINDS[config.optimizer])(weights, lr=config.learning_rate, foreach=False)


def state_of(optimizers: list[torch.optim.Optimizer]) -> dict[str, Tensor]:
    """Return the optimisers' state as named tensors; a plain number has the prefix "number."."""
    found: dict[str, Tensor] = {}
    for which, optimizer in enumerate(optimizers):
        for place, state in optimizer.state_dict()["state"].items():
            for name, value in state.items():
                key = f"optimizer.{which}.{place}.{name}"
                if isinstance(value, Tensor):
                    found[key] = value
                elif value is not None:
                    found[f"number.{key}"] = torch.tensor(value)
    return found


def put_state(optimizers: list[torch.optim.Optimizer], held: Mapping[str, Tensor]) -> None:
    """Put back what `state_of` gave."""
    for which, optimizer in enumerate(optimizers):
        state: dict[int, dict[str, Any]] = {}
        for key, value in held.items():
            kind, _, rest = key.removeprefix("number.").partition(".")
            if kind == "optimizer" and rest.startswith(f"{which}."):
                _, place, name = rest.split(".", 2)
                number = key.startswith("number.")
                state.setdefault(int(place), {})[name] = value.item() if number else value
        groups = optimizer.state_dict()["param_groups"]
        optimizer.load_state_dict({"state": state, "param_groups": groups})
