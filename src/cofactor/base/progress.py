"""Progress of long work: a small protocol, and the silent implementation.

Models and readers talk to a `Progress`; what is shown (a bar, plain lines, nothing) is decided by
whoever made the `Run`."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from cofactor.base.errors import ArgumentError


class Task(Protocol):
    """One piece of work that advances."""

    def advance(self, steps: int = 1, **facts: float | int | str) -> None:
        """Say that ``steps`` more are done; ``facts`` (loss=.3, ndcg=.12) are shown beside the
        bar.
        """


class Progress(Protocol):
    """Where work reports to."""

    def task(self, name: str, total: int | None) -> AbstractContextManager[Task]:
        """Open a piece of work of ``total`` steps (None: unknown) as a context manager that
        yields a `Task`.
        """

    def say(self, text: str) -> None:
        """Say one sentence (a kernel is being compiled, rows were dropped)."""


class _SilentTask:
    def advance(self, steps: int = 1, **facts: float | int | str) -> None:
        pass


class SilentProgress:
    """Shows nothing; the default of a library call."""

    @contextmanager
    def task(self, name: str, total: int | None) -> Iterator[Task]:
        """Yield a task that shows nothing."""
        yield _SilentTask()

    def say(self, text: str) -> None:
        """Say nothing."""


SILENT: Progress = SilentProgress()


def check_progress(progress: object) -> None:
    """Raise ArgumentError for something that work can't report to."""
    able = all(callable(getattr(progress, name, None)) for name in ("task", "say"))
    if not able or isinstance(progress, type):
        raise ArgumentError(
            f"progress must be a Progress (with the methods task and say), not {progress!r}."
        )


def say_or_log(progress: Progress, sentence: str) -> None:
    """Show an important message; where nothing is shown, it is logged as a warning."""
    if progress is SILENT:
        logging.getLogger("cofactor").warning(sentence)
    else:
        progress.say(sentence)
