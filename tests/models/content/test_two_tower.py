"""TwoTower: ids and content side by side."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cofactor.artifact.load import load
from cofactor.artifact.save import save
from content_shop import made


def test_two_tower_scores_by_content_are_sums_over_its_words() -> None:
    model = made("two_tower", calibrate_exposure=False)
    model = model.with_items([{"item_id": 1, "description": "piano keys"}])
    batch = model.user_batch(np.array([2]))
    reasons = model._explain_features(batch, 61)
    assert sum(r.contribution for r in reasons) == pytest.approx(
        float(model.score_batch(batch)[0, 61]), rel=1e-4
    )


def test_two_tower_with_hidden_layers_learns_saves_and_tells_exactly_what_each_word_added(
    tmp_path: Path,
) -> None:
    model = made("two_tower", hidden=(16, 8), user_features=("hobby",), epochs=14)
    assert [m.shape[1] for m in model.maps] == [16, 8, 9]
    model = model.with_items([{"item_id": 1, "description": "piano keys thing"}])
    for item in (2, 61):
        reasons = model._explain_features(model.user_batch(np.array([2])), item)
        state = model.user_batch(np.array([2])).states[0]
        gate = model._gate(model.data.item_counts)[item] if item == 2 else model.check.scale
        content = gate * model._content_vectors(model.features[item])[0] / model.check.scale
        assert sum(r.contribution for r in reasons) == pytest.approx(
            float(content[:-1] @ state[:-1] + content[-1]), rel=1e-3, abs=1e-5
        )
    scores = model.score_rows(np.arange(90))[:, 61]
    assert (
        scores[np.arange(90) % 4 == 2].mean()
        > scores[np.arange(90) % 4 != 2].mean() + 0.5 * scores.std()
    )
    again = load(save(model, tmp_path / "model"))
    np.testing.assert_allclose(
        again.score_rows(np.arange(90)), model.score_rows(np.arange(90)), rtol=1e-4, atol=1e-5
    )
    found = again.recommend(features={"hobby": "engine"}, k=5)
    assert np.mean([(i - 500) % 4 == 1 for i in found.ids]) >= 0.8


def test_two_tower_content_loss_leaves_the_trained_vectors_as_they_would_be_without_it() -> None:
    # One pass, no gate: the users' gradient comes from the whole loss alone.
    torch = pytest.importorskip("torch")
    from scipy import sparse

    from cofactor.models.content.towers import CONTENT, FIXED, TowerTables
    from cofactor.models.neural.latent_factor_module import TableSettings

    features = sparse.csr_matrix(np.eye(5, 3, dtype=np.float32))
    tables = TowerTables(
        torch.randn(4, 3),
        torch.randn(5, 3),
        TableSettings(
            biases=True,
            user_biases=False,
            cosine=False,
            sparse=False,
            regularization=0.1,
            bias_regularization=(0.1, 0.1),
        ),
        towers={"items": (features, np.full(5, 0.5))},
    )
    tables.items.bag.data.normal_()
    users, items = torch.tensor([0, 3]), torch.tensor([1, 4])
    tables.answer(FIXED, CONTENT)
    loss = tables.pairs(users, items).sum()
    (loss + tables.penalty(users, items)).backward()
    assert tables.users.own.weight.grad is None
    assert tables.items.own.weight.grad is None
    assert tables.items.bag.grad.abs().sum() > 0
    expected = tables.items.own.weight + 0.5 * torch.tensor(features.toarray()) @ tables.items.bag
    torch.testing.assert_close(tables.items.weight, expected)


def test_two_tower_content_alone_when_ids_always_are_left_out() -> None:
    model = made("two_tower", id_dropout=1.0, epochs=4)
    np.testing.assert_allclose(
        model.item_factors[:60], model.features[:60] @ model.maps[0][:, :-1], rtol=1e-4, atol=1e-5
    )


def test_two_tower_gate_closes_with_interactions() -> None:
    model = made("two_tower", feature_prior_count=10.0, epochs=1)
    np.testing.assert_allclose(model._gate(np.array([0, 10, 90])), [1, 0.5, 0.1])
    model = made("two_tower", feature_prior_count=None, epochs=1)
    assert (model._gate(np.array([0, 10])) == 1).all()
