"""What failures cost implicit ALS on Ray: hosts in namespaces (`hosts.sh`, as root), of which some
die in the middle of the fourth of eight epochs. A line has the seconds of each epoch, what that one
took beyond the median of the others, and whether the factors have the bits of one process.

    python benchmarks/cluster_failures.py [--users 40000] [--items 10000] [--n 1000000]
        [--cases none,worker,host,replaced,slow,driver]

worker: a worker process is killed. host: one of the two hosts with a core for work is switched off.
replaced: both are, and another joins. slow: the second host's link has 200 Mbit/s from the start,
and the other one is switched off. driver: the process of the command is killed, and the command
given again with `--resume`; its line has the epochs that were run in all. Each case makes its hosts
anew; Ray's checks of hosts are at their defaults (a dead one is noticed after some fifteen
seconds), and its workers have no lower priority than all else."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

SCRIPT = str(Path(__file__).with_name("hosts.sh"))
EPOCHS, BAD, FACTORS = 8, 4, 64
ADDRESS = "10.77.0.1:6379"
ENVIRONMENT = {
    **os.environ,
    "RAY_worker_niceness": "0",
    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
}


def hosts(*words: str) -> None:
    """Run a command of `hosts.sh`."""
    subprocess.run(["bash", SCRIPT, *words], check=True, env=ENVIRONMENT)


class Ends:
    """A progress that prints the time at the end of each epoch; a callback would have the model
    solved for it.
    """

    def __init__(self, die: bool) -> None:
        self.die, self.last = die, time.time()

    @contextmanager
    def task(self, name: str, total: int | None) -> Iterator[Any]:
        yield self

    def advance(self, steps: int = 1, **facts: Any) -> None:
        if "epoch" in facts:
            now = time.time()
            print(json.dumps([facts["epoch"], now]), flush=True)
            if self.die and facts["epoch"] == BAD - 1:
                how = (os.getpid(), signal.SIGKILL)
                threading.Timer((now - self.last) / 2, os.kill, how).start()
            self.last = now

    def say(self, text: str) -> None:
        """Nothing."""


def fit(settings: argparse.Namespace, engine: Any = None) -> str:
    """Fit, and print when epochs end."""
    from cofactor.base.run import Run
    from cofactor.data.synthetic.shapes import power_law
    from cofactor.models.implicit.ials import IALS

    data = power_law(settings.users, settings.items, settings.n, rated=False, seed=1)
    model = IALS(factors=FACTORS, epochs=EPOCHS, regularization=0.01)
    if settings.checkpoint:
        model.checkpoint_to(settings.checkpoint)
    progress = Ends(bool(settings.checkpoint) and not Path(settings.checkpoint).exists())
    model.fit(data, run=Run(threads=1, engine=engine, progress=progress))
    whole = model.user_factors.tobytes() + model.item_factors.tobytes()
    return hashlib.sha256(whole).hexdigest()[:12]


def fit_on_cluster(settings: argparse.Namespace) -> None:
    """What runs on the first host."""
    from cofactor.engines.ray import RayEngine

    engine = RayEngine(ADDRESS)
    print(json.dumps({"sha": fit(settings, engine)}), flush=True)
    engine.close()


def kill_worker(host: int) -> None:
    """Kill a worker process of a host; it has a core, and so one that works."""
    first = Path(f"/tmp/cofactor-hosts/host{host}.pid").read_text().strip()
    space = os.readlink(f"/proc/{first}/ns/net")
    for folder in Path("/proc").iterdir():
        try:
            words = (folder / "cmdline").read_bytes() if folder.name.isdigit() else b""
            if words.startswith(b"ray::_run") and os.readlink(folder / "ns/net") == space:
                os.kill(int(folder.name), signal.SIGKILL)
                return
        except OSError:
            continue
    raise SystemExit("no worker is at work")


def fail(case: str) -> None:
    """What happens in the middle of the epoch."""
    if case == "worker":
        kill_worker(2)
    elif case in ("host", "slow"):
        hosts("off", "2")
    elif case == "replaced":
        hosts("off", "2")
        hosts("off", "3")
        hosts("on", "4")


def measured(case: str, settings: argparse.Namespace) -> dict[str, Any]:
    """Fit once on the hosts as they are; what happens in the case happens meanwhile."""
    words = ["bash", SCRIPT, "run", "1", sys.executable, __file__, "--fit"]
    names = ("users", "items", "n", "checkpoint")
    words += [f"--{name}={getattr(settings, name)}" for name in names]
    epochs, ends, found = [], [], {}
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT) as process:
        assert process.stdout is not None
        for line in process.stdout:
            said = json.loads(line)
            if isinstance(said, dict):
                found = said
                continue
            epochs.append(said[0])
            ends.append(said[1])
            if said[0] == BAD - 1:
                threading.Timer((ends[-1] - ends[-2]) / 2, fail, [case]).start()
    seconds = [round(after - before, 2) for before, after in pairwise(ends)]
    line = {"case": case, "epochs": epochs, "epochs_s": seconds, **found}
    if len(seconds) == EPOCHS - 1:
        line["extra_s"] = round(seconds[BAD - 2] - statistics.median(seconds), 2)
    return line


def run(case: str, settings: argparse.Namespace) -> None:
    """Make hosts, and print a line for each fit on them."""
    hosts("up")
    try:
        if case == "slow":
            hosts("slow", "3", "200mbit")
        with tempfile.TemporaryDirectory() as folder:
            settings.checkpoint = f"{folder}/kept.safetensors" if case == "driver" else ""
            for _ in range(1 + (case == "driver")):
                print(json.dumps(measured(case, settings)), flush=True)
    finally:
        hosts("down")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=40_000)
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--n", type=int, default=1_000_000)
    parser.add_argument("--cases", default="none,worker,host,replaced,slow,driver")
    parser.add_argument("--fit", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--checkpoint", default="", help=argparse.SUPPRESS)
    settings = parser.parse_args()
    if settings.fit:
        fit_on_cluster(settings)
        return
    for case in settings.cases.split(","):
        run(case, settings)
    settings.checkpoint = ""
    print(json.dumps({"case": "one process", "sha": fit(settings)}), flush=True)


if __name__ == "__main__":
    main()
