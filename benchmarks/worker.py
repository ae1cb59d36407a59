"""The process of one side: reads one JSON command a line, answers with one JSON line.

{"do": "make", "target": "benchmarks.peers.implicit_side:ALS", "data": "x.npz", "settings": {},
"threads": 2} {"do": "run", "step": 5}            -> {"seconds": 1.2, "cpu": 2.3, "peak": 123456}
{"do": "result", "to": "y.npz"}"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
import traceback
import warnings
from typing import Any

import numpy as np

from benchmarks.side import Side, forget_peak, memory


def make(asked: dict[str, Any]) -> Side:
    module, _, name = asked["target"].partition(":")
    data: dict[str, np.ndarray] = {}
    if asked["data"]:
        with np.load(asked["data"]) as file:
            data = dict(file)
    kind = getattr(importlib.import_module(module), name)
    side: Side = kind(data, asked["settings"], asked["threads"])
    return side


def answer(side: Side | None, asked: dict[str, Any]) -> tuple[Side | None, dict[str, Any]]:
    if asked["do"] == "make":
        began = time.perf_counter()
        side = make(asked)
        return side, {"seconds": time.perf_counter() - began}
    assert side is not None
    if asked["do"] == "run":
        forget_peak()
        held = memory("VmRSS")
        found: dict[str, Any] = side.run(asked.get("step"))
        return side, {"peak": max(0, memory("VmHWM") - held), **found}
    np.savez(asked["to"], **side.result())
    return side, {}


def main() -> None:
    warnings.simplefilter("ignore")
    # What libraries print goes to stderr; answers keep the pipe to themselves.
    pipe = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    side: Side | None = None
    for line in sys.stdin:
        try:
            side, found = answer(side, json.loads(line))
        except Exception:
            found = {"error": traceback.format_exc(limit=-4)}
        print(json.dumps(found), file=pipe, flush=True)


if __name__ == "__main__":
    main()
