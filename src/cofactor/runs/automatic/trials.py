"""The parts of a race of families: its clock, its trials, and a lane for each family."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from cofactor.evaluation.result import Result
from cofactor.models.recommender import Recommender
from cofactor.runs.automatic.families import Family, Settings


class OutOfTime(Exception):
    """The budget is used up."""


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

    @property
    def used(self) -> float:
        """Seconds since the beginning. Those in which kernels were compiled don't count, as long as
        they are no more than the budget.
        """
        return self.now() - self.began - min(self.extra, self.seconds)

    @property
    def left(self) -> float:
        """Seconds that are left, perhaps below 0."""
        return self.seconds - self.used


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


@dataclass(eq=False)
class Lane:
    """One family in the race."""

    family: Family
    waiting: list[Settings]
    attempts: list[FamilyTrial] = field(default_factory=list)
    dropped: str = ""

    def best(self, whole: bool | None = None) -> FamilyTrial | None:
        """Return the best attempt, or None: of all, or of those on whole data (or on samples)."""
        some = [a for a in self.attempts if whole is None or a.whole == whole]
        return max(some, key=lambda attempt: attempt.score, default=None)


def score_of(attempt: FamilyTrial | None) -> float:
    """Return a trial's score; -inf for none."""
    return -math.inf if attempt is None else attempt.score
