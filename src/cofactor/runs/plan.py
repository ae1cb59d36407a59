"""The plan of a training: which model, settings, data and split."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cofactor.base.config import Config, Settings
from cofactor.base.errors import ArgumentError
from cofactor.base.run import Run
from cofactor.data.interactions import Interactions
from cofactor.data.split import Split
from cofactor.metrics.table import metric_names
from cofactor.models import registry
from cofactor.models.recommender import Recommender
from cofactor.runs.auto import AUTO, Chosen, choose
from cofactor.runs.automatic.data import cut_for_choice, read_once
from cofactor.runs.data_origin import bounded
from cofactor.runs.source import Cutting, Reading, cut, interactions

# Settings that auto takes too: which columns of the catalogue are read.
_COLUMNS = ("text", "features")


@dataclass(frozen=True)
class Plan:
    """What a training will do.

    Parameters
    ----------
    name
        The model's name in the registry.
    config
        Its settings.
    reading, cutting
        How the source was read, and is cut.
    data
        What was read.
    parts
        The split to measure on, or None.
    whole
        Builds the data that the saved model is fitted on.
    chosen
        The choice of auto; None if the model was named.
    """

    name: str
    config: Any
    reading: Reading
    cutting: Cutting
    data: Interactions
    parts: Split | None
    whole: Callable[[], Interactions]
    chosen: Chosen | None = None

    @property
    def train(self) -> Interactions:
        """The data that the model is fitted on first."""
        return self.data if self.parts is None else self.parts.train

    def create(self) -> Recommender:
        """Return the model with its settings, not fitted."""
        return registry.get(self.name)(self.config)


@dataclass(frozen=True)
class Sources:
    """The sources of a training, and how they are read and cut."""

    source: Any
    reading: Reading
    cutting: Cutting


def named(model: str, settings: Settings, given: Sources, run: Run) -> Plan:
    """Return the plan of a training of a model by its name."""
    kind = registry.get(model)
    config = kind.Config.of(settings)
    reading = given.reading
    if kind.traits_of(config).uses_features:
        reading = replace(reading, keep_items=True)
    source, ends = bounded(given.source)
    reading = replace(reading, stores={**reading.stores, **ends})
    data = interactions(source, reading, run)
    parts = cut(data, given.cutting) if given.cutting.test > 0 else None
    return Plan(
        name=model,
        config=config,
        reading=reading,
        cutting=given.cutting,
        data=data,
        parts=parts,
        whole=lambda: data,
    )


def automatic(
    settings: Settings,
    given: Sources,
    metrics: Iterable[str] | None,
    budget: float,
    run: Run,
) -> Plan:
    """Choose a model and its settings, and return the plan of its training; see `cofactor.auto`."""
    content = _columns(settings)
    source, ends = bounded(given.source)
    reading = replace(given.reading, stores={**given.reading.stores, **ends})
    names = metric_names(metrics)
    # Read as the origin records, so that a retraining reads new data in the same way.
    least, data, whole, note = read_once(source, reading, names, run)
    reading = replace(reading, min_value=least)
    parts, cutting = cut_for_choice(data, given.cutting)
    metric = names[0] if names else None
    chosen = choose(data, parts, metric=metric, budget=budget, content=content, run=run)
    chosen = chosen.noted(note)
    reading = replace(reading, keep_items=registry.get(chosen.model).traits.uses_features)
    final = None if parts is None else parts.with_validation_merged()
    cutting = replace(cutting, validation=0.0)
    return Plan(
        name=chosen.model,
        config=chosen.config,
        reading=reading,
        cutting=cutting,
        data=data,
        parts=final,
        whole=lambda: whole(chosen.create()),
        chosen=chosen,
    )


def _columns(settings: Settings) -> dict[str, tuple[str, ...]]:
    """The columns to read, by name or from words such as ``text=title``."""
    if isinstance(settings, Config):
        raise ArgumentError(f"a {type(settings).__name__} needs its model; name that too.")
    pairs = settings.items() if isinstance(settings, Mapping) else map(_pair, settings)
    found: dict[str, tuple[str, ...]] = {}
    for name, given in pairs:
        if name not in _COLUMNS:
            raise ArgumentError(
                f"{name}={given} is a setting of one model, and {AUTO} chooses the model: name it"
                " (--model)."
            )
        names = given.split(",") if isinstance(given, str) else given
        found[name] = tuple(one.strip() for one in names if one.strip())
    return found


def _pair(word: str) -> tuple[str, str]:
    name, _, text = word.partition("=")
    return name.strip(), text


def default_target(source: Any) -> str:
    """Return where the model of a source is saved if no folder is named: ``purchases-model``.

    Raises
    ------
    ArgumentError
        If the source has no name, such as a table in memory.
    """
    first = source[0] if isinstance(source, (list, tuple)) and source else source
    if not isinstance(first, (str, os.PathLike)) or str(first) == "-":
        raise ArgumentError("name the folder to save to (out=, --out): the source has no name.")
    place = re.sub(r"[?#].*", "", os.fspath(first)).rstrip("/")
    stem = re.sub(r"[^\w.-]+", "-", Path(place).name.partition(".")[0]).strip("-.")
    return f"{stem or 'cofactor'}-model"
