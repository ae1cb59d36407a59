"""The demonstration: data, compared models, recommendations, similar items, a saved model."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cofactor.artifact.save import check_target, save
from cofactor.base.errors import CofactorError
from cofactor.base.run import Run, run_of
from cofactor.data import datasets
from cofactor.data.interactions import Interactions
from cofactor.data.synthetic import shop
from cofactor.models import registry
from cofactor.models.answering.answers import Explanation, RankedTable
from cofactor.models.recommender import Recommender
from cofactor.runs.compare import Compared, compare
from cofactor.runs.source import Cutting

DATASET = "ml-100k"
MODELS = ("popularity", "bias", "item_knn", "bpr", "ials", "ease")


@dataclass(frozen=True)
class UserExample:
    """One user in the demonstration: the history, and what is recommended and why."""

    title: str
    history: list[str]
    recommendations: RankedTable
    reasons: list[Explanation]


@dataclass(frozen=True)
class Demo:
    """Everything that the demonstration shows.

    Parameters
    ----------
    data
        The data.
    origin
        Which data it is and why, in one sentence.
    compared
        The comparison of models.
    model
        The best of them, fitted on all of the data.
    known, unseen
        A user of the data, and an unseen user.
    similar
        An item's title, and its neighbours.
    path
        The folder of the saved model.
    """

    data: Interactions
    origin: str
    compared: Compared
    model: Recommender
    known: UserExample
    unseen: UserExample
    similar: tuple[str, RankedTable]
    path: Path


def choose_data(*, fetch: bool, synthetic: bool, run: Run) -> tuple[Interactions, str]:
    """Return MovieLens 100K if it is available locally (or, with ``fetch``, can be downloaded),
    else the synthetic book shop.
    """
    if not synthetic:
        failure = _fetched(run) if fetch and not datasets.available(DATASET) else None
        if datasets.available(DATASET):
            return (
                Interactions.build(datasets.load(DATASET)),
                "MovieLens 100K (GroupLens; for research use), which is available locally",
            )
        why = (
            f"the download failed ({failure})"
            if failure
            else f"MovieLens is missing here (`cofactor demo --fetch` downloads {DATASET})"
        )
    else:
        why = "as asked"
    return shop(), f"a synthetic book shop made by Cofactor; {why}"


def demo(
    out: str | os.PathLike[str],
    *,
    fetch: bool = False,
    synthetic: bool = False,
    run: Run | None = None,
) -> Demo:
    """Run the demonstration and save its model.

    Parameters
    ----------
    out
        The folder for the model; an existing one is replaced.
    fetch
        Whether MovieLens 100K may be downloaded.
    synthetic
        Whether the synthetic shop is used even where MovieLens is available locally.
    """
    run = run_of(run)
    check_target(out, overwrite=True)
    data, origin = choose_data(fetch=fetch, synthetic=synthetic, run=run)
    compared = compare(
        data, MODELS, cutting=Cutting(), metrics=["ndcg@10", "recall@20", "coverage@10"], run=run
    )
    # The best model that gives reasons, since the demonstration shows them.
    explaining = {n: r for n, r in compared.results.items() if compared.models[n].traits.explains}
    best = max(explaining or compared.results, key=lambda name: compared.results[name]["ndcg@10"])
    model = registry.create(best).fit(data, run=run)
    kept = compared.results[best].kept()
    path = save(model, out, overwrite=True, metrics=kept, split=compared.split.sentence)
    return Demo(
        data=data,
        origin=origin,
        compared=compared,
        model=model,
        known=_known(model),
        unseen=_unseen(model),
        similar=_neighbours(model),
        path=path,
    )


def _fetched(run: Run) -> str | None:
    try:
        datasets.fetch(DATASET, progress=run.progress)
    except CofactorError as error:
        return str(error)
    return None


def _known(model: Recommender) -> UserExample:
    """A user with a history of medium length: it shows preferences and is read quickly."""
    counts = model.data.user_counts
    row = int(np.argsort(np.abs(counts - 30), kind="stable")[0])
    user = model.data.users.ids([row])[0]
    liked = _liked(model.data, row)
    table = model.recommend(user, k=8)
    return UserExample(
        f"user {user}", model.data.catalogue_titles(liked), table, _reasons(model, table, user=user)
    )


def _unseen(model: Recommender) -> UserExample:
    """An unseen user, with three items that one real user liked: popular ones, so that the reader
    may know them.
    """
    data = model.data
    row = int(np.argsort(np.abs(data.user_counts - 60), kind="stable")[0])
    liked = _liked(data, row, count=40)
    three = sorted(liked, key=lambda item: -int(data.item_counts[item]))[:3]
    history = data.items.ids(three)
    table = model.recommend(history=history, k=8)
    return UserExample(
        "an unseen user",
        data.catalogue_titles(three),
        table,
        _reasons(model, table, history=history),
    )


def _liked(data: Interactions, user_row: int, count: int = 6) -> list[int]:
    """The user's best rated items, the latest first among equals."""
    mine = data.histories(np.array([user_row]))
    values = np.ones(len(mine.item_rows)) if mine.values is None else mine.values
    order = np.lexsort((-np.arange(len(values)), -values))
    return [int(item) for item in mine.item_rows[order][:count]]


def _reasons(model: Recommender, table: RankedTable, **whose: Any) -> list[Explanation]:
    if not model.traits.explains:
        return []
    return [model.explain(item=item, **whose) for item in table.ids]


def _neighbours(model: Recommender) -> tuple[str, RankedTable]:
    """The neighbours of a well-known item."""
    data = model.data
    hits = (
        data.catalogue.search("star wars", 1)
        if data.catalogue.title_column
        else np.zeros(0, np.int64)
    )
    row = int(hits[0]) if len(hits) else int(np.argmax(data.item_counts))
    return data.catalogue_titles([row])[0], model.similar_items(data.items.ids([row])[0], k=8)
