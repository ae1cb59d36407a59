"""The data of a choice of models: what is read, what is left out, and how it is cut."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from cofactor.base.errors import ArgumentError
from cofactor.base.run import Run
from cofactor.data.guards import doubts
from cofactor.data.interactions import Interactions
from cofactor.data.split import Split
from cofactor.metrics.table import parse_metrics
from cofactor.models.recommender import Recommender
from cofactor.runs.source import Cutting, Reading, as_cutting, cut, events_of, interactions


def read_once(
    source: Any, reading: Reading, metrics: list[str] | None, run: Run
) -> tuple[float | None, Interactions, Callable[[Recommender], Interactions], str]:
    """Read a source for a choice of models.

    Returns
    -------
    least
        The least value that is kept: the given one, or the least that counts as liked where the
        values say "not liked" too.
    data
        The interactions that models are chosen by.
    whole
        The interactions that a model is fitted on at last: with the catalogue's items that have no
        interactions, for models that read features.
    note
        What was left out, or that values don't matter, in a sentence; "" if neither.
    """
    from cofactor.data.shards import is_shards

    if not isinstance(source, Interactions) and not is_shards(source):
        source = events_of(source, reading, run)
        reading = replace(reading, items=None, columns=None, more={})
    data = interactions(source, reading, run)
    rates = metrics is not None and parse_metrics(metrics)[0].family == "rating"
    note, values = "", data.values
    if not rates and reading.min_value is None and values is not None:
        above = values[values > 0]
        if doubts(values) and len(above):
            least = float(above.min())
            reading = replace(reading, min_value=least)
            note = (
                f"Values of 0 and below say that an item wasn't liked: {len(data) - len(above):,}"
                f" of {len(data):,} interactions are left out (min_value={least:g}; a lower one"
                " keeps them)."
            )
            data = interactions(source, reading, run)
        elif doubts(values):
            note = "No value is above 0, so every interaction counts as liked here."
        elif np.ptp(values) > 0:
            note = (
                f"Values ({np.min(values):g} to {np.max(values):g}) don't matter here:"
                " every interaction counts as liked; min_value= keeps those from some value on."
            )

    def whole(model: Recommender) -> Interactions:
        if not model.traits.uses_features:
            return data
        return interactions(source, replace(reading, keep_items=True), run)

    return reading.min_value, data, whole, note


def cut_for_choice(data: Interactions, cutting: Cutting | None) -> tuple[Split | None, Cutting]:
    """Cut data into training, validation and test.

    Where histories are too short for shares of them, all interactions are cut, not those of each
    user.

    Returns
    -------
    parts
        None where there is too little data for it.
    cutting
        How they were cut; where there is too little data, that nothing is held out.
    """
    cutting = as_cutting(cutting, Cutting())
    if cutting.validation <= 0:
        cutting = replace(cutting, validation=0.1)
    if cutting.test <= 0:
        raise ArgumentError("auto needs a test part; give --test a share.")
    usual = cutting.how == Cutting.how
    nothing = None, replace(cutting, test=0.0, validation=0.0)
    # With one interaction a user, or one user, every model knows the popular items alone.
    if usual and (data.n_users < 2 or data.user_counts.max(initial=0) < 2):
        return nothing
    for one in (cutting, replace(cutting, how="random"))[: 1 + usual]:
        try:
            return cut(data, one), one
        # Too few interactions for any share of them; of more, this error says what is wrong.
        except ArgumentError:
            if len(data) > 100 and (not usual or one is not cutting):
                raise
    return nothing
