"""The always-valid test on simulated experiments: how often an A/A test is wrong although looked at
every day, and when an A/B test finds its difference.

    python -m benchmarks.sequential_tests [--runs 1000] [--seed 0]

Users complete evenly over 30 days, half or a tenth of them in the new arm; outcomes are mostly
zero, differ between people, and have a long tail. The usual test is Welch's, looked at every day
and only at the end."""

from __future__ import annotations

import argparse
import math
from typing import NamedTuple

import numpy as np

from cofactor.metrics.sequential import confidence_sequence, difference_terms

_DAYS = 30
_LEVEL = 0.05
_LEAST = 100  # complete users an arm before the first look, as the service has it


class Case(NamedTuple):
    """A kind of experiment: users in all, share of the new arm, relative lift of its outcomes."""

    name: str
    users: int
    share: float
    lift: float = 0.0
    clicks: bool = False


CASES = (
    Case("A/A, 6,000 users, purchases", 6_000, 0.5),
    Case("A/A, 6,000 users, a click or none", 6_000, 0.5, clicks=True),
    Case("A/A, 6,000 users, 10 % new arm", 6_000, 0.1),
    Case("A/A, 60,000 users, purchases", 60_000, 0.5),
    Case("A/B, 60,000 users, +5 %", 60_000, 0.5, 0.05),
    Case("A/B, 60,000 users, +10 %", 60_000, 0.5, 0.10),
)


class Found(NamedTuple):
    """What one experiment's tests said: the day on which each first saw a difference, or 0."""

    sequential: int
    usual_daily: bool
    usual_end: bool


def outcomes(rng: np.random.Generator, case: Case, treated: np.ndarray) -> np.ndarray:
    """Draw each user's outcome."""
    if case.clicks:
        chance = rng.beta(1.0, 9.0, len(treated)) * np.where(treated, 1 + case.lift, 1.0)
        return (rng.random(len(treated)) < chance).astype(np.float64)
    rate = rng.gamma(0.5, 0.8, len(treated)) * np.where(treated, 1 + case.lift, 1.0)
    counts = rng.poisson(rate)
    return counts * rng.lognormal(0.0, 0.7, len(treated))


def experiment(rng: np.random.Generator, case: Case) -> Found:
    """Simulate one experiment and look at it every day."""
    treated = rng.random(case.users) < case.share
    values = outcomes(rng, case, treated)
    fewer = np.minimum(np.cumsum(treated), np.cumsum(~treated))
    least = int(np.searchsorted(fewer, _LEAST)) + 1
    looks = [case.users * (day + 1) // _DAYS for day in range(_DAYS)]
    looks = [n for n in looks if n >= least]
    terms = difference_terms(values, treated, case.share)
    p = confidence_sequence(terms, np.array(looks), _LEVEL).p
    seen = np.flatnonzero(p < _LEVEL)
    day = (_DAYS - len(looks)) + int(seen[0]) + 1 if len(seen) else 0
    usual = [abs(_welch(values[:n], treated[:n])) > 1.959964 for n in looks]
    return Found(day, any(usual), usual[-1])


def _welch(values: np.ndarray, treated: np.ndarray) -> float:
    new, old = values[treated], values[~treated]
    error = math.sqrt(new.var(ddof=1) / len(new) + old.var(ddof=1) / len(old))
    return float(new.mean() - old.mean()) / error if error else 0.0


def main() -> None:
    """Run all cases and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    print("| Experiment | always valid | usual test, daily | usual test, once | median day |")
    print("| --- | --- | --- | --- | --- |")
    for place, case in enumerate(CASES):
        rng = np.random.default_rng([given.seed, place])
        found = [experiment(rng, case) for _ in range(given.runs)]
        days = [one.sequential for one in found if one.sequential]
        shares = [
            len(days) / len(found),
            np.mean([one.usual_daily for one in found]),
            np.mean([one.usual_end for one in found]),
        ]
        when = f"{np.median(days):.0f}" if days and case.lift else ""
        cells = " | ".join(f"{share:.1%}" for share in shares)
        print(f"| {case.name} | {cells} | {when} |", flush=True)


if __name__ == "__main__":
    main()
