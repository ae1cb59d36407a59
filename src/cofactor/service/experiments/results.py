"""How an experiment came out: by arm, by day, against the control, and whether it does harm."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from cofactor.metrics.sequential import confidence_sequence, difference_terms
from cofactor.service.experiments.attribution import Outcome
from cofactor.service.experiments.experiment import AttributionRules, Experiment
from cofactor.service.experiments.logged import (
    ArmLog,
    ExperimentLog,
    read_log,
    read_outcomes,
)
from cofactor.store import Store

LEVEL = 0.05  # the chance that the test of an experiment without a difference ever finds one
MIN_USERS = 100  # complete users of each arm before the first look: fewer tell no variance
_DAY = 86_400
# Guardrails: what an arm may be worse by than the control.
_SLOWER, _SLOWER_MS = 1.5, 5.0
_FALLBACKS = 0.05
_NARROWER = 0.5


class ArmResult(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One arm: users and lists so far, the mean outcome of complete users with its always-valid
    interval, and its guardrail metrics.
    """

    arm: str
    version: str
    users: int
    complete: int
    lists: int
    mean: float | None = None
    low: float | None = None
    high: float | None = None
    fallback_share: float | None = None
    p50_ms: float | None = None
    p99_ms: float | None = None
    coverage: int | None = None


class ArmComparison(msgspec.Struct, kw_only=True, omit_defaults=True):
    """An arm against the control: the difference of means, its always-valid interval and p-value.

    ``verdict`` is ``better``, ``worse``, ``open`` (it may go either way), or ``too_early``.
    """

    arm: str
    control: str
    verdict: str
    users: int
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None


class Guardrail(msgspec.Struct, kw_only=True):
    """What an arm must not be much worse at; ``breached`` if it is."""

    arm: str
    metric: str
    value: float
    control: float
    limit: float
    breached: bool


class DayPoint(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The state at the end of a day: of an arm (``mean``), or of a comparison (``difference``)."""

    time: int
    arm: str
    users: int
    mean: float
    low: float
    high: float
    p: float | None = None


class Results(msgspec.Struct, kw_only=True, omit_defaults=True):
    """An experiment and its results. ``overlap`` is of shadow experiments: the mean share of a list
    that both versions have.
    """

    name: str
    kind: str
    started: int
    ended: int | None
    rules: AttributionRules
    arms: list[ArmResult]
    comparisons: list[ArmComparison]
    guardrails: list[Guardrail]
    days: list[DayPoint]
    rolled_out: str | None = None
    overlap: float | None = None


def results(experiment: Experiment, store: Store, now: int) -> Results:
    """Return the results of an experiment as of a moment.

    Parameters
    ----------
    experiment
        Which one.
    store
        Where the lists and the events are; may be open for reading only.
    now
        Seconds since 1970.
    """
    log = read_log(experiment, store)
    found: list[Outcome] = []
    if experiment.kind != "shadow":
        # Whoever came so late that the end cut their time short saw less of their arm.
        last = (experiment.ended or now) - experiment.rules.horizon
        found = read_outcomes(experiment, log.users, store)
        found = [one for one in found if experiment.ended is None or one.first <= last]
    ends = _ends_of_days(experiment, now)
    made = Results(
        name=experiment.name,
        kind=experiment.kind,
        started=experiment.started,
        ended=experiment.ended,
        rules=experiment.rules,
        arms=_arms(experiment, log, found, now),
        comparisons=[],
        guardrails=[],
        days=[],
        rolled_out=experiment.rolled_out,
        overlap=log.overlap,
    )
    if experiment.kind == "ab":
        made.days = _arm_days(experiment, found, ends)
    _compare(made, experiment, found, ends)
    made.guardrails = _guardrails(made.arms)
    return made


def _ends_of_days(experiment: Experiment, now: int) -> list[int]:
    """The ends of the days so far, and now."""
    first, last = experiment.started, now
    n_days = max(0, (last - first) // _DAY)
    return sorted({*(first + _DAY * (n + 1) for n in range(n_days)), last})


def _arms(
    experiment: Experiment, log: ExperimentLog, found: Sequence[Outcome], now: int
) -> list[ArmResult]:
    least = min((of.lists for of in log.arms.values()), default=0)
    made = []
    for arm in experiment.arms:
        of = log.arms[arm.name]
        both = experiment.kind == "interleave"
        mine = [one for one in found if both or one.arm == arm.name]
        complete = np.array([one.reward for one in mine if one.complete <= now])
        result = ArmResult(
            arm=arm.name,
            version=arm.version,
            users=len(of.users),
            complete=len(complete),
            lists=of.lists,
        )
        if len(complete) >= MIN_USERS and not both:
            interval = confidence_sequence(complete, np.array([len(complete)]), LEVEL)
            result.mean, result.low, result.high = (
                float(part[0]) for part in (interval.mean, interval.low, interval.high)
            )
        if of.lists and not both:
            _measure(result, of, least)
        made.append(result)
    return made


def _measure(result: ArmResult, of: ArmLog, least: int) -> None:
    """Add the guardrail metrics; coverage over the same number of lists in each arm."""
    result.fallback_share = of.fallbacks / of.lists
    ms = np.frombuffer(of.ms)
    if len(ms):
        result.p50_ms, result.p99_ms = (round(float(np.percentile(ms, q)), 3) for q in (50, 99))
    result.coverage = of.coverage(least)


def _arm_days(
    experiment: Experiment, found: Sequence[Outcome], ends: Sequence[int]
) -> list[DayPoint]:
    made = []
    for arm in experiment.arms:
        mine = [one for one in found if one.arm == arm.name]
        made += _series(arm.name, mine, np.array([one.reward for one in mine]), ends, LEVEL)
    return made


def _series(
    name: str,
    found: Sequence[Outcome],
    values: np.ndarray,
    ends: Sequence[int],
    level: float,
    least: int = MIN_USERS,
) -> list[DayPoint]:
    """The running mean of values of users at the ends of days, from ``least`` users on."""
    complete = np.array([one.complete for one in found], np.int64)
    counts = np.searchsorted(complete, ends, side="right")
    looks = [(end, int(n)) for end, n in zip(ends, counts, strict=True) if n >= least]
    if not looks:
        return []
    at = confidence_sequence(values, np.array([n for _, n in looks]), level)
    columns = zip(looks, at.mean, at.low, at.high, at.p, strict=True)
    return [
        DayPoint(
            time=end, arm=name, users=n, mean=float(m), low=float(lo), high=float(hi), p=float(p)
        )
        for (end, n), m, lo, hi, p in columns
    ]


def _compare(
    made: Results, experiment: Experiment, found: Sequence[Outcome], ends: Sequence[int]
) -> None:
    """Add the comparisons with the control, each at its part of the level, and their days."""
    control, *others = experiment.arms
    if experiment.kind == "shadow":
        return
    level = LEVEL / len(others)
    for arm in others:
        if experiment.kind == "interleave":
            two, values, least = list(found), np.array([one.reward for one in found]), MIN_USERS
        else:
            two = [one for one in found if one.arm in (arm.name, control.name)]
            treated = np.array([one.arm == arm.name for one in two], bool)
            share = arm.share / (arm.share + control.share)
            values = difference_terms(np.array([one.reward for one in two]), treated, share)
            # The number of users after which both arms have enough of them.
            fewer = np.minimum(np.cumsum(treated), np.cumsum(~treated))
            least = int(np.searchsorted(fewer, MIN_USERS)) + 1
        name = f"{arm.name} - {control.name}"
        series = _series(name, two, values, ends, level, least)
        made.days += series
        made.comparisons.append(_verdict(arm.name, control.name, series, level))


def _verdict(arm: str, control: str, series: Sequence[DayPoint], level: float) -> ArmComparison:
    if not series:
        return ArmComparison(arm=arm, control=control, verdict="too_early", users=0)
    last = series[-1]
    verdict = "open"
    if last.p is not None and last.p < level:
        # p never rises: the look at which zero was outside decides the side.
        first = next(day for day in series if day.p is not None and day.p < level)
        verdict = "better" if first.mean > 0 else "worse"
    return ArmComparison(
        arm=arm,
        control=control,
        verdict=verdict,
        users=last.users,
        difference=last.mean,
        low=last.low,
        high=last.high,
        p=last.p,
    )


def _guardrails(arms: Sequence[ArmResult]) -> list[Guardrail]:
    control, *others = arms
    made = []
    for arm in others:
        for metric, limit_of, above in (
            ("p99_ms", lambda value: _SLOWER * value + _SLOWER_MS, True),
            ("fallback_share", lambda value: value + _FALLBACKS, True),
            ("coverage", lambda value: _NARROWER * value, False),
        ):
            value, usual = getattr(arm, metric), getattr(control, metric)
            if value is None or usual is None:
                continue
            limit = float(limit_of(usual))
            breached = value > limit if above else value < limit
            made.append(
                Guardrail(
                    arm=arm.arm,
                    metric=metric,
                    value=float(value),
                    control=float(usual),
                    limit=round(limit, 4),
                    breached=bool(breached),
                )
            )
    return made
