"""The ridge and the weight of co-occurring items follow what ranks held-out items."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from cofactor.base.progress import SilentProgress
from cofactor.base.run import Run
from cofactor.data.catalogue import Catalogue
from cofactor.data.interactions import Interactions
from cofactor.models.content import ridge_choice
from cofactor.models.content.content_ridge import ContentRidge
from cofactor.models.content.ridge_choice import RidgeSettings, settled

OPEN = RidgeSettings(None, None, 0.5, 0.5)


class Said(SilentProgress):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)


def by_topic(n_users: int = 3000, *, related: bool = True) -> Interactions:
    """Users with some famous items that suit their mixture of topics, which are the items'
    features; or with the features of other items.
    """
    rng = np.random.default_rng(4)
    n_items, n_topics = 600, 12
    topics = rng.dirichlet(np.full(n_topics, 0.15), n_items)
    likes = rng.dirichlet(np.full(n_topics, 0.3), n_users)
    fame = -0.6 * np.log(rng.permutation(n_items) + 5.0)
    scores = 6 * likes @ topics.T + fame + rng.gumbel(size=(n_users, n_items))
    items = np.argsort(-scores, axis=1)[:, :12].ravel()
    features = (topics if related else rng.permutation(topics)).T
    users = np.repeat(np.arange(n_users), 12)
    data = Interactions.from_rows(users, items, users=n_users, items=n_items)
    names = [f"n{topic}" for topic in range(n_topics)]
    return replace(data, catalogue=Catalogue(pa.table(list(features), names=names)))


def inputs_of(data: Interactions) -> object:
    return ContentRidge(ridge=10.0, neighbours=20.0).fit(data).features


def test_items_that_co_occur_by_chance_count_less_where_texts_say_more() -> None:
    data, said = by_topic(), Said()
    chosen = settled(data, inputs_of(data), OPEN, Run(threads=1, progress=said))
    assert chosen[1] == 0.0
    assert said.lines == [f"content_ridge: ridge={chosen[0]:g}, neighbours=0"]
    model = ContentRidge().fit(data, run=Run(threads=1))
    same = ContentRidge(ridge=chosen[0], neighbours=0.0)
    assert np.array_equal(model.weights, same.fit(data, run=Run(threads=1)).weights)


def test_the_usual_values_stay_where_nothing_is_better() -> None:
    data = by_topic(n_users=400, related=False)
    assert settled(data, inputs_of(data), OPEN, Run(threads=1)) == (10.0, 20.0)


def test_with_few_users_nothing_is_chosen() -> None:
    data = by_topic(n_users=90)
    assert settled(data, inputs_of(data), OPEN, Run(threads=1)) == (10.0, 20.0)


def test_what_is_given_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    data = by_topic()
    found = settled(data, inputs_of(data), OPEN._replace(ridge=3.0), Run(threads=1))
    assert found[0] == 3.0
    monkeypatch.setattr(ridge_choice, "_HeldOutWarm", None)  # nothing is held out
    both = OPEN._replace(ridge=3.0, neighbours=7.0)
    assert settled(data, inputs_of(data), both, Run(threads=1)) == (3.0, 7.0)
