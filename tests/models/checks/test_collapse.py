"""A model whose vectors have collapsed says so after fitting."""

from __future__ import annotations

import numpy as np
import pytest

from cofactor.base.run import Run
from cofactor.data.interactions import Interactions
from cofactor.data.synthetic import shop
from cofactor.models import registry
from cofactor.models.checks import collapse
from cofactor.models.implicit.ials import IALS

ONE = Run(threads=1)


def collapse_of(model):
    counts = model.data.item_counts
    items = np.flatnonzero(counts)
    users = np.arange(model.data.n_users)
    scores = model.score_rows(users, items)
    had = collapse._among(model.data, users, items)
    return collapse.collapse_of(model.name, scores, counts[items], had)


@pytest.fixture(scope="module")
def books():
    return shop(n_users=200, n_items=120, seed=1)


@pytest.fixture
def fitted(books):
    return IALS(factors=8).fit(books, run=ONE)


def test_a_model_that_has_learned_preferences_says_nothing(books, caplog):
    assert collapse_of(IALS(factors=8).fit(books, run=ONE)) is None
    assert not caplog.records


def test_one_vector_for_all_users_is_a_collapse(fitted):
    fitted.user_factors[:] = fitted.user_factors[:1]
    sentence = collapse_of(fitted)
    assert sentence is not None
    assert sentence.startswith("ials has collapsed: it ranks the items alike for all users")
    assert "lower its regularization" in sentence


def test_scores_like_popularity_are_named_so(fitted, books):
    fitted.user_factors[:] = 0
    fitted.user_factors[:, 0] = np.linspace(1, 2, books.n_users)
    fitted.item_factors[:, 0] = np.log(np.maximum(books.item_counts, 1))
    assert "much like popularity" in (collapse_of(fitted) or "")


def test_vectors_of_zero_are_a_collapse(fitted):
    fitted.user_factors[:] = 0
    assert "the same score for all items" in (collapse_of(fitted) or "")


def test_a_few_users_or_items_say_nothing():
    few = Interactions.from_rows(np.arange(10), np.arange(10), users=10, items=10)
    assert collapse_of(IALS(factors=2).fit(few, run=ONE)) is None


def test_only_rows_with_interactions_are_scored():
    counts = np.array([0, 3, 1, 0, 2, 1, 1])
    assert collapse.rows_to_score(counts, 10).tolist() == [1, 2, 4, 5, 6]
    assert collapse.rows_to_score(counts, 3).tolist() == [1, 4, 6]


def test_fitting_says_so(books, caplog):
    class Said:
        def __init__(self) -> None:
            self.said: list[str] = []

        def task(self, name, total):
            from cofactor.base.progress import SILENT

            return SILENT.task(name, total)

        def say(self, text):
            self.said.append(text)

    def collapsed_model():
        class Collapsed(IALS):
            def _fit(self, data, validation, run):
                super()._fit(data, validation, run)
                self.user_factors[:] = self.user_factors[:1]

        return Collapsed(factors=4, popularity_weight=0)

    collapsed_model().fit(books, run=ONE)
    assert "ials has collapsed" in caplog.text
    progress = Said()
    collapsed_model().fit(books, run=Run(threads=1, progress=progress))
    assert any("ials has collapsed" in text for text in progress.said)


# Settings that leave little but what all users have in common.
COLLAPSED = {
    "ials": {"regularization": 0.2},
    "bpr": {"regularization": 50.0, "bias_regularization": 0.0, "learning_rate": 0.02},
    "warp": {"regularization": 50.0, "bias_regularization": 0.0},
    "logistic_mf": {"regularization": 1e4},
    "latent_factor": {"loss": "bpr", "regularization": 50.0},
    "simplex": {
        "negative_weight": 1e-6,
        "negatives": 8,
        "learning_rate": 0.05,
        "epochs": 10,
        "batch_size": 1024,
    },
    "neumf": {"regularization": 3.0, "learning_rate": 0.03, "epochs": 10, "batch_size": 1024},
    "feature_ials": {"regularization": 1e4, "epochs": 2, "compare_without_features": False},
}


@pytest.mark.parametrize("name", COLLAPSED)
def test_every_latent_model_that_ranks_says_so(name, books, caplog):
    registry.create(name, **{"factors": 4, "epochs": 2} | COLLAPSED[name]).fit(books, run=ONE)
    assert f"{name} has collapsed" in caplog.text


@pytest.mark.parametrize("name", ["item_knn", "ials", "graph_filter"])
def test_users_of_one_item_each_teach_no_pairs(name, caplog):
    users = np.arange(300)
    lone = Interactions.from_rows(users, users % 30, users=300, items=30)
    registry.create(name).fit(lone, run=ONE)
    assert f"only 0 of 300 users have two items or more: {name} can't learn" in caplog.text


@pytest.mark.parametrize("name", ["popularity", "ials"])
def test_popularity_needs_no_pairs_and_a_tenth_of_pairs_is_enough(name, books, caplog):
    lone = books.where(np.diff(books.user_rows, prepend=-1) > 0)
    lone = lone if name == "popularity" else books
    registry.create(name).fit(lone, run=ONE)
    assert "two items or more" not in caplog.text


def test_a_few_items_far_above_all_others_are_no_collapse():
    """Everybody's scores correlate by them, and order the rest by the user's own half."""
    own = np.arange(40)[:, None] % 2 == np.arange(100) % 2
    scores = np.where(own, 1.0, -1.0).astype(np.float32)
    scores[:, :3] = 100
    had = [np.flatnonzero(row).astype(np.int32) for row in own]
    indptr = np.arange(41) * 50
    alike = collapse.collapse_of(
        "bpr", np.sort(scores, axis=1), np.ones(100, int), (indptr, np.concatenate(had))
    )
    assert "has collapsed" in (alike or "")
    found = collapse.collapse_of("bpr", scores, np.ones(100, int), (indptr, np.concatenate(had)))
    assert found is None
