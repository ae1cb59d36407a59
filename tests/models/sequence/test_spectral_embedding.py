"""Embeddings that begin at a spectral embedding of the items that occur near each other."""

from __future__ import annotations

import numpy as np
import pytest

from cofactor.base.run import Run
from cofactor.data.histories import Histories
from cofactor.data.interactions import Interactions
from cofactor.models import registry
from cofactor.models.sequence.spectral_embedding import spectral_embeddings

N_ITEMS, ALONE = 21, 20


def two_kinds(n_users: int = 60, length: int = 5) -> list[list[int]]:
    """Histories of items 0 to 9 alone, or 10 to 19 alone; item 20 has a history of its own."""
    draw = np.random.default_rng(0)
    rows = [(draw.permutation(10)[:length] + 10 * (u % 2)).tolist() for u in range(n_users)]
    return [*rows, [ALONE]]


def contrast(vectors: np.ndarray) -> float:
    """By how much the mean cosine within the two kinds exceeds that between them."""
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = unit @ unit.T
    within = (cosines[:10, :10].mean() + cosines[10:20, 10:20].mean()) / 2
    return float(within - cosines[:10, 10:20].mean())


def embedded(factors: int, seed: int = 0, threads: int = 1) -> np.ndarray:
    draw = np.random.default_rng(seed)
    return spectral_embeddings(Histories.of(two_kinds(), N_ITEMS), factors, draw, threads)


def test_items_that_occur_near_each_other_begin_close() -> None:
    vectors = embedded(4)
    assert vectors.shape == (N_ITEMS, 4)
    assert vectors.dtype == np.float32
    assert contrast(vectors) > 0.3
    assert 0.7 < np.linalg.norm(vectors[:20], axis=1).mean() < 1.3


def test_without_noise_cosines_are_those_of_the_eigenvectors(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("cofactor.models.sequence.spectral_embedding._NOISE", 0.0)
    counts = np.zeros((N_ITEMS, N_ITEMS))
    for row in two_kinds():
        for p, i in enumerate(row):
            for q, j in enumerate(row):
                counts[i, j] += 0.8 ** (abs(p - q) - 1) if p != q else 0.0
    scale = (counts.sum(1) + 1) ** -0.5
    values, wanted = np.linalg.eigh(counts * scale * scale[:, None])
    kept = np.argsort(-np.abs(values))[:6]
    wanted = (wanted[:, kept] * np.sqrt(np.abs(values[kept])))[:20]
    wanted /= np.linalg.norm(wanted, axis=1, keepdims=True)
    found = embedded(6)[:20]
    np.testing.assert_allclose(found @ found.T, wanted @ wanted.T, atol=0.05)


def test_noise_fills_what_the_graph_says_nothing_of() -> None:
    wide = embedded(64)
    assert wide.shape == (N_ITEMS, 64)
    assert np.isfinite(wide).all()
    assert 0.6 < np.linalg.norm(wide[ALONE]) < 1.4
    lonely = Histories.of([[3], [5]], 7)
    apart = spectral_embeddings(lonely, 8, np.random.default_rng(0), 1)
    assert np.isfinite(apart).all()
    assert (np.linalg.norm(apart, axis=1) > 0.2).all()


def test_the_seed_decides_and_threads_do_not() -> None:
    np.testing.assert_array_equal(embedded(8), embedded(8, threads=2))
    assert not np.array_equal(embedded(8), embedded(8, seed=1))


@pytest.mark.parametrize("name", ["transformer", "gru4rec"])
def test_networks_begin_there(name: str) -> None:
    rows = [(user, item) for user, row in enumerate(two_kinds()) for item in row]
    users, items = np.array(rows).T
    data = Interactions.from_rows(
        users, items, times=np.arange(len(users)), users=61, items=N_ITEMS
    )
    settings = {"factors": 8, "epochs": 1, "learning_rate": 1e-9, "init_scale": 0.1}
    found = {
        start: registry.create(name, initial_embeddings=start, **settings)
        .fit(data, run=Run(seed=1, threads=1))
        .item_factors
        for start in ("random", "spectral")
    }
    assert contrast(found["spectral"]) > 0.3 > abs(contrast(found["random"]))
    for vectors in found.values():
        assert vectors.std() == pytest.approx(0.1, rel=0.25)
