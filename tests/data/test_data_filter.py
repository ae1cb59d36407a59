from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cofactor.base.errors import ArgumentError
from cofactor.data import filter as filters
from cofactor.data.describe import describe, tail
from cofactor.data.events import Events
from cofactor.data.interactions import Interactions
from cofactor.data.readers import read
from examples import examples


def small() -> Interactions:
    events = Events(
        pa.array(["u1", "u1", "u1", "u2", "u2", "u3", "u4"]),
        pa.array(["a", "b", "c", "a", "b", "a", "d"]),
        np.array([5, 4, 1, 3, 4, 5, 2], np.float32),
        np.array([10, 20, 20, 40, 50, 60, 70]),
        item_table=pa.table({"item_id": ["a", "c", "d"], "title": ["Ay", "See", "Dee"]}),
    )
    return Interactions.build(events)


def test_values_below_the_threshold_go_and_rows_are_numbered_again():
    made, step = filters.min_values(small(), 4)
    assert made.values is None
    assert made.users.ids() == ["u1", "u2", "u3"]
    assert made.items.ids() == ["a", "b"]
    assert made.catalogue.titles([0, 1]) == ["Ay", None]
    assert str(step) == (
        "values of 4 and more, each counting the same: users 4 -> 3, items 4 -> 2, interactions"
        " 7 -> 4"
    )
    assert made.notes[-1] == f"kept {step}"
    assert filters.min_values(small(), 4, binarize=False)[0].values.tolist() == [5, 4, 4, 5]


def test_a_threshold_without_values_is_refused():
    data, _ = filters.min_values(small())
    with pytest.raises(ArgumentError, match="a threshold needs values"):
        filters.min_values(data, 4)


def test_counts_once_and_core_differ():
    # u3 has one interaction and a has three; without u3's, a still has two.
    once, _ = filters.min_counts(small(), users=2, items=2)
    assert once.items.ids() == ["a", "b"]
    core, step = filters.k_core(small(), users=3, items=1)
    assert core.users.ids() == ["u1"]
    assert "iterated until stable" in step.rule
    with pytest.raises(ArgumentError, match="nothing is left of 7 interactions"):
        filters.k_core(small(), users=3, items=2)


@given(
    cells=st.sets(st.integers(0, 8 * 11 - 1), min_size=1, max_size=60),
    users=st.integers(0, 4),
    items=st.integers(0, 4),
)
@settings(max_examples=examples(30))
def test_core_is_the_largest_part_that_holds_both_minimums(cells, users, items):
    pairs = [divmod(cell, 11) for cell in sorted(cells)]
    kept = set(pairs)
    while True:  # one at a time, the slow way
        bad = {
            p
            for p in kept
            if sum(q[0] == p[0] for q in kept) < users or sum(q[1] == p[1] for q in kept) < items
        }
        if not bad:
            break
        kept.remove(min(bad))
    data = Interactions.from_rows(
        *(np.array(c) for c in zip(*pairs, strict=True)), users=8, items=11
    )
    if not kept:
        with pytest.raises(ArgumentError, match="nothing is left"):
            filters.k_core(data, users, items)
        return
    made, _ = filters.k_core(data, users, items)
    found = zip(made.users.ids(made.user_rows), made.items.ids(made.item_rows), strict=True)
    assert set(found) == kept


def test_window_holds_its_start_and_not_its_end():
    made, step = filters.time_window(small(), 20, 60)
    assert sorted(made.times) == [20, 20, 40, 50]
    assert step.rule == "from 1970-01-01 00:00:20 UTC on and before 1970-01-01 00:01:00 UTC"
    with pytest.raises(ArgumentError, match="nothing is left"):
        filters.time_window(small(), until="1969-01-01")


def test_window_without_times_is_refused():
    data = Interactions.from_rows(np.array([0]), np.array([0]), users=1, items=1)
    with pytest.raises(ArgumentError, match="needs times"):
        filters.time_window(data, 3)


def test_all_filters_report_each_step_in_order():
    made, report = filters.apply(small(), since=20, min_value=3, min_user=2, core=False)
    assert [step.rule.split()[0] for step in report.steps] == ["from", "values", "users"]
    assert report.steps[0].after == report.steps[1].before
    assert len(made) == report.steps[-1].after.interactions == 2
    assert json.loads(json.dumps(report.to_dict()))[0]["before"] == {
        "users": 4,
        "items": 4,
        "interactions": 7,
    }
    assert repr(report).count("\n") == 2
    same, nothing = filters.apply(small())
    assert len(same) == 7
    assert repr(nothing) == "nothing was filtered"


def test_repeats_count_pairs_and_differing_values():
    events = Events(
        pa.array(["u", "u", "u", "v", "v", "w"]).dictionary_encode(),
        pa.array([1, 1, 1, 1, 1, 2]),
        np.array([1, 1, 2, 3, 3, 1]),
    )
    found = filters.repeats(events)
    assert (found.events, found.pairs, found.repeated_pairs, found.most, found.differing) == (
        6,
        3,
        2,
        3,
        1,
    )
    assert "2 pairs repeat, 1 of them with differing values, one 3 times" in str(found)
    assert "no pair" in str(filters.repeats(Events(pa.array([1, 2]), pa.array([1, 1]))))


def test_description_counts_what_is_there():
    found = describe(small())
    assert (found.users, found.items, found.interactions) == (4, 4, 7)
    assert found.density == pytest.approx(7 / 16)
    assert found.values.histogram == (("1", 1), ("2", 1), ("3", 1), ("4", 2), ("5", 2))
    assert found.values.mean == pytest.approx(24 / 7)
    assert found.values.deviation == pytest.approx(np.std([5, 4, 1, 3, 4, 5, 2]))
    assert (found.span.first, found.span.last) == (10, 70)
    assert found.span.tied == pytest.approx(2 / 7)
    assert found.item_columns == {"title": pytest.approx(3 / 4)}
    assert found.item_tail.below_five == 4
    assert json.loads(json.dumps(found.to_dict()))["item_tail"]["top_shares"][
        "1 %"
    ] == pytest.approx(3 / 7)
    for words in (
        "4 users × 4 items, 7 interactions",
        "mean 3.429",
        "density 43.7500%",
        "2 interactions (28.6%) share their time",
        "interactions per user: mean 1.8, median 2, from 1 to 3;",
        "users with fewer than 5",
    ):
        assert words in str(found)


def test_description_of_bare_interactions_has_no_values_and_no_span():
    data = Interactions.from_rows(np.array([0, 2]), np.array([1, 1]), users=3, items=4)
    found = describe(data)
    assert found.values is None
    assert found.span is None
    assert (found.idle_users, found.idle_items) == (1, 3)
    assert "without any" in str(found)
    assert "share their time" not in str(found)


def test_description_of_many_values_uses_ranges():
    data = Interactions.from_rows(
        np.arange(40), np.arange(40) % 7, np.arange(40, dtype=np.float32), users=40, items=7
    )
    histogram = describe(data).values.histogram
    assert len(histogram) == 10
    assert sum(count for _, count in histogram) == 40


@pytest.mark.parametrize(
    ("counts", "gini"),
    [([4, 4, 4, 0], 0.0), ([0, 0, 9], 0.0), ([1, 3], 0.25), ([1, 1, 1, 97], 0.72)],
)
def test_gini_of_known_spreads(counts, gini):
    assert tail(np.array(counts)).gini == pytest.approx(gini)


def test_tail_of_nothing_is_zero():
    assert tail(np.zeros(3, np.int64)).mean == 0.0


def test_a_remark_on_values_that_are_left_out_goes_with_them() -> None:
    columns = {"user": list("aabb"), "item": list("xyxz"), "value": [-1.0, 2.0, 0.0, 3.0]}
    data = Interactions.build(read(pa.table(columns)))
    assert any("1 of 4 values are negative" in note for note in data.notes)
    kept, _ = filters.min_values(data, 1.0)
    assert not any("negative" in note for note in kept.notes)
    still, _ = filters.min_values(data, -1.0, binarize=False)
    assert any("negative" in note for note in still.notes)
