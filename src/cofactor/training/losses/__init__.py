"""Training losses: one object each, found in this folder, and those that users register.

Nothing here imports torch before a loss's value is computed, so models of plain arrays are served
without it.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil

from cofactor.base.errors import ArgumentError, UnknownNameError
from cofactor.base.names import unknown_name
from cofactor.training.losses.loss import Candidates, Loss, LossSettings, Needs, Pointwise, Slopes

__all__ = [
    "LOSSES",
    "Candidates",
    "Loss",
    "LossSettings",
    "Needs",
    "Pointwise",
    "Slopes",
    "get",
    "register",
]

LOSSES: dict[str, Loss] = {}


def register(loss: Loss) -> Loss:
    """Register a loss by its name, so that settings and saved models may refer to it.

    Parameters
    ----------
    loss
        The loss; it replaces an earlier one of the same class and name.

    Returns
    -------
    Loss
        The same.

    Raises
    ------
    ArgumentError
        If it isn't a complete loss, or another class has the name.
    """
    _check(loss)
    known = LOSSES.get(loss.name)
    if known is not None and type(known) is not type(loss):
        raise ArgumentError(
            f"the loss name {loss.name!r} belongs to {type(known).__name__} already; give"
            f" {type(loss).__name__} another name."
        )
    LOSSES[loss.name] = loss
    return loss


def get(loss: str | Loss) -> Loss:
    """Return a loss by its name; a `Loss` object is checked and returned.

    Raises
    ------
    UnknownNameError
        If no loss of that name is known.
    ArgumentError
        If it is neither a name nor a complete loss.
    """
    if isinstance(loss, str):
        if loss not in LOSSES:
            raise UnknownNameError(
                f"{unknown_name('loss', loss, LOSSES)} A loss of your own has to be registered"
                " before a saved model that was trained with it is loaded:"
                " cofactor.training.losses.register(MyLoss())."
            )
        return LOSSES[loss]
    _check(loss)
    return loss


def _check(loss: object) -> None:
    if not isinstance(loss, Loss):
        raise ArgumentError(
            f"loss must be the name of a loss or a Loss object, not {loss!r}; names are"
            f" {', '.join(sorted(LOSSES))}."
        )
    name, needs = getattr(loss, "name", None), getattr(loss, "needs", None)
    if not (isinstance(name, str) and name.isidentifier()):
        raise ArgumentError(
            f"{type(loss).__name__}.name must be a name such as 'my_loss', not {name!r}."
        )
    if not isinstance(needs, Needs):
        raise ArgumentError(
            f"{type(loss).__name__}.needs must be a member of Needs, not {needs!r}."
        )


def _find() -> None:
    """Register every loss of a module of this folder; one that lacks a method fails."""
    for module in pkgutil.iter_modules(__path__, f"{__name__}."):
        for kind in vars(importlib.import_module(module.name)).values():
            if inspect.isclass(kind) and issubclass(kind, Loss) and "name" in vars(kind):
                register(kind())


_find()
