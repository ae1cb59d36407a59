"""Models of order on input that isn't as one would have it: one test for each kind, on all of
them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from cofactor.base import memory
from cofactor.base.errors import MemoryLimitError
from cofactor.base.progress import SilentProgress
from cofactor.base.run import Run
from cofactor.data.events import Events
from cofactor.data.histories import Histories
from cofactor.data.ids import IdMap
from cofactor.data.interactions import Interactions
from cofactor.data.splits import by_session, next_after
from cofactor.data.splits.cut import NO_TIMES
from cofactor.models import registry
from cofactor.models.recommender import Recommender
from cofactor.service.answering.profiles import UserProfiles
from cofactor.service.settings import Settings
from cofactor.store import Store, open_store
from cofactor.store.records import Event
from models.sequence.test_sequence_models import (
    EVERY_SEQUENCE,
    NETWORKS,
    ONE,
    SEQUENCES,
    events,
    together,
)

WALKS = [[0, 1, 2, 3, 0, 1], [1, 2, 4], *[[7, 8, 9, 10]] * 3]


def built(lists: list[list[int]], times: np.ndarray | None, repeats: str = "keep") -> Interactions:
    """Data of 12 items, a user for each list; the last item is nobody's."""
    owners = np.repeat(np.arange(len(lists)), [len(one) for one in lists])
    read = Events(
        pa.chunked_array([pa.array(owners)]),
        pa.chunked_array([pa.array(np.concatenate(lists))]),
        times=times,
    )
    return Interactions.build(read, items=IdMap(np.arange(12)), repeats=repeats)


def fitted(name: str, data: Interactions, **more: object) -> Recommender:
    return registry.create(name, **{**SEQUENCES[name], **more}).fit(data, run=ONE)


def scores(model: Recommender, *lists: list[int]) -> np.ndarray:
    found = model.score_batch(model.fold_in(Histories.of(list(lists), model.data.n_items)))
    assert np.isfinite(found).all()
    return found


def n_events(lists: list[list[int]]) -> int:
    return sum(len(one) for one in lists)


class Sayings(SilentProgress):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)


@EVERY_SEQUENCE
def test_without_times_the_order_of_the_source_counts_and_that_is_said(name: str) -> None:
    said, model = Sayings(), registry.create(name, **SEQUENCES[name])
    model.fit(built(WALKS, None), run=Run(threads=1, progress=said))
    assert NO_TIMES in said.lines
    assert NO_TIMES in model.notes
    timed = fitted(name, built(WALKS, np.arange(n_events(WALKS))))
    assert NO_TIMES not in timed.notes
    np.testing.assert_allclose(scores(model, [0, 1], [3]), scores(timed, [0, 1], [3]), rtol=1e-5)


@EVERY_SEQUENCE
def test_equal_times_are_in_the_order_of_the_source(name: str) -> None:
    equal = fitted(name, built(WALKS, np.zeros(n_events(WALKS), np.int64)))
    assert equal.data.histories([0]).item_rows.tolist() == WALKS[0]
    timed = fitted(name, built(WALKS, np.arange(n_events(WALKS))))
    if name == "session_knn":  # which sessions are recent isn't known where all times are equal
        scores(equal, [0, 1])
        return
    np.testing.assert_allclose(scores(equal, [0, 1], [3]), scores(timed, [0, 1], [3]), rtol=1e-5)


@EVERY_SEQUENCE
def test_a_clock_that_goes_back_puts_events_in_the_order_of_its_times(name: str, tmp_path) -> None:
    back = fitted(name, built(WALKS, -np.arange(n_events(WALKS))))
    assert back.data.histories([0]).item_rows.tolist() == WALKS[0][::-1]
    model = fitted(name, built(WALKS, np.arange(n_events(WALKS))))
    with open_store(f"sqlite:///{tmp_path / 'e.db'}") as store:
        for item, moment in ((7, 100), (9, 300), (8, 200)):
            event = Event(user_id="new", item_id=item, kind="click", time=moment)
            store.append([event]).result(300)
        profiles = UserProfiles(model, store, Settings())
        streamed = model.score_batch(profiles.user_batch([profiles.of_user("new")]))
    np.testing.assert_allclose(streamed, scores(model, [7, 8, 9]), rtol=1e-6)


def scores_of_user_2(model: Recommender, store: Store) -> np.ndarray:
    """Of the user whose training events are items 7 to 10 at the seconds 109 to 112."""
    profiles = UserProfiles(model, store, Settings())
    return model.score_batch(profiles.user_batch([profiles.of_user("2")]))


@pytest.mark.parametrize("repeats", ["keep", "last"])
def test_a_stored_event_that_was_trained_on_counts_once(repeats: str, tmp_path) -> None:
    model = fitted("transitions", built(WALKS, np.arange(n_events(WALKS)) + 100, repeats))
    with open_store(f"sqlite:///{tmp_path / 'e.db'}") as store:
        for item, moment in ((7, 109), (8, 110), (9, 111), (10, 112)):
            store.append([Event(user_id=2, item_id=item, kind="click", time=moment)]).result(300)
        assert UserProfiles(model, store, Settings()).of_user("2").trained == 2
        np.testing.assert_allclose(scores_of_user_2(model, store), scores(model, [7, 8, 9, 10]))
        store.append([Event(user_id=2, item_id=7, kind="click", time=113)]).result(300)
        once_more = scores(model, [7, 8, 9, 10, 7])
        np.testing.assert_allclose(scores_of_user_2(model, store), once_more)


def test_a_stored_event_older_than_the_training_ones_takes_its_place_in_time(tmp_path) -> None:
    model = fitted("transitions", built(WALKS, np.arange(n_events(WALKS)) + 100))
    with open_store(f"sqlite:///{tmp_path / 'e.db'}") as store:
        store.append([Event(user_id=2, item_id=1, kind="click", time=50)]).result(300)
        store.append([Event(user_id=2, item_id=2, kind="click", time=120)]).result(300)
        streamed = scores_of_user_2(model, store)
    np.testing.assert_allclose(streamed, scores(model, [1, 7, 8, 9, 10, 2]))


@EVERY_SEQUENCE
def test_one_click_sessions_are_no_obstacle_and_are_answered(name: str) -> None:
    lone = [[3], [4], [3], *WALKS, [11]]
    model = fitted(name, built(lone, np.arange(n_events(lone))))
    found = scores(model, [7], [11])
    assert found[0].argmax() in (7, 8, 9, 10)


@EVERY_SEQUENCE
def test_a_session_of_100_000_clicks_is_read_from_its_end(name: str) -> None:
    rng = np.random.default_rng(0)
    n_items = Interactions.build(events(2000, 3)).n_items
    long = rng.integers(0, n_items, 100_000).astype(np.int32)
    clicks = Events(
        pa.chunked_array([pa.array(["long"] * len(long))]),
        pa.chunked_array([pa.array([f"i{row:02d}" for row in long])]),
        times=np.arange(len(long), dtype=np.int64),
    )
    data = Interactions.build(together(events(2000, 3), clicks), repeats="keep")
    few_steps = {"epochs": 1, "batch_tokens": 6000}
    model = fitted(name, data, **(few_steps if name in NETWORKS else {}))
    whole, tail = scores(model, long), scores(model, long[-500:])
    np.testing.assert_allclose(whole, tail, rtol=1e-4)


@EVERY_SEQUENCE
def test_unknown_items_in_the_middle_of_a_prefix_are_skipped(name: str) -> None:
    model = fitted(name, Interactions.build(events(600, 3), repeats="keep"))
    with_gap = model.recommend(history=["i03", "nowhere", "i04"], unknown="fallback", run=ONE)
    assert with_gap.scores == model.recommend(history=["i03", "i04"], run=ONE).scores


@EVERY_SEQUENCE
def test_repeats_count_each_time(name: str) -> None:
    lists = [*WALKS, [5, 5, 5, 5], [5, 5, 6]]
    model = fitted(name, built(lists, np.arange(n_events(lists))))
    assert model.data.histories([5]).item_rows.tolist() == [5, 5, 5, 5]
    once, thrice = scores(model, [1, 5, 2], [1, 5, 5, 5, 2])
    assert not np.allclose(once, thrice)


@EVERY_SEQUENCE
def test_kinds_mixed_in_a_session_count_by_what_they_mean(name: str, tmp_path) -> None:
    model = fitted(name, built(WALKS, np.arange(n_events(WALKS))))
    kinds = (("click", 7), ("impression", 1), ("purchase", 8), ("dislike", 2), ("view", 9))
    with open_store(f"sqlite:///{tmp_path / 'e.db'}") as store:
        for moment, (kind, item) in enumerate(kinds):
            store.append([Event(user_id="new", item_id=item, kind=kind, time=moment)]).result(300)
        profiles = UserProfiles(model, store, Settings())
        streamed = model.score_batch(profiles.user_batch([profiles.of_user("new")]))
    # What was shown says nothing, and what is disliked isn't part of the past.
    np.testing.assert_allclose(streamed, scores(model, [7, 8, 9]), rtol=1e-6)


def test_kinds_travel_with_the_events() -> None:
    kinds = np.array([0, 1, 0, 2], np.uint8)
    base = Histories.of([[1, 2, 3], [4]], 9)
    mixed = Histories(base.indptr, base.item_rows, None, None, 9, kinds)
    assert mixed.take([1, 0]).kinds.tolist() == [2, 0, 1, 0]
    assert mixed.where(kinds != 1).item_rows.tolist() == [1, 3, 4]
    assert mixed.tail(1).kinds.tolist() == [0, 2]


@EVERY_SEQUENCE
def test_an_empty_history_and_an_item_that_nobody_had_are_answered(name: str) -> None:
    model = fitted(name, built(WALKS, np.arange(n_events(WALKS))))
    assert scores(model, [], [11], [5, 5, 5]).shape == (3, 12)


def test_prefixes_of_a_very_long_session_are_refused_before_they_take_the_memory() -> None:
    lists = [*WALKS, [n % 12 for n in range(2000)]]
    data = built(lists, np.arange(n_events(lists)))
    with memory.limited(2**24), pytest.raises(MemoryLimitError, match="longest of 1,999 events"):
        by_session(data)
    with memory.limited(2**24), pytest.raises(MemoryLimitError, match="leave out sessions"):
        next_after(data, at=n_events(WALKS) + 100, every=True)
    assert by_session(built(WALKS, np.arange(n_events(WALKS)))).test.truth.n_users == 3


def test_more_pairs_of_items_than_fit_are_refused_before_they_are_counted() -> None:
    data = built(WALKS, np.arange(n_events(WALKS)))
    with memory.limited(2**10), pytest.raises(MemoryLimitError, match="use a smaller window"):
        fitted("transitions", data)
