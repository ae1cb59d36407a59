"""A model that is trained on a folder of shards is the one that is trained on its source."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cofactor.base.run import Run
from cofactor.models import registry
from cofactor.runs.source import Reading, interactions

pytest.importorskip("duckdb")
RUN = Run(seed=1, threads=1)
# One for each way in which models take their data: pairs, values, order, content, PyTorch.
CASES: dict[str, dict[str, Any]] = {
    "item_knn": {},
    "ials": {"factors": 4, "epochs": 2, "regularization": 0.01},
    "warp": {"factors": 4, "epochs": 1},
    "biased_mf": {"factors": 4, "epochs": 2},
    "latent_factor": {"factors": 4, "epochs": 1},
    "content_ridge": {"text": ("title",)},
    "transitions": {},
    "session_knn": {},
    "blend": {"models": ("ease", "popularity")},
}


@pytest.fixture(scope="module", params=["last", "keep"])
def sources(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> list[tuple[Path, Reading]]:
    """A log with its catalogue, and the shards of both."""
    from cofactor.data.readers import sharded

    place, draw = tmp_path_factory.mktemp("shards"), np.random.default_rng(2)
    log, items = place / "log.csv", place / "items.csv"
    rows = zip(draw.integers(0, 70, 1500), draw.integers(0, 30, 1500), strict=True)
    lines = (f"u{u},i{i},{n % 5 + 1},{1_500_000_000 + n}\n" for n, (u, i) in enumerate(rows))
    log.write_text("user,item,rating,time\n" + "".join(lines))
    items.write_text("item,title\n" + "".join(f"i{n},thing {n % 7} of {n}\n" for n in range(34)))
    how = request.param
    sharded.shard([log], place / "out", memory=256 << 20, repeats=how, items=items)
    return [(log, Reading(items=items, repeats=how)), (place / "out", Reading())]


@pytest.mark.parametrize("name", CASES)
def test_a_model_of_shards_is_that_of_their_source(
    sources: list[tuple[Path, Reading]], name: str
) -> None:
    kind = registry.get(name)
    states = []
    for source, reading in sources:
        config = kind.Config(**CASES[name])
        keep = kind.traits_of(config).uses_features
        own = Reading(items=reading.items, repeats=reading.repeats, keep_items=keep)
        data = interactions(source, own)
        assert data.n_items == (34 if keep else 30)
        states.append(kind(config).fit(data, run=RUN).state())
    whole, cut = states
    assert whole.keys() == cut.keys()
    for array_name in whole.keys() - {"comparison", "history_seconds"}:  # which hold seconds
        np.testing.assert_array_equal(cut[array_name], whole[array_name], err_msg=array_name)
