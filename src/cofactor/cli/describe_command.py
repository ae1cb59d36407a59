"""Describe a source: counts, density, time span, values, long tail, and what was dropped and
why.
"""

from __future__ import annotations

from cofactor.cli import options as opt
from cofactor.cli.output import Output
from cofactor.cli.reading import reads
from cofactor.cli.words import in_options
from cofactor.runs.source import Reading, interactions


@reads()
def command(
    source: opt.SourceArgument,
    *,
    reading: Reading,
    json: opt.Json = False,
    quiet: opt.Quiet = False,
) -> None:
    """Describe."""
    from cofactor.data.describe import describe

    output = Output(json, quiet)
    found = describe(interactions(source, reading, opt.run_of(output)))
    output.line(in_options(str(found)))
    output.emit(command="describe", **found.to_dict())
