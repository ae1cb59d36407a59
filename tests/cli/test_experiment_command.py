"""`cofactor experiment`: start, look, stop and roll out, on a folder that nobody serves."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cofactor.artifact.save import save
from cofactor.data.synthetic import shop
from cofactor.models import registry
from cofactor.service.experiments.experiment import Experiments
from cofactor.service.versions.versions import Folder
from cofactor.store import open_store


@pytest.fixture
def models(tmp_path: Path) -> Path:
    data = shop(n_users=60, n_items=40, seed=2)
    model = registry.create("popularity").fit(data)
    for version in ("v1", "v2"):
        save(model, tmp_path / "models" / version, metrics={"n_users": 60, "metrics": {}})
    (tmp_path / "models" / "current").write_text('{"version": "v1"}')
    open_store(f"sqlite:///{tmp_path / 'models-events.db'}").close()
    return tmp_path / "models"


def test_an_experiment_from_start_to_roll_out(models: Path, cofactor: Callable[..., Any]) -> None:
    words = ("experiment", "start", models, "--name", "n", "--arms", "v1:50,v2~slots=0.1:50")
    ran = cofactor(*words, "--rewards", "click=1,purchase=5", "--window", "6h", "--horizon", "2d")
    assert ran.code == 0, ran.err
    one = Experiments(Folder(models)).get("n")
    assert (one.rules.window, one.rules.horizon) == (21_600, 172_800)
    assert one.rules.rewards == {"click": 1.0, "purchase": 5.0}
    shown = json.loads(cofactor("experiment", "status", models, "--json").out)
    assert [arm["arm"] for arm in shown["arms"]] == ["v1", "v2~slots=0.1"]
    assert shown["comparisons"][0]["verdict"] == "too_early"
    cofactor(
        "experiment", "start", models, "--name", "s", "--kind", "shadow", "--arms", "v1:1,v2:1"
    )
    status = " ".join(cofactor("experiment", "status", models, "--name", "n").out.split())
    assert "too early" in status
    assert "click counts 1, purchase counts 5 within 6h of a list" in status
    assert "s (shadow) is running too: --name s" in status
    assert "ended s" in cofactor("experiment", "stop", models).out
    # What has ended is no default while another one runs.
    refused = cofactor("experiment", "roll-out", models, "v9")
    assert (refused.code, "must be an arm of n" in refused.err) == (1, True)
    done = cofactor("experiment", "roll-out", models, "v2")
    assert done.code == 0, done.err
    assert Folder(models).pointer().version == "v2"
    assert Experiments(Folder(models)).get("n").rolled_out == "v2"


def test_a_refused_roll_out_ends_nothing(models: Path, cofactor: Callable[..., Any]) -> None:
    bad = registry.create("popularity").fit(shop(n_users=20, n_items=40, seed=2))
    save(bad, models / "small", metrics={"n_users": 60, "metrics": {}})
    cofactor("experiment", "start", models, "--name", "n", "--arms", "v1:50,small:50")
    refused = cofactor("experiment", "roll-out", models, "small")
    assert (refused.code, "isn't promoted" in refused.err) == (1, True)
    assert Experiments(Folder(models)).get("n").ended is None
    assert cofactor("experiment", "stop", models).code == 0
    assert Experiments(Folder(models)).get("n").ended is not None


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("begin", "DIR"), "no such command 'begin'"),
        (("start", "DIR", "--name", "x"), "missing option '--arms'"),
        (("stop", "DIR", "v1"), "extra argument"),
        (("roll-out", "DIR"), "missing argument 'VERSION'"),
    ],
)
def test_wrong_calls_say_what_is_missing(
    models: Path, cofactor: Callable[..., Any], words: tuple[str, ...], message: str
) -> None:
    ran = cofactor("experiment", *(models if word == "DIR" else word for word in words))
    assert ran.code == 2
    assert message in " ".join(ran.err.split())
