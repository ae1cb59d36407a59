"""A service keeps its log of impressions within bounds by itself."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from cofactor.service.experiments import upkeep
from cofactor.service.experiments.upkeep import Pruning
from cofactor.store import Impression, Retention, open_store
from cofactor.store.records import StoreSettings


def shown(request_id: str, experiment: str | None = None) -> Impression:
    return Impression(
        request_id=request_id,
        user_id="u",
        version="v",
        source="personal",
        items=("a",),
        probabilities=(1.0,),
        experiment=experiment,
    )


def test_old_lists_go_while_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep, "_FIRST", 0.001)
    monkeypatch.setattr(upkeep, "_LOOK", 0.001)
    monkeypatch.setattr(upkeep, "_PAUSE", 0.0)
    registry, pruned = CollectorRegistry(), b"cofactor_impressions_pruned_total 3.0"

    async def play() -> list[str]:
        with open_store(f"sqlite:///{tmp_path / 'e.db'}") as store:
            pruning = Pruning(store, Retention(most=1), lambda: {"runs"}, registry)
            pruning.start()
            lists = [shown("r", "runs"), *(shown(f"o{n}") for n in range(3)), shown("last")]
            store.log_impressions(lists).result()
            for _ in range(10_000):
                if pruned in generate_latest(registry):  # counted after they are gone
                    break
                await asyncio.sleep(0.005)
            await pruning.close()
            return [one.request_id for one in store.impressions()]

    assert asyncio.run(play()) == ["r", "last"]
    assert pruned in generate_latest(registry)


def test_a_service_started_with_a_wrong_clock_keeps_its_lists_for_a_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    now, since = [1_800_000_000], [0.0]
    monkeypatch.setattr(upkeep, "monotonic", lambda: since[0])
    settings = StoreSettings(now=lambda: now[0])

    with open_store(f"sqlite:///{tmp_path / 'e.db'}", settings=settings) as store:
        store.log_impressions([shown("before")]).result()
        now[0] += 3_000 * 86_400
        pruning = Pruning(store, Retention(seconds=86_400 * 90), set, CollectorRegistry())
        store.log_impressions([shown("with that clock")]).result()
        assert asyncio.run(pruning.prune()) == 0
        assert "far ahead of what was stored last" in caplog.text
        since[0] = 86_401.0  # a day later, it is taken for right
        assert asyncio.run(pruning.prune()) == 1
