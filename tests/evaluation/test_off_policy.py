"""Off-policy estimates: by hand, unbiased and covering on simulations whose truth is known, and
refused where the log doesn't tell.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from benchmarks import off_policy as simulation

from cofactor.base.errors import ArgumentError, CofactorError, DataError, TraitError
from cofactor.data.interactions import Interactions
from cofactor.data.synthetic import shop
from cofactor.metrics.off_policy import (
    Logged,
    cascade_weights,
    effective_sample_size,
    estimate,
)
from cofactor.models import registry
from cofactor.models.recommender import Recommender
from cofactor.retrieval.exploration import Pool, parse_exploration
from cofactor.runs.logged_lists import LoggedLists, read_lists
from cofactor.runs.ope import OpeSettings, ope


def small() -> Logged:
    return Logged(
        rewards=np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]),
        behaviour=np.array([[0.5, 0.5], [0.5, 1.0], [0.25, 0.5]]),
        target=np.array([[1.0, 0.25], [0.25, 1.0], [0.5, 0.0]]),
        q_logged=np.full((3, 2), 0.5),
        q_target=np.full((3, 2), 0.5),
        groups=np.array([0, 1, 2]),
    )


def test_the_estimates_are_their_formulas() -> None:
    weights = np.array([[2.0, 1.0], [0.5, 0.5], [2.0, 0.0]])
    assert cascade_weights(small()).tolist() == weights.tolist()
    rewards = small().rewards
    assert estimate(small(), "ips").value == pytest.approx((weights * rewards).sum() / 3)
    capped = np.minimum(weights, 1.5)
    clipped = estimate(small(), "clipped", clip=1.5).value
    assert clipped == pytest.approx((capped * rewards).sum() / 3)
    means = (weights * rewards).sum(axis=0) / weights.sum(axis=0)
    assert estimate(small(), "snips").value == pytest.approx(means.sum())
    before = np.array([[1.0, 2.0], [1.0, 0.5], [1.0, 2.0]])
    terms = weights * (rewards - 0.5) + before * 0.5
    assert estimate(small(), "dr").value == pytest.approx(terms.sum() / 3)
    assert effective_sample_size(weights[:, 0]) == pytest.approx(4.5**2 / 8.25)
    with pytest.raises(ArgumentError, match="method must be one of"):
        estimate(small(), "magic")


def test_a_users_lists_are_one_observation() -> None:
    one = small()
    twice = Logged(*(np.concatenate([part, part]) for part in one[:5]), np.tile(one.groups, 2))
    single, double = estimate(one, "ips"), estimate(twice, "ips")
    assert (double.low, double.high) == pytest.approx((single.low, single.high))
    with pytest.raises(ArgumentError, match="at least two users"):
        estimate(one._replace(groups=np.zeros(3, np.int64)), "ips")


@pytest.mark.parametrize("level", [0.9, 0.99])
def test_the_interval_of_a_list_a_user_is_students(level: float) -> None:
    from scipy import stats

    terms = (cascade_weights(small()) * small().rewards).sum(axis=1)
    right = stats.ttest_1samp(terms, 0.0).confidence_interval(level)
    found = estimate(small(), "ips", level=level)
    assert (found.low, found.high) == pytest.approx(tuple(right))


def test_intervals_cover_the_truth() -> None:
    # The full run is benchmarks/off_policy.py.
    covered: dict[str, list[bool]] = {}
    errors: dict[str, list[float]] = {}
    for run in range(120):
        rng = np.random.default_rng([1, run])
        world = simulation.world(rng)
        scores = simulation.policies(rng, world)["near"]
        truth = simulation.value(world, scores)
        logged = simulation.log(rng, world, scores, 1_000)
        for method in ("ips", "snips", "dr"):
            found = estimate(logged, method)
            covered.setdefault(method, []).append(found.low <= truth <= found.high)
            errors.setdefault(method, []).append(found.value - truth)
    for method, hits in covered.items():
        assert np.mean(hits) >= 0.9, method
        error = np.array(errors[method])
        assert abs(error.mean()) < 3 * error.std() / np.sqrt(len(error)), method


@pytest.fixture(scope="module")
def data() -> Interactions:
    return shop(n_users=80, n_items=30, seed=4)


@pytest.fixture(scope="module")
def models(data: Interactions) -> tuple[Recommender, Recommender]:
    old = registry.create("popularity").fit(data)
    new = registry.create("item_knn").fit(data)
    return old, new


def shown_by(
    model: Recommender, data: Interactions, explore: str, n_lists: int, seed: int
) -> LoggedLists:
    """Lists that a policy shows, with clicks that depend on item, user and position."""
    rng, exploration = np.random.default_rng(seed), parse_exploration(explore)
    batch = model.user_batch(np.arange(data.n_users, dtype=np.int32))
    best = model.topk(batch, 100, excluded=batch.seen, n_threads=1)
    ids, names = data.items.ids(), data.users.ids()
    users, items, probabilities, rewards = [], [], [], []
    for _ in range(n_lists):
        row = int(rng.integers(data.n_users))
        count = int(best.count[row])
        rows, scores = best.rows[row, :count], best.scores[row, :count]
        drawn = exploration.draw(Pool(scores), 2, rng)
        chosen = rows[drawn.places]
        chance = ((chosen * 7 + row * 3) % 11) / 20 * np.array([1.0, 0.6])
        users.append(str(names[row]))
        items.append([ids[one] for one in chosen])
        probabilities.append(drawn.probabilities.tolist())
        rewards.append((rng.random(2) < chance).astype(float).tolist())
    return LoggedLists(users, items, probabilities, rewards)


def test_another_models_earnings_are_found_without_showing_it(
    data: Interactions, models: tuple[Recommender, Recommender]
) -> None:
    old, new = models
    logs = shown_by(old, data, "softmax=2", 4_000, 0)
    truth = np.sum(shown_by(new, data, "softmax=1", 8_000, 1).rewards) / 8_000
    found = ope(logs, new, OpeSettings(explore="softmax=1"))
    assert (found.n_lists, found.positions) == (4_000, 2)
    assert found.mean_weights[0] == pytest.approx(1.0, abs=0.1)
    for one in found.estimates:
        if one.method != "clipped":
            assert one.low - 0.02 < truth < one.high + 0.02, one
    assert found.estimates[-1].method == "dr"


def test_the_policy_that_was_shown_has_weights_of_one(
    data: Interactions, models: tuple[Recommender, Recommender]
) -> None:
    found = ope(
        shown_by(models[0], data, "softmax=2", 400, 0), models[0], OpeSettings(explore="softmax=2")
    )
    assert found.effective == (pytest.approx(400), pytest.approx(400))
    assert found.estimates[0].value == pytest.approx(found.logged.value)


def test_what_the_log_does_not_support_is_refused(
    data: Interactions, models: tuple[Recommender, Recommender]
) -> None:
    old, new = models
    with pytest.raises(DataError, match="nothing in these lists was random"):
        ope(shown_by(old, data, "slots=0", 200, 0), new)
    with pytest.raises(DataError, match="doesn't support this policy at position 0"):
        ope(shown_by(old, data, "slots=0.01", 300, 0), new)
    # One position of two may well be supported: then it says so.
    logs = shown_by(old, data, "slots=0.6", 1_500, 0)
    with pytest.raises(DataError, match="--positions 1 is supported"):
        ope(logs, new)
    assert ope(logs, new, OpeSettings(positions=1)).positions == 1
    with pytest.raises(ArgumentError, match=r"positions must be an integer at least 1, not 1\.5"):
        ope(logs, new, OpeSettings(positions=1.5))  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="leave new= out"):
        ope(logs, new, OpeSettings(explore="slots=0.1+new=0.1"))


def test_tables_are_read_and_faulty_ones_named(tmp_path: Path) -> None:
    table = pa.table(
        {
            "request_id": ["r2", "r1", "r1"],
            "user_id": ["v", "u", "u"],
            "position": [0, 1, 0],
            "item_id": ["c", "b", "a"],
            "probability": [1.0, 0.5, 0.25],
            "reward": [0.0, 1.0, 0.0],
        }
    )
    lists = read_lists(table)
    assert lists.items == [["a", "b"], ["c"]]
    assert lists.probabilities == [[0.25, 0.5], [1.0]]
    with pytest.raises(DataError, match="no column reward"):
        read_lists(table.drop_columns(["reward"]))
    with pytest.raises(DataError, match="positions"):
        read_lists(table.set_column(2, "position", pa.array([0, 2, 0])))
    with pytest.raises(DataError, match="outside"):
        read_lists(table.set_column(4, "probability", pa.array([0.0, 0.5, 0.2])))
    with pytest.raises(DataError, match="no such file"):
        read_lists(tmp_path / "none.parquet")


_LISTS: dict[str, Any] = {
    "users": ["u", "v"],
    "items": [["a"], ["b"]],
    "probabilities": [[0.5], [0.5]],
    "rewards": [[0.0], [1.0]],
}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"users": ["u"]}, "there are 1 users and 2 items"),
        ({"users": None}, "users must be a list"),
        ({"histories": [[]]}, "there are 2 users and 1 histories"),
        ({"probabilities": [[None], [0.5]]}, r"list 0 has a probability outside \(0, 1\]"),
        ({"probabilities": [["much"], [0.5]]}, "outside"),
        ({"rewards": [[0.0], [float("nan")]]}, "list 1 has a reward that is no finite number"),
        ({"rewards": [[None], [1.0]]}, "list 0 has a reward that is no finite number"),
    ],
)
def test_faulty_lists_are_named(changed: Any, said: str) -> None:
    with pytest.raises(CofactorError, match=said):
        LoggedLists(**{**_LISTS, **changed})


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ({"explore": 3}, "explore must be a text"),
        ({"methods": []}, "methods must be a list of ips"),
        ({"methods": "ips"}, "methods must be a list of ips"),
        ({"methods": ["ipw"]}, "did you mean ips"),
        ({"clip": 0}, "clip must be a finite number above 0"),
        ({"level": 1}, "level must be a finite number above 0 and below 1"),
        ({"positions": "1"}, "positions must be an integer at least 1"),
    ],
)
def test_settings_are_checked_before_anything_is_estimated(setting: Any, said: str) -> None:
    with pytest.raises(CofactorError, match=said):
        OpeSettings(**setting)


def test_tables_of_any_library_are_read_and_other_things_refused(
    models: tuple[Recommender, Recommender],
) -> None:
    rows = {
        "request_id": [1, 1, 2],
        "user_id": [7, 7, 8],
        "position": [0, 1, 0],
        "item_id": ["a", "b", "c"],
        "probability": [0.5, 0.5, 1.0],
        "reward": [True, False, True],
    }
    expected = read_lists(pa.table(rows))
    assert read_lists(pd.DataFrame(rows)) == expected
    assert read_lists(pl.DataFrame(rows)) == expected
    with pytest.raises(DataError, match="1 rows have no user_id"):
        read_lists(pa.table({**rows, "user_id": [7, None, 8]}))
    with pytest.raises(DataError, match="there are no lists in it"):
        read_lists(pa.table(rows)[:0])
    for other in (None, 3, models[0].data):
        with pytest.raises(ArgumentError, match="must be LoggedLists, a file or a table"):
            ope(other, models[0])
    with pytest.raises(ArgumentError, match="settings must be OpeSettings"):
        ope(expected, models[0], {"level": 0.9})  # type: ignore[arg-type]
    with pytest.raises(TraitError, match="thompson needs a model with posterior draws"):
        ope(expected, models[0], OpeSettings(explore="thompson"))
