"""Work that runs kernels: with its run's native threads, and telling who waits for it when
kernels are compiled.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from cofactor.base import checks
from cofactor.base.progress import SILENT
from cofactor.base.run import Run
from cofactor.base.threads import native_threads


@contextmanager
def run_context(run: Run) -> Iterator[None]:
    """Run the body with the run's native threads; notify the user if kernels are compiled in it."""
    from cofactor.kernels.cpu.jit import compilation_shown

    checks.of_kind(run, "run", Run, "a Run, such as cofactor.Run(threads=2)")
    with ExitStack() as stack:
        stack.enter_context(native_threads(run.n_threads))
        if run.progress is not SILENT:
            stack.enter_context(compilation_shown(run.progress.say))
        yield
