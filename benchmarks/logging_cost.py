"""Processor time of a request, without the network: plain, with logged lists, and in an A/B test.

    python -m benchmarks.logging_cost [--rounds 15] [--requests 300]

Three services on the same model (iALS, 20,000 items) in one process take turns, in an order drawn
anew each round; what the thread of the store's writer uses counts too. On a loaded machine the
least of the rounds says more than their median."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import json
import logging
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import service_load
from cofactor.service.experiments.experiment import Arm, AttributionRules, Experiments
from cofactor.service.http.app import build
from cofactor.service.settings import Settings
from cofactor.service.versions.versions import Folder
from cofactor.store import open_store

ITEMS, SERVICES = 20_000, ("plain", "logged", "A/B test")


def service(name: str, model: Path, folder: Path) -> Any:
    """Return a service of two versions, both the same model."""
    folder.mkdir()
    for version in ("v1", "v2"):
        (folder / version).symlink_to(model)
    (folder / "current").write_text('{"version": "v1"}')
    if name == "A/B test":
        arms = [Arm(version=version, share=0.5) for version in ("v1", "v2")]
        Experiments(Folder(folder)).start("test", "ab", arms, AttributionRules())
    settings = Settings(max_waiting=60.0, log_impressions=name == "logged")
    return build(folder, open_store(f"sqlite:///{folder}.db"), settings)


async def send_events(app: Any, rng: np.random.Generator) -> None:
    """Let two hundred unseen users do something."""
    for _ in range(20):
        pairs = zip(rng.integers(0, 200, 50), rng.integers(0, ITEMS, 50), strict=True)
        events = [{"user_id": f"n{u}", "item_id": str(i), "kind": "view"} for u, i in pairs]
        body = json.dumps({"events": events}).encode()
        await app.state.fast_path.begun(service_load.request("POST", "/v1/events", body))


async def used(app: Any, requests: list[bytes]) -> float:
    """Return microseconds of processor time a request."""
    gc.collect()
    began = time.process_time()
    for one in requests:
        status, _, _ = await app.state.fast_path.begun(one)
        assert status == 200
    await app.state.context.traffic.flush()
    return (time.process_time() - began) / len(requests) * 1e6


async def measured(model: Path, folder: Path, rounds: int, count: int) -> dict[str, list[float]]:
    """Return microseconds a request by service and round."""
    rng = np.random.default_rng(0)
    users = [str(u) for u in rng.integers(0, service_load.USERS, count // 2)]
    users += [f"n{u}" for u in rng.integers(0, 200, count // 2)]
    rng.shuffle(users)
    paths = [f"/v1/users/{user}/recommendations?k=10" for user in users]
    requests = [service_load.request("GET", path) for path in paths]
    apps = {name: service(name, model, folder / f"s{n}") for n, name in enumerate(SERVICES)}
    found: dict[str, list[float]] = {name: [] for name in SERVICES}
    async with contextlib.AsyncExitStack() as stack:
        for app in apps.values():
            await stack.enter_async_context(app.router.lifespan_context(app))
            await send_events(app, rng)
        for n in range(rounds + 2):
            for name in rng.permutation(SERVICES).tolist():
                spent = await used(apps[name], requests)
                if n >= 2:
                    found[name].append(spent)
    return found


def main() -> None:
    """Print the median and the least of the rounds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--requests", type=int, default=300)
    given = parser.parse_args()
    logging.getLogger("cofactor").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model"
        service_load.make(ITEMS, model)
        found = asyncio.run(measured(model, Path(folder), given.rounds, given.requests))
    plain = np.array(found["plain"])
    for name, spent in found.items():
        times = np.array(spent)
        print(
            f"{name:9} median {np.median(times):6.0f}, least {times.min():6.0f} us a request;"
            f" of plain {np.median(times / plain):.2f}, least of least"
            f" {times.min() / plain.min():.2f}"
        )


if __name__ == "__main__":
    main()
