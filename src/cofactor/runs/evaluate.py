"""Evaluate: measure a saved model on interactions it wasn't trained on."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from cofactor.artifact.load import load
from cofactor.base import checks
from cofactor.base.errors import ArgumentError
from cofactor.base.run import Run, run_of
from cofactor.data.interactions import Interactions
from cofactor.data.split import Part
from cofactor.evaluation.csr_rows import contains
from cofactor.evaluation.evaluate import evaluate
from cofactor.evaluation.groups import GROUPINGS
from cofactor.evaluation.result import Result
from cofactor.metrics.table import parse_metrics
from cofactor.models.recommender import Recommender
from cofactor.runs.baselines import Baselined, measure_baselines
from cofactor.runs.source import Reading, interactions


def evaluate_beside_baselines(
    model: str | os.PathLike[str] | Recommender,
    source: Any,
    *,
    reading: Reading | None = None,
    metrics: Iterable[str] | None = None,
    groups: str | None = None,
    run: Run | None = None,
) -> tuple[Result, Baselined]:
    """Measure a saved model on the interactions of a source that it wasn't trained on, and the
    baselines beside it, fitted on the model's own training data.

    The truth is every pair of the source that isn't in the model's training data, of users and
    items that the model knows. So a source may contain the training data too: that part is left
    out.

    Parameters
    ----------
    model
        A folder, or a fitted model.
    source
        A file, a dataset's name, a database URL, a data frame, or Interactions.
    reading
        How the source is read.
    metrics, groups
        As for `cofactor.evaluate`.

    Raises
    ------
    ArgumentError
        If nothing of the source is new to the model, or all of it is of unknown users and items.
    """
    run = run_of(run)
    if metrics is not None:
        parse_metrics(metrics)
    if groups is not None:
        checks.choice(groups, "groups", GROUPINGS)
    fitted = model if isinstance(model, Recommender) else load(model, mapped=True)
    part, sentence = unseen_part(fitted, interactions(source, reading, run))
    result = evaluate(fitted, part, metrics, groups=groups, run=run)
    result = replace(result, how=replace(result.how, split=sentence))
    return result, measure_baselines(fitted, result, part, fitted.data, run)


def unseen_part(model: Recommender, data: Interactions) -> tuple[Part, str]:
    """Return the part of some data that a model wasn't trained on, in the model's rows, and a
    sentence about what was left out.
    """
    known = model.data
    user_rows = known.users.find(data.users.arrow)[data.user_rows]
    item_rows = known.items.find(data.items.arrow)[data.item_rows]
    mapped = (user_rows >= 0) & (item_rows >= 0)
    new = mapped & ~contains(known, user_rows, item_rows)
    if not new.any():
        why = (
            "all of it was trained on"
            if mapped.any()
            else "all of it is of users or items the model doesn't know"
        )
        raise ArgumentError(
            f"nothing of {data.source} can be measured: {why}. Train on a part (cofactor train"
            " --no-refit holds the test part out), or give interactions that came later."
        )
    pick = lambda column: None if column is None else column[new]  # noqa: E731
    truth = Interactions.from_rows(
        user_rows[new],
        item_rows[new],
        pick(data.values),
        pick(data.times),
        users=known.users,
        items=known.items,
        source=data.source,
    )
    sentence = (
        f"the {int(new.sum()):,} interactions of {data.source} that the model wasn't trained on;"
        f" {int((mapped & ~new).sum()):,} were trained on and {int((~mapped).sum()):,} are of users"
        " or items it doesn't know"
    )
    return Part(truth=truth, history=known), sentence
