"""Describe a source: counts, density, time span, values, long tail, and what was dropped and
why.
"""

from __future__ import annotations

from cofactor.cli import options as opt
from cofactor.cli.output import Output
from cofactor.runs.source import interactions


def command(
    source: opt.SourceArgument,
    columns: opt.Columns = None,
    items: opt.Items = None,
    repeats: opt.Repeats = "last",
    min_value: opt.MinValue = None,
    core: opt.Core = 0,
    on_bad: opt.OnBad = "error",
    json: opt.Json = False,
    quiet: opt.Quiet = False,
) -> None:
    """Describe."""
    from cofactor.data.describe import describe

    output = Output(json, quiet)
    reading = opt.reading(columns, items, repeats, min_value, core, on_bad)
    found = describe(interactions(source, reading, opt.run_of(output)))
    output.line(str(found))
    output.emit(command="describe", **found.to_dict())
