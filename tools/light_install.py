"""Install Cofactor as a new user does, and measure it: no compiler, no extra, a home of its own.

python tools/light_install.py [PYTHON]

Makes a clean environment with PYTHON (the running one by default), installs this folder into it
with a PATH that holds no compiler, and runs ``cofactor demo`` with nothing compiled before.
Prints seconds and megabytes beside their bars, which packages take the space, and exits with 1 if
a bar is missed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from importlib.metadata import Distribution, distributions
from pathlib import Path

ROOT = Path(__file__).parents[1]
BARS = {"install, s": 60.0, "on disk, MB": 650.0, "demo, cold, s": 60.0}
# Says on stderr which of the libraries that must not be loaded were loaded, when it ends.
_WATCH = """
import atexit, sys
heavy = ("torch", "plotly", "starlette", "pandas", "polars")
atexit.register(lambda: print("LOADED", *(n for n in heavy if n in sys.modules), file=sys.stderr))
"""


def main() -> int:
    """Install, measure, print; return the exit code."""
    python = sys.argv[1] if len(sys.argv) > 1 else sys.executable
    with tempfile.TemporaryDirectory(prefix="cofactor-light-") as folder:
        found, loaded = measured(Path(folder), python)
    for name, bar in BARS.items():
        cpu = f"   (CPU seconds {found[name + ' CPU']:.1f})" if name + " CPU" in found else ""
        kept = "kept" if found[name] <= bar else "MISSED"
        print(f"{name:14} {found[name]:8.1f}   bar {bar:.0f}   {kept}{cpu}")
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    print(f"the machine's load: {load:.1f} on {os.cpu_count()} cores (seconds hold on an idle one)")
    print(f"loaded by the demo of what an extra brings: {loaded or 'nothing'}")
    return int(bool(loaded) or any(found[name] > bar for name, bar in BARS.items()))


def measured(folder: Path, python: str) -> tuple[dict[str, float], str]:
    """Return the figures, and what was loaded of what must not be."""
    venv, bare = folder / "venv", folder / "bare"
    subprocess.run([python, "-m", "venv", str(venv)], check=True)
    bare.mkdir()
    env = {"PATH": str(bare), "HOME": str(folder), "TMPDIR": str(folder), "LC_ALL": "C.UTF-8"}
    # A proxy or an index of one's own stays in use.
    env |= {n: v for n, v in os.environ.items() if n.startswith(("PIP_", "HTTP", "http", "SSL"))}
    assert shutil.which("cc", path=env["PATH"]) is None
    assert shutil.which("gcc", path=env["PATH"]) is None
    before = _megabytes(venv)
    install = [str(venv / "bin" / "python"), "-m", "pip", "install", "--quiet", "--no-cache-dir"]
    # A copy: a build leaves nothing in the source tree.
    source = shutil.copytree(ROOT, folder / "source", ignore=_not_source)
    began, cpu = time.perf_counter(), _cpu_seconds()
    subprocess.run([*install, str(source)], check=True, env=env, cwd=folder)
    figures = {"install, s": time.perf_counter() - began, "install, s CPU": _cpu_seconds() - cpu}
    figures["on disk, MB"] = _megabytes(venv) - before
    print("the largest, MB:", _largest(venv))
    (bare / "sitecustomize.py").write_text(_WATCH, encoding="utf-8")
    began, cpu = time.perf_counter(), _cpu_seconds()
    done = subprocess.run(
        [str(venv / "bin" / "cofactor"), "demo", "--synthetic", "--out", "demo-model"],
        env={**env, "PYTHONPATH": str(bare)},
        cwd=folder,
        capture_output=True,
        text=True,
    )
    figures["demo, cold, s"] = time.perf_counter() - began
    figures["demo, cold, s CPU"] = _cpu_seconds() - cpu
    if done.returncode != 0:
        raise SystemExit(f"cofactor demo failed:\n{done.stdout}\n{done.stderr}")
    (loaded,) = [line for line in done.stderr.splitlines() if line.startswith("LOADED")]
    return figures, loaded.removeprefix("LOADED").strip()


def _not_source(folder: str, names: list[str]) -> set[str]:
    """What isn't copied: environments, caches, the repository's own folder, built things."""
    return {n for n in names if n.startswith((".venv", ".git", ".mypy", ".pytest", ".ruff"))} | (
        {"site", "dist", "build", "__pycache__"} & set(names)
    )


def _cpu_seconds() -> float:
    """Seconds of all cores that ended child processes have taken."""
    times = os.times()
    return times.children_user + times.children_system


def _megabytes(folder: Path) -> float:
    """Disk space in MB (10^6 bytes), as files' sizes add up."""
    return sum(f.lstat().st_size for f in folder.rglob("*") if not f.is_dir()) / 1e6


def _largest(venv: Path, count: int = 8) -> str:
    """Return the packages that take the most, with MB, and what compiled Python takes of all."""
    (site,) = venv.glob("lib/python*/site-packages")
    found = distributions(path=[str(site)])
    sizes = sorted(((_size(one), one.name) for one in found), reverse=True)
    compiled = sum(f.stat().st_size for f in site.rglob("*.pyc")) / 1e6
    listed = ", ".join(f"{name} {size:.1f}" for size, name in sizes[:count])
    return f"{listed}; {compiled:.1f} of all packages are compiled Python (.pyc)"


def _size(package: Distribution) -> float:
    places = (Path(str(file.locate())) for file in package.files or [])
    return sum(place.lstat().st_size for place in places if place.is_file()) / 1e6


if __name__ == "__main__":
    sys.exit(main())
