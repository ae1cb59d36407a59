"""Sessions, splits for the next item and its evaluation."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from cofactor.base.errors import ArgumentError, DataError
from cofactor.base.run import Run
from cofactor.data.events import Events
from cofactor.data.histories import Histories
from cofactor.data.ids import IdMap
from cofactor.data.interactions import Interactions
from cofactor.data.readers.columns import Options
from cofactor.data.readers.sessions import read_sessions, split_sessions
from cofactor.data.readers.source_files import Source
from cofactor.data.sessions import extended, questions, sessions_by_gap
from cofactor.data.split import joined
from cofactor.data.splits import by_session, leave_last, next_after
from cofactor.evaluation.next_item import evaluate_next
from cofactor.models.baselines.popularity import Popularity
from cofactor.models.sequence.transitions import Transitions

ONE = Run(threads=1)


def events_of(lists, times=None, users=None) -> Events:
    owners = [f"u{n}" if users is None else users[n] for n, one in enumerate(lists) for _ in one]
    items = [item for one in lists for item in one]
    flat = None if times is None else np.array([t for one in times for t in one], np.int64)
    return Events(
        pa.chunked_array([pa.array(owners)]), pa.chunked_array([pa.array(items)]), times=flat
    )


def test_kept_repeats_stand_in_the_histories_and_pairs_once() -> None:
    data = Interactions.build(events_of([[1, 2, 1, 3], [2, 2]]), repeats="keep")
    assert len(data) == 4
    assert [data.items.ids(data.histories([n]).item_rows) for n in (0, 1)] == [[1, 2, 1, 3], [2, 2]]
    merged = Interactions.build(events_of([[1, 2, 1, 3], [2, 2]]))
    assert merged.items.ids(merged.histories([0]).item_rows) == [2, 1, 3]
    assert data.fingerprint != merged.fingerprint


def test_the_log_follows_selections_and_joins() -> None:
    data = Interactions.build(events_of([[1, 2, 1, 3], [2, 2]]), repeats="keep")
    some = data.where(data.item_rows != 1)
    assert some.items.ids(some.histories([0]).item_rows) == [1, 1, 3]
    compact = data.where(data.user_rows == 1).compact()
    assert compact.histories().item_rows.tolist() == [0, 0]
    assert compact.histories().n_items == 1
    again = joined(data.where(data.item_rows != 2), data.where(data.item_rows == 2))
    assert again.histories([0]).item_rows.tolist() == [0, 1, 0, 2]


def test_sessions_are_cut_by_the_gap_whatever_the_order_of_lines() -> None:
    one = events_of([["a", "b", "c", "d"]], [[0, 100, 5000, 5100]])
    cut = sessions_by_gap(one, 1800)
    assert cut.users.to_pylist() == ["u0/1", "u0/1", "u0/2", "u0/2"]
    backwards = events_of([["d", "b", "c", "a"]], [[5100, 100, 5000, 0]])
    assert sessions_by_gap(backwards, 1800).items.to_pylist() == ["a", "b", "c", "d"]
    named = replace(backwards, kinds=pa.array(["buy", "view", "view", "view"]))
    assert sessions_by_gap(named, 1800).kinds.to_pylist() == ["view", "view", "view", "buy"]
    with pytest.raises(ArgumentError, match="the events have no times"):
        sessions_by_gap(events_of([["a"]]), 1800)


def test_every_prefix_is_a_question() -> None:
    part = questions(Histories.of([[3, 1, 1], [2], [0, 2]], 4), IdMap(np.arange(4)))
    asked = [part.histories([n]).item_rows.tolist() for n in range(3)]
    assert asked == [[3], [3, 1], [0]]
    assert part.truth.item_rows.tolist() == [1, 1, 2]
    with pytest.raises(ArgumentError, match="no sequence has an event to predict"):
        questions(Histories.of([[3], []], 4), IdMap(np.arange(4)))


def test_a_question_is_not_taken_for_a_trained_user_of_its_number() -> None:
    read = events_of([[0, 1, 2], [0, 1, 2]], users=[0, 1])
    data = Interactions.build(read, repeats="keep")
    part = questions(Histories.of([[0, 1]], 3), data.items)
    model = Transitions().fit(data, run=ONE)
    assert evaluate_next(model, part, "hit@1", run=ONE)["hit@1"] == 1.0


def test_sessions_are_held_out_whole_and_latest_first() -> None:
    data = Interactions.build(
        events_of([["a", "b"], ["b", "c"], ["a", "c", "a"]], [[9, 10], [1, 2], [5, 6, 7]]),
        repeats="keep",
    )
    split = by_session(data, test=0.34, validation=0.33)
    assert split.train.users.ids(np.flatnonzero(split.train.user_counts)) == ["u1"]
    assert split.validation is not None
    assert len(split.validation.user_rows) == 2
    assert split.test.histories([0]).item_rows.tolist() == [0]


def test_next_after_trains_on_nothing_later_than_a_question() -> None:
    lists, times = (
        [["a", "b", "c"], ["b", "a", "c", "b"], ["c"]],
        [[1, 5, 20], [2, 3, 21, 22], [30]],
    )
    data = Interactions.build(events_of(lists, times), repeats="keep")
    split = next_after(data, at=10)
    assert split.train.histories().times.max() < 10
    assert [split.test.histories([n]).item_rows.tolist() for n in (0, 1)] == [[0, 1], [1, 0]]
    assert split.test.truth.item_rows.tolist() == [2, 2]
    assert "1 users without any event before it" in split.sentence
    every = next_after(data, at=10, every=True)
    assert every.test.history.log.lengths.tolist() == [2, 2, 3]
    with pytest.raises(ArgumentError, match="a cut by time needs times"):
        next_after(Interactions.build(events_of(lists)))


def test_validation_of_next_after_lies_before_the_test() -> None:
    rng = np.random.default_rng(0)
    lists = [list(rng.integers(0, 9, 20)) for _ in range(30)]
    times = [sorted(rng.integers(0, 1000, 20).tolist()) for _ in range(30)]
    data = Interactions.build(events_of(lists, times), repeats="keep")
    split = next_after(data, test=0.2, validation=0.2)
    assert split.validation is not None
    latest = split.train.histories().times.max()
    assert latest < split.validation.history.log.item_rows.size * 1000
    assert len(split.validation.user_rows) <= 30


def test_leave_last_holds_out_events_and_not_pairs_where_repeats_are_kept() -> None:
    data = Interactions.build(events_of([["a", "b", "a", "c", "a"], ["b"]]), repeats="keep")
    split = leave_last(data, test=1, validation=1)
    assert split.train.histories([0]).item_rows.tolist() == [0, 1, 0]
    assert split.test.histories([0]).item_rows.tolist() == [0, 1, 0, 2]
    assert split.test.truth.item_rows.tolist() == [0]
    assert split.train.histories([1]).item_rows.tolist() == [1]


def test_extended_data_is_what_all_events_read_at_once_give() -> None:
    first = events_of([["b", "d"], ["d", "b"]], [[1, 2], [3, 4]])
    more = events_of([["a", "d"], ["b"]], [[9, 10], [0]], users=["new", "u0"])
    both = events_of(
        [["b", "d", "b"], ["d", "b"], ["a", "d"]], [[1, 2, 0], [3, 4], [9, 10]], ["u0", "u1", "new"]
    )
    for repeats in ("keep", "last"):
        made = extended(Interactions.build(first, repeats=repeats), more)
        whole = Interactions.build(both, repeats=repeats)
        assert made.users == whole.users
        assert made.items == whole.items
        np.testing.assert_array_equal(made.histories().item_rows, whole.histories().item_rows)
        np.testing.assert_array_equal(made.indptr, whole.indptr)
    with pytest.raises(ArgumentError, match="must have times where the data has them"):
        extended(Interactions.build(first), events_of([["a"]]))


def test_next_item_metrics_by_hand_with_both_repeat_policies() -> None:
    data = Interactions.build(events_of([[0, 1], [0, 1], [0, 2], [3, 0]]), repeats="keep")
    model = Transitions(window=1, backward=0, history_length=1).fit(data, run=ONE)
    part = questions(Histories.of([[0, 1], [0, 2], [1, 0, 1]], 4), data.items)
    # After 0 come 1 (twice) and 2; nothing came after 1.
    result = evaluate_next(model, part, "hit@1,ndcg@2,mrr@2", repeats="allow", run=ONE)
    second = 1 / math.log2(3)
    # The third question, after 1 alone, is a tie of four: mid-rank 1.5.
    tie = 1 / math.log2(3.5)
    np.testing.assert_allclose(result.values["ndcg@2"], [1.0, second, tie, 1.0], rtol=1e-9)
    np.testing.assert_allclose(result.values["mrr@2"], [1.0, 0.5, 0.4, 1.0])
    assert result.groups["repeat"].n_users == 1
    assert result.groups["explore"].n_users == 3
    excluded = evaluate_next(model, part, "hit@1", repeats="exclude", run=ONE)
    assert excluded.values["hit@1"][3] == 0.0
    assert excluded.how.exclude_seen


def test_the_models_own_policy_is_taken_and_a_constant_model_earns_nothing_by_order() -> None:
    data = Interactions.build(events_of([[n] for n in range(40)]), repeats="keep")
    part = questions(Histories.of([[0, 1], [5, 6]], 40), data.items)
    result = evaluate_next(Popularity().fit(data, run=ONE), part, "hit@10", run=ONE)
    assert result["hit@10"] == 0.0
    model = Transitions(repeats="allow").fit(data, run=ONE)
    assert "repeats: allow" in evaluate_next(model, part, "hit@10", run=ONE).how.protocol
    with pytest.raises(ArgumentError, match="the next item is one item"):
        evaluate_next(model, part, "recall@10")


def test_session_files_are_read_and_split(tmp_path) -> None:
    (tmp_path / "train.sessions.txt").write_text("1 2 1\n3 2\n" * 10)
    (tmp_path / "test.prefix_target.txt").write_text("1 2\t1\n3\t7\n")
    place = Source(tmp_path)
    assert len(read_sessions(place, Options())) == 50
    split = split_sessions(place, "published", Options())
    assert split.train.items.ids() == [1, 2, 3, 7]
    assert split.test.histories([0]).item_rows.tolist() == [0, 1]
    assert split.test.truth.item_rows.tolist() == [0, 3]
    held = split_sessions(place, "validation", Options())
    assert np.flatnonzero(held.train.user_counts).tolist() == list(range(18))
    assert len(held.test.user_rows) == 3
    (tmp_path / "test.prefix_target.txt").write_text("1 2\t1\n3 7\n")
    with pytest.raises(DataError, match="line 2 must be a prefix, a tab and one item"):
        split_sessions(Source(tmp_path), "published", Options())
