from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cofactor.base.errors import ArgumentError
from cofactor.data.interactions import Interactions
from cofactor.data.split import Split
from cofactor.data.splits import k_fold, leave_last, split
from examples import examples


@st.composite
def data_sets(draw: st.DrawFn, times: bool = True, distinct_times: bool = False) -> Interactions:
    """Small data of 1..9 users and 1..13 items, with empty users and items, ties in time and
    shuffled lines.
    """
    n_users, n_items = draw(st.integers(1, 9)), draw(st.integers(1, 13))
    cells = draw(
        st.sets(
            st.integers(0, n_users * n_items - 1), min_size=min(8, n_users * n_items), max_size=50
        )
    )
    pairs = [divmod(cell, n_items) for cell in draw(st.permutations(sorted(cells)))]
    users, items = (np.array(column, np.int32) for column in zip(*pairs, strict=True))
    if distinct_times:
        stamps = np.array(draw(st.permutations(range(len(pairs)))), np.int64)
    else:
        stamps = np.array(
            draw(st.lists(st.integers(0, 5), min_size=len(pairs), max_size=len(pairs))), np.int64
        )
    values = np.arange(len(pairs), dtype=np.float32)
    return Interactions.from_rows(
        users, items, values, stamps if times else None, users=n_users, items=n_items
    )


RULES = st.sampled_from(
    [
        ("time", {"test": 0.3}, 0.2),
        ("random", {"test": 0.3, "seed": 4}, 0.2),
        ("per-user", {"test": 0.4, "seed": 4}, 0.3),
        ("per-user", {"test": 0.4, "order": "time"}, 0.3),
        ("leave-last", {"test": 2}, 1),
        ("users", {"test": 0.4, "seed": 4}, 0.3),
        ("items", {"test": 0.3, "seed": 4}, 0.3),
    ]
)


def keys(part: Interactions) -> set[tuple[int, int, float]]:
    assert part.values is not None
    return set(
        zip(part.user_rows.tolist(), part.item_rows.tolist(), part.values.tolist(), strict=True)
    )


def cut_or_skip(data: Interactions, how: str, **options: object) -> Split | None:
    try:
        return split(data, how, **options)  # type: ignore[arg-type]
    except ArgumentError as error:
        if "empty" not in str(error):
            raise
        return None


@given(data=data_sets(), rule=RULES, with_validation=st.booleans())
@settings(max_examples=examples(45))
def test_parts_are_disjoint_and_their_union_is_the_data(data, rule, with_validation):
    how, options, share = rule
    made = cut_or_skip(data, how, **options, **({"validation": share} if with_validation else {}))
    if made is None:
        return
    pieces = [made.train, made.test.truth]
    if made.validation is not None:
        pieces.append(made.validation.truth)
    for part in (made.test, made.validation):
        if part is not None and part.fold_in:
            pieces.append(part.history)
    found = [key for piece in pieces for key in keys(piece)]
    assert len(found) == len(set(found)) == len(data)
    assert set(found) == keys(data)
    assert all(piece.users == data.users and piece.items == data.items for piece in pieces)


@given(data=data_sets(), rule=RULES)
@settings(max_examples=examples(30))
def test_validation_never_moves_the_test_part_and_merges_back(data, rule):
    how, options, share = rule
    with_it = cut_or_skip(data, how, **options, validation=share)
    if with_it is None:
        return
    assert with_it.with_validation_merged().fingerprint == split(data, how, **options).fingerprint


@given(data=data_sets(), rule=RULES)
@settings(max_examples=examples(24))
def test_a_part_never_shows_its_own_truth(data, rule):
    how, options, share = rule
    made = cut_or_skip(data, how, **options, validation=share)
    if made is None:
        return
    for part in (made.test, made.validation, made.with_validation_seen().test):
        assert not keys(part.truth) & keys(part.history)


@given(data=data_sets(), validation=st.sampled_from([0.0, 0.25]))
@settings(max_examples=examples(30))
def test_time_cut_trains_on_nothing_later_than_any_held_out_interaction(data, validation):
    made = cut_or_skip(data, "time", test=0.3, validation=validation)
    if made is None:
        return
    assert made.train.times.max() <= made.test.truth.times.min()
    assert len(made.test.truth) == int(0.3 * len(data) + 0.5)
    if made.validation is not None:
        assert made.train.times.max() <= made.validation.truth.times.min()
        assert made.validation.truth.times.max() <= made.test.truth.times.min()
    # Of equal times, what stands later in the source is held out.
    edge = made.test.truth.times.min()
    tied_in_train = made.train.order[made.train.times == edge]
    tied_in_test = made.test.truth.order[made.test.truth.times == edge]
    assert tied_in_train.max(initial=-1) < tied_in_test.min()


@given(data=data_sets(), n_test=st.integers(1, 4), n_validation=st.integers(0, 3))
@settings(max_examples=examples(30))
def test_leave_last_holds_out_exactly_n_of_longer_histories(data, n_test, n_validation):
    made = cut_or_skip(data, "leave-last", test=n_test, validation=n_validation)
    if made is None:
        return
    counts = data.user_counts
    np.testing.assert_array_equal(made.test.truth.user_counts, np.where(counts > n_test, n_test, 0))
    if n_validation:
        expected = np.where(counts > n_test + n_validation, n_validation, 0)
        np.testing.assert_array_equal(made.validation.truth.user_counts, expected)
    for user in range(data.n_users):
        whole = data.histories([user]).item_rows.tolist()
        assert (
            made.train.histories([user]).item_rows.tolist()
            == whole[: len(made.train.histories([user]).item_rows)]
        )
        n_last = made.test.truth.user_counts[user]
        assert set(made.test.truth.histories([user]).item_rows) == set(whole[len(whole) - n_last :])


@given(data=data_sets(distinct_times=True), seed=st.integers(0, 1000))
@settings(max_examples=examples(24))
@pytest.mark.parametrize("how", ["leave-last", "time", "random", "per-user", "users", "items"])
def test_order_of_lines_does_not_move_a_split_where_times_differ(how, data, seed):
    shuffled = np.random.default_rng(seed).permutation(len(data))
    again = Interactions.from_rows(
        data.user_rows[shuffled],
        data.item_rows[shuffled],
        data.values[shuffled],
        data.times[shuffled],
        users=data.users,
        items=data.items,
    )
    first = cut_or_skip(data, how)
    if first is not None:
        assert split(again, how).fingerprint == first.fingerprint


@given(
    data=data_sets(),
    history=st.sampled_from([0.1, 0.5, 0.9]),
    order=st.sampled_from(["time", "random"]),
)
@settings(max_examples=examples(24))
def test_users_held_out_are_never_trained_on_and_always_show_and_ask(data, history, order):
    made = cut_or_skip(data, "users", test=0.4, validation=0.3, history=history, order=order)
    if made is None:
        return
    for part in (made.test, made.validation):
        assert part.fold_in
        assert (made.train.user_counts[part.user_rows] == 0).all()
        assert (part.history.user_counts[part.user_rows] >= 1).all()
    assert not set(made.test.user_rows) & set(made.validation.user_rows)


@given(data=data_sets())
@settings(max_examples=examples(24))
def test_cold_items_are_never_trained_on_and_are_the_candidates(data):
    made = cut_or_skip(data, "items", test=0.3, validation=0.2)
    if made is None:
        return
    for part in (made.test, made.validation):
        assert (made.train.item_counts[part.candidates] == 0).all()
        assert set(part.truth.item_rows) == set(part.candidates)
        assert (part.truth.item_counts[part.candidates] == data.item_counts[part.candidates]).all()


@given(data=data_sets(times=False), folds=st.integers(2, 5), validation=st.sampled_from([0.0, 0.1]))
@settings(max_examples=examples(24))
def test_every_interaction_is_in_one_test_fold(data, folds, validation):
    if folds > len(data):
        with pytest.raises(ArgumentError, match="folds"):
            k_fold(data, folds)
        return
    try:
        parts = list(k_fold(data, folds, validation=validation))
    except ArgumentError as error:
        if "empty" not in str(error):
            raise
        return
    assert len(parts) == folds
    held = [keys(part.test.truth) for part in parts]
    for part in parts if validation else ():
        assert len(part.train) + len(part.validation.truth) + len(part.test.truth) == len(data)
        assert len(part.validation.truth) == int(validation * len(data) + 0.5)
    assert sum(map(len, held)) == len(data)
    assert set.union(*held) == keys(data)
    assert max(map(len, held)) - min(map(len, held)) <= 1


@given(data=data_sets(times=False))
@settings(max_examples=examples(24))
def test_leave_last_without_times_takes_the_order_of_the_source(data):
    try:
        made = leave_last(data)
    except ArgumentError:
        return
    assert "order of the source" in made.sentence
    for user in made.test.user_rows:
        mine = data.user_rows == user
        assert made.test.truth.order[made.test.truth.user_rows == user].tolist() == [
            data.order[mine].max()
        ]
