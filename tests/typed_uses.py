"""Right and wrong uses of the public names, for the type checkers: a line that ends in ``# wrong``
must be refused, and no other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

import cofactor

if TYPE_CHECKING:
    import pandas as pd


def right(frame: pd.DataFrame, matrix: Any, rows: Sequence[tuple[str, str]]) -> None:
    """Nothing here is refused."""
    model: cofactor.IALS = cofactor.IALS(factors=32, regularization=0.1).fit(rows)
    cofactor.IALS().fit(frame).recommend("u", k=3)
    cofactor.IALS().fit(matrix).fit("ml-100k").fit(cofactor.read("a.csv"))
    cofactor.IALS(cofactor.IALS.Config(factors=8), epochs=3).clone().set_params(factors=2)
    config = model.config
    length: int | None = config.factors
    split = cofactor.split(model.data, "per-user", test=0.2)
    result = cofactor.evaluate(model, split, ["ndcg@10"])
    print(length, result.summary, np.asarray(model.score("u")).shape)
    print(cofactor.TwoTower(hidden=(32,), epochs=2), cofactor.EASE(keep=None))
    recommenders: list[cofactor.Recommender] = [model, cofactor.Popularity()]
    cofactor.save(recommenders[0], "folder")
    print(cofactor.ContentRidge().with_items([{"item_id": 1}]).recommend(k=2).ids)


def wrong(model: cofactor.IALS) -> None:
    """Every call here is refused."""
    cofactor.IALS(factors="lots")  # wrong
    cofactor.IALS(nonsense=3)  # wrong
    cofactor.IALS(32)  # wrong
    cofactor.IALS(cofactor.EASE.Config())  # wrong
    cofactor.IALS().fit(3)  # wrong
    cofactor.TwoTower(hidden=32)  # wrong
    cofactor.Bias(user_dampin=1.0)  # wrong
    print(model.config.factor)  # wrong
    model.recommend("u", k="three")  # wrong
    model.recommend("u", kk=3)  # wrong
    model.with_items()  # wrong
    cofactor.evaluate(model)  # wrong
    cofactor.save("folder")  # wrong
    cofactor.Run(threads="two")  # wrong
    print(cofactor.Nothing)  # wrong
