"""session_knn beside session-rec's VSTAN: seconds for an answer and hits on the same prefixes.

``python -m benchmarks.sequences --session-rec PATH [--prefixes 300] [--passes 4]``, where PATH is a
checkout of github.com/rn5l/session-rec. Both sides run in this process, one thread, and are told in
CPU seconds; they answer all prefixes in turns, and each side's fastest pass counts, since whatever
else runs on a machine can only slow a side down. The data is Diginetica, by COFACTOR_DATA. The
settings are those of the board for ours, and the same neighbours and index for theirs (500 sessions
of the 1,000 latest); nothing was tuned for either here."""

from __future__ import annotations

import argparse
import importlib.util
import itertools
import sys
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from cofactor.base.run import Run
from cofactor.data import datasets
from cofactor.data.histories import Histories
from cofactor.data.split import Split
from cofactor.evaluation.next_item import scores_of
from cofactor.kernels.cpu.next_rank import mid_ranks
from cofactor.models.sequence.session_knn import PRESETS, SessionKNN

NAME = "sessions-diginetica"
NEIGHBOURS, LATEST = 500, 1000


def main() -> None:
    """Run both sides and print a line each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--session-rec", type=Path, required=True)
    parser.add_argument("--prefixes", type=int, default=300)
    parser.add_argument("--passes", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    split = datasets.load_split(NAME)
    drawn = np.random.default_rng(asked.seed).permutation(split.test.truth.n_users)
    users = np.sort(drawn[: asked.prefixes])
    targets = split.test.truth.item_rows[split.test.truth.indptr[users]]
    sides = {
        "session_knn, one at a time": cofactor_side(split, users, alone=True),
        "session_knn, in batches": cofactor_side(split, users, alone=False),
        "session-rec VSTAN": session_rec_side(split, users, asked.session_rec),
    }
    seconds = dict.fromkeys(sides, float("inf"))
    for _ in range(asked.passes):
        for label, (_, answer, _) in sides.items():
            began = time.process_time()
            answer()
            seconds[label] = min(seconds[label], (time.process_time() - began) / len(users))
    for label, (fitting, _, scored) in sides.items():
        hit, mrr = measures(scored(), targets)
        print(
            f"{label:28s} fit {fitting:6.2f} CPU s, {1000 * seconds[label]:8.3f} CPU ms an answer,"
            f" P@20 {hit:.2f}, MRR@20 {mrr:.2f}"
        )
    alone, batch, theirs = seconds.values()
    print(
        f"ratio of an answer's CPU time: {theirs / alone:.1f} one at a time, {theirs / batch:.1f}"
        f" in batches; {len(users)} prefixes, seed {asked.seed}, best of {asked.passes} passes"
    )


# CPU seconds of fitting, what answers all prefixes, and what gives the scores of all items.
Side = tuple[float, Callable[[], Any], Callable[[], np.ndarray]]


def cofactor_side(split: Split, users: np.ndarray, alone: bool) -> Side:
    """Ours, the 20 best for one prefix at a time, or the scores of all items for all at once."""
    settings = {**PRESETS[NAME], "neighbours": NEIGHBOURS, "sessions_per_item": LATEST}
    run = Run(threads=1)
    SessionKNN(**settings).fit(split.train, run=run)  # compiles what isn't compiled yet
    began = time.process_time()
    model = SessionKNN(**settings).fit(split.train, run=run)
    fitting = time.process_time() - began
    histories = split.test.histories(users)
    rows = [histories.take(np.array([n])) for n in range(len(users))]

    def scored() -> np.ndarray:
        return scores_of(model, split.test, users)[0]

    def answer() -> None:
        for row in rows:
            model.topk(model.fold_in(row), 20)

    model.topk(model.fold_in(rows[0]), 20)  # loads what is compiled
    scores_of(model, split.test, users[:2])
    return fitting, answer if alone else scored, scored


def session_rec_side(split: Split, users: np.ndarray, checkout: Path) -> Side:
    """Theirs."""
    import pandas as pd

    train: Histories = split.train.histories()
    frame = pd.DataFrame(
        {"SessionId": train.owners, "ItemId": train.item_rows, "Time": train.owners}
    )
    # Its decay by age is turned off: the set has no times, sessions are only in their order.
    peer = loaded(checkout)(k=NEIGHBOURS, sample_size=LATEST, lambda_snh=1e9)
    began = time.process_time()
    peer.fit(frame)
    fitting = time.process_time() - began
    items = np.arange(split.train.n_items)
    prefixes = split.test.histories(users)
    passes = itertools.count()

    def scored() -> np.ndarray:
        # Sessions of new names: it remembers what it was asked.
        scores, name = np.zeros((len(users), len(items)), np.float32), f"pass {next(passes)} user"
        for n in range(len(users)):
            own = prefixes.item_rows[prefixes.indptr[n] : prefixes.indptr[n + 1]]
            for item in own[:-1]:
                peer.predict_next(f"{name} {n}", item, items, timestamp=len(train), skip=True)
                # With skip it only remembers the item; its sessions are looked up here.
                peer.relevant_sessions = peer.relevant_sessions | peer.sessions_for_item(item)
            scores[n] = peer.predict_next(f"{name} {n}", own[-1], items, timestamp=len(train))
        return scores

    return fitting, scored, scored


def loaded(checkout: Path) -> Any:
    """session-rec's class, from its file; it asks for a package that it doesn't use, and for a name
    that NumPy no longer has.
    """
    sys.modules.setdefault("pympler", types.ModuleType("pympler"))
    sys.modules["pympler"].asizeof = None  # type: ignore[attr-defined]
    if not hasattr(np, "in1d"):
        setattr(np, "in1d", np.isin)  # noqa: B010
    place = checkout / "algorithms" / "knn" / "vstan.py"
    spec = importlib.util.spec_from_file_location("session_rec_vstan", place)
    if spec is None or spec.loader is None or not place.is_file():
        raise SystemExit(f"{place} isn't there; give a checkout of session-rec.")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.VSKNN_STAN


def measures(scores: np.ndarray, targets: np.ndarray) -> tuple[float, float]:
    """P@20 and MRR@20 in per cent."""
    nothing = np.zeros(len(targets) + 1, np.int64), np.zeros(0, np.int32)
    ranks = mid_ranks(scores, targets.astype(np.int32), *nothing, 1)
    inside = ranks < 20
    return 100 * inside.mean(), 100 * float(np.where(inside, 1 / (ranks + 1), 0.0).mean())


if __name__ == "__main__":
    main()
