"""Popularity stands beside a model's scores where these aren't shown to rank better."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from benchmarks.panel import alike, walked

from cofactor.base.engine import Local
from cofactor.base.errors import ArgumentError, TrainingError
from cofactor.base.progress import SilentProgress
from cofactor.base.run import Run
from cofactor.data.events import Events
from cofactor.data.interactions import Interactions
from cofactor.data.sessions import extended
from cofactor.data.split import Split
from cofactor.data.splits import split
from cofactor.data.synthetic import shop
from cofactor.models import registry
from cofactor.models.blends.blend import Blend
from cofactor.models.content.bridge import Bridge
from cofactor.models.defaults import popularity_term
from cofactor.models.traits import Traits
from cofactor.models.validation import users_ndcg
from log_records import LogRecords

RUN = Run(threads=1)
KINDS: dict[str, dict[str, Any]] = {
    "item_knn": {},
    "ease": {},
    "graph_filter": {},
    "ials": {"factors": 8},
    "logistic_mf": {"factors": 8, "epochs": 10},
    "bpr": {"factors": 8, "epochs": 20},
    "warp": {"factors": 8, "epochs": 10},
    "transitions": {},
    "session_knn": {},
    "sequence_linear": {},
}
EVERY = pytest.mark.parametrize("name", KINDS)
OF_ORDER = ("transitions", "session_knn", "sequence_linear")
EVERY_OF_ORDER = pytest.mark.parametrize("name", OF_ORDER)


class Unused(Local):
    """An engine that nothing may be called on."""

    def call(self, *_: Any, **__: Any) -> Any:
        raise AssertionError


@pytest.fixture(scope="module")
def parts() -> Split:
    """Users who choose by the items' fame alone."""
    return split(alike(400, 150, 0.06), "per-user", test=0.2, seed=0)


@cache
def own_tastes() -> Interactions:
    return replace(shop(n_users=300, n_items=120, seed=1), values=None, times=None)


def fitted(name: str, data: Interactions, **settings: Any) -> Any:
    return registry.create(name, **KINDS.get(name, {}), **settings).fit(data, run=RUN)


@pytest.fixture(scope="module")
def personal() -> Interactions:
    return own_tastes()


@cache
def kept(name: str, weight: float) -> Any:
    """A model of the personal data; tests don't change it."""
    return fitted(name, own_tastes(), popularity_weight=weight)


def reached(model: Any, parts: Split) -> float:
    return float(users_ndcg(model, parts.test, parts.test.user_rows, 10).mean())


@EVERY
def test_nothing_is_below_popularity_where_all_choose_by_it(name: str, parts: Split) -> None:
    popular = reached(fitted("popularity", parts.train), parts)
    model = fitted(name, parts.train)
    # Vectors may shrink to popularity by themselves.
    assert model.popularity_offset is not None or model.traits.has_vectors
    assert reached(model, parts) >= 0.99 * popular
    alone = fitted(name, parts.train, popularity_weight=0.0)
    assert alone.popularity_offset is None


def test_no_setting_is_blamed_where_nothing_is_personal(parts: Split, caplog: LogRecords) -> None:
    said: list[str] = []

    class Progress(SilentProgress):
        def say(self, sentence: str) -> None:
            said.append(sentence)

    registry.create("bpr").fit(parts.train, run=replace(RUN, progress=Progress()))
    (sentence,) = [one for one in said if "popularity" in one]
    assert sentence.startswith(
        "bpr: its own scores don't rank held-out training interactions significantly better than"
        " popularity, so popularity is added to them with a weight of "
    )
    assert not [one for one in (*said, caplog.text) if "collapsed" in one]


@EVERY
def test_personal_data_changes_nothing(name: str, personal: Interactions) -> None:
    alone = kept(name, 0.0)
    if name in OF_ORDER:
        personal = walked(300, 60, 8.0)
        alone = fitted(name, personal, popularity_weight=0.0)
    chosen = fitted(name, personal).state()
    assert chosen.keys() == alone.state().keys()
    for key, array in alone.state().items():
        if key != "history_seconds":
            np.testing.assert_array_equal(chosen[key], array)


@EVERY
def test_the_term_adds_to_scores_lists_and_reasons(name: str) -> None:
    model, alone = kept(name, 2.0), kept(name, 0.0)
    users = np.arange(5)
    offset = model.popularity_offset
    np.testing.assert_allclose(
        model.score_rows(users), alone.score_rows(users) + offset, rtol=1e-5, atol=1e-5
    )
    some = np.array([3, 1])
    np.testing.assert_allclose(
        model.score_rows(users, some), model.score_rows(users)[:, some], rtol=1e-5, atol=1e-6
    )
    top = model.topk(model.user_batch(users), 4)
    best = -np.sort(-model.score_rows(users), axis=1)[:, :4]
    np.testing.assert_allclose(top.scores, best, rtol=1e-5)
    near, before = (one.similar_item_rows(some, 5) for one in (model, alone))
    np.testing.assert_array_equal(near.rows, before.rows)
    if model.traits.explains:
        shares = model.explain_rows(model.user_batch(users[:1]), some)
        np.testing.assert_allclose(
            shares.added.sum(1) + shares.rest, model.score_rows(users[:1], some)[0], rtol=1e-5
        )
        np.testing.assert_allclose(shares.rest, offset[some])


@EVERY
def test_new_users_are_ranked_with_the_term_and_empty_ones_as_before(
    name: str, personal: Interactions
) -> None:
    model = fitted(name, personal, popularity_weight=1024.0)
    popular = fitted("popularity", personal)
    titles = personal.items.ids(np.array([4, 9]))
    for history in ([titles], [[]]):
        lists = [one.recommend(history=history, k=3).ids for one in (model, popular)]
        assert lists[0] == lists[1]


@EVERY
def test_the_term_is_saved_and_older_models_have_none(name: str, personal: Interactions) -> None:
    model = kept(name, 2.0)
    loaded = type(model).from_state(model.config, model.state(), personal)
    users = np.arange(5)
    np.testing.assert_array_equal(loaded.score_rows(users), model.score_rows(users))
    older = {key: one for key, one in model.state().items() if key != "popularity_offset"}
    loaded = type(model).from_state(model.config, older, personal)
    np.testing.assert_array_equal(loaded.score_rows(users), kept(name, 0.0).score_rows(users))


@pytest.mark.parametrize("name", ["ials", "logistic_mf", "bpr", "warp", *OF_ORDER])
def test_an_update_keeps_the_weight(name: str, personal: Interactions) -> None:
    new = Events(personal.users.take(np.array([0])), personal.items.take(np.array([5])))
    model = fitted(name, personal, popularity_weight=2.0)
    model.update(new, run=RUN)
    assert popularity_term.weight_in(model) == pytest.approx(2.0, rel=1e-3)
    alone = fitted(name, personal, popularity_weight=0.0).update(new, run=RUN)
    assert alone.popularity_offset is None


@pytest.mark.parametrize("name", ["ials", "logistic_mf"])
def test_nothing_is_chosen_where_the_l2_is_given(name: str, parts: Split) -> None:
    assert fitted(name, parts.train, regularization=0.1).popularity_offset is None


@pytest.mark.parametrize("name", ["ials", "item_knn", "warp"])
def test_two_items_a_user_are_enough_to_choose_by(name: str) -> None:
    data = split(alike(600, 100, 0.01), "per-user", test=0.2, seed=0).train
    some = data.where(np.isin(np.arange(len(data)), np.r_[data.indptr[:-1], data.indptr[:-1] + 1]))
    assert fitted(name, some).popularity_offset is not None


def test_nothing_is_chosen_under_a_time_limit(parts: Split) -> None:
    model = registry.create("warp", **KINDS["warp"])
    model.fit(parts.train, run=RUN, max_time=5.0)
    assert model.popularity_offset is None


def test_where_users_have_one_item_popularity_decides(personal: Interactions) -> None:
    first = personal.where(np.isin(np.arange(len(personal)), personal.indptr[:-1]))
    for name in KINDS:
        assert popularity_term.weight_in(fitted(name, first)) == pytest.approx(1024.0, rel=1e-3)


@EVERY_OF_ORDER
def test_an_update_with_new_items_ranks_as_a_refit_with_that_weight(
    name: str, personal: Interactions
) -> None:
    new = Events(personal.users.take(np.array([0, 1])), pa.chunked_array([["new 1", "new 2"]]))
    model = fitted(name, personal, popularity_weight=2.0).update(new, run=RUN)
    refit = fitted(name, extended(personal, new), popularity_weight=2.0)
    users = np.arange(5)
    np.testing.assert_allclose(
        model.score_rows(users), refit.score_rows(users), rtol=2e-3, atol=2e-4
    )


def turns_over(life: float, seed: int = 0) -> Interactions:
    """Items that can be had for a part of the period, each of them at another time, and users who
    choose among them by fame.
    """
    rng = np.random.default_rng(seed)
    n_users, n_items = 400, 200
    begin, fame = rng.uniform(-life, 1, n_items), -0.8 * np.log(np.arange(n_items) + 1.0)
    users, items, times = [], [], []
    for user in range(n_users):
        when = 0.6 * rng.random() + 0.4 * rng.random(n_items)
        there = np.flatnonzero((begin <= when) & (when <= begin + life))
        best = np.argsort(-(fame + rng.gumbel(size=n_items))[there])[:6]
        chosen = there[best]
        users += [user] * len(chosen)
        items += chosen.tolist()
        times += (1e9 + 1e7 * when[chosen]).astype(np.int64).tolist()
    return Interactions.from_rows(users, items, times=np.array(times), users=n_users, items=n_items)


@EVERY_OF_ORDER
def test_what_was_popular_once_is_not_added_where_the_catalogue_turns_over(name: str) -> None:
    assert fitted(name, turns_over(0.2)).popularity_offset is None
    stays = turns_over(2.0)
    assert fitted(name, stays).popularity_offset is not None
    assert not popularity_term.out_of_date(replace(stays, times=None), RUN)
    assert not popularity_term.out_of_date(replace(stays, times=stays.times * 0), RUN)


@pytest.mark.parametrize("name", ["item_knn", "ease", "graph_filter"])
def test_nor_is_it_added_to_models_without_order_there(name: str) -> None:
    data = turns_over(0.3, seed=1)
    assert fitted(name, data).popularity_offset is None
    assert fitted(name, replace(data, times=None)).popularity_offset is not None


def again_and_again(n_users: int, n_items: int, seed: int) -> Interactions:
    """Sessions of six events with two items each, which the user turns back to."""
    rng = np.random.default_rng(seed)
    share = 1 / np.arange(5.0, n_items + 5)
    own = rng.choice(n_items, (n_users, 2), p=share / share.sum())
    rows = np.take_along_axis(own, rng.integers(2, size=(n_users, 6)), 1).ravel()
    events = Events(
        pa.chunked_array([[f"u{u:03d}" for u in np.repeat(np.arange(n_users), 6)]]),
        pa.chunked_array([[f"i{i:03d}" for i in rows]]),
        times=np.arange(len(rows)),
    )
    return Interactions.build(events, repeats="keep")


@pytest.mark.parametrize("name", ["transitions", "session_knn"])
def test_repeats_count_where_they_may_be_recommended(name: str) -> None:
    data, settings = again_and_again(200, 80, 0), {"repeats": "allow", "repeat_weight": 1.0}
    assert fitted(name, data, **settings).popularity_offset is None
    one_item = data.where(np.isin(np.arange(len(data)), data.indptr[:-1]))
    assert fitted(name, one_item, **settings).popularity_offset is None
    assert popularity_term.weight_in(fitted(name, one_item)) == pytest.approx(1024.0, rel=1e-3)


class Trial:
    """A model to choose for: popularity below so many interactions, item kNN from then on."""

    def __init__(self, enough: int) -> None:
        self.enough, self.sizes, self.runs = enough, [], []
        self.name, self.traits = "trial", Traits()

    def as_chosen(self, data: Interactions) -> Any:
        self.sizes.append(len(data))
        if len(data) < self.enough:
            return Random(self.runs)
        return registry.create("item_knn", neighbours=300)


class Random:
    """Scores by chance."""

    def __init__(self, runs: list[Run]) -> None:
        self.runs = runs

    def set_params(self, **settings: Any) -> Random:
        return self

    def fit(self, data: Interactions, run: Run) -> Any:
        self.runs.append(run)
        model = fitted("item_knn", data, popularity_weight=0.0)
        draw = np.random.default_rng(0)
        model._product = lambda indptr, past, values, rows: draw.random(
            (len(indptr) - 1, data.n_items if rows is None else len(rows)), np.float32
        )
        return model


def test_more_interactions_are_looked_at_until_the_model_ranks_better(
    personal: Interactions, monkeypatch: pytest.MonkeyPatch
) -> None:
    total = len(personal)
    monkeypatch.setattr(popularity_term, "_SAMPLES", (total // 2, total - 1, total))
    few, much = Trial(6 * total // 10), Trial(2 * total)
    assert popularity_term.choose_weight(few, personal, RUN) == 0.0
    assert len(few.sizes) == 2
    assert popularity_term.choose_weight(much, personal, RUN) >= 4.0
    assert len(much.sizes) == 3


def test_the_choice_needs_neither_engine_nor_device(personal: Interactions) -> None:
    trial = Trial(2**30)
    run = Run(threads=1, device="cuda", engine=Unused())
    popularity_term.choose_weight(trial, personal, run)
    assert {(one.device, one.engine) for one in trial.runs} == {("cpu", None)}


def test_training_that_fails_and_few_users_choose_nothing(personal: Interactions) -> None:
    trial = Trial(0)
    trial.as_chosen = lambda data: (_ for _ in ()).throw(TrainingError("diverged"))  # type: ignore[method-assign,assignment]
    assert popularity_term.choose_weight(trial, personal, RUN) == 0.0
    few = Trial(2**30)
    assert popularity_term.choose_weight(few, personal.where(personal.user_rows < 40), RUN) == 0.0
    assert few.sizes == []


def test_a_blend_keeps_the_terms_of_its_models(personal: Interactions) -> None:
    words = ("item_knn.popularity_weight=2",)
    blend = Blend(models=("item_knn", "ease"), model_settings=words).fit(personal, run=RUN)
    loaded = Blend.from_state(blend.config, blend.state(), personal)
    users = np.arange(5)
    np.testing.assert_array_equal(loaded.score_rows(users), blend.score_rows(users))


def test_the_base_of_a_bridge_has_no_term(personal: Interactions) -> None:
    bridge = Bridge(base="ease", text=("title",), compare_without_features=False)
    assert bridge.fit(personal, run=RUN).inner.popularity_offset is None
    with pytest.raises(ArgumentError, match="popularity_weight"):
        Bridge(base="ease", base_settings=("popularity_weight=1",))
