"""Cosines of tables: the same as by the formula, and each item normalised once in a batch."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch.nn import functional  # noqa: E402

from cofactor.models.neural.latent_factor_module import FactorTables, TableSettings  # noqa: E402

N_USERS, N_ITEMS, WIDTH = 6, 9, 5


def made(sparse: bool = False) -> FactorTables:
    draw = torch.Generator().manual_seed(0)
    users, items = (
        torch.randn(n, WIDTH, generator=draw, requires_grad=False) for n in (N_USERS, N_ITEMS)
    )
    settings = TableSettings(
        biases=False,
        user_biases=False,
        cosine=True,
        sparse=sparse,
        regularization=0.0,
        bias_regularization=(0.0, 0.0),
    )
    return FactorTables(users, items, settings)


def batch(n_negatives: int | None) -> tuple[Any, Any]:
    draw = torch.Generator().manual_seed(1)
    shape = (40,) if n_negatives is None else (40, 1 + n_negatives)
    users = torch.randint(0, N_USERS, (40,), generator=draw)
    return users, torch.randint(0, N_ITEMS, shape, generator=draw)


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("n_negatives", [None, 16])
def test_cosines_and_their_gradients_are_those_of_the_formula(
    n_negatives: int | None, sparse: bool
) -> None:
    tables, (users, items) = made(sparse), batch(n_negatives)
    scores = tables.pairs(users, items)
    scores.square().sum().backward()
    p, q = (
        table.weight.detach().double().requires_grad_() for table in (tables.users, tables.items)
    )
    left = p[users][..., :-1]
    left = left if items.dim() == 1 else left[:, None]
    expected = functional.cosine_similarity(left, q[items][..., :-1], dim=-1)
    expected.square().sum().backward()
    torch.testing.assert_close(scores, expected.float(), rtol=1e-5, atol=1e-6)
    for table, exact in ((tables.users, p), (tables.items, q)):
        found = table.weight.grad
        assert found is not None
        assert exact.grad is not None
        dense = found.to_dense() if found.is_sparse else found
        torch.testing.assert_close(dense, exact.grad.float(), rtol=1e-4, atol=1e-5)


def test_each_item_of_a_batch_is_normalised_once(monkeypatch: pytest.MonkeyPatch) -> None:
    tables, (users, items) = made(), batch(64)
    rows: list[int] = []
    plain = functional.normalize

    def counted(vectors: Any, *more: Any, **options: Any) -> Any:
        rows.append(vectors.shape[:-1].numel())
        return plain(vectors, *more, **options)

    monkeypatch.setattr(functional, "normalize", counted)
    tables.pairs(users, items)
    assert sum(rows) <= len(users) + N_ITEMS
