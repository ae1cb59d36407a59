"""The example at the end of each command's help works as it is printed, in a shop's folder."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from cofactor.artifact.load import load
from cofactor.cli import datasets_command, events_command, experiment_command, runs_command
from cofactor.cli.main import EXAMPLES
from cofactor.store import Impression, open_store

# What a test of its own runs: the tour, a service that doesn't end, an experiment of minutes, what
# needs a download, or a run's id.
ELSEWHERE = {"demo", "serve", "reproduce", "datasets fetch", "datasets verify", "runs compare"}
# What an example finds there is what the examples before it have made.
ORDER = (
    *("describe", "shard", "train", "inspect", "recommend", "similar", "evaluate", "curve"),
    *("compare", "tune", "runs list", "runs show"),
    *("events import", "retrain", "promote"),
    *("experiment start", "experiment status", "experiment stop"),
    *("experiment roll-out", "ope", "events stats", "events export", "events prune"),
    *("events backup", "events verify", "events restore"),
    *("datasets list", "datasets show", "models", "metrics", "completion", "doctor"),
)
ALL = {name: words.removeprefix("cofactor ") for name, words in EXAMPLES.items()}
for module in (datasets_command, events_command, experiment_command, runs_command):
    group = module.__name__.rpartition(".")[2].removesuffix("_command")
    of_group = ALL.pop(group)
    actions = module.ACTIONS
    ALL |= {f"{group} {one}": f"{group} {one} {w}".strip() for one, (_, w) in actions.items()}
    assert of_group in ALL.values()  # its example is an action's


def test_every_example_is_run_here_or_elsewhere() -> None:
    assert {*ORDER, *ELSEWHERE} == set(ALL)


def write_shop() -> None:
    """What the examples name: purchases, later ones, the catalogue, and a folder of events."""
    draw = np.random.default_rng(0)
    items = ["B-204", *(f"B-{n}" for n in range(300, 325))]
    lines = [
        f"{4700 + user},{item},2026-0{draw.integers(1, 9)}-11"
        for user in range(40)
        for item in draw.choice(items[user % 2 :: 2], 7, replace=False)
    ]
    head = "customer,sku,order_date"
    later = [f"{4700 + user},{items[(3 * user + 1) % 26]},2026-10-11" for user in range(40)]
    Path("purchases.csv").write_text("\n".join([head, *lines]) + "\n")
    Path("later.csv").write_text("\n".join([head, *later]) + "\n")
    kinds = [f"{item},Thing for the {('garden', 'kitchen')[n % 2]}" for n, item in enumerate(items)]
    Path("catalogue.csv").write_text("\n".join(["sku,title", *kinds]) + "\n")
    Path("events").mkdir()


def prepare(name: str, cofactor: Callable[..., Any]) -> None:
    """Make what the example takes for granted."""
    if name == "shard":
        pq.write_table(pyarrow.csv.read_csv("purchases.csv"), "events/one.parquet")
    elif name == "inspect":  # whatever the search found; not each model has neighbours
        again = ("train", "purchases.csv", "--model", "ease", "--out", "shop-model", "--overwrite")
        assert cofactor(*again).code == 0
    elif name == "runs list":
        assert cofactor("compare", "purchases.csv", "--models", "ease", "--runs", "runs").code == 0
    elif name == "retrain":
        shutil.copytree("shop-model", "models/v1")
        assert cofactor("events", "import", "sqlite:///models-events.db", "later.csv").code == 0
    elif name == "experiment start":
        for version in ("v3", "v4"):
            shutil.copytree("models/v2", f"models/{version}")
    elif name == "experiment roll-out":
        again = ALL["experiment start"].replace("new-model", "other-model")
        assert cofactor(*shlex.split(again)).code == 0
    elif name == "ope":
        policy = load("models/v4")
        with open_store("sqlite:///models-events.db") as store:
            given = {"version": "v2", "source": "personal", "probabilities": (0.9, 0.9, 0.9)}
            for n, user in enumerate([f"{4700 + user}" for user in range(40)] * 2):
                items = tuple(policy.recommend(user, k=3).ids)
                place = {"request_id": f"r{n}", "user_id": user, "time": 1_800_000_000}
                store.log_impressions([Impression(items=items, **place, **given)])
    elif name == "events restore":
        for path in Path().glob("events.db*"):
            path.unlink()


@pytest.mark.slow
def test_every_example_of_the_help_works_as_printed(
    cofactor: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_shop()
    for name in ORDER:
        prepare(name, cofactor)
        # Searches use up their time, which is shorter here.
        words = re.sub(r"--budget \d+m", "--budget 2s", ALL[name])
        done = cofactor(*shlex.split(words))
        assert done.code == 0, f"cofactor {ALL[name]}\n{done.out}\n{done.err}"
        assert done.out or done.err
