"""What it buys that the arrays which kernels gather rows from begin on a cache line: CPU seconds of
an epoch with such arrays, and with arrays that begin 16 bytes behind one, as NumPy's large ones do.

    python benchmarks/alignment.py [--interactions 25000000] [--rounds 3] [--factors 64]

The two sides alternate in one process, on one thread, from the same start, and must end with the
same bits. iALS: an epoch is both half-epochs. BPR and WARP: one pass over all interactions, from
start vectors. SGD: one epoch of biased matrix factorisation. Top-k: 256 users over the prepared
items."""

from __future__ import annotations

import argparse
import hashlib
import json
import statistics
import time
from collections.abc import Callable

import numpy as np

from cofactor.base.memory import aligned, aligned_empty
from cofactor.base.threads import native_threads
from cofactor.data.interactions import Interactions
from cofactor.data.synthetic.shapes import power_law
from cofactor.kernels.cpu import bpr, ials, mf_sgd, topk_prepared, warp

F = np.float32
Copy = Callable[[np.ndarray], np.ndarray]


def off_by_16(array: np.ndarray) -> np.ndarray:
    """A copy that begins 16 bytes behind a cache line."""
    raw = aligned_empty(array.nbytes + 16, np.uint8)
    copied = raw[16 : 16 + array.nbytes].view(array.dtype).reshape(array.shape)
    copied[...] = array
    return copied


def on_line(array: np.ndarray) -> np.ndarray:
    return aligned(array.copy())


class Cases:
    """One function a kernel: copies its start by ``copy``, returns CPU seconds and bits."""

    def __init__(self, data: Interactions, factors: int) -> None:
        self.data = data
        draw = np.random.default_rng(0)
        size = F(0.1 / np.sqrt(factors))
        self.x = draw.standard_normal((data.n_users, factors), F) * size
        self.y = draw.standard_normal((data.n_items, factors), F) * size
        self.order = draw.permutation(data.n_users).astype(np.int32)

    def ials(self, copy: Copy) -> tuple[float, str]:
        data, alpha0 = self.data, 10 * len(self.data) / self.data.n_users / self.data.n_items
        item_indptr, user_rows, _ = data.by_item
        ones = np.ones(len(data), F)
        x, y = copy(np.zeros_like(self.x)), copy(self.y)
        of_users = ials.row_ridge(data.indptr, data.n_items, alpha0, 0.01, 1.0)
        of_items = ials.row_ridge(item_indptr, data.n_users, alpha0, 0.01, 1.0)
        began = time.process_time()
        ials.half_epoch(data.indptr, data.item_rows, ones, y, x, alpha0, of_users)
        ials.half_epoch(item_indptr, user_rows, ones, x, y, alpha0, of_items)
        return time.process_time() - began, _bits(x, y)

    def bpr(self, copy: Copy) -> tuple[float, str]:
        x, y, b = copy(self.x), copy(self.y), np.zeros(len(self.y), F)
        none = np.zeros(0, np.uint32), np.zeros(0, np.int32)
        began = time.process_time()
        rows = self.data.indptr, self.data.item_rows, self.order
        bpr.bpr_epoch(*rows, x, y, b, 0.05, 0.01, 0.01, 0.01, 0.01, *none, 1, 1)
        return time.process_time() - began, _bits(x, y)

    def warp(self, copy: Copy) -> tuple[float, str]:
        x, y = copy(self.x), copy(self.y)
        small = [np.zeros(n, F) for n in (len(y), len(x), len(y), len(y))]
        none = np.zeros(0, np.uint32), np.zeros(0, np.int32)
        began = time.process_time()
        rows = self.data.indptr, self.data.item_rows, self.order
        warp.warp_epoch(*rows, x, y, *small, 0.05, 0.0, 0.0, 0.0, 1.0, 10, True, *none, 1, 1)
        return time.process_time() - began, _bits(x, y)

    def sgd(self, copy: Copy) -> tuple[float, str]:
        data = self.data
        x, y = copy(self.x), copy(self.y)
        values = np.ones(len(data), F) if data.values is None else data.weights.astype(F)
        more = [np.zeros(n, F) for n in (len(x), len(y))]
        reg = [np.full(n, 0.02, F) for n in (len(x), len(y), len(x), len(y))]
        began = time.process_time()
        mf_sgd.mf_sgd_epoch(
            data.indptr, data.item_rows, values, self.order, 0.5, *more, x, y, 0.01, 0.01, *reg
        )
        return time.process_time() - began, _bits(x, y)

    def topk(self, copy: Copy) -> tuple[float, str]:
        users, n = copy(self.x[:256]), len(self.y)
        prepared = topk_prepared.prepare_items(copy(self.y), np.zeros(n, F))
        prepared = tuple(copy(part) if part.ndim == 2 else part for part in prepared)
        nothing = np.zeros(257, np.int64), np.zeros(0, np.int32)
        began = time.process_time()
        found = topk_prepared.topk_prepared(users, prepared, 20, *nothing, np.ones(n, bool), 1)
        return time.process_time() - began, _bits(*found)


def _bits(*arrays: np.ndarray) -> str:
    return hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest()[:12]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--interactions", type=int, default=25_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--factors", type=int, default=64)
    parser.add_argument("--cases", default="ials,bpr,warp,sgd,topk")
    settings = parser.parse_args()
    share = settings.interactions / 25e6
    shape = (int(162_541 * share**0.5), int(56_642 * share**0.5), settings.interactions)
    cases = Cases(power_law(*shape, rated=False, seed=1), settings.factors)
    for name in settings.cases.split(","):
        run = getattr(cases, name)
        seconds: dict[str, list[float]] = {"off": [], "on": []}
        bits = set()
        with native_threads(1):
            for copy in (off_by_16, on_line):  # compiles, for either kind of array
                run(copy)
            for _ in range(settings.rounds):
                for side, copy in (("off", off_by_16), ("on", on_line)):
                    took, mark = run(copy)
                    seconds[side].append(took)
                    bits.add(mark)
        off, on = (statistics.median(seconds[side]) for side in ("off", "on"))
        print(
            json.dumps(
                {
                    "case": name,
                    "cpu_s_off": round(off, 3),
                    "cpu_s_on": round(on, 3),
                    "ratio": round(on / off, 3),
                    "same_bits": len(bits) == 1,
                }
            ),
            flush=True,
        )


if __name__ == "__main__":
    main()
