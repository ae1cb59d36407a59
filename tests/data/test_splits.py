from __future__ import annotations

import datetime
import os
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from cofactor.base.errors import ArgumentError, UnknownNameError
from cofactor.data import datasets, moments, splits
from cofactor.data.describe import describe
from cofactor.data.events import Events
from cofactor.data.filter import k_core
from cofactor.data.interactions import Interactions
from cofactor.data.readers.read import read
from cofactor.data.sessions import sessions_by_gap
from cofactor.data.split import Part
from cofactor.data.splits import k_fold, predefined, split


def grid(n_users: int = 23, n_items: int = 17, times: bool = True) -> Interactions:
    """Every user with a third of the items, times that grow along the lines."""
    users, items = np.nonzero(np.add.outer(np.arange(n_users) * 2, np.arange(n_items)) % 3 == 0)
    shuffled = np.random.default_rng(5).permutation(len(users))
    stamps = np.arange(len(users), dtype=np.int64) * 86_400
    return Interactions.from_rows(
        users[shuffled],
        items[shuffled],
        None,
        stamps if times else None,
        users=n_users,
        items=n_items,
    )


@pytest.mark.parametrize("how", ["random", "per-user", "users", "items"])
def test_same_seed_same_split_and_another_seed_another(how):
    data = grid()
    assert split(data, how, seed=3).fingerprint == split(data, how, seed=3).fingerprint
    assert split(data, how, seed=3).fingerprint != split(data, how, seed=4).fingerprint
    assert "seed 3" in split(data, how, seed=3).sentence


@pytest.mark.parametrize("how", ["random", "per-user", "users", "items"])
def test_seeds_of_more_than_63_bits_are_refused(how):
    with pytest.raises(ArgumentError, match=r"seed must be an integer in 0..9223372036854775807"):
        split(grid(), how, seed=2**63)


def test_folds_differ_by_seed():
    data = grid()
    first, again, other = (next(k_fold(data, 3, seed=seed)).fingerprint for seed in (0, 0, 1))
    assert first == again != other


def test_random_share_is_of_the_whole():
    data = grid()
    made = split(data, "random", test=0.25, validation=0.1)
    assert len(made.test.truth) == int(0.25 * len(data) + 0.5)
    assert len(made.validation.truth) == int(0.1 * len(data) + 0.5)


def test_per_user_leaves_single_interactions_in_training():
    data = Interactions.from_rows(np.array([0, 1, 1, 1]), np.array([2, 0, 1, 3]), users=2, items=5)
    made = split(data, "per-user", test=0.9)
    assert made.train.user_counts.tolist() == [1, 1]
    assert made.test.truth.user_counts.tolist() == [0, 2]


@pytest.mark.parametrize("how", ["random", "per-user", "time", "users", "items"])
@pytest.mark.parametrize("test", [0, 1, 1.5, -0.1, float("nan"), "0.2"])
def test_shares_outside_zero_and_one_are_refused(how, test):
    with pytest.raises(ArgumentError, match="test must be a finite number above 0"):
        split(grid(), how, test=test)


@pytest.mark.parametrize("how", ["random", "per-user", "time", "users", "items"])
def test_shares_that_leave_nothing_to_train_on_are_refused(how):
    with pytest.raises(ArgumentError, match="must leave something to train on"):
        split(grid(), how, test=0.5, validation=0.5)


def test_leave_last_wants_counts():
    with pytest.raises(ArgumentError, match="how many of each user's last"):
        split(grid(), "leave-last", test=0.2)


def test_leave_last_longer_than_any_history_says_the_part_is_empty():
    with pytest.raises(ArgumentError, match="test part would be empty"):
        split(grid(), "leave-last", test=100)


def test_empty_validation_is_refused():
    with pytest.raises(ArgumentError, match="validation part would be empty"):
        split(grid(), "leave-last", validation=100)


@pytest.mark.parametrize("how", ["users", "items"])
def test_too_few_users_or_items_to_hold_any_out(how):
    data = Interactions.from_rows(np.array([0, 1, 1]), np.array([2, 0, 1]), users=2, items=3)
    with pytest.raises(ArgumentError, match="test part would be empty"):
        split(data, how, test=0.1)


def test_time_without_times_offers_a_cure():
    with pytest.raises(ArgumentError, match="'leave-last'"):
        split(grid(times=False), "time")


def test_time_at_a_moment_cuts_there_and_counts_that_moment_as_test():
    data = grid()
    made = split(data, "time", at="1970-01-31", validation_at=datetime.date(1970, 1, 11))
    assert made.train.times.max() == 9 * 86_400
    assert (made.validation.truth.times.min(), made.validation.truth.times.max()) == (
        10 * 86_400,
        29 * 86_400,
    )
    assert made.test.truth.times.min() == 30 * 86_400
    assert "All from 1970-01-31 00:00:00 UTC on for test" in made.sentence


def test_time_at_with_a_validation_share():
    data = grid()
    made = split(data, "time", at=30 * 86_400, validation=0.05)
    assert len(made.validation.truth) == int(0.05 * len(data) + 0.5)
    assert made.validation.truth.times.max() == 29 * 86_400


def test_time_after_everything_says_the_part_is_empty():
    with pytest.raises(ArgumentError, match="test part would be empty"):
        split(grid(), "time", at="2030-01-01")


def test_time_counts_test_users_without_training_and_known_only_refuses_to_leave_nothing():
    data = Interactions.from_rows(
        np.array([0, 0, 1, 1, 2]),
        np.array([0, 1, 0, 2, 1]),
        None,
        np.array([1, 2, 3, 8, 9]),
        users=3,
        items=4,
    )
    made = split(data, "time", test=0.4)
    assert "1 of the 2 test users have no training data" in made.sentence
    with pytest.raises(ArgumentError, match="no interaction of the test part"):
        made.known_only()


def test_known_only_keeps_what_training_knows_and_counts_the_rest():
    data = Interactions.from_rows(
        np.array([0, 0, 1, 0, 1, 2]),
        np.array([0, 1, 0, 2, 1, 1]),
        None,
        np.arange(6),
        users=3,
        items=4,
    )
    made = split(data, "time", test=0.5).known_only()
    assert list(zip(made.test.truth.user_rows, made.test.truth.item_rows, strict=True)) == [(1, 1)]
    assert "Left out of test: 2 interactions" in made.sentence


def test_validation_seen_shows_validation_to_the_test_users():
    made = split(grid(), "leave-last", validation=1)
    seen = made.with_validation_seen()
    expected = made.train.user_counts + made.validation.truth.user_counts
    np.testing.assert_array_equal(seen.test.history.user_counts, expected)
    assert seen.train is made.train
    assert seen.fingerprint != made.fingerprint


def test_validation_users_are_trained_on_once_merged():
    made = split(grid(), "users", test=0.2, validation=0.2)
    merged = made.with_validation_merged()
    assert merged.validation is None
    assert (merged.train.user_counts[made.validation.user_rows] > 0).all()
    assert (merged.train.user_counts[made.test.user_rows] == 0).all()
    np.testing.assert_array_equal(merged.test.history.user_counts, made.test.history.user_counts)


def test_items_ranked_among_all():
    assert split(grid(), "items", rank="all").test.candidates is None


def test_unknown_rule_and_option_offer_the_nearest():
    with pytest.raises(UnknownNameError, match="leave-last"):
        split(grid(), "leave_lst")
    with pytest.raises(UnknownNameError, match="did you mean validation_at"):
        split(grid(), "time", validaton_at=3)


@pytest.mark.parametrize("how", ["time", "random", "per-user", "leave-last", "users", "items"])
def test_each_split_is_one_sentence_that_ends(how):
    made = split(grid(), how)
    assert made.sentence.endswith(".")
    assert made.sentence.count(". ") == (
        1 if how == "time" and "no training data" in made.sentence else 0
    )
    assert made.sentence in repr(made)


def test_joined_part_is_refused_of_other_ids():
    data, other = grid(), grid(n_users=24)
    with pytest.raises(ArgumentError, match="share their id maps"):
        Part(data, other)


def events(
    pairs: list[tuple[str, str]], values: list[float] | None = None, **more: object
) -> Events:
    users, items = zip(*pairs, strict=True)
    return Events(
        pa.array(users), pa.array(items), None if values is None else np.array(values), **more
    )  # type: ignore[arg-type]


def test_predefined_shares_ascending_ids_of_all_parts():
    made = predefined(
        events([("u2", "b"), ("u2", "c")]), events([("u2", "a")]), events([("u1", "c")])
    )
    assert made.train.users.ids() == ["u1", "u2"]
    assert made.train.items.ids() == ["a", "b", "c"]
    assert made.test.truth.item_rows.tolist() == [0]
    assert made.validation.truth.user_rows.tolist() == [0]
    assert made.test.history is made.train


def test_predefined_takes_interactions_and_keeps_values_and_catalogue():
    table = pa.table({"item_id": ["b", "c"], "title": ["Bee", "Sea"]})
    train = Interactions.build(events([("u2", "c"), ("u2", "b")], [3, 4], item_table=table))
    test = Interactions.build(events([("u1", "a"), ("u2", "a")], [5, 2]))
    made = predefined(train, test)
    assert made.train.values.tolist() == [4, 3]
    assert made.train.order.tolist() == [1, 0]
    assert made.test.truth.catalogue.titles([0, 1, 2]) == [None, "Bee", "Sea"]
    assert made.test.truth.order.min() > made.train.order.max()


def test_predefined_refuses_drops_or_keeps_overlap():
    train, test = events([("u1", "a"), ("u1", "b")]), events([("u1", "b"), ("u1", "c")])
    with pytest.raises(ArgumentError, match=r"1 pairs of the test part .* overlap='drop'"):
        predefined(train, test)
    assert len(predefined(train, test, overlap="drop").test.truth) == 1
    kept = predefined(train, test, overlap="keep")
    assert len(kept.test.truth) == 2
    assert "1 pairs of the test part are in the histories too and were kept" in kept.sentence
    with pytest.raises(ArgumentError, match="nothing of the test part is left"):
        predefined(train, events([("u1", "a")]), overlap="drop")


def test_predefined_negatives_follow_their_lines():
    train = events([("u1", "a"), ("u2", "b")])
    test = events([("u2", "c"), ("u1", "d")])
    made = predefined(train, test, negatives=[["e", "a", "d"], ["b", "e", "c"]])
    assert made.test.truth.items.ids() == ["a", "b", "c", "d", "e"]
    assert made.test.truth.user_rows.tolist() == [0, 1]
    assert made.test.negatives.tolist() == [[1, 4, 2], [4, 0, 3]]
    with pytest.raises(ArgumentError, match=r"\[2, n_negatives\]"):
        predefined(train, test, negatives=[["a"]])


def test_predefined_histories_make_a_fold_in():
    made = predefined(
        events([("u1", "a")]), events([("u9", "b")]), test_history=events([("u9", "a")])
    )
    assert made.test.fold_in
    assert made.test.history.user_counts.tolist() == [0, 1]


def test_predefined_cold_items_are_the_candidates():
    made = predefined(
        events([("u1", "a"), ("u1", "x")]), events([("u1", "b"), ("u2", "a")]), cold_items=True
    )
    assert made.train.items.take(made.test.candidates).to_pylist() == ["b"]


def test_predefined_empty_part_is_refused():
    empty = Events(pa.array([], pa.string()), pa.array([], pa.string()))
    with pytest.raises(ArgumentError, match="the test part is empty"):
        predefined(events([("u1", "a")]), empty)


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        (12, 12),
        ("1970-01-02", 86_400),
        ("1970-01-02T00:00:00+01:00", 82_800),
        (datetime.date(1970, 1, 2), 86_400),
        (datetime.datetime(1970, 1, 1, 0, 1), 60),
        (np.datetime64("1970-01-02"), 86_400),
        (-1, -1),
    ],
)
def test_moments_are_utc_seconds(moment, expected):
    assert moments.seconds(moment, "at") == expected


@pytest.mark.parametrize("moment", ["yesterday", 1.5, True, None])
def test_other_moments_are_refused(moment):
    with pytest.raises(ArgumentError, match="at must be seconds since 1970"):
        moments.seconds(moment, "at")


def test_moments_beyond_the_calendar_are_shown_as_numbers():
    assert moments.text(10**17) == f"second {10**17}"


@pytest.mark.data("ml-100k")
def test_files_given_as_parts_equal_the_published_fold():
    if not datasets.available("ml-100k"):
        pytest.skip("ml-100k is not under COFACTOR_DATA")
    published = datasets.load_split("ml-100k", fold="u1")
    folder = Path(os.environ["COFACTOR_DATA"]) / "ml-100k"
    made = predefined(read(str(folder / "u1.base")), read(str(folder / "u1.test")))
    assert made.fingerprint == published.fingerprint


@pytest.mark.data("sasrec-ml-1m")
def test_leave_last_with_validation_seen_is_the_published_protocol_of_sasrec():
    if not datasets.available("sasrec-ml-1m"):
        pytest.skip("sasrec-ml-1m is not under COFACTOR_DATA")
    whole = datasets.load("sasrec-ml-1m")
    data = whole if isinstance(whole, Interactions) else Interactions.build(whole)
    made = split(data, "leave-last", validation=1).with_validation_seen()
    assert made.fingerprint == datasets.load_split("sasrec-ml-1m").fingerprint


def test_splits_and_descriptions_take_tables_as_fit_does() -> None:
    table = {"user": [1, 1, 1, 2, 2, 2], "item": [3, 4, 5, 3, 5, 6]}
    made = split(table, "per-user", test=0.34, seed=1)
    assert (len(made.train), len(made.test.truth)) == (4, 2)
    assert describe(table).interactions == 6


RULES: dict[str, Any] = {
    "by_items": lambda data: splits.by_items(data, test=0.3),
    "by_random": splits.by_random,
    "by_session": lambda data: splits.by_session(data, test=0.3),
    "by_time": splits.by_time,
    "by_users": lambda data: splits.by_users(data, test=0.4),
    "k_fold": lambda data: next(iter(splits.k_fold(data, 2))),
    "leave_last": splits.leave_last,
    "next_after": lambda data: splits.next_after(data, test=0.4),
    "per_user": splits.per_user,
    "k_core": lambda data: k_core(data, 2, 2)[0],
}


@pytest.mark.parametrize("rule", RULES)
def test_each_rule_takes_a_table_as_fit_does(rule: str) -> None:
    clock = [3, 4, 5, 13, 14, 15, 21, 22]
    rows = list(
        zip([1, 1, 1, 2, 2, 2, 3, 3], [3, 4, 5, 3, 5, 6, 4, 5], [1.0] * 8, clock, strict=True)
    )
    given = Interactions.build(read(rows))
    assert RULES[rule](rows).fingerprint == RULES[rule](given).fingerprint
    with pytest.raises(ArgumentError, match="not int"):
        RULES[rule](7)


def test_sessions_are_cut_from_events() -> None:
    with pytest.raises(ArgumentError, match=r"events must be Events \(cofactor.read"):
        sessions_by_gap([(1, 2, 3.0, 4)])  # type: ignore[arg-type]


def test_predefined_needs_both_parts() -> None:
    for parts in ((None, [(1, 2)]), ([(1, 2)], None)):
        with pytest.raises(ArgumentError, match="not NoneType"):
            splits.predefined(*parts)
