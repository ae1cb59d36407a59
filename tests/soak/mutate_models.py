"""Saved models of every kind that PyTorch isn't needed for, changed at random, with their
checksums made again: each is refused with an `ArtifactError`, or loads and answers.

Run it by ``make soak``, or ``python tests/soak/mutate_models.py --count 10000 --seed 1`` with src
and tests on the path. Each mutation follows from the seed and its number alone, so that
``--first N --count 1`` repeats one; the number that is at work stands in the file ``--place``
names, for what ends the process."""

from __future__ import annotations

import argparse
import os
import random
import resource
import signal
import sys
import tempfile
from collections import Counter
from pathlib import Path

import cofactor
from artifact.test_artifact_mutations import contents, tried
from cofactor.base.run import Run
from cofactor.data.synthetic import shop
from cofactor.models import registry
from contract.cases import CASES

MODELS = (
    *("popularity", "bias", "item_knn", "ease", "graph_filter", "ials", "bpr", "warp", "svdpp"),
    *("logistic_mf", "biased_mf", "bayesian_mf", "content_knn", "content_ridge", "feature_ials"),
    *("content_blend", "transitions", "sequence_linear", "session_knn", "blend"),
    *("transformer", "gru4rec"),
)
# Seconds of processor time that a mutation may take at most, so that a busy machine makes no
# findings; seconds by the clock, for what hangs without working; mutations after which a long run
# says how far it is.
LONGEST, HANGING, EVERY = 30, 900, 10_000


class Slow(BaseException):
    """A mutation took longer than it may."""


def _stop(*_: object) -> None:
    raise Slow(f"not done after {LONGEST} s of work, or {HANGING} s")


def originals(names: tuple[str, ...], folder: Path) -> list[tuple[str, dict[str, bytes]]]:
    """Fit and save a small model of each kind; the files of each."""
    data = shop(n_users=30, n_items=20)
    found = []
    for name in names:
        model = registry.create(name, **(CASES[name] | _short(name))).fit(data, run=Run(threads=1))
        found.append((name, contents(cofactor.save(model, folder / f"{name}-saved"))))
    return found


def _short(name: str) -> dict[str, int]:
    return {"epochs": 2} if "epochs" in CASES[name] else {}


def _attempt(
    name: str, files: dict[str, bytes], folder: Path, chance: random.Random
) -> tuple[bool, str]:
    """Try one mutation: whether it loaded, and what went wrong in a way that it mustn't."""
    signal.setitimer(signal.ITIMER_PROF, LONGEST)
    signal.alarm(HANGING)
    try:
        return tried(files, folder, chance), ""
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return False, f"{name}: {type(error).__name__}: {str(error)[:90]!r}"
    finally:
        signal.alarm(0)
        signal.setitimer(signal.ITIMER_PROF, 0)


def main() -> int:
    """Try many mutations and print what came of them; 1 if anything wasn't typed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--place", type=Path, default=Path(os.devnull))
    asked = parser.parse_args()
    signal.signal(signal.SIGALRM, _stop)
    signal.signal(signal.SIGPROF, _stop)
    loaded, failures = 0, Counter[str]()
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(dir=memory) as place:
        known = originals(tuple(asked.models.split(",")), Path(place))
        folder = Path(place) / "model"
        folder.mkdir()
        for number in range(asked.first, asked.first + asked.count):
            asked.place.write_text(f"{asked.seed} {number}\n")
            chance = random.Random(f"{asked.seed} {number}")
            came, what = _attempt(*known[number % len(known)], folder, chance)
            loaded += came
            failures[what] += bool(what)
            if failures[what] == 1:
                print(f"{number}: {what}", flush=True)
            done = number + 1 - asked.first
            if done % EVERY == 0 or done == asked.count:
                print(
                    f"{done:,} mutations: {loaded:,} loaded, {failures.total()} untyped;", _used()
                )
    return int(failures.total() > 0)


def _used() -> str:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return f"CPU {usage.ru_utime + usage.ru_stime:.0f} s, peak {usage.ru_maxrss >> 10} MiB"


if __name__ == "__main__":
    sys.exit(main())
