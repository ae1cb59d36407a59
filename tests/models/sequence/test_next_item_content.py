"""Content in next-item networks: items that nobody had are ranked from their titles."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch

import cofactor
import forked
from cofactor.base.errors import ArtifactError, DataError, TraitError
from cofactor.base.run import Run
from cofactor.data.catalogue import Catalogue
from cofactor.data.interactions import Interactions
from cofactor.data.sessions import extended
from cofactor.models import registry
from models.sequence.test_next_item_models import cycles

RUN = Run(seed=1, threads=1)
MODELS = pytest.mark.parametrize("name", ["transformer", "gru4rec"])
SMALL = {
    "factors": 16,
    "max_length": 16,
    "history_length": 16,
    "batch_tokens": 256,
    "epochs": 25,
    "learning_rate": 0.01,
    "dropout": 0.0,
    "content_factors": 8,
    "id_dropout": 0.5,
}
KINDS = ("red wooden chair", "blue woollen scarf")


def furnished(data: Interactions, n_cold: int = 0) -> Interactions:
    """Data whose items' titles say whether their row is even, with items that nobody had."""
    n = data.n_items + n_cold
    titles = [f"{KINDS[row % 2]} number {row // 6}" for row in range(n)]
    grown = Interactions.from_rows(
        data.user_rows, data.item_rows, times=data.times, users=data.n_users, items=n
    )
    return replace(grown, catalogue=Catalogue(pa.table({"title": titles})))


def by_kind(n_cold: int = 0, n_users: int = 80) -> Interactions:
    """Users who take nine items of one kind each, in a random order."""
    draw = np.random.default_rng(4)
    kinds = np.repeat(np.arange(n_users) % 2, 9)
    taken = np.concatenate([draw.permutation(11)[:9] for _ in range(n_users)])
    users, times = np.repeat(np.arange(n_users), 9), np.tile(np.arange(9), n_users)
    data = Interactions.from_rows(users, 2 * taken + kinds, times=times, users=n_users, items=22)
    return furnished(data, n_cold)


@cache
def fitted(name: str, epochs: int = 25) -> Any:
    """A model without cold items; tests don't change it."""
    return registry.create(name, **{**SMALL, "epochs": epochs}).fit(by_kind(), run=RUN)


@MODELS
def test_new_items_are_ranked_from_their_titles_without_retraining(name: str) -> None:
    model = fitted(name)
    lines = [{"item_id": 100 + n, "title": f"{KINDS[n % 2]} number 9"} for n in range(4)]
    grown = model.with_items(lines)
    assert grown.data.n_items == 26
    assert model.data.n_items == 22
    for parity in (0, 1):
        history = [2 * n + parity for n in range(6)]
        scores = grown.score_batch(grown.fold_in(cofactor_histories(history, 26)))[0, 22:]
        assert scores[parity::2].min() > scores[1 - parity :: 2].max()
    # The new items may stand in a history too.
    scores = grown.score_batch(grown.fold_in(cofactor_histories([22, 24], 26)))[0, :22]
    assert scores[::2].mean() > scores[1::2].mean()


def cofactor_histories(rows: list[int], n_items: int) -> cofactor.data.histories.Histories:
    return cofactor.data.histories.Histories.of([rows], n_items)


@MODELS
def test_items_without_interactions_have_content_alone_and_are_no_negatives(name: str) -> None:
    model = registry.create(name, **{**SMALL, "epochs": 5}).fit(by_kind(n_cold=4), run=RUN)
    found = model.content.vectors_of(model.features)
    np.testing.assert_allclose(model.item_factors[22:], found[22:], atol=1e-6)
    assert np.abs(model.item_factors[:22] - found[:22]).max() > 0.01
    np.testing.assert_array_equal(model.item_factors[:22], fitted(name, 5).item_factors)


def test_the_vectors_that_answer_are_those_of_training() -> None:
    small = {**SMALL, "epochs": 5, "loss": "sampled_softmax", "negatives": 9}
    model = registry.create("transformer", **small)
    model.fit(by_kind(n_cold=3), run=RUN)
    module = model._encoder(22, torch.from_numpy(model.content.reduced)).eval()
    warm = model.item_factors[:22] - model.content.vectors_of(model.features)[:22]
    reduced = model.content.reduced
    map_ = np.linalg.lstsq(reduced, model.content.vectors_of(model.features)[:22], rcond=None)[0]
    held = {"embeddings.weight": warm, "content.weight": map_.T, **model.weights}
    module.load_state_dict({name: torch.tensor(array) for name, array in held.items()})
    with torch.no_grad():
        np.testing.assert_allclose(
            module.item_vectors().numpy(), model.item_factors[:22], atol=1e-5
        )
        wanted = module(torch.tensor([[1, 3, 5]]))[0, -1].numpy()
    read = np.asarray(model._fold_in(cofactor_histories([1, 3, 5], 25)))[0]
    np.testing.assert_allclose(read, wanted, rtol=1e-4, atol=1e-4)


def test_embeddings_that_are_left_out_do_not_count() -> None:
    model = registry.create("transformer", **SMALL)
    content = torch.randn(5, 8)
    module = model._encoder(5, content)
    kept = torch.tensor([True, False, True, False, False])
    found = module.item_vectors(kept).detach()
    alone = module.content(content).detach()
    torch.testing.assert_close(found[~kept], alone[~kept])
    torch.testing.assert_close(found[kept], (alone + module.embeddings.weight)[kept].detach())


def test_content_costs_nothing_where_it_is_off_and_is_refused_without_a_catalogue() -> None:
    off = {**SMALL, "content_factors": 0, "epochs": 1}
    model = registry.create("transformer", **off).fit(by_kind(), run=RUN)
    assert not model.traits.uses_features
    assert "content_map" not in model.state()
    with pytest.raises(TraitError, match="reads no content, so it can't add new items"):
        model.with_items([{"item_id": 100, "title": "red"}])
    with pytest.raises(DataError, match="nothing is known of the items"):
        registry.create("transformer", **SMALL).fit(cycles(), run=RUN)


def test_an_update_keeps_what_content_has_learned() -> None:
    model = fitted("transformer")
    before, item = model.content.vectors_of(model.features), np.array([[100], [101]])
    grown = model.with_items(
        [{"item_id": int(row), "title": f"{KINDS[int(row) % 2]} number 9"} for row in item[:, 0]]
    )
    events = cofactor.data.events.Events(
        pa.chunked_array([pa.array([200, 200])]),
        pa.chunked_array([pa.array([0, 2])]),
        times=np.array([50, 51]),
    )
    grown.update(events, epochs=1, run=RUN)
    assert extended(by_kind(), events).n_items == 22
    after = grown.content.vectors_of(grown.features)[:22]
    for old, new in zip(before, after, strict=True):
        assert np.corrcoef(old, new)[0, 1] > 0.9
    scores = grown.score_batch(grown.fold_in(cofactor_histories([0, 2, 4], 24)))[0]
    assert scores[22] > scores[23]


def test_a_saved_model_takes_new_items_without_torch(tmp_path: Path) -> None:
    cofactor.save(fitted("transformer"), tmp_path / "model")
    code = f"""
import sys
sys.modules["torch"] = None
import cofactor
model = cofactor.load(r"{tmp_path / "model"}")
grown = model.with_items([{{"item_id": 100, "title": "red wooden chair number 9"}}])
print(grown.recommend(history=[0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20], k=1).ids)
print(model.similar_to("wooden chair", k=1).ids[0] % 2)
"""
    done = forked.run(code)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["[100]", "0"]


def test_a_map_of_another_width_is_refused() -> None:
    model = registry.create("transformer", **{**SMALL, "epochs": 1}).fit(by_kind(), run=RUN)
    arrays = dict(model.state())
    arrays["content_map"] = arrays["content_map"][:-1]
    with pytest.raises(ArtifactError, match="must have a line for each of the"):
        type(model).from_state(model.config, arrays, model.data)
