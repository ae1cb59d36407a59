"""The parts of a race of families: its clock, its trials, and a lane for each family."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cofactor.base.progress import SilentProgress, Task
from cofactor.evaluation.result import Result
from cofactor.models.recommender import Recommender
from cofactor.runs.automatic.families import Family, Settings

# Why a family is no longer, or not at all, tried.
BEHIND = "behind the others"
TOO_LONG = "a fit takes too long for the budget"
NO_TIME = "no time was left"
INTERRUPTED = "interrupted before"
# Compiling kernels, once on a machine, may prolong a search by this share of its budget.
COMPILING = 1.0
# A fit that runs when the budget ends may go on for this share of it.
_OVERRUN = 0.1
# With less of one processor than this, other programs have used the machine.
_BUSY = 0.7
# The clock is read this many seconds after it was read last, or later.
_LOOK_EVERY = 0.25


class OutOfTime(Exception):
    """The budget is used up."""


class FitTooLong(Exception):
    """A fit has taken longer than it may."""


@dataclass
class Allowance:
    """The time that a search may take.

    Parameters
    ----------
    seconds
        In all.
    now
        The clock.
    """

    seconds: float
    now: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        self.began = self.now()
        self.extra = 0.0
        self.compiled = 0.0
        self.reserved = 0.0
        self._compiling: Callable[[], float] = _nothing
        self._began = time.monotonic(), time.process_time()

    @property
    def passed(self) -> float:
        """Seconds since the beginning."""
        return self.now() - self.began

    @property
    def busy_share(self) -> float | None:
        """The share of one processor that this process had since the beginning, if it is so small
        that other programs must have used the machine; a search never waits for anything else.
        """
        wall = time.monotonic() - self._began[0]
        share = (time.process_time() - self._began[1]) / max(wall, 1e-9)
        return share if self.now is time.monotonic and share < _BUSY else None

    @property
    def used(self) -> float:
        """Seconds since the beginning, and those that are reserved for fits after the search. Those
        in which kernels were compiled don't count, as long as they are no more than the budget.
        """
        extra = self.extra + self._compiling()
        return self.passed - min(extra, COMPILING * self.seconds) + self.reserved

    @property
    def left(self) -> float:
        """Seconds that are left, perhaps below 0."""
        return self.seconds - self.used

    @contextmanager
    def without_compiling(self) -> Iterator[Callable[[], float]]:
        """Leave out the time in which kernels are compiled in the body; yields a function that
        returns the other seconds of it, once it has ended.
        """
        from cofactor.kernels.cpu.jit import compilation_timed

        began, really, found = self.now(), time.perf_counter(), 0.0
        with compilation_timed() as compiled:

            def compiling(seconds: float) -> float:
                # The clock may be another one than that of compiling.
                return seconds * compiled() / max(time.perf_counter() - really, 1e-9)

            self._compiling = lambda: compiling(self.now() - began) if compiled() else 0.0
            try:
                yield lambda: found
            finally:
                seconds = self.now() - began
                self._compiling = _nothing
                extra = compiling(seconds)
                self.extra += extra
                self.compiled += extra
                found = seconds - extra


def _nothing() -> float:
    return 0.0


class Limited(SilentProgress):
    """Progress of a fit that is only tried: nothing is shown, and it ends a fit that reports that
    it advances when its time is over.

    Parameters
    ----------
    allowance
        Of the search; some seconds more than it has are allowed.
    most
        Seconds that the fit may take; infinite for one that is needed.
    """

    def __init__(self, allowance: Allowance, most: float) -> None:
        self.allowance, self.most = allowance, most
        self.began: float | None = None
        self._looked = time.perf_counter()

    @contextmanager
    def task(self, name: str, total: int | None) -> Iterator[Task]:
        """Yield a task that shows nothing."""
        yield self

    def advance(self, steps: int = 1, **facts: float | int | str) -> None:
        """Raise OutOfTime or FitTooLong if there is no time to go on."""
        at = time.perf_counter()
        # Training says so thousands of times a second.
        if at - self._looked < _LOOK_EVERY:
            return
        self._looked = at
        used = self.allowance.used
        if self.began is None:
            self.began = used
        # Until there is a model, no fit is ended: a slow machine gets the baseline, not an error.
        if self.most < math.inf and used > (1 + _OVERRUN) * self.allowance.seconds:
            raise OutOfTime
        if used - self.began > self.most:
            raise FitTooLong


@dataclass(frozen=True, eq=False)
class FamilyTrial:
    """Settings of a family, fitted and measured on the validation part.

    Parameters
    ----------
    family
        Which.
    settings
        Those that aren't the defaults.
    score
        The metric, negated where lower is better.
    seconds
        Of fitting and measuring.
    whole
        Whether it was fitted on the whole training part, rather than on a sample.
    model, result
        Fitted and measured; None once the family has a better one.
    """

    family: Family
    settings: Settings
    score: float
    seconds: float
    whole: bool
    model: Recommender | None
    result: Result | None

    @property
    def config(self) -> Any:
        """Its configuration."""
        return self.family.config(self.settings)

    def less(self, other: FamilyTrial, metric: str) -> np.ndarray | None:
        """Return a metric's values less another trial's, by user, without NaN; None if they weren't
        measured on the same users.
        """
        results = [trial.result for trial in (self, other)]
        values = [r.values[metric] for r in results if r is not None and metric in r.values]
        if len(values) < 2 or len(values[0]) != len(values[1]):
            return None
        differences: np.ndarray = values[0] - values[1]
        return differences[~np.isnan(differences)]


@dataclass(eq=False)
class Lane:
    """One family in the race.

    Parameters
    ----------
    family
        Which.
    own
        Settings that all of its trials have: the columns to read, for models with content.
    waiting
        Settings that are tried before any are drawn.
    attempts
        What was tried.
    dropped
        Why it isn't tried further; "" while it is.
    shortened
        Whether its first training was shorter or smaller than usual, to fit into the budget.
    """

    family: Family
    own: Settings = field(default_factory=dict)
    waiting: list[Settings] = field(default_factory=list)
    attempts: list[FamilyTrial] = field(default_factory=list)
    dropped: str = ""
    shortened: bool = False

    @property
    def lacks_time(self) -> bool:
        """Whether it wasn't tried for want of time."""
        return not self.attempts and self.dropped in (TOO_LONG, NO_TIME)

    def best(self, whole: bool | None = None) -> FamilyTrial | None:
        """Return the best attempt, or None: of all, or of those on whole data (or on samples)."""
        some = [a for a in self.attempts if whole is None or a.whole == whole]
        return max(some, key=lambda attempt: attempt.score, default=None)


def score_of(attempt: FamilyTrial | None) -> float:
    """Return a trial's score; -inf for none."""
    return -math.inf if attempt is None else attempt.score
