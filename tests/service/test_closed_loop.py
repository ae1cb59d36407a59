"""The simulator of the closed loop, small: what it reports fits what it knows to be true."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.closed_loop import _K, _VIEWED, Scenario, World, simulate


def test_the_world_knows_the_best_list() -> None:
    world = World(people=20, seed=1)
    world.history()
    left = np.flatnonzero(world.there[0] & ~world.seen[3])
    chances = np.sort(world.chance[3, left])[::-1][:_K]
    assert world.best(3, 0) == pytest.approx(float(chances @ _VIEWED))
    assert world.best(3, 9) >= world.best(3, 0)  # new items have come


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
