"""Implicit ALS on one GPU: its kernels against the reference, then seconds an epoch beside this
machine's processor, and beside implicit's CUDA ALS where that is installed. Minutes.

    python benchmarks/gpu.py [--n 25000000] [--users 162541] [--items 56642] [--factors 64]

Without a GPU it checks the kernels on the processor and says that nothing was measured."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[1]
EPOCHS = 8


def check() -> None:
    """Run the parity tests; they use the GPU where there is one."""
    words = [sys.executable, "-m", "pytest", "-q", "-n", "0", "tests/parity/test_gpu_ials.py"]
    subprocess.run(words, check=True, cwd=ROOT)


def ours(data: Any, device: str, factors: int) -> dict[str, Any]:
    """Seconds of a fit, the last solve of all users included, after a short one to warm up."""
    from cofactor.base.run import Run
    from cofactor.models.implicit.ials import IALS

    IALS(factors=factors, epochs=1).fit(data, run=Run(device=device))
    began = time.perf_counter()
    model = IALS(factors=factors, epochs=EPOCHS).fit(data, run=Run(device=device))
    seconds = time.perf_counter() - began
    return {"device": device, "fit_s": round(seconds, 2), "loss": model.curve.loss[-1]}


def implicits(data: Any, factors: int) -> dict[str, Any] | None:
    """The same of implicit's CUDA ALS, or None where it isn't installed."""
    try:
        from implicit.gpu.als import AlternatingLeastSquares
    except ImportError:
        return None
    model = AlternatingLeastSquares(factors=factors, iterations=EPOCHS)
    began = time.perf_counter()
    model.fit(data.matrix().astype(np.float32), show_progress=False)
    return {"device": "implicit, cuda", "fit_s": round(time.perf_counter() - began, 2)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=25_000_000)
    parser.add_argument("--users", type=int, default=162_541)
    parser.add_argument("--items", type=int, default=56_642)
    parser.add_argument("--factors", type=int, default=64)
    settings = parser.parse_args()
    check()
    import torch

    if not torch.cuda.is_available():
        print(
            "PyTorch sees no CUDA GPU here: the kernels were checked on the processor, and nothing"
            " was measured."
        )
        return
    from cofactor.data.synthetic.shapes import power_law

    data = power_law(settings.users, settings.items, settings.n, rated=False, seed=1)
    for found in (
        ours(data, "cpu", settings.factors),
        ours(data, "cuda", settings.factors),
        implicits(data, settings.factors),
    ):
        if found is not None:
            print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
