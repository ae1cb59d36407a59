"""How well items with 0, 1, 2, 5, 10 ... training interactions are ranked, which shows from where
on content no longer helps.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from cofactor.base import checks, rng
from cofactor.base.errors import ArgumentError
from cofactor.base.run import Run, run_of
from cofactor.data.interactions import Interactions
from cofactor.data.split import Part
from cofactor.evaluation.evaluate import evaluate
from cofactor.evaluation.protocol import check_rated
from cofactor.evaluation.result import Result
from cofactor.evaluation.significance import compare
from cofactor.models import registry
from cofactor.models.recommender import Recommender
from cofactor.runs.source import Reading, interactions

COUNTS = (0, 1, 2, 5, 10)


def learning_curve(
    source: Any,
    model: Recommender | str,
    *,
    counts: Sequence[int] = COUNTS,
    share: float = 0.1,
    metrics: str | Iterable[str] = "ndcg@10",
    reading: Reading | None = None,
    run: Run | None = None,
) -> dict[int, Result]:
    """Fit a model once for each count, with that many interactions of some items in training, and
    rank those items.

    The truth is the same at every point: the drawn items' interactions beyond the highest count.
    Training interactions of a point are contained in those of the next one.

    Parameters
    ----------
    source
        A file, a dataset's name, a data frame, or Interactions.
    model
        An unfitted model, or the name of one with its default settings.
    counts
        Numbers of training interactions, each at least 0.
    share
        Share of the items with more than the highest count that are drawn, in (0, 1).
    metrics
        Ranking metrics; only the drawn items are ranked.

    Returns
    -------
    dict
        The result at each count, in ascending order.

    Raises
    ------
    ArgumentError
        If no item has more interactions than the highest count.
    """
    run = run_of(run)
    steps = sorted({checks.integer(n, "counts", low=0) for n in counts})
    checks.real(share, "share", above=0, below=1)
    unfitted = registry.create(model) if isinstance(model, str) else model
    data = interactions(source, reading, run)
    eligible = np.flatnonzero(data.item_counts > steps[-1])
    if not len(eligible):
        raise ArgumentError(
            f"counts must be below the interactions of some item: none has more than {steps[-1]},"
            f" and the most is {int(data.item_counts.max()):,}."
        )
    draw = rng.generator(run.seed, "learning curve")
    chosen = np.sort(draw.permutation(eligible)[: max(1, round(share * len(eligible)))])
    place = _places(data, chosen, draw)
    results = {}
    for n in steps:
        train = data.where((place < 0) | (place < n) & (place >= 0))
        truth = data.where(place >= steps[-1])
        part = Part(truth, train, candidates=chosen.astype(np.int32))
        check_rated(unfitted, part, metrics)
        fitted = unfitted.clone().fit(train, run=run)
        label = f"{unfitted.name}, {n} interactions"
        results[n] = evaluate(fitted, part, metrics, run=run, label=label)
    return results


def sentences(results: Mapping[int, Result]) -> list[str]:
    """Return sentences: what was ranked, and between which points a paired test (Holm) finds a
    difference.

    Parameters
    ----------
    results
        The result of `learning_curve`, with at least one point.
    """
    first, *later = results
    start = results[first]
    metric = start.metrics[0]
    said = [
        f"At every point the same {start.how.n_candidates:,} items are ranked, by the same"
        f" {start.summary[metric].n_users:,} users, who interacted with some of them: values are"
        " higher than those of a ranking of all items."
    ]
    if not later:
        return said
    better: list[str] = []
    worse: list[str] = []
    # The truth is the same; only the training data differs, which is what is tested.
    how = (replace(results[n].how, fingerprint=start.how.fingerprint) for n in later)
    same = [replace(results[n], how=one) for n, one in zip(later, how, strict=True)]
    for n, test in zip(later, compare([start, *same], metric, baseline=start.model), strict=True):
        if test.better is not None:
            (worse if test.better == start.model else better).append(str(n))
    for counts, word in ((better, "better"), (worse, "worse")):
        if counts:
            said.append(
                f"Significantly {word} than with {first} interactions ({metric}): with"
                f" {', '.join(counts)}."
            )
    if not better:
        said.append(f"Nothing shows that interactions help beyond {first} ({metric}).")
    return said


def _places(data: Interactions, items: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """The place of each interaction with a drawn item in a random order of that item's
    interactions, from 0; -1 for other items.
    """
    mine = np.isin(data.item_rows, items)
    at = np.flatnonzero(mine)
    at = at[np.lexsort((draw.random(len(at)), data.item_rows[at]))]
    rows = data.item_rows[at]
    first = np.searchsorted(rows, rows, side="left")
    place = np.full(len(data), -1, np.int64)
    place[at] = np.arange(len(at)) - first
    return place
