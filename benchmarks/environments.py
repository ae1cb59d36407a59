"""The peers' own environments: pinned, made when first needed, kept apart so that no peer
decides over another's versions.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

TORCH = "torch==2.13.0"

# Pinned to what was measured. PyTorch comes first and alone where a peer needs it, so that nothing
# pulls in another build.
PINS: dict[str, tuple[str, ...]] = {
    "ials": ("implicit==0.7.3", "irspack==0.5.2", "scipy==1.17.1", "numpy==2.4.6"),
    "sgd": (
        TORCH,
        "implicit==0.7.3",
        "cornac==3.0.1",
        "rectools-lightfm==1.17.3",
        "scipy==1.17.1",
        "numpy==2.4.6",
    ),
    "ratings": (
        TORCH,
        "cornac==3.0.1",
        "scikit-surprise==1.1.5",
        "pandas==3.1.1",
        "scipy==1.17.1",
        "numpy==2.4.6",
        "pyarrow",
    ),
    "rectools": (TORCH, "rectools[torch]==0.19.0"),
    "recbole": (TORCH, "recbole==1.2.1", "numpy<2", "pandas<3", "scipy<1.13"),
    "cmfrec": (
        "cmfrec==3.5.1",
        "numpy==1.26.4",
        "scipy==1.15.3",
        "pandas==2.3.3",
        "threadpoolctl==3.8.0",
    ),
    "spark": ("pyspark==4.3.0", "numpy==2.4.6"),
}
# What a peer that is compiled here is compiled with, where the newest does it harm: built by Cython
# 3, cmfrec takes Python's lock after each call of BLAS, so that threads wait for each other: an
# epoch takes longer on two than on one, ten times what it could.
BUILT_WITH: dict[str, tuple[str, ...]] = {"cmfrec": ("cython<3", "numpy<2")}
MUST_IMPORT = {
    "ials": "import implicit, irspack",
    "sgd": "import implicit, cornac, lightfm",
    "ratings": "import cornac, surprise, pandas",
    "rectools": "import pytorch_lightning, rectools.models",
    "recbole": "import recbole",
    "cmfrec": "import cmfrec",
    "spark": "import pyspark.ml.recommendation",
}


class NoEnvironment(Exception):
    """An environment can't be made or doesn't hold its peers."""


def python_of(name: str, folder: Path, *, make: bool = True) -> Path:
    """Return the interpreter of an environment, made first if it isn't there.

    Parameters
    ----------
    name
        One of `PINS`.
    folder
        Where they are: ``folder/peers-NAME``.
    make
        Whether one that is missing is made (minutes, and a gigabyte where PyTorch is needed).
    """
    home = folder / f"peers-{name}"
    found = home / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    if not found.exists():
        if not make:
            raise NoEnvironment(f"the environment {home} isn't there")
        print(
            f"making the environment {home} (once): {', '.join(PINS[name])}",
            file=sys.stderr,
            flush=True,
        )
        _make(home, found, name)
    tried = subprocess.run(
        [found, "-c", MUST_IMPORT[name]], capture_output=True, text=True, check=False
    )
    if tried.returncode:
        raise NoEnvironment(f"{home}: {tried.stderr.strip().splitlines()[-1]}")
    return found


def versions_of(python: Path) -> dict[str, str]:
    """The distributions of an environment that count here, with their versions."""
    wanted = [re.split("[=<[]", pin)[0] for pins in PINS.values() for pin in pins]
    code = (
        "import json, sys\nfrom importlib.metadata import distributions\n"
        "found = {d.metadata['Name'].lower(): d.version for d in distributions()}\n"
        "print(json.dumps({n: found[n] for n in sys.argv[1:] if n in found}))"
    )
    import json

    told = subprocess.run(
        [python, "-c", code, *sorted(set(wanted))], capture_output=True, text=True, check=True
    )
    versions: dict[str, str] = json.loads(told.stdout)
    return versions


def _make(home: Path, python: Path, name: str) -> None:
    pins = PINS[name]
    steps = [[sys.executable, "-m", "venv", str(home)]]
    install = [str(python), "-m", "pip", "install", "--quiet"]
    if TORCH in pins:
        steps.append([*install, TORCH])
    steps.append([*install, *pins, "setuptools<81"])
    with tempfile.TemporaryDirectory() as folder:
        surround = dict(os.environ)
        if name in BUILT_WITH:
            steps[-1].append(
                "--no-cache-dir"
            )  # what was compiled otherwise before mustn't come back
            limits = Path(folder) / "build.txt"
            limits.write_text("\n".join(BUILT_WITH[name]))
            # The first is what pips before 25.3 read.
            surround |= {"PIP_CONSTRAINT": str(limits), "PIP_BUILD_CONSTRAINT": str(limits)}
        for step in steps:
            done = subprocess.run(step, capture_output=True, text=True, check=False, env=surround)
            if done.returncode:
                raise NoEnvironment(f"{' '.join(step[:5])} ...: {done.stderr.strip()[-400:]}")
