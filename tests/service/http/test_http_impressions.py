"""Kill -9 while lists are shown: every request id that was sent is in the store, with its list,
once it is opened again; written before the answer or after it.
"""

from __future__ import annotations

import os
import random
import threading
import time
from pathlib import Path

import httpx
import pytest

from cofactor.store import open_store
from service.http.processes import client, serving

SOAK = bool(os.environ.get("COFACTOR_SOAK"))
KILLS = 30 if SOAK else 1


@pytest.mark.parametrize(
    "options",
    [("--explore", "slots=0.2"), ("--durable-impressions",)],
    ids=["batched", "durable"],
)
def test_no_acknowledged_impression_is_lost_in_a_kill(
    folder: Path, tmp_path: Path, options: tuple[str, ...]
) -> None:
    url = f"sqlite:///{tmp_path / 'shown.db'}"
    draw = random.Random(1)
    acknowledged: dict[str, tuple[str, ...]] = {}
    for cycle in range(KILLS):
        before = len(acknowledged)
        with serving(folder, url, "--log-impressions", *options) as (process, site):
            threads = [
                threading.Thread(target=look, args=(site, f"{cycle}-{n}", acknowledged))
                for n in range(4)
            ]
            for thread in threads:
                thread.start()
            deadline = time.monotonic() + 300
            while len(acknowledged) < before + 5:
                assert time.monotonic() < deadline
                time.sleep(0.01)
            time.sleep(draw.uniform(0, 0.5))
            process.kill()
            for thread in threads:
                thread.join()
        with open_store(url) as store:
            stored = {one.request_id: one.items for one in store.impressions()}
            assert store.counts().impressions == len(stored)
        lost = {key: items for key, items in acknowledged.items() if stored.get(key) != items}
        assert not lost, f"cycle {cycle}: {len(lost)} of {len(acknowledged)}"


def look(site: str, name: str, acknowledged: dict[str, tuple[str, ...]]) -> None:
    """Ask for lists until the service is gone, and note those that it says are logged."""
    with client() as asking:
        for n in range(10**6):
            user = f"reader-{n % 90:02d}" if n % 2 else f"{name}-{n}"
            try:
                answer = asking.get(f"{site}/v1/users/{user}/recommendations?k=5", timeout=20)
            except httpx.TransportError:
                return
            found = answer.json()
            if answer.status_code == 200 and "request_id" in found:
                items = tuple(str(item["item_id"]) for item in found["items"])
                acknowledged[found["request_id"]] = items
