"""The contract suite: what every model of the registry promises, checked on every one."""

from __future__ import annotations

from copy import copy

import numpy as np
import pytest

from cofactor.base.errors import (
    ArgumentError,
    NotFittedError,
    TraitError,
    UnknownIdError,
    UnknownNameError,
)
from cofactor.base.run import Run
from cofactor.data.histories import Histories
from cofactor.models import registry
from cofactor.models.recommender import Recommender
from cofactor.models.traits import ArraySpec
from contract.cases import CASES, IMPERSONAL
from contract.conftest import N_ITEMS, N_USERS, checkerboard, data_for, fitted_anew

ALL_USERS = np.arange(N_USERS, dtype=np.int32)
ACTIVE = ALL_USERS[:-1]
ONE_THREAD = Run(threads=1)


def test_suite_covers_every_model_of_the_registry() -> None:
    assert set(CASES) == set(registry.names())


def test_fit_returns_self_and_a_second_fit_equals_the_first(name: str, model: Recommender) -> None:
    """And no fit touches the data, neither the first, which the fixture made, nor the second."""
    data, untouched = data_for(name), checkerboard.__wrapped__(model.traits.predicts_ratings)
    first = model.score_rows(ALL_USERS)
    again = copy(model)  # other tests go on with the first
    assert again.fit(data, run=Run(seed=3, threads=1, device="cpu")) is again
    np.testing.assert_array_equal(again.score_rows(ALL_USERS), first)
    for part in ("indptr", "item_rows", "values", "times", "order"):
        np.testing.assert_array_equal(getattr(data, part), getattr(untouched, part), err_msg=part)


def test_a_copy_that_is_fitted_on_other_data_leaves_the_first_as_it_was(
    name: str, model: Recommender
) -> None:
    first, data = model.score_rows(ALL_USERS), data_for(name)
    copy(model).fit(data.where(np.arange(len(data)) % 3 > 0), run=ONE_THREAD)
    np.testing.assert_array_equal(model.score_rows(ALL_USERS), first)


def test_threads_do_not_change_the_result_where_the_model_says_so(
    name: str, model: Recommender
) -> None:
    if not model.traits.same_on_any_threads:
        pytest.skip(
            f"{name} is lock-free: only threads=1 repeats bit for bit, and says so in its traits"
        )
    two = fitted_anew(name, threads=2).score_rows(ALL_USERS)
    np.testing.assert_allclose(two, model.score_rows(ALL_USERS), rtol=1e-4, atol=1e-5)


def test_scores_are_finite_float32_of_users_by_items(model: Recommender) -> None:
    scores = model.score_rows(ALL_USERS)
    assert scores.dtype == np.float32
    assert scores.shape == (N_USERS, N_ITEMS)
    assert np.isfinite(scores).all()


def test_score_of_one_user_equals_its_row_of_a_batch(model: Recommender) -> None:
    batch = model.score_rows(ALL_USERS)
    for user in (0, 7, N_USERS - 1):
        np.testing.assert_allclose(
            model.score_rows(np.array([user]))[0], batch[user], rtol=1e-5, atol=1e-6
        )


def test_score_of_some_items_equals_their_columns(model: Recommender) -> None:
    items = np.array([5, 0, N_ITEMS - 1], np.int32)
    np.testing.assert_allclose(
        model.score_rows(ALL_USERS, items),
        model.score_rows(ALL_USERS)[:, items],
        rtol=1e-5,
        atol=1e-6,
    )


def test_recommend_never_returns_seen_items_and_orders_by_score(model: Recommender) -> None:
    table = model.recommend(k=N_ITEMS, run=ONE_THREAD)
    seen = {(u, i) for u, i in _seen_pairs(model)}
    assert not seen & {(line["user_id"], line["item_id"]) for line in table}
    scores = model.score_rows(ALL_USERS)
    best: dict[str, list[float]] = {}
    for line in table:
        best.setdefault(line["user_id"], []).append(line["score"])
    assert len(best) == N_USERS
    for user, found in best.items():
        row = int(model.data.users.rows(user)[0])
        unseen = np.setdiff1d(
            np.arange(N_ITEMS),
            model.data.item_rows[model.data.indptr[row] : model.data.indptr[row + 1]],
        )
        np.testing.assert_allclose(found, -np.sort(-scores[row, unseen]), rtol=1e-4, atol=1e-5)


def test_k_above_the_catalogue_gives_all_there_is_without_filler(model: Recommender) -> None:
    table = model.recommend(
        model.data.users.ids([0]), k=10 * N_ITEMS, exclude_seen=False, run=ONE_THREAD
    )
    assert len(table) == N_ITEMS
    assert len(set(table.ids)) == N_ITEMS
    assert [line["rank"] for line in table] == list(range(1, N_ITEMS + 1))


def test_k_of_zero_is_refused(model: Recommender) -> None:
    with pytest.raises(ArgumentError, match="k must be an integer at least 1, not 0"):
        model.recommend(k=0)


def test_unknown_ids_give_one_error_that_names_them_or_the_fallback(model: Recommender) -> None:
    with pytest.raises(UnknownIdError, match="unknown users 'nobody', '17'"):
        model.recommend(["nobody", model.data.users.ids([0])[0], "17"])
    with pytest.raises(UnknownIdError, match="unknown item 99"):
        model.recommend(history=[100, 99])
    known = model.data.users.ids([2])[0]
    table = model.recommend(["nobody", known], k=4, unknown="fallback", run=ONE_THREAD)
    assert [line["user_id"] for line in table] == ["nobody"] * 4 + [known] * 4
    assert model.recommend(history=[100, 99], k=3, unknown="fallback", run=ONE_THREAD).ids
    with pytest.raises(UnknownNameError, match="unknown value of unknown 'skip'; .* fallback"):
        model.recommend(unknown="skip")


def test_unknown_setting_is_refused_with_the_nearest_name(name: str) -> None:
    fields = list(registry.get(name).Config.settings())
    if not fields:
        pytest.skip("no settings")
    with pytest.raises(UnknownNameError, match=f"did you mean.*{fields[0]}"):
        registry.create(name, **{fields[0] + "x": 1})


def test_unfitted_model_says_so(name: str) -> None:
    with pytest.raises(NotFittedError, match="call fit"):
        registry.create(name).recommend("x")
    with pytest.raises(NotFittedError, match="call fit"):
        registry.create(name).similar_to("a description")


def test_state_holds_the_declared_arrays_and_restores_equal_scores(model: Recommender) -> None:
    state = model.state()
    assert all(array.dtype != object for array in state.values())
    assert set(state) <= set(model.arrays)
    assert all(isinstance(spec, ArraySpec) for spec in model.arrays.values())
    again = type(model).from_state(model.config, state, model.data)
    np.testing.assert_array_equal(again.score_rows(ALL_USERS), model.score_rows(ALL_USERS))


def test_fold_in_of_a_trained_users_history_ranks_nearly_as_the_trained_row(
    name: str, model: Recommender
) -> None:
    if name in IMPERSONAL:
        pytest.skip("ranks everybody alike")
    trained = model.score_rows(ACTIVE)
    folded = model.score_batch(model.fold_in(model.data.histories(ACTIVE)))
    overlaps = [
        len(set(np.argsort(-t)[:10]) & set(np.argsort(-f)[:10])) / 10
        for t, f in zip(trained, folded, strict=True)
    ]
    assert np.mean(overlaps) >= 0.8
    correlations = [np.corrcoef(t, f)[0, 1] for t, f in zip(trained, folded, strict=True)]
    assert np.mean(correlations) >= 0.9


def test_fold_in_of_an_empty_history_gives_finite_scores(model: Recommender) -> None:
    scores = model.score_batch(model.fold_in(Histories.of([[], [3]], N_ITEMS)))
    assert scores.shape == (2, N_ITEMS)
    assert np.isfinite(scores).all()


def test_fold_in_does_not_depend_on_who_else_is_in_the_batch(model: Recommender) -> None:
    histories = model.data.histories(np.array([4, 9, 11]))
    batch = model.score_batch(model.fold_in(histories))
    alone = model.score_batch(model.fold_in(histories.take(np.array([1]))))
    np.testing.assert_allclose(batch[1], alone[0], rtol=1e-4, atol=1e-5)


def test_personal_models_find_the_preference(name: str, model: Recommender) -> None:
    if name in IMPERSONAL:
        pytest.skip("ranks everybody alike")
    table = model.recommend(model.data.users.ids(ACTIVE), k=3, run=ONE_THREAD)
    right = [
        int(line["user_id"].split()[1]) % 2 == (line["item_id"] - 100) // 10 % 2 for line in table
    ]
    assert np.mean(right) >= 0.9
    unseen = model.recommend(history=[100, 120, 140, 160, 180], k=3, run=ONE_THREAD)
    assert all((item - 100) // 10 % 2 == 0 for item in unseen.ids)


def test_similar_items_share_the_preference_and_leave_the_item_out(
    name: str, model: Recommender
) -> None:
    if not model.traits.finds_similar:
        with pytest.raises(TraitError, match="similar items"):
            model.similar_items(100)
        return
    table = model.similar_items(model.data.items.ids(range(N_ITEMS - 1)), k=4, run=ONE_THREAD)
    assert all(line["item_id"] != line["similar_item_id"] for line in table)
    right = [(line["item_id"] - line["similar_item_id"]) // 10 % 2 == 0 for line in table]
    assert len(right) == 4 * (N_ITEMS - 1)
    assert np.mean(right) >= (0.9 if name not in IMPERSONAL else 0)


def test_similar_users_leave_the_user_out(model: Recommender) -> None:
    if not model.traits.finds_similar:
        pytest.skip("has no similar items")
    table = model.similar_users(model.data.users.ids([0, 3]), k=5, run=ONE_THREAD)
    assert all(line["user_id"] != line["similar_user_id"] for line in table)


def test_explanation_adds_up_to_the_score(model: Recommender) -> None:
    user, item = model.data.users.ids([6])[0], 140
    if not model.traits.explains:
        with pytest.raises(TraitError, match="linear"):
            model.explain(user, item)
        return
    explained = model.explain(user, item)
    row = np.flatnonzero(model.data.users.find([user]) >= 0)
    assert row.size == 1
    assert explained.score == pytest.approx(
        float(model.score(user, item)[0, 0]), rel=1e-3, abs=1e-4
    )
    assert explained.score == pytest.approx(
        sum(r.contribution for r in explained.reasons) + explained.rest, rel=1e-6
    )
    mine = model.data.item_rows[model.data.indptr[6] : model.data.indptr[7]]
    assert {r.id for r in explained.reasons} <= set(model.data.items.ids(mine))


def test_predictions_are_finite_on_the_datas_scale_or_refused(model: Recommender) -> None:
    users, items = ["user 000 é", "nobody", "user 001 é", "nobody"], [100, 100, -5, -5]
    if not model.traits.predicts_ratings:
        with pytest.raises(TraitError, match="doesn't predict ratings"):
            model.predict(users, items)
        return
    values = model.predict(users, items)
    assert values.dtype == np.float32
    assert np.isfinite(values).all()
    assert ((values >= 1) & (values <= 5)).all()


def test_rating_models_predict_the_training_data_better_than_the_mean(
    name: str, model: Recommender
) -> None:
    if not model.traits.predicts_ratings or name in IMPERSONAL:
        pytest.skip("predicts no personal ratings")
    data = model.data
    assert data.values is not None
    error = np.mean((model.predict_rows(data.user_rows, data.item_rows) - data.values) ** 2)
    assert error < 0.35 * data.values.var()


def _seen_pairs(model: Recommender) -> list[tuple[object, object]]:
    data = model.data
    return list(zip(data.users.ids(data.user_rows), data.items.ids(data.item_rows), strict=True))


def test_rows_that_are_no_items_are_refused(model: Recommender) -> None:
    """Negative ones would be counted from the end, and a mask that is too short read beyond it."""
    batch = model.user_batch(ACTIVE[:1])
    for wrong in ([N_ITEMS], [-1], [0.0]):
        with pytest.raises(ArgumentError, match="item_rows must be"):
            model.score_batch(batch, np.array(wrong))
    for mask in (np.ones(3, bool), np.ones(N_ITEMS, int), np.ones((1, N_ITEMS), bool)):
        with pytest.raises(ArgumentError, match=f"allowed must be {N_ITEMS} bools"):
            model.topk(batch, 3, allowed=mask)


def test_no_users_have_no_scores(model: Recommender) -> None:
    assert model.score([]).shape == (0, N_ITEMS)
    assert model.score(model.data.users.ids([0]), []).shape == (1, 0)
    if model.traits.predicts_ratings:
        assert model.predict([], []).shape == (0,)
