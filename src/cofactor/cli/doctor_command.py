"""Show what this installation has: versions, threads, compiled kernels, GPU, local datasets.

With --engine ray: whether the hosts of a cluster can work together."""

from __future__ import annotations

from typing import Any

import typer

from cofactor.cli import options as opt
from cofactor.cli.groups import option
from cofactor.cli.output import Output

_LIBRARIES = (
    "numpy",
    "scipy",
    "numba",
    "pyarrow",
    "narwhals",
    "torch",
    "safetensors",
    "msgspec",
    "typer",
    "rich",
)


def command(
    engine: str | None = option(None, "Look at the hosts of a cluster instead.", metavar="ray"),
    address: str | None = option(None, "The cluster's first host.", metavar="HOST:6379"),
    folder: list[str] | None = option(
        None, "A folder that every host must see; may be repeated.", metavar="DIR"
    ),
    json: opt.Json = False,
) -> None:
    """Look around."""
    if engine is not None:
        from cofactor.cli.doctor_engine import show_hosts

        show_hosts(engine, address, folder or [], Output(json))
        return
    if address is not None or folder:
        raise typer.BadParameter("--address and --folder need --engine ray.")
    _show(Output(json))


def _show(output: Output) -> None:
    """What this installation has."""
    import platform
    import sys

    import cofactor

    facts: dict[str, Any] = {
        "cofactor": cofactor.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        **_machine(),
    }
    libraries = _libraries()
    kernels = _kernels()
    here = _datasets()
    output.table([{"what": name, "is": str(value)} for name, value in {**facts, **kernels}.items()])
    output.table(
        [{"library": name, "version": version or "missing"} for name, version in libraries.items()]
    )
    output.line(
        "datasets available locally: "
        + (", ".join(here) or "none (set COFACTOR_DATA, or `cofactor datasets fetch NAME`)")
    )
    output.emit(
        command="doctor",
        **facts,
        kernels=kernels,
        libraries=libraries,
        datasets=here,
        executable=sys.executable,
    )


def _machine() -> dict[str, Any]:
    from cofactor.base.memory import GIB, available_bytes
    from cofactor.base.run import available_cores

    free = available_bytes()
    return {
        "cores": available_cores(),
        "free memory": "unknown" if free is None else f"{free / GIB:.1f} GiB",
        "gpu": _gpu(),
    }


def _gpu() -> str:
    try:
        import torch
    except ImportError:
        return "none (PyTorch is missing)"
    if torch.cuda.is_available():
        return torch.cuda.get_device_name(0)
    return "Apple MPS" if torch.backends.mps.is_available() else "none"


def _libraries() -> dict[str, str | None]:
    from importlib import metadata, util

    from cofactor.base.extras import EXTRAS

    found: dict[str, str | None] = {}
    for name in _LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = None
    for module, extra in EXTRAS.items():
        found[f"{module} (extra {extra})"] = "installed" if util.find_spec(module) else None
    return found


def _kernels() -> dict[str, Any]:
    """Whether kernels compile, run and are kept on disk: tried with the smallest of them."""
    import numpy as np

    from cofactor.base.threads import most_threads, native_threads
    from cofactor.retrieval.topk import best_scores
    from cofactor.runs.source import Clock

    clock = Clock()
    with native_threads(1):
        best = best_scores(np.array([[1.0, 3.0, 2.0]], np.float32), 2)
    works = best.rows[0].tolist() == [1, 2]
    from numba.core import config

    return {
        "kernels": (
            f"{'work' if works else 'GIVE WRONG RESULTS'} (first call {clock.seconds:.1f} s)"
        ),
        "threading": f"a pool of at most {most_threads()} threads",
        "kernel cache": (
            config.CACHE_DIR
            or "beside the package (or the user's cache where that can't be written)"
        ),
    }


def _datasets() -> list[str]:
    from cofactor.data import datasets

    return [name for name in datasets.datasets() if datasets.available(name)]
