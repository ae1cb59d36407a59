"""The process that trains: nice, with a memory bound, and gone when the service is.

Run as ``python -m cofactor.service.retraining.trainer`` with a `Job` as JSON on stdin: what stands
there (a database's password) isn't in the list of processes. It then is the command line itself."""

from __future__ import annotations

import contextlib
import os
import runpy
import sys
from pathlib import Path

import msgspec

from cofactor.base.signals import end_with


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What to run, and how.

    Parameters
    ----------
    words
        The command line behind ``cofactor``.
    nice
        Added to the process's niceness.
    memory
        Bytes of memory of its own that it may have; None for no bound.
    parent
        The service's process; when it ends, so does this one.
    """

    words: list[str]
    nice: int
    memory: int | None
    parent: int


def restrain(job: Job) -> None:
    """Make this process give way to others, and bound its memory, where the system can."""
    if hasattr(os, "nice"):
        os.nice(job.nice)
    with contextlib.suppress(OSError):
        # When the machine's memory runs out, this process goes and the service stays.
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    if job.memory is not None:
        with contextlib.suppress(ImportError, ValueError, OSError):
            import resource

            # Memory of its own rather than addresses: mapped files and reserved space don't count.
            hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
            bound = job.memory if hard == resource.RLIM_INFINITY else min(job.memory, hard)
            resource.setrlimit(resource.RLIMIT_DATA, (bound, bound))


def main() -> None:
    """Read the job, restrain this process, and become the command line."""
    job = msgspec.json.decode(sys.stdin.buffer.read(), type=Job)
    restrain(job)
    end_with(job.parent, lambda: os._exit(1))
    sys.argv = ["cofactor", *job.words]
    runpy.run_module("cofactor", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
