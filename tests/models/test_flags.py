"""Odd uses of the public calls: flags and ids of other types, a fit beside a call."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cofactor
from cofactor.base.errors import ArgumentError, NotFittedError
from cofactor.data.ids import IdMap
from cofactor.data.synthetic import shop
from cofactor.models.recommender import Recommender
from cofactor.store import Event, backup, export_events, open_store, restore


@pytest.fixture(scope="module")
def model() -> Recommender:
    return cofactor.Popularity().fit(shop(n_users=12, n_items=20))


@pytest.mark.parametrize("odd", ["no", "False", 0, 1, None, []])
def test_a_word_for_no_is_not_taken_for_yes(model: Recommender, odd: Any, tmp_path: Path) -> None:
    saved = cofactor.save(model, tmp_path / "model")
    user = model.data.users.ids([0])
    split = cofactor.split(model.data, "random")
    url = f"sqlite:///{tmp_path}/events.db"
    with open_store(url) as store:
        store.append([Event(user_id="u", item_id="i")]).result()
        backup(store, tmp_path / "b.db")
        export_events(store, tmp_path / "e.jsonl")
        for call in (
            lambda: model.recommend(user, exclude_seen=odd),
            lambda: cofactor.save(model, saved, overwrite=odd),
            lambda: cofactor.load(saved, mapped=odd),
            lambda: cofactor.evaluate(model, split, exclude_seen=odd),
            lambda: cofactor.evaluate(model, split, full=odd),
            lambda: backup(store, tmp_path / "b.db", overwrite=odd),
            lambda: restore(tmp_path / "b.db", url, overwrite=odd),
            lambda: export_events(store, tmp_path / "e.jsonl", overwrite=odd),
            lambda: open_store(url, read_only=odd),
        ):
            with pytest.raises(ArgumentError, match="must be True or False"):
                call()


def test_one_id_is_one_id_in_any_container(model: Recommender) -> None:
    user = model.data.users.ids([3])[0]
    expected = model.recommend(user).ids
    for one in (np.array(user), np.str_(user), np.array([user]), user.encode(), f" {user} "):
        assert model.recommend(one).ids == expected
    numbers = IdMap(np.arange(5, 9))
    assert numbers.find(np.array(7)).tolist() == [2]
    assert numbers.rows(np.array("7")).tolist() == [2]
    with pytest.raises(ArgumentError, match="must be a list, not an array of shape"):
        model.recommend(np.array([[user]]))


@pytest.mark.parametrize("fails", [False, True])
def test_no_answer_is_made_of_two_fits(fails: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    data, other = shop(n_users=12, n_items=20), shop(n_users=14, n_items=24, seed=9)
    model = cofactor.Popularity().fit(data)
    real = type(model).topk

    def fitted_meanwhile(self: Recommender, *arguments: Any, **options: Any) -> Any:
        model.fit(other)  # as another thread would
        if fails:
            raise IndexError("arrays of two fits")
        return real(self, *arguments, **options)

    user = data.users.ids([0])
    with monkeypatch.context() as patched:
        patched.setattr(type(model), "topk", fitted_meanwhile)
        with pytest.raises(NotFittedError, match="fitted again by another thread"):
            model.recommend(user)
    assert len(model.recommend(user)) > 0


def test_an_explanation_is_of_one_item() -> None:
    model = cofactor.EASE().fit(shop(n_users=12, n_items=20))
    user, items = model.data.users.ids([0])[0], model.data.items.ids([0, 1])
    assert model.explain(user, items[:1]).item == items[0]
    for odd in (items, []):
        with pytest.raises(ArgumentError, match="explain takes one item, not"):
            model.explain(user, odd)
