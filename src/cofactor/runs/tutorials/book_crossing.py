"""Full-batch gradient descent with gravity on Book-Crossing's ratings 1..10, the best epoch
kept, and a book's nearest books.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from cofactor.base.run import Run
from cofactor.data import datasets
from cofactor.data.catalogue import Catalogue
from cofactor.data.interactions import Interactions
from cofactor.models.baselines.bias import Bias
from cofactor.models.neural.latent_factor import LatentFactor
from cofactor.runs.tutorials.figures import (
    Figure,
    Reproduced,
    fitted,
    mean_mse,
    mse,
    random_split,
    ratings,
)

# batch_size 0: each step sees all ratings, as in the tutorial.
_GD: dict[str, Any] = {"batch_size": 0, "factors": 32, "epochs": 60}
# As the tutorial has it: a plain product, L2 and gravity, no mean and no biases.
PLAIN: dict[str, Any] = {
    **_GD,
    "mean": False,
    "biases": False,
    "factors": 16,
    "epochs": 600,
    "learning_rate": 0.05,
    "init_scale": 0.02,
    "gravity": 0.01,
    "regularization": 0.03,
    "frequency_exponent": 1.0,
    "patience": 30,
}
# With frequency_exponent 0 the L2 of biases is as many pseudo-ratings for everybody: two for a
# user, five for a book.
BIASED: dict[str, Any] = {
    **_GD,
    "learning_rate": 0.005,
    "schedule": "cosine",
    "gravity": 0.05,
    "regularization": 0.49,
    "frequency_exponent": 0.0,
    "bias_regularization": 0.06,
    "item_bias_regularization": 1.6,
    "bias_weight": 0.0,
    "user_damping": 2.0,
}
# Who rated what says more of a series than how: 1 for each rated pair, and gravity pulls all others
# to 0.
NEIGHBOURS: dict[str, Any] = {
    **_GD,
    "epochs": 40,
    "learning_rate": 0.1,
    "init_scale": 0.1,
    "biases": False,
    "gravity": 20.0,
    "regularization": 0.01,
}
ASKED = {
    "harry potter and the chamber of secrets": "harry potter",
    "two dead girls": "green mile",
    "pawn of prophecy": "belgariad",
}
REALIGNED = (
    "In the subset as published, the titles are shifted by one item id: of the 5,000 pairs of books"
    " that share most readers, 20 % have one author if a title is given to the next id, and 0.7 %"
    " as it stands; so titles are moved up by one here."
)


def recipe(run: Run) -> Reproduced:
    """Report the test MSE of descent with and without mean and biases, and whether a series lies
    together.
    """
    data = ratings("book-crossing")
    cut = random_split(data, run.seed)
    report = Reproduced(
        "book_crossing", "Full-batch descent with gravity (Book-Crossing)", cut.sentence
    )
    whole = cut.with_validation_merged()
    bias = Bias().fit(whole.train, run=run)
    plain = LatentFactor(**PLAIN).fit(cut.train, validation=cut.validation, run=run)
    report.curves["plain"] = plain.curve
    biased, seconds = fitted(LatentFactor(**BIASED), cut, run, report, "with mean and biases")
    name = "book-crossing"
    report.figures = [
        Figure("mean", name, "test MSE", mean_mse(whole.train, whole.test)),
        Figure("bias only", name, "test MSE", mse(bias, whole.test)),
        Figure(
            "descent with gravity, plain",
            name,
            "test MSE, best epoch",
            mse(plain, cut.test),
            "13.49",
        ),
        Figure(
            "with mean and biases",
            name,
            "test MSE",
            mse(biased, whole.test),
            "13.49",
            2.14,
            seconds=seconds,
        ),
    ]
    _show_neighbours(data, run, report)
    return report


def _show_neighbours(data: Interactions, run: Run, report: Reproduced) -> None:
    """Say whether the books of a series lie together."""
    report.shown = [REALIGNED]
    titled = replace(realigned(data), values=None)
    model = LatentFactor(**NEIGHBOURS).fit(titled, run=run)
    for title, series in ASKED.items():
        found = titled.catalogue.search(title, 20)
        book = int(found[np.argmax(titled.item_counts[found])])
        near = [
            line["title"] or "?"
            for line in model.similar_items(titled.items.ids([book])[0], k=5, run=run)
        ]
        hits = sum(series in text.casefold() for text in near)
        report.shown.append(f"Nearest to {titled.catalogue.titles([book])[0]!r}: {'; '.join(near)}")
        bar = 1.0 if title == next(iter(ASKED)) else None
        report.figures.append(
            Figure(
                "gravity on rated pairs",
                "book-crossing",
                f"of the nearest 5, {series}",
                float(hits),
                "",
                bar,
                higher_is_better=True,
            )
        )


def realigned(data: Interactions) -> Interactions:
    """Return the interactions with each title moved to the item id one above the one it was
    published under.
    """
    every = Interactions.build(datasets.load("book-crossing"), keep_catalogue_items=True)
    rows = every.items.find(np.array(data.items.ids()) - 1)
    table = every.catalogue.table.take(pa.array(np.maximum(rows, 0), mask=rows < 0))
    return replace(data, catalogue=Catalogue(table, every.catalogue.title_column))
