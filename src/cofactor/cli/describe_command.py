"""Describe a source: counts, density, time span, values, long tail, and what was dropped and
why.
"""

from __future__ import annotations

from cofactor.base.run import Run
from cofactor.cli import options as opt
from cofactor.cli.reading import ReadingOptions
from cofactor.cli.words import in_options
from cofactor.runs.source import interactions


def command(
    source: opt.SourceArgument,
    reading: ReadingOptions,
    show: opt.ShowOptions,
) -> None:
    """Describe."""
    from cofactor.data.describe import describe

    output = show.output()
    run = Run(progress=output.progress)
    found = describe(interactions(opt.one_or_several(source), reading.reading(), run))
    output.line(in_options(str(found)))
    output.emit(command="describe", **found.to_dict())
