"""Checks of answers: what a model computes of a history, or of its own numbers, must be finite."""

from __future__ import annotations

import numpy as np

from cofactor.base import checks
from cofactor.base.errors import ArgumentError, TrainingError
from cofactor.models.user_batch import States


def check_states(name: str, states: States) -> None:
    """Refuse vectors computed from histories whose products with item vectors may leave float32.

    Parameters
    ----------
    name
        The model's, for the message.
    states
        What it keeps of the users; histories themselves are not looked at.

    Raises
    ------
    ArgumentError
        If a number is NaN or beyond `checks.LARGEST_VALUE`; it says of which history.
    """
    if not isinstance(states, np.ndarray) or states.dtype.kind != "f" or checks.are_small(states):
        return
    large = ~(np.abs(states) <= checks.LARGEST_VALUE)
    first = int(np.flatnonzero(large.reshape(len(states), -1).any(axis=1))[0])
    raise ArgumentError(
        f"history {first} gives a vector of {name} that float32 can't hold; fit the model with a"
        " lower learning rate or another regularization, or look for extreme values in the history."
    )


def check_scores(name: str, scores: np.ndarray) -> None:
    """Refuse scores above all numbers, by which nothing can be ranked; NaN and minus infinity are
    never recommended.

    Parameters
    ----------
    name
        The model's, for the message.
    scores
        Float, of any shape.

    Raises
    ------
    TrainingError
        If one is infinite.
    """
    if checks.are_small(scores) or not np.isposinf(scores).any():
        return
    raise TrainingError(
        f"{name} gives infinite scores; its numbers are too large: train it again"
        " with a lower learning rate or a higher regularization."
    )
