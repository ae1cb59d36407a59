"""Bytes that reach each worker's host in an epoch of implicit ALS on Ray, counted at the network
interfaces of hosts in namespaces (`hosts.sh up`, as root).

    benchmarks/hosts.sh up
    python benchmarks/cluster_bytes.py 40000,10000,1000000,gather 100000,10000,1500000,reduce

Each argument is users, items, interactions and the exchange; 64 factors, the default 3 CG steps. A
line has the bytes of each epoch but the first at both hosts, and what they are compared with: the
least that vectors cost, (U + I) f 4 / 2, and the bound of sums, 8 I f 4 / 2."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

EPOCHS, FACTORS, PAUSE = 6, 64, 0.4
HOSTS = ("2", "3")


def fit(users: int, items: int, n: int, exchange: str) -> None:
    """Fit on the cluster, with a pause after each epoch, and print when those were."""
    from cofactor.base.progress import SilentProgress
    from cofactor.base.run import Run
    from cofactor.data.synthetic.shapes import power_law
    from cofactor.engines.ray import RayEngine
    from cofactor.models.implicit.ials import IALS

    pauses: list[tuple[float, float]] = []

    class Pauses(SilentProgress):
        """Pauses after each epoch; a callback would have the model solved for it."""

        @contextmanager
        def task(self, name: str, total: int | None) -> Iterator[Any]:
            yield self

        def advance(self, steps: int = 1, **facts: Any) -> None:
            if "epoch" in facts:
                began = time.time()
                time.sleep(PAUSE)
                pauses.append((began, time.time()))

    engine = RayEngine("10.77.0.1:6379", exchange=exchange)
    run = Run(threads=1, engine=engine, progress=Pauses())
    data = power_law(users, items, n, rated=False, seed=1)
    IALS(factors=FACTORS, epochs=EPOCHS).fit(data, run=run)
    engine.close()
    print(json.dumps(pauses))


def received() -> list[int]:
    """How many bytes each worker's host has received so far."""
    counters = (Path(f"/sys/class/net/cfhost{h}v/statistics/tx_bytes") for h in HOSTS)
    return [int(counter.read_text()) for counter in counters]


def measure(case: str) -> None:
    words = ["bash", str(Path(__file__).with_name("hosts.sh")), "run", "1", sys.executable]
    process = subprocess.Popen([*words, __file__, "fit", case], stdout=subprocess.PIPE)
    seen: list[tuple[float, list[int]]] = []
    while process.poll() is None:
        seen.append((time.time(), received()))
        time.sleep(0.03)
    said, _ = process.communicate()
    if process.returncode:
        raise SystemExit(process.returncode)
    # In the middle of a pause nothing is on its way.
    middles = [(began + ended) / 2 for began, ended in json.loads(said)]
    at = [min(seen, key=lambda moment: abs(moment[0] - middle))[1] for middle in middles]
    users, items, *_ = case.split(",")
    line = {
        "case": case,
        "bytes_an_epoch": [
            [after - before for before, after in zip(*pair, strict=True)] for pair in pairwise(at)
        ],
        "least_of_vectors": (int(users) + int(items)) * FACTORS * 2,
        "bound_of_sums": 8 * int(items) * FACTORS * 2,
    }
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] in ("-h", "--help"):
        print(__doc__)
    elif sys.argv[1] == "fit":
        users, items, count, exchange = sys.argv[2].split(",")
        fit(int(users), int(items), int(count), exchange)
    else:
        for one in sys.argv[1:]:
            measure(one)
