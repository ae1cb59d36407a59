"""Negative samplers: exactness of the rejection, and the law, by chi-square."""

from __future__ import annotations

import numpy as np
import pytest
import scipy  # imports stats, a third of a second, where it is used
import torch

from cofactor.base.errors import ArgumentError
from cofactor.data.interactions import Interactions
from cofactor.training.torch import negatives
from cofactor.training.torch.negatives import InBatch, Positives

N_USERS, N_ITEMS = 6, 13


@pytest.fixture(scope="module")
def data() -> Interactions:
    rng = np.random.default_rng(0)
    took = rng.random((N_USERS, N_ITEMS)) < 0.4
    took[3] = True
    took[3, 5] = False  # user 3 has one item left
    took[4] = False  # user 4 has all items left
    users, items = np.nonzero(took)
    return Interactions.from_rows(users, items, users=N_USERS, items=N_ITEMS)


def _law(data: Interactions, user: int, base: np.ndarray) -> np.ndarray:
    law = base.astype(np.float64).copy()
    law[data.item_rows[data.indptr[user] : data.indptr[user + 1]]] = 0
    return law / law.sum()


@pytest.mark.parametrize("kind", ["uniform", "popularity"])
@pytest.mark.parametrize("as_table", [True, False])
def test_draws_follow_the_written_distribution_and_never_hit_a_positive(
    data: Interactions, kind: str, as_table: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not as_table:
        monkeypatch.setattr(negatives, "_TABLE_BYTES", 0)
    positives = Positives.of(data)
    counts = data.item_counts + 1  # so that user 3's one item can be drawn under both laws
    sampler = (
        negatives.uniform(positives)
        if kind == "uniform"
        else negatives.popularity(positives, counts, 0.75)
    )
    base = np.ones(N_ITEMS) if kind == "uniform" else counts**0.75
    users = torch.arange(N_USERS, dtype=torch.int32).repeat(2000)
    drawn = sampler.draw(users, 5, torch.Generator().manual_seed(1))
    assert drawn.shape == (2000 * N_USERS, 5)
    assert not positives.holds(users[:, None], drawn).any()
    for user in range(N_USERS):
        law = _law(data, user, base)
        seen = np.bincount(drawn[users == user].flatten().numpy(), minlength=N_ITEMS)
        assert (seen[law == 0] == 0).all()
        if (law > 0).sum() > 1:
            assert scipy.stats.chisquare(seen[law > 0], law[law > 0] * seen.sum()).pvalue > 1e-4
    # The same law must be refused for another one, or the test could not fail.
    other = _law(data, 4, base + np.arange(N_ITEMS) * 0.2)
    seen = np.bincount(drawn[users == 4].flatten().numpy(), minlength=N_ITEMS)
    assert scipy.stats.chisquare(seen[other > 0], other[other > 0] * seen.sum()).pvalue < 1e-6


def test_the_written_out_fallback_follows_the_same_distribution(
    data: Interactions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(negatives, "_ROUNDS", 0)
    sampler = negatives.popularity(Positives.of(data), data.item_counts + 1, 1.0)
    drawn = (
        sampler.draw(torch.zeros(4000, dtype=torch.int64), 3, torch.Generator().manual_seed(2))
        .flatten()
        .numpy()
    )
    law = _law(data, 0, data.item_counts + 1)
    seen = np.bincount(drawn, minlength=N_ITEMS)
    assert (seen[law == 0] == 0).all()
    assert scipy.stats.chisquare(seen[law > 0], law[law > 0] * seen.sum()).pvalue > 1e-4


def test_a_user_with_one_item_left_gets_it_and_one_with_none_is_refused(data: Interactions) -> None:
    sampler = negatives.uniform(Positives.of(data))
    assert (sampler.draw(torch.tensor([3]), 7, torch.Generator().manual_seed(3)) == 5).all()
    full = Interactions.from_rows(
        np.zeros(N_ITEMS, int), np.arange(N_ITEMS), users=2, items=N_ITEMS
    )
    sampler = negatives.uniform(Positives.of(full))
    assert sampler.can_draw().tolist() == [False, True]
    with pytest.raises(ArgumentError, match="user row 0 has interacted with every item"):
        sampler.draw(torch.tensor([0]), 1, torch.Generator().manual_seed(4))


def test_holds_answers_like_a_set(data: Interactions, monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = set(zip(data.user_rows.tolist(), data.item_rows.tolist(), strict=True))
    users, items = torch.meshgrid(torch.arange(N_USERS), torch.arange(N_ITEMS), indexing="ij")
    wanted = [[(u, i) in pairs for i in range(N_ITEMS)] for u in range(N_USERS)]
    for size in (2**20, 0):
        monkeypatch.setattr(negatives, "_TABLE_BYTES", size)
        assert Positives.of(data).holds(users, items).tolist() == wanted


def test_in_batch_forbids_the_users_items_and_knows_their_popularity(data: Interactions) -> None:
    in_batch = InBatch(Positives.of(data), data.item_counts)
    users, items = (
        torch.from_numpy(data.user_rows[::3].copy()),
        torch.from_numpy(data.item_rows[::3].copy()),
    )
    forbidden = in_batch.forbidden(users, items)
    assert forbidden.diagonal().all()
    assert (forbidden == Positives.of(data).holds(users[:, None], items[None, :])).all()
    shares = data.item_counts / data.item_counts.sum()
    np.testing.assert_allclose(
        in_batch.log_q(items.long()).exp().numpy(), shares[data.item_rows[::3]], rtol=1e-5
    )


def test_a_distribution_that_is_none_is_refused(data: Interactions) -> None:
    with pytest.raises(ArgumentError, match="sampling distribution must"):
        negatives.popularity(Positives.of(data), np.zeros(N_ITEMS))


def test_items_of_a_batch_that_users_have_are_found_by_marking_as_by_searching() -> None:
    rng = np.random.default_rng(4)
    took = rng.random((23, 57)) < np.linspace(0.0, 0.6, 23)[:, None]
    indptr = np.zeros(24, np.int64)
    np.cumsum(took.sum(1), out=indptr[1:])
    positives = Positives(indptr, np.nonzero(took)[1].astype(np.int32), 57)
    items = torch.from_numpy(rng.integers(0, 57, 41))
    for users in (
        torch.arange(6),
        torch.arange(23),
        torch.tensor([22, 22, 0, 5]),
    ):  # few items each: marked; many: searched
        assert torch.equal(
            positives.among(users, items), positives.holds(users[:, None], items[None, :])
        )
        assert torch.equal(positives.among(users, items), torch.from_numpy(took)[users][:, items])


def test_in_batch_answer_is_kept_for_the_same_batch_alone() -> None:
    took = np.eye(5, dtype=bool)
    positives = Positives(np.arange(6), np.arange(5, dtype=np.int32), 5)
    in_batch = InBatch(positives, took.sum(0))
    users = torch.arange(5)
    first = in_batch.forbidden(users, users)
    assert in_batch.forbidden(users, users) is first
    other = users.flip(0).clone()
    assert torch.equal(in_batch.forbidden(users, other), torch.eye(5, dtype=torch.bool).flip(1))
