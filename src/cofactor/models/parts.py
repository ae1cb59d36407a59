"""Models that are made of models: one state, in which each part's arrays have its prefix."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from cofactor.base.config import Config
from cofactor.data.interactions import Interactions
from cofactor.models.recommender import Recommender
from cofactor.models.traits import ArraySpec
from cofactor.training.state import of_prefix

Parts = Iterable[tuple[str, Recommender[Any]]]  # each with its prefix


def specs_of_part(
    prefix: str, config: Config, arrays: Mapping[str, ArraySpec]
) -> dict[str, ArraySpec]:
    """Return what a part's arrays must be: axes of the same name in two parts are two axes."""
    sizes = {k: str(v) for k, v in config.to_dict().items() if isinstance(v, int)}

    def own(axis: str) -> str:
        shared = axis.isdecimal() or axis in ("users", "items")
        return axis if shared else sizes.get(axis, prefix + axis)

    free: Any = {"low": None, "above": None, "rows_of": None}  # the part looks itself
    return {
        prefix + name: replace(spec, axes=tuple(map(own, spec.axes)), **free)
        for name, spec in arrays.items()
    }


def with_prefix(prefix: str, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return arrays under names with a prefix."""
    return {prefix + name: array for name, array in arrays.items()}


def states_of(parts: Parts) -> dict[str, np.ndarray]:
    """Return the learned states of models."""
    return {
        name: array
        for prefix, part in parts
        for name, array in with_prefix(prefix, part.state()).items()
    }


def restored(parts: Parts, arrays: Mapping[str, np.ndarray], data: Interactions) -> tuple[Any, ...]:
    """Return models as fitted ones, from what `states_of` gave."""
    return tuple(
        type(part).from_state(part.config, of_prefix(prefix, arrays), data)
        for prefix, part in parts
    )
