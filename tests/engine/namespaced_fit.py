"""Fits on a cluster of hosts in namespaces, run in one of them by `test_hosts_in_namespaces`.

    python namespaced_fit.py ADDRESS WAITING OFF

A module is trained by both worker hosts; then implicit ALS, which after its second epoch makes the
file WAITING, and goes on when there is a file OFF. Prints what came out as JSON."""

from __future__ import annotations

import hashlib
import json
import sys
import time
from pathlib import Path
from typing import Any

from cofactor.base.run import Run
from cofactor.data.synthetic.shapes import power_law
from cofactor.models import registry
from cofactor.models.implicit.ials import IALS

PATIENCE = 120


def fitted(engine: Any, after_epoch: Any = None) -> dict[str, Any]:
    """What a module's training and implicit ALS give."""
    data = power_law(2_000, 400, 30_000, rated=True, seed=1)
    run = Run(seed=4, threads=1, engine=engine)
    settings = {"loss": "squared", "factors": 8, "epochs": 1}
    module = registry.create("latent_factor", **settings).fit(data, run=run)
    ials = IALS(factors=16, epochs=5)
    if after_epoch is not None:
        ials.on_epoch_end(after_epoch)
    ials.fit(data, run=run)
    whole = ials.user_factors.tobytes() + ials.item_factors.tobytes()
    return {"loss": module.curve.loss[0], "sha": hashlib.sha256(whole).hexdigest()}


def main() -> None:
    from cofactor.engines.ray import RayEngine

    address, waiting, off = sys.argv[1:]
    engine = RayEngine(address)

    def wait(epoch: int, *_: Any) -> None:
        if epoch == 1:
            Path(waiting).touch()
            deadline = time.monotonic() + PATIENCE
            while not Path(off).exists() and time.monotonic() < deadline:
                time.sleep(0.05)

    hosts = len(set(engine.places()))
    found = {"hosts": hosts, **fitted(engine, wait)}
    engine.close()
    print(json.dumps(found))


if __name__ == "__main__":
    main()
