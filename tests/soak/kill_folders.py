"""`shard` and `recommend --all-users` killed by SIGKILL at random moments until they end by
themselves, again and again: the bytes are those of a run that nothing disturbed, and nothing is
left beside them.

    PYTHONPATH=src:. python -W ignore tests/soak/kill_folders.py [--kills 60] [--seed 0]
        [--period 0.1] [--events 1000000] [--file FILE]

Without FILE, any source that takes some seconds, a log of so many events is made first;
``--period`` is the seconds between checkpoints. It goes on until each command was killed so often;
a line says what the last checkpoint was of when that happened (none: before the first). Linux."""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path

from cofactor.artifact.load import load
from cofactor.artifact.save import save
from cofactor.base import unfinished
from cofactor.base.progress import SilentProgress
from cofactor.base.run import Run
from cofactor.data.readers import sharded
from cofactor.data.shards import open_shards
from cofactor.models.implicit.ials import IALS
from cofactor.runs import recommend

FORK = multiprocessing.get_context("fork")  # a process that has imported everything


class Said(SilentProgress):
    """Notes in a file that a run continues from another."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def say(self, text: str) -> None:
        with self.file.open("a") as stream:
            stream.write(text + "\n")


def shard(source: str, out: Path, run: Run) -> None:
    sharded.shard([source], out, memory=700_000_000, run=run)


def lists(model: str, out: Path, run: Run) -> None:
    recommend._BLOCK = 2_048
    recommend.recommend_all(load(model), f"{out}/", 5, run=run)


def start(work: Callable[..., None], source: str, out: Path, period: float) -> BaseProcess:
    def begun() -> None:
        unfinished.PERIOD = period
        work(source, out, Run(threads=1, progress=Said(out.with_suffix(".said"))))

    process = FORK.Process(target=begun)
    process.start()
    return process


def spent(process: BaseProcess) -> float:
    """The CPU seconds that a process, which runs, has used."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def digests(folder: Path) -> dict[str, str]:
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            found[path.relative_to(folder).as_posix()] = digest
    return found


def stage(out: Path) -> str:
    """What the last checkpoint is of: the stage, or how many parts are there."""
    try:
        state = json.loads((unfinished.folder_of(out) / "state.json").read_bytes())
    except FileNotFoundError:
        return "none"
    return str(state["stage"])


class Soak:
    """A command that is killed."""

    def __init__(self, work: Callable[..., None], source: str, place: Path, period: float) -> None:
        self.work, self.source, self.place, self.period = work, source, place, period
        self.out = place / "out"
        self.stages: Counter[str] = Counter()
        process = start(work, source, self.out, 1e9)
        while process.is_alive():
            self.seconds = spent(process)
            time.sleep(0.002)
        assert process.exitcode == 0, process.exitcode
        self.wanted = digests(self.out)

    def round(self, draw: random.Random) -> tuple[int, int]:
        """Kill until it ends; how often it was killed, and how often it continued."""
        shutil.rmtree(self.out)
        kills = 0
        while True:
            process = start(self.work, self.source, self.out, self.period)
            # The later ones get more time, so that it ends.
            limit = draw.uniform(0.02, 0.5 + 0.03 * kills) * self.seconds
            while process.is_alive() and spent(process) < limit:
                time.sleep(0.001)
            if process.is_alive() and process.pid:
                os.kill(process.pid, signal.SIGKILL)
            process.join()
            assert process.exitcode in (0, -signal.SIGKILL), process.exitcode
            if self.out.exists():  # it may be killed as it ends
                break
            kills += 1
            self.stages[stage(self.out)] += 1
        if process.exitcode:  # what it left goes with the next run, or by hand
            shutil.rmtree(unfinished.folder_of(self.out), ignore_errors=True)
        made = digests(self.out)
        other = [n for n in {**self.wanted, **made} if self.wanted.get(n) != made.get(n)]
        assert not other, f"other bytes in {other}"
        said = self.out.with_suffix(".said")
        resumed = said.read_text().count("continuing") if said.exists() else 0
        said.unlink(missing_ok=True)
        assert [path.name for path in self.place.iterdir()] == ["out"]
        return kills, resumed

    def until(self, kills: int, draw: random.Random) -> None:
        """Rounds until it was killed so often."""
        size = f"{self.seconds:.1f} CPU s, {len(self.wanted)} files"
        print(f"{self.work.__name__}, undisturbed: {size}", flush=True)
        killed = resumed = rounds = 0
        while killed < kills:
            found = self.round(draw)
            killed, resumed, rounds = killed + found[0], resumed + found[1], rounds + 1
        print(
            f"{self.work.__name__}: {rounds} rounds, {killed} kills, {resumed} times continued,"
            f" the same bytes each time; the last checkpoint was of {dict(self.stages)}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--file")
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--period", type=float, default=0.1)
    settings = parser.parse_args()
    draw = random.Random(settings.seed)
    with tempfile.TemporaryDirectory() as home:
        for name in ("shard", "lists", "made"):
            (Path(home) / name).mkdir()
        file, made = settings.file, Path(home) / "made"
        if file is None:
            from benchmarks.shards import make

            file = str(made / "log.parquet")
            make(Path(file), settings.events)
        soak = Soak(shard, file, Path(home) / "shard", settings.period)
        soak.until(settings.kills, draw)
        prepare = FORK.Process(target=_fit, args=(soak.out, made / "model"))
        prepare.start()
        prepare.join()
        Soak(lists, str(made / "model"), Path(home) / "lists", settings.period).until(
            settings.kills, draw
        )


def _fit(shards: Path, model: Path) -> None:
    save(IALS(factors=8, epochs=1).fit(open_shards(shards)), model)


if __name__ == "__main__":
    sys.exit(main())
