"""Repeat published experiments and those of tutorials; our figures are shown beside theirs."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cofactor.base.names import unknown_name
from cofactor.base.run import Run, run_of
from cofactor.runs.reproduced import Reproduction

# Suite -> the package that holds its recipes: ``RECIPES`` (name -> one line), and one module for
# each.
SUITES: dict[str, str] = {
    "tutorials": "cofactor.runs.tutorials",
    "sequences": "cofactor.runs.sequences",
    "gowalla": "cofactor.runs.gowalla",
    "ratings": "cofactor.runs.ratings",
    "cold": "cofactor.runs.cold",
}


def recipes(suite: str) -> dict[str, str]:
    """Return the experiments of a suite, by name, each with one line about it.

    Raises
    ------
    UnknownNameError
        If there is no such suite.
    """
    if suite not in SUITES:
        raise unknown_name("suite of experiments", suite, SUITES)
    found: dict[str, str] = importlib.import_module(SUITES[suite]).RECIPES
    return found


def reproduce(
    suite: str, name: str | None = None, *, run: Run | None = None, plots: Path | str | None = None
) -> Iterator[Reproduction[Any]]:
    """Run the experiments of a suite one after the other, and yield each result.

    Parameters
    ----------
    suite
        One of `SUITES`.
    name
        One experiment; None for all of the suite.
    run
        Seed (of the split and the fits), device, threads, progress.
    plots
        A folder for the learning curves, one self-contained page per experiment; None draws none.

    Yields
    ------
    Reproduction
        Figures beside the published ones, sentences, learning curves.

    Raises
    ------
    UnknownNameError
        If there is no such suite or experiment.
    DownloadError
        If a dataset isn't on this machine.
    """
    known = recipes(suite)
    if name is not None and name not in known:
        raise unknown_name(f"experiment of {suite}", name, known)
    run = run_of(run)
    for one in known if name is None else [name]:
        run.progress.say(f"{suite} {one}: {known[one]}")
        done = importlib.import_module(f"{SUITES[suite]}.{one}").recipe(run)
        if plots is not None and done.curves:
            done.plot(Path(plots) / f"{one}.html")
        yield done
