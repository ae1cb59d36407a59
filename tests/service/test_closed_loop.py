"""The simulator of the closed loop, small: what it reports fits what it knows to be true."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from benchmarks.closed_loop import Scenario, simulate, summary
from benchmarks.regret_curve import curves, svg
from benchmarks.simulated_world import DAY, START, VIEWED, K, World


def test_the_world_knows_the_best_list() -> None:
    world = World(people=20, seed=1)
    world.history()
    left = np.flatnonzero(world.there[0] & ~world.seen[3])
    chances = np.sort(world.chance[3, left])[::-1][:K]
    assert world.best(3, 0) == pytest.approx(float(chances @ VIEWED))
    assert world.best(3, 9) >= world.best(3, 0)  # new items have come


def test_an_assortment_that_turns_over_keeps_its_size() -> None:
    world = World(people=2, seed=1, kind="turnover", days=5)
    assert world.there.sum(axis=1).tolist() == [320] * 5
    assert world.changes(1) == ([], [])
    come, go = world.changes(2)
    assert come == list(range(320, 330))
    assert len(go) == 10
    assert world.best(0, 4) <= np.sort(world.chance[0])[::-1][:K] @ VIEWED


def test_interest_fades_and_what_is_old_goes() -> None:
    world = World(people=40, seed=1, kind="fading", days=5)
    assert world.there.sum(axis=1).tolist() == [160] * 5
    assert world.changes(3) == (list(range(192, 208)), list(range(32, 48)))
    assert world.interest(3, 4)[160] == pytest.approx(world.chance[3, 160] * 0.5 ** (3 / 4))
    assert world.interest(3, 1)[200] == world.chance[3, 200]  # not there yet
    table = world.history().to_pydict()
    assert (
        world.seen.sum()
        == len(table["item_id"])
        == len(set(zip(table["user_id"], table["item_id"], strict=True)))
    )
    days = (np.array(table["time"]) - START) // DAY
    born = world.born[[int(one[1:]) for one in table["item_id"]]]
    assert days.min() == -9
    assert (born <= days).all()


def test_shops_are_compared_seed_by_seed() -> None:
    def shop(name: str, seed: int, *regret: float) -> dict[str, Any]:
        return {
            "name": name,
            "seed": seed,
            "test": None,
            "days": [{"regret": one} for one in regret],
        }

    found = [shop("ranking", 0, 50, 50), shop("ranking", 1, 100, 100)]
    found += [shop("softmax", 0, 55, 35), shop("softmax", 1, 100, 86)]
    line = summary(found)[1]
    assert (line["shop"], line["seeds"], line["less than the ranking's"]) == ("softmax", 2, 12.0)
    # t(0.975, 1) times the deviation of 10 and 14 over the root of 2.
    assert line["plus or minus"] == pytest.approx(12.706 * 2, abs=0.1)
    drawn = curves(found)["softmax"]
    assert drawn.mean.tolist() == [2.5, -12.0]
    assert "softmax" in svg({"softmax": drawn})


@pytest.mark.slow
def test_a_shop_lives_retrains_and_tests() -> None:
    found = simulate(Scenario("test", "slots=0.1", test=True), people=900, days=4, seed=0)
    assert found.failed == 0
    assert [day.day for day in found.days] == [0, 1, 2, 3]
    assert all(day.lists > 50 and day.regret > 0 for day in found.days)
    assert {one["outcome"] for one in found.retrainings} == {"promoted"}
    # The retrained version answers from the next day on.
    assert found.days[0].version == "v1"
    assert found.days[-1].version.startswith("auto-")
    assert found.test is not None
    truth = found.test["expected_clicks_per_list"]
    assert truth[found.test["arm"]] > truth["rival"]
    assert found.test["verdict"] in ("better", "too_early")
