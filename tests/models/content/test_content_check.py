"""The check of content vectors: beside content_knn, by recall on held-out items."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from benchmarks.panel import alike
from scipy import sparse

import cofactor
from cofactor.base.run import Run
from cofactor.data.catalogue import Catalogue
from cofactor.data.interactions import Interactions
from cofactor.data.synthetic import shop
from cofactor.models import registry
from cofactor.models.content.check import CHECK, Check, nearest, other_items, recalls

N_USERS, N_ITEMS = 60, 40


def interactions() -> Interactions:
    draw = np.random.default_rng(2)
    users, items = np.nonzero(draw.random((N_USERS, N_ITEMS)) < 0.2)
    return Interactions.from_rows(users, items, users=N_USERS, items=N_ITEMS)


def check(**changes: Any) -> Check:
    usual = Check(0.5, 0.8, 0.9, 0.1, 0.1, 1.0, 10.0, 40, 0.3, 0.2, 0.001)
    return replace(usual, **changes)


def test_recall_counts_a_users_items_among_the_best_places() -> None:
    data = interactions()
    users, items = np.arange(N_USERS), np.arange(20)
    own = data.matrix()[users][:, items].toarray() > 0
    assert recalls(own.astype(np.float32), data, users, items) == pytest.approx(
        np.minimum(2, own.sum(1)) / np.maximum(own.sum(1), 1)
    )
    assert (recalls(-own.astype(np.float32), data, users, items)[own.sum(1) < 18] == 0).all()


def test_the_baselines_profile_is_made_of_the_other_items() -> None:
    data = interactions()
    features = sparse.random(N_ITEMS, 12, 0.4, format="csr", random_state=3, dtype=np.float32)
    users, items = np.arange(N_USERS), np.array([1, 5, 30])
    units = features.toarray()
    units /= np.maximum(np.linalg.norm(units, axis=1, keepdims=True), 1e-12)
    rest = data.matrix().toarray() > 0
    rest[:, items] = False
    expected = (rest @ units) @ units[items].T
    assert nearest(features, data, users, items) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "Recall@4 0.300, content_knn 0.200: better than content_knn"),
        ({"recall": 0.1}, "worse than content_knn, which costs less"),
        ({"recall_p": 0.3}, "not significantly better than content_knn"),
        ({"recall": 0.1, "recall_p": 0.3}, "not significantly better than content_knn"),
        ({"recall": math.nan}, "not compared with content_knn"),
    ],
)
def test_the_verdict_is_by_recall_whatever_the_auc(changes: dict[str, float], said: str) -> None:
    assert said in check(**changes).sentence
    assert said in check(**changes, auc=0.51).sentence


def test_what_an_older_version_saved_is_read() -> None:
    older = Check.of_array(check().array()[:8])
    assert math.isnan(older.recall)
    assert older.n_held_out == 40
    assert Check.of_array(check().array()) == check()
    assert len(check().array()) == len(CHECK)


@pytest.mark.parametrize("name", ["bridge", "feature_ials"])
def test_models_with_content_say_how_they_stand(name: str, tmp_path: Any) -> None:
    data = shop(n_users=150, n_items=80, seed=1)
    model = cofactor.models.registry.create(name, compare_without_features=False).fit(data)
    assert 0 <= model.check.recall <= 1
    assert 0 < model.check.recall_nearest <= 1
    (said,) = [note for note in model.notes if "content_knn" in note]
    assert f"content_knn {model.check.recall_nearest:.3f}" in said
    cofactor.save(model, tmp_path / "m")
    assert cofactor.load(tmp_path / "m").check == model.check


def test_users_are_folded_in_without_the_held_out_items() -> None:
    data = interactions()
    past = other_items(data, np.array([3, 7]), np.array([1, 5, 30]))
    own = [set(data.item_rows[data.indptr[u] : data.indptr[u + 1]]) for u in (3, 7)]
    left = [set(past.item_rows[past.indptr[n] : past.indptr[n + 1]]) for n in (0, 1)]
    assert left == [one - {1, 5, 30} for one in own]


@pytest.mark.parametrize("name", ["bridge", "feature_ials"])
def test_content_that_says_nothing_is_not_called_better(name: str) -> None:
    data = alike(600, 400, 0.015, seed=2)
    words = np.random.default_rng(0).integers(0, 3000, (400, 20))
    texts = pa.table({"text": [" ".join(f"w{word}" for word in row) for row in words]})
    data = replace(data, catalogue=Catalogue(texts))
    settings = {"base_settings": ("regularization=0.002",)} if name == "bridge" else {}
    model = registry.create(name, text=("text",), **settings).fit(data, run=Run(threads=1))
    assert model.check.auc == pytest.approx(0.5, abs=0.1)
    assert "not significantly better" in model.check.verdict or "worse" in model.check.verdict


def test_recall_is_named_by_its_places() -> None:
    assert "Recall@4 0.300" in check().sentence
    assert "Recall@20 0.300" in check(n_held_out=900).sentence


def test_items_seen_in_training_are_not_compared_with_those_of_content_knn() -> None:
    assert "no comparison" in check().sentence_of_trained
    assert "better than" not in check().sentence_of_trained
    assert "worse than content_knn" in check(recall=0.1).sentence_of_trained
    assert "upper bound" in check(recall=0.1).sentence_of_trained
