"""Repeat published and tutorial experiments: their figures beside Cofactor's, with learning
curves.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cofactor.cli import options as opt
from cofactor.cli.groups import option


def command(
    compute: opt.ComputeOptions,
    show: opt.ShowOptions,
    suite: Annotated[
        str, typer.Argument(metavar="SUITE", help="The experiments; leave it out to list them.")
    ] = "",
    name: Annotated[
        str,
        typer.Argument(metavar="NAME", help="One experiment; leave it out for all of the suite."),
    ] = "",
    plot: str | None = option(
        None, "Write the learning curves to this folder, one page each.", metavar="DIR"
    ),
) -> None:
    """Reproduce."""
    from cofactor.runs.reproduce import SUITES, recipes, reproduce

    output = show.output()
    if not suite:
        rows = [
            {"suite": s, "name": n, "what": what} for s in SUITES for n, what in recipes(s).items()
        ]
        output.table(rows)
        output.emit(command="reproduce", experiments=rows)
        return
    run = compute.run(output)
    done = []
    for one in reproduce(suite, name or None, run=run, plots=plot):
        output.heading(one.title)
        output.line(one.protocol)
        output.table([figure.to_row() for figure in one.figures])
        output.line(*one.shown)
        if plot is not None and one.curves:
            output.line(f"Curves: {Path(plot) / (one.name + '.html')}")
        done.append(one)
    output.emit(command="reproduce", suite=suite, results=[one.to_dict() for one in done])
