"""The closed loop on simulated people whose preferences are known: serve, act, retrain, explore,
test.

    python -m benchmarks.closed_loop [--people 10000] [--days 14] [--seed 0] [--out FILE.json]

A shop with a history serves a model; people come, see a list, click by what they like (and by where
it stands), sometimes find something themselves; a fifth of the items is new from the third day on.
The service retrains by schedule (``after N events``), in a process of its own. Shops see the same
people with the same chance: one shows the ranking, others explore. In the last, from the middle on,
an A/B test compares the model with popularity. Since the truth is known, each list's expected
clicks and the best list's are too: the difference is the regret."""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from collections import defaultdict
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cofactor.base.run import Run
from cofactor.runs.source import Reading
from cofactor.runs.train import train
from cofactor.service.experiments.experiment import Arm, AttributionRules
from cofactor.service.experiments.results import results
from cofactor.service.http.app import build
from cofactor.service.retraining.retraining import RetrainSettings
from cofactor.service.retraining.schedule import RetrainSchedule
from cofactor.service.settings import Settings
from cofactor.store import StoreSettings, open_store

_DAY = 86_400
_START = 1_700_000_000
_K = 10
_VIEWED = 1 / (1 + 0.15 * np.arange(_K))  # how likely each position is looked at
_NEW_FROM = 2  # the day from which on the new items are there
_AT_ONCE = 16


class World:
    """People and items; what is clicked is known."""

    def __init__(self, people: int, seed: int) -> None:
        rng = np.random.default_rng([seed, 1])
        self.people, self.items, width = people, 400, 8
        self.n_old = self.items * 4 // 5
        users = rng.normal(0, 1, (people, width))
        vectors = rng.normal(0, 1, (self.items, width))
        quality = rng.normal(0, 0.7, self.items)
        logits = 1.6 * users @ vectors.T / np.sqrt(width) + quality - 2.2
        self.chance = (1 / (1 + np.exp(-logits))).astype(np.float32)  # [people, items]
        self.seen = np.zeros((people, self.items), bool)
        self.seed = seed

    def history(self) -> pa.Table:
        """What people found before the simulation: 4 to 8 old items each, liked and well known."""
        rng = np.random.default_rng([self.seed, 2])
        known = rng.zipf(1.6, self.n_old).clip(max=50)
        users, items, times = [], [], []
        for user in range(self.people):
            weights = self.chance[user, : self.n_old] * known
            count = int(rng.integers(4, 9))
            chosen = rng.choice(self.n_old, count, replace=False, p=weights / weights.sum())
            self.seen[user, chosen] = True
            users += [f"p{user}"] * count
            items += [f"i{item}" for item in chosen]
            times += sorted((_START - rng.integers(1, 30 * _DAY, count)).tolist())
        return pa.table({"user_id": users, "item_id": items, "time": times})

    def best(self, user: int, day: int) -> float:
        """Return the expected clicks of the best list that could be shown."""
        n = self.items if day >= _NEW_FROM else self.n_old
        left = self.chance[user, :n][~self.seen[user, :n]]
        return float(np.sort(left)[::-1][:_K] @ _VIEWED[: min(_K, len(left))])


@dataclass
class Clock:
    """The simulation's time."""

    now: float = _START


@dataclass(frozen=True)
class Scenario:
    """One shop."""

    name: str
    explore: str | None = None
    test: bool = False


@dataclass
class DayRecord:
    """What a day came to, in expected clicks."""

    day: int
    lists: int = 0
    clicks: float = 0.0
    regret: float = 0.0
    new_share: float = 0.0
    version: str = ""


@dataclass
class Outcome:
    """What a shop's days came to."""

    name: str
    days: list[DayRecord] = field(default_factory=list)
    retrainings: list[dict[str, Any]] = field(default_factory=list)
    test: dict[str, Any] | None = None
    seconds: float = 0.0
    failed: int = 0


class Shop:
    """A service and the people who come to it.

    Parameters
    ----------
    scenario
        What it does.
    world
        Who comes.
    folder
        Where everything lies.
    retrain_after
        Events after which it retrains.
    """

    def __init__(self, scenario: Scenario, world: World, folder: Path, retrain_after: int) -> None:
        self.scenario, self.world, self.clock = scenario, world, Clock()
        self.models, self.url = folder / "models", f"sqlite:///{folder / 'models-events.db'}"
        self.history = folder / "history.parquet"
        pq.write_table(world.history(), self.history)
        catalogue = folder / "items.parquet"
        pq.write_table(
            pa.table(
                {
                    "item_id": [f"i{n}" for n in range(world.n_old)],
                    "title": [f"Item {n}" for n in range(world.n_old)],
                }
            ),
            catalogue,
        )
        self.reading = Reading(keep_items=True, items=str(catalogue))
        self._train("v1", "ials", [str(self.history)])
        self.store = open_store(self.url, settings=StoreSettings(now=lambda: self.clock.now))
        settings = Settings(
            max_waiting=60.0, timeout=60.0, log_impressions=True, explore=scenario.explore
        )
        schedule = RetrainSchedule(events=retrain_after)
        retrain = RetrainSettings(schedule=schedule, source=self.url, look_seconds=0.1)
        self.app = build(self.models, self.store, settings, None, retrain)
        self.outcome = Outcome(scenario.name)
        self.by_arm: dict[str, list[float]] = defaultdict(list)

    def _train(self, version: str, model: str, sources: list[str]) -> None:
        settings = ["factors=16"] if model == "ials" else []
        train(
            sources if len(sources) > 1 else sources[0],
            model,
            self.models / version,
            settings=settings,
            reading=self.reading,
            run=Run(threads=1),
        )

    async def live(self, days: int) -> Outcome:
        """Let the days pass."""
        began = time.perf_counter()
        transport = httpx.ASGITransport(self.app)
        async with (
            self.app.router.lifespan_context(self.app),
            httpx.AsyncClient(
                transport=transport, base_url="http://127.0.0.1", timeout=90
            ) as client,
        ):
            for day in range(days):
                if day == _NEW_FROM:
                    await self._bring_new_items(client)
                if self.scenario.test and day == days // 2 - 1:
                    await self._begin_test(client)
                await self._pass_day(client, day)
                await self._settle()
                record = self.outcome.days[-1]
                print(f"{self.scenario.name}: {asdict(record)}", flush=True)
            if self.scenario.test:
                self.outcome.test = self._test()
        self.outcome.seconds = round(time.perf_counter() - began, 1)
        return self.outcome

    async def _bring_new_items(self, client: httpx.AsyncClient) -> None:
        new = range(self.world.n_old, self.world.items)
        items = [{"item_id": f"i{n}", "title": f"Item {n}"} for n in new]
        (await client.post("/v1/items", json={"items": items})).raise_for_status()

    async def _begin_test(self, client: httpx.AsyncClient) -> None:
        """Train another model on all that is known by now, and compare it with the current one."""
        await asyncio.to_thread(self._train, "rival", "popularity", [str(self.history), self.url])
        current = (await client.get("/ready")).json()["model"]["version"]
        traffic = self.app.state.context.traffic
        arms = [Arm(version="rival", share=0.5), Arm(version=current, share=0.5)]
        rules = AttributionRules(window=_DAY // 4, horizon=2 * _DAY)
        traffic.experiments.start("test", "ab", arms, rules, self.clock.now)
        while traffic.live is None:
            await asyncio.sleep(0.05)

    async def _pass_day(self, client: httpx.AsyncClient, day: int) -> None:
        rng = np.random.default_rng([self.world.seed, 3, day])
        visitors = np.flatnonzero(rng.random(self.world.people) < 0.15)
        rng.shuffle(visitors)
        record = DayRecord(day)
        record.version = (await client.get("/ready")).json()["model"]["version"]
        self.outcome.days.append(record)
        for start in range(0, len(visitors), _AT_ONCE):
            self.clock.now = _START + _DAY * (day + start / len(visitors))
            group = visitors[start : start + _AT_ONCE].tolist()
            await asyncio.gather(*(self._visit(client, user, day, record) for user in group))
        self.clock.now = _START + _DAY * (day + 1) - 1
        if record.lists:
            record.new_share /= record.lists * _K

    async def _visit(
        self, client: httpx.AsyncClient, user: int, day: int, record: DayRecord
    ) -> None:
        """One person sees a list, clicks, and sometimes finds something else."""
        rng = np.random.default_rng([self.world.seed, 4, day, user])
        answer = await client.get(f"/v1/users/p{user}/recommendations?k={_K}&reasons=0")
        if answer.status_code != 200:
            self.outcome.failed += 1
            return
        given = answer.json()
        shown = np.array([int(item["item_id"][1:]) for item in given["items"]])
        expected = self.world.chance[user, shown] * _VIEWED[: len(shown)]
        record.lists += 1
        record.clicks += float(expected.sum())
        record.regret += self.world.best(user, day) - float(expected.sum())
        record.new_share += float((shown >= self.world.n_old).sum())
        if "arm" in given:
            self.by_arm[given["arm"]].append(float(expected.sum()))
        clicked = shown[rng.random(_K)[: len(shown)] < expected].tolist()
        if rng.random() < 0.05:
            clicked += self._found(rng, user, day)
        if clicked:
            self.world.seen[user, clicked] = True
            events = [{"user_id": f"p{user}", "item_id": f"i{n}", "kind": "click"} for n in clicked]
            (await client.post("/v1/events", json={"events": events})).raise_for_status()

    def _found(self, rng: np.random.Generator, user: int, day: int) -> list[int]:
        n = self.world.items if day >= _NEW_FROM else self.world.n_old
        weights = self.world.chance[user, :n] * ~self.world.seen[user, :n]
        return [int(rng.choice(n, p=weights / weights.sum()))]

    async def _settle(self) -> None:
        """Wait until what is due has been learned, so that a simulated night is long enough."""
        planned = self.app.state.context.retraining
        before = planned.last
        while planned.running or planned.is_due():
            await asyncio.sleep(0.05)
        if planned.last is not before and planned.last is not None:
            done = planned.last
            facts = {"outcome": done.outcome, "events": done.events, "why": done.why}
            self.outcome.retrainings.append(facts)

    def _test(self) -> dict[str, Any]:
        one = self.app.state.context.traffic.experiments.get("test")
        found = results(one, self.store, int(self.clock.now))
        (comparison,) = found.comparisons
        truth = {arm: float(np.mean(values)) for arm, values in self.by_arm.items()}
        return {
            "control": comparison.control,
            "arm": comparison.arm,
            "verdict": comparison.verdict,
            "difference": comparison.difference,
            "interval": [comparison.low, comparison.high],
            "p": comparison.p,
            "users": comparison.users,
            "expected_clicks_per_list": truth,
        }


SCENARIOS = (
    Scenario("ranking"),
    Scenario("slots", "slots=0.1"),
    Scenario("softmax", "softmax=0.6"),
    Scenario("new items", "slots=0+new=0.1+budget=300"),
    Scenario("test", "softmax=0.6", test=True),
)


def simulate(scenario: Scenario, people: int, days: int, seed: int) -> Outcome:
    """Run one shop from zero."""
    with tempfile.TemporaryDirectory() as folder:
        world = World(people, seed)
        # About one retraining in a day or two.
        shop = Shop(scenario, world, Path(folder), max(50, people // 2))
        return asyncio.run(shop.live(days))


def main() -> None:
    """Run all shops and print what they came to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=10_000)
    parser.add_argument("--days", type=int, default=14)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default=None)
    parser.add_argument("--out", type=Path, default=None)
    given = parser.parse_args()
    chosen = [one for one in SCENARIOS if given.only in (None, one.name)]
    found = []
    for scenario in chosen:
        found.append(asdict(simulate(scenario, given.people, given.days, given.seed)))
        if given.out is not None:
            given.out.write_text(json.dumps(found, indent=1))
    for one in found:
        regret = np.cumsum([day["regret"] for day in one["days"]])
        kept = {name: part for name, part in one.items() if name != "days"}
        print(json.dumps(kept | {"regret": round(float(regret[-1]), 1)}, indent=1))


if __name__ == "__main__":
    main()
