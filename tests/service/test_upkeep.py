"""A service keeps its log of impressions within bounds by itself."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from cofactor.service.experiments import upkeep
from cofactor.service.experiments.upkeep import Pruning
from cofactor.store import Impression, Retention, open_store


def test_old_lists_go_while_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep, "_FIRST", 0.001)
    monkeypatch.setattr(upkeep, "_LOOK", 0.001)
    monkeypatch.setattr(upkeep, "_PAUSE", 0.0)
    registry, pruned = CollectorRegistry(), b"cofactor_impressions_pruned_total 3.0"

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
