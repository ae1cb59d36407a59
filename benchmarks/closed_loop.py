"""The closed loop on simulated people whose preferences are known: serve, act, retrain, explore,
test.

    python -m benchmarks.closed_loop [--people 10000] [--days 14] [--seeds 5] [--world turnover]
        [--out FILE.json]

A shop with a history serves a model; people come, see a list, click by what they like (and by where
it stands), sometimes find something themselves. The service retrains by schedule (``after N
events``) with its guards. Shops see the same people with the same chance: one shows the ranking,
others explore. In the last, from the middle on, an A/B test compares the model with popularity.
Since the truth is known, each list's expected clicks and the best list's are too: the difference is
the regret. docs/results.md defines the worlds.

Requests go through the service's fast path, without sockets, and training runs in this process, so
that several seeds cost little; ``--whole`` trains in a process of its own, as the service does."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from msgspec import structs
from scipy import stats

from benchmarks.simulated_world import DAY, START, VIEWED, WORLDS, K, World, catalogue_of
from cofactor.base.errors import DataError
from cofactor.base.run import Run
from cofactor.runs.retrain import Changes, retrain
from cofactor.runs.source import Reading
from cofactor.runs.train import train
from cofactor.service.experiments.experiment import Arm, AttributionRules
from cofactor.service.experiments.results import results
from cofactor.service.http.app import build
from cofactor.service.retraining.retraining import Attempt, RetrainSettings
from cofactor.service.retraining.schedule import RetrainSchedule
from cofactor.service.settings import Settings
from cofactor.service.versions.versions import Folder
from cofactor.store import Item, StoreSettings, open_store

_AT_ONCE = 16


@dataclass
class Clock:
    """The simulation's time."""

    now: float = START


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
    seed: int = 0
    world: str = "arrival"


class Client:
    """Asks a service without sockets: by the path of its most frequent requests."""

    def __init__(self, app: Any) -> None:
        self._context = app.state.context
        self._fast = app.state.fast_path

    async def recommend(self, user: int) -> dict[str, Any] | None:
        """Return the response to a person; None if it failed."""
        path = f"/v1/users/p{user}/recommendations?k={K}&reasons=0"
        return await self._sent(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())

    async def click(self, user: int, items: list[int]) -> bool:
        """Send clicks; return whether they are stored."""
        events = [{"user_id": f"p{user}", "item_id": f"i{n}", "kind": "click"} for n in items]
        body = json.dumps({"events": events})
        head = f"POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}"
        return await self._sent(f"{head}\r\n\r\n{body}".encode()) is not None

    async def change(self, come: list[int], go: list[int]) -> None:
        """Describe the items that come, and hide those that are sold out."""
        context = self._context
        if come:
            items = [Item(item_id=f"i{n}", title=f"Item {n}") for n in come]
            write = context.store.put_items(items)
            await context.settled(write, after=context.followed(write, [f"i{n}" for n in come]))
        if go:
            ids = [f"i{n}" for n in go]
            write = context.store.hide_items(ids)
            await context.settled(write, after=context.followed(write, ids))

    @property
    def version(self) -> str:
        """The version that answers."""
        return str(self._context.models.current.version)

    async def _sent(self, raw: bytes) -> dict[str, Any] | None:
        status, body, _ = await self._fast.begun(raw)
        return json.loads(body) if status == 200 else None


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
    whole
        Whether each training has a process of its own.
    """

    def __init__(self, scenario: Scenario, world: World, folder: Path, whole: bool) -> None:
        self.scenario, self.world, self.clock = scenario, world, Clock()
        self.models, self.url = folder / "models", f"sqlite:///{folder / 'models-events.db'}"
        self.history = folder / "history.parquet"
        pq.write_table(world.history(), self.history)
        catalogue = folder / "items.parquet"
        pq.write_table(catalogue_of(world), catalogue)
        self.reading = Reading(keep_items=True, items=str(catalogue))
        self._train("v1", "ials", [str(self.history)])
        self.store = open_store(self.url, settings=StoreSettings(now=lambda: self.clock.now))
        settings = Settings(
            max_waiting=60.0,
            timeout=60.0,
            log_impressions=True,
            durable_impressions=True,  # a night is too short to wait for what is written later
            explore=scenario.explore,
        )
        # About one retraining in a day or two; where items live for days, one a day.
        share = 20 if world.fading else 2
        schedule = RetrainSchedule(events=max(50, world.people // share))
        retrain = RetrainSettings(schedule=schedule, source=self.url, look_seconds=0.1)
        self.app = build(self.models, self.store, settings, None, retrain)
        self.client = Client(self.app)
        if not whole:
            planned = self.app.state.context.retraining
            planned._train = self._retrain
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

    def _retrain(self, begun: Attempt) -> Attempt:
        """What the service's own process does, in this one."""
        pointer = Folder(self.models).pointer()
        lists = [one for one in self.store.impressions() if one.shown]
        pairs = [(one.user_id, item) for one in lists for item in one.items]
        shown = ([user for user, _ in pairs], [item for _, item in pairs])
        try:
            done = retrain(
                self.models / pointer.version,
                [self.url],
                self.models / str(begun.version),
                Changes(shown=shown),
                Run(threads=1),
            )
        except DataError as error:
            return structs.replace(begun, outcome="nothing_new", why=str(error), version=None)
        events = sum(one.events - one.known for one in done.shares[1:])
        return structs.replace(begun, events=events)

    async def live(self, days: int) -> Outcome:
        """Let the days pass."""
        began = time.perf_counter()
        async with self.app.router.lifespan_context(self.app):
            for day in range(days):
                await self.client.change(*self.world.changes(day))
                if self.scenario.test and day == days // 2 - 1:
                    await self._begin_test()
                await self._pass_day(day)
                await self._settle()
            if self.scenario.test:
                self.outcome.test = self._test()
        self.outcome.seconds = round(time.perf_counter() - began, 1)
        return self.outcome

    async def _begin_test(self) -> None:
        """Train another model on all that is known by now, and compare it with the current one."""
        await asyncio.to_thread(self._train, "rival", "popularity", [str(self.history), self.url])
        current = self.client.version
        traffic = self.app.state.context.traffic
        arms = [Arm(version="rival", share=0.5), Arm(version=current, share=0.5)]
        rules = AttributionRules(window=DAY // 4, horizon=2 * DAY)
        traffic.experiments.start("test", "ab", arms, rules, self.clock.now)
        while traffic.live is None:
            await asyncio.sleep(0.05)

    async def _pass_day(self, day: int) -> None:
        rng = np.random.default_rng([self.world.seed, 3, day])
        visitors = np.flatnonzero(rng.random(self.world.people) < 0.15)
        rng.shuffle(visitors)
        record = DayRecord(day)
        record.version = self.client.version
        self.outcome.days.append(record)
        for start in range(0, len(visitors), _AT_ONCE):
            self.clock.now = START + DAY * (day + start / len(visitors))
            group = visitors[start : start + _AT_ONCE].tolist()
            await asyncio.gather(*(self._visit(user, day, record) for user in group))
        self.clock.now = START + DAY * (day + 1) - 1
        if record.lists:
            record.new_share /= record.lists * K

    async def _visit(self, user: int, day: int, record: DayRecord) -> None:
        """One person sees a list, clicks, and sometimes finds something else."""
        rng = np.random.default_rng([self.world.seed, 4, day, user])
        given = await self.client.recommend(user)
        if given is None:
            self.outcome.failed += 1
            return
        shown = np.array([int(item["item_id"][1:]) for item in given["items"]])
        expected = self.world.interest(user, day)[shown] * VIEWED[: len(shown)]
        record.lists += 1
        record.clicks += float(expected.sum())
        record.regret += self.world.best(user, day) - float(expected.sum())
        record.new_share += float((shown >= self.world.n_old).sum())
        if "arm" in given:
            self.by_arm[given["arm"]].append(float(expected.sum()))
        clicked = shown[rng.random(K)[: len(shown)] < expected].tolist()
        if rng.random() < 0.05:
            clicked += self._found(rng, user, day)
        if clicked:
            self.world.seen[user, clicked] = True
            self.outcome.failed += not await self.client.click(user, clicked)

    def _found(self, rng: np.random.Generator, user: int, day: int) -> list[int]:
        weights = self.world.interest(user, day) * (self.world.there[day] & ~self.world.seen[user])
        return [int(rng.choice(self.world.items, p=weights / weights.sum()))]

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
    Scenario("first exposure", "slots=0+new=0.1+budget=20"),
    Scenario("test", "softmax=0.6", test=True),
)


def simulate(
    scenario: Scenario,
    people: int,
    days: int,
    seed: int,
    *,
    kind: str = "arrival",
    whole: bool = False,
) -> Outcome:
    """Run one shop from zero."""
    with tempfile.TemporaryDirectory() as folder:
        world = World(people, seed, kind, days)
        found = asyncio.run(Shop(scenario, world, Path(folder), whole).live(days))
        found.seed, found.world = seed, kind
        return found


def summary(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return for each exploring shop how much less its regret is than the ranking's: the mean over
    the seeds with its 95 % interval (Student's t), in clicks and as a part of the ranking's.
    """
    total = {
        (one["name"], one.get("seed", 0)): sum(day["regret"] for day in one["days"])
        for one in found
        if one["test"] is None
    }
    seeds = sorted({seed for _, seed in total})
    lines = []
    for name in dict.fromkeys(name for name, _ in total):
        both = [seed for seed in seeds if (name, seed) in total and ("ranking", seed) in total]
        base = np.array([total["ranking", seed] for seed in both])
        less = base - np.array([total[name, seed] for seed in both])
        half = np.nan
        if len(both) > 1:
            half = stats.t.ppf(0.975, len(both) - 1) * less.std(ddof=1) / np.sqrt(len(both))
        lines.append(
            {
                "shop": name,
                "seeds": len(both),
                "regret": round(float(base.mean() - less.mean()), 1),
                "less than the ranking's": round(float(less.mean()), 1),
                "plus or minus": round(float(half), 1),
                "part": round(float(less.mean() / base.mean()), 4),
            }
        )
    return lines


def main() -> None:
    """Run all shops and print what they came to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=10_000)
    parser.add_argument("--days", type=int, default=14)
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--seeds", type=int, default=1, help="how many")
    parser.add_argument("--world", choices=WORLDS, default="arrival")
    parser.add_argument("--whole", action="store_true", help="train in processes of their own")
    parser.add_argument("--only", action="append", help="a shop, by its name; may be repeated")
    parser.add_argument("--out", type=Path, default=None)
    given = parser.parse_args()
    logging.getLogger("cofactor").setLevel(logging.ERROR)
    found: list[dict[str, Any]] = []
    for seed in range(given.seed, given.seed + given.seeds):
        for scenario in SCENARIOS:
            if given.only and scenario.name not in given.only:
                continue
            done = asdict(
                simulate(
                    scenario, given.people, given.days, seed, kind=given.world, whole=given.whole
                )
            )
            found.append(done)
            print(json.dumps({name: part for name, part in done.items() if name != "days"}))
            sys.stdout.flush()
            if given.out is not None:
                given.out.write_text(json.dumps(found, indent=1) + "\n")
    for line in summary(found):
        print(json.dumps(line))


if __name__ == "__main__":
    main()
