"""Runs a case: a process for each side, one run at a time, ours and theirs in turn."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import environments
from benchmarks.case import Case, Entrant
from benchmarks.datasets import NoData, prepared
from benchmarks.quality import measured

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Settings:
    """How the suite runs: see the command line."""

    rounds: int = 5
    threads: int = 2
    quick: bool = False
    full: bool = False
    peers: bool = True
    pin: bool = True
    cpu: bool = False
    envs: Path = Path(".bench-envs")
    work: Path = Path(".bench-envs/data")
    limits: dict[str, float] = field(default_factory=dict)


class Failed(Exception):
    """A side failed."""


def _end(code: int) -> str:
    """How a process ended, in words."""
    return (
        f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
    )


class Process:
    """One side in its own process."""

    def __init__(
        self,
        entrant: Entrant,
        data: Path | None,
        settings: Settings,
        extra: dict[str, Any] | None = None,
    ) -> None:
        self.entrant, self.settings = entrant, settings
        python = (
            Path(sys.executable)
            if entrant.home is None
            else environments.python_of(entrant.home, settings.envs)
        )
        self.log = tempfile.TemporaryFile("w+")  # noqa: SIM115  # as long as the process
        self.process = subprocess.Popen(
            [python, "-m", "benchmarks.worker"],
            cwd=ROOT,
            env=surroundings(entrant, settings.threads),
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            preexec_fn=_pin(settings),
        )
        target = f"benchmarks.{entrant.target}"
        self.made = self.ask(
            do="make",
            target=target,
            data=str(data) if data else "",
            settings={**entrant.settings, **(extra or {})},
            threads=settings.threads,
        )["seconds"]

    def ask(self, **words: Any) -> dict[str, Any]:
        """Send one command and wait for its answer."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(words) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            self.log.seek(0)
            end = _end(self.process.wait(30))
            raise Failed(f"{self.entrant.name} {end} {self.log.read()[-600:]}".strip())
        found: dict[str, Any] = json.loads(line)
        if "error" in found:
            raise Failed(f"{self.entrant.name}: {found['error']}")
        if self.settings.cpu and "cpu" in found:
            found["seconds"] = found["cpu"]
        return found

    def quality(self, metric: str, data: dict[str, np.ndarray]) -> float | None:
        """What it learned, by the common evaluator; None if it has nothing to show."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "result.npz"
            self.ask(do="result", to=str(path))
            with np.load(path) as file:
                result = dict(file)
        return measured(metric, data, result, self.settings.threads) if result else None

    def close(self) -> None:
        """End it."""
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()
        self.process.wait(30)
        self.log.close()


def surroundings(entrant: Entrant, threads: int) -> dict[str, str]:
    """The environment variables of a side: as many threads for all, waiting threads asleep."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in ("PYTHONPATH", "PYTHONSTARTUP")
    }
    counts = dict.fromkeys(
        ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"),
        str(threads),
    )
    paths = [str(ROOT)] + ([str(ROOT / "src")] if entrant.home is None else [])
    more = {
        "OMP_WAIT_POLICY": "PASSIVE",
        "PYTHONPATH": os.pathsep.join(paths),
        "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "1",
    }
    return {**kept, **counts, **more}


def _pin(settings: Settings) -> Any:
    """A call that keeps a new process on as many cores as it may have threads, where the system
    can.
    """
    if not settings.pin or not hasattr(os, "sched_setaffinity"):
        return None
    cores = sorted(os.sched_getaffinity(0))[-settings.threads :]
    return lambda: os.sched_setaffinity(0, cores)


def run_case(case: Case, settings: Settings) -> dict[str, Any]:
    """Run one case and return what was found, as plain values."""
    began = time.perf_counter()
    found: dict[str, Any] = {
        "case": case.name,
        "task": case.task,
        "data": case.data,
        "metric": case.metric,
        "load": list(os.getloadavg()),
        "entrants": [],
    }
    entrants = [e for e in case.entrants if settings.peers or e.home is None]
    try:
        if case.name == "reading":
            found["entrants"] = _reading(case, entrants, settings)
        else:
            assert case.data is not None
            path = prepared(case.data, settings.work, quick=settings.quick)
            with np.load(path) as file:
                data = dict(file)
            if case.alone:
                found["entrants"] = _one_by_one(case, entrants, path, data, settings)
            else:
                with ExitStack() as stack:
                    sides = _started(entrants, path, settings, stack, found)
                    steps = _stepwise if case.target else _timed
                    found["entrants"] = steps(case, sides, data, settings, found)
    except (NoData, Failed) as error:
        found["failed"] = str(error)
    found["took"] = time.perf_counter() - began
    found["load_after"] = list(os.getloadavg())
    return found


def _started(
    entrants: list[Entrant], path: Path, settings: Settings, stack: ExitStack, found: dict[str, Any]
) -> list[Process]:
    """The processes of a case; a peer that can't be had is left out, and said so."""
    sides = []
    for entrant in entrants:
        try:
            side = Process(entrant, path, settings)
        except (environments.NoEnvironment, Failed) as error:
            if entrant.home is None:
                raise
            found.setdefault("left_out", []).append(f"{entrant.name}: {error}")
            continue
        stack.callback(side.close)
        sides.append(side)
    return sides


def _one_by_one(
    case: Case, entrants: list[Entrant], path: Path, data: dict[str, np.ndarray], settings: Settings
) -> list[dict[str, Any]]:
    """One run of each side, which ends before the next begins; a peer that can't be had or
    doesn't get through is said to fail.
    """
    rows = []
    for entrant in entrants:
        row = _row(entrant)
        rows.append(row)
        try:
            side = Process(entrant, path, settings)
            try:
                row["version"] = version_of(side)
                _note(row, side.ask(do="run"))
                if case.metric:
                    row["quality"] = side.quality(case.metric, data)
            finally:
                side.close()
        except (environments.NoEnvironment, Failed) as error:
            if entrant.home is None:
                raise
            row["failed"] = str(error)
    return rows


def _timed(
    case: Case,
    sides: list[Process],
    data: dict[str, np.ndarray],
    settings: Settings,
    found: dict[str, Any],
) -> list[dict[str, Any]]:
    rows = [_row(side.entrant) for side in sides]
    first = True
    for n in range(settings.rounds + 1):
        for side, row in zip(sides, rows, strict=True):
            limit = side.entrant.rounds or settings.rounds
            # The first call, which compiles or loads, is noted apart; a peer that takes long has it
            # as its only one.
            if n > limit or (first and side.entrant.rounds == 1):
                continue
            told = side.ask(do="run")
            if first:
                row["first"] = told["seconds"]
            else:
                _note(row, told)
        first = False
    for side, row in zip(sides, rows, strict=True):
        if case.metric:
            row["quality"] = side.quality(case.metric, data)
        row["version"] = version_of(side)
    return rows


def _goal(case: Case, rows: list[dict[str, Any]], sign: int) -> float:
    """A share of the best quality that any step of the judges reached."""
    assert case.target is not None
    judges = [row for row in rows if case.of in ("all", row["name"])] or rows
    best = sign * max(sign * step["quality"] for row in judges for step in row["steps"])
    return (1 / case.target if sign < 0 else case.target) * best


def _stepwise(
    case: Case,
    sides: list[Process],
    data: dict[str, np.ndarray],
    settings: Settings,
    found: dict[str, Any],
) -> list[dict[str, Any]]:
    assert case.metric is not None
    rows = [_row(side.entrant) for side in sides]
    for side, row in zip(sides, rows, strict=True):
        if side.entrant.rounds != 1:
            row["first"] = side.ask(do="run", step=side.entrant.steps[0])["seconds"]
        row["steps"] = []
    for n in range(max(len(side.entrant.steps) for side in sides)):
        for side, row in zip(sides, rows, strict=True):
            if n < len(side.entrant.steps):
                step = side.entrant.steps[n]
                seconds = side.ask(do="run", step=step)["seconds"]
                row["steps"].append(
                    {"step": step, "seconds": seconds, "quality": side.quality(case.metric, data)}
                )
    # A lower RMSE is better, so it is compared by its negative.
    sign = -1 if case.metric == "rmse" else 1
    found["goal"] = goal = _goal(case, rows, sign)
    reached = [
        next((s["step"] for s in row["steps"] if sign * s["quality"] >= sign * goal), None)
        for row in rows
    ]
    for _ in range(settings.rounds):
        for side, row, enough in zip(sides, rows, reached, strict=True):
            rounds = side.entrant.rounds or settings.rounds
            if enough is not None and len(row["seconds"]) < rounds:
                _note(row, side.ask(do="run", step=enough))
    for side, row, enough in zip(sides, rows, reached, strict=True):
        row["step"], row["version"] = enough, version_of(side)
        row["quality"] = max(
            (s["quality"] for s in row["steps"] if enough in (None, s["step"])),
            key=lambda found: sign * found,
        )
    return rows


def _reading(case: Case, entrants: list[Entrant], settings: Settings) -> list[dict[str, Any]]:
    from benchmarks.csv_file import write_interactions
    from cofactor.data.synthetic.shapes import power_law

    rows = [_row(entrant) for entrant in entrants]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ratings.csv"
        write_interactions(path, power_law(2_000, 900, 200_000) if settings.quick else power_law())
        if not settings.quick:
            path.read_bytes()  # into the cache of the system, for the first reader as for the last
        for n in range(min(settings.rounds, 3) + 1):
            for entrant, row in zip(entrants, rows, strict=True):
                side = Process(entrant, None, settings, {"file": str(path)})
                try:
                    told = side.ask(do="run")
                    if n:
                        _note(row, told)
                    else:
                        row["first"] = told[
                            "seconds"
                        ]  # the kernels' compilation, if they aren't on disk yet
                    row["quality"] = side.quality("rows", {})
                    row["version"] = version_of(side)
                finally:
                    side.close()
    return rows


def version_of(side: Process) -> str:
    """The version of the library that a side is about."""
    if side.entrant.home is None:
        import cofactor

        return cofactor.__version__
    names = {
        "irspack CG": "irspack",
        "pandas + factorize": "pandas",
        "Surprise": "scikit-surprise",
        "LightFM": "rectools-lightfm",
    }
    name = names.get(side.entrant.name, side.entrant.name.lower())
    python = environments.python_of(side.entrant.home, side.settings.envs)
    return environments.versions_of(python).get(name, "?")


def _row(entrant: Entrant) -> dict[str, Any]:
    return {
        "name": entrant.name,
        "bar": entrant.bar,
        "note": entrant.note,
        "settings": entrant.settings,
        "seconds": [],
        "cpu": [],
        "peak": [],
    }


def _note(row: dict[str, Any], told: dict[str, Any]) -> None:
    for name in ("seconds", "cpu", "peak"):
        if name in told:
            row[name].append(told[name])
