"""Simulated people for a running service: a shop's history to begin with, then visits over HTTP.

    python -m benchmarks.simulated_people write shop --people 2000
    python -m benchmarks.simulated_people visit http://127.0.0.1:8000 --people 2000 --visits 6000

The people, the items and what is clicked are those of the world ``arrival`` of
`benchmarks.simulated_world` (docs/results.md defines it), on its first day. ``visit`` reports at
the end what was clicked, and how much the best lists would have brought: the truth is known. The
guide docs/guides/closed_loop.md walks through the whole loop with them."""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from benchmarks.simulated_world import VIEWED, K, World, catalogue_of
from cofactor.client import Client


def write(folder: Path, people: int, seed: int) -> None:
    """Write what people found before, and the catalogue."""
    world = World(people, seed)
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(world.history(), folder / "history.parquet")
    pq.write_table(catalogue_of(world), folder / "items.parquet")
    print(f"{folder}/history.parquet and {folder}/items.parquet: {people:,} people")


def visit(url: str, people: int, visits: int, seed: int) -> None:
    """Let people come, click, and find something by themselves now and then."""
    world = World(people, seed)
    world.history()
    rng = np.random.default_rng([seed, 6, time.time_ns()])
    clicks: dict[str, list[float]] = defaultdict(list)
    best = 0.0
    with Client(url) as shop:
        for _ in range(visits):
            user = int(rng.integers(people))
            answer = shop.recommend(f"p{user}", k=K, reasons=0)
            shown = np.array([int(str(item.item_id)[1:]) for item in answer.items])
            expected = world.chance[user, shown] * VIEWED[: len(shown)]
            clicks[answer.arm or answer.model.version].append(float(expected.sum()))
            best += world.best(user, 0)
            clicked = shown[rng.random(len(shown)) < expected].tolist()
            if rng.random() < 0.05:
                weights = world.chance[user] * (world.there[0] & ~world.seen[user])
                clicked.append(int(rng.choice(world.items, p=weights / weights.sum())))
            if clicked:
                world.seen[user, clicked] = True
                shop.send(
                    [{"user_id": f"p{user}", "item_id": f"i{n}", "kind": "click"} for n in clicked]
                )
    for name, found in sorted(clicks.items()):
        print(f"{name}: {len(found):,} lists, {np.mean(found):.2f} expected clicks a list")
    print(f"the best lists: {best / visits:.2f}")


def main() -> None:
    """Write, or visit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("action", choices=["write", "visit"])
    parser.add_argument("place", help="the folder to write to, or the service's address")
    parser.add_argument("--people", type=int, default=2_000)
    parser.add_argument("--visits", type=int, default=6_000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    if given.action == "write":
        write(Path(given.place), given.people, given.seed)
    else:
        visit(given.place, given.people, given.visits, given.seed)


if __name__ == "__main__":
    main()
