"""The race of the families: fits within a time budget, the losers dropped round by round."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from cofactor.base.errors import CofactorError, MissingExtraError
from cofactor.base.progress import Task
from cofactor.base.run import Run
from cofactor.base.signals import heard
from cofactor.data.split import Split
from cofactor.evaluation.evaluate import evaluate
from cofactor.metrics.table import Metric
from cofactor.runs.automatic.families import (
    BASELINES,
    FAMILIES,
    Circumstances,
    Family,
    Settings,
    drawn_value,
)
from cofactor.runs.automatic.forecast import Forecast, later_seconds
from cofactor.runs.automatic.prior import wisest
from cofactor.runs.automatic.trials import (
    BEHIND,
    INTERRUPTED,
    NO_TIME,
    TOO_LONG,
    Allowance,
    FamilyTrial,
    FitTooLong,
    Lane,
    Limited,
    OutOfTime,
    score_of,
)
from cofactor.runs.samples import few_users, sample

# Training interactions for each second of the budget; of more, the first rounds use a sample.
_INTERACTIONS_A_SECOND = 10_000
# No fit may take more than this share of the budget, or of what is left when it begins.
_LATER_SHARE = 0.4
# The families are all tried once within this share of the budget; one that isn't can't be chosen.
_FIRST_ROUND = 0.7
# Scores in one measurement: with more items, fewer users are measured.
_SCORES = 1.5e8
# How many families are left at the beginning of each round, and the share of the budget that is
# used at its end. In the first one only the settings that families begin with are tried.
_ROUNDS = ((9, 0.55), (3, 0.75), (2, 0.9), (1, 1.0))
# Users in the validation part below which the defaults of all families are tried, and nothing else.
FEW_USERS = 30
# After the search the choice is fitted twice more, which may take this share of the budget from it.
_FITS_AFTER, _RESERVED_SHARE = 2, 0.3


@dataclass
class Race:
    """The families on one split, within a budget."""

    parts: Split
    metric: Metric
    allowance: Allowance
    run: Run
    content: Settings = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.given = Circumstances.of(self.parts, self.metric, self.allowance.seconds)
        self.skipped: dict[str, str] = {}
        self.draw = self.run.generator("auto", "settings")
        most = int(_INTERACTIONS_A_SECOND * self.allowance.seconds)
        whole = len(self.parts.train) <= 1.5 * most
        self.small = self.parts if whole else sample(self.parts, most, self.run.seed)
        self.forecast = Forecast(self.small, self.allowance, self.run)
        began = self.allowance.now()
        self.lanes = list(self._lanes())
        # Imports, which happen once in a process, count as little as compiling does.
        self.allowance.extra += self.allowance.now() - began
        self.interrupted = False
        self.said = ""
        self.task: Task | None = None
        self.seconds_shown = 0

    @property
    def sampled(self) -> bool:
        """Whether the first rounds are run on a sample of the users."""
        return self.small is not self.parts

    @property
    def few(self) -> bool:
        """Whether so few users are measured that other settings would win by chance."""
        assert self.parts.validation is not None
        return len(self.parts.validation.user_rows) < FEW_USERS

    @property
    def leaders(self) -> list[Lane]:
        """The families with an attempt, the best first; those on whole data before the others."""
        some = [lane for lane in self.lanes if lane.attempts]
        whole = any(lane.best(True) for lane in some)
        ranked = [lane for lane in some if lane.best(whole)] if whole else some
        return sorted(ranked, key=lambda lane: -score_of(lane.best(whole or None)))

    @property
    def best(self) -> FamilyTrial | None:
        """The best attempt so far."""
        leaders = self.leaders
        if not leaders:
            return None
        return leaders[0].best(True) or leaders[0].best()

    @property
    def choice(self) -> FamilyTrial | None:
        """The attempt to choose: the best, or with few users the usually best family's; see
        `cofactor.runs.automatic.prior`.
        """
        best = self.best
        if best is None:
            return None
        found = [a for lane in self.leaders if (a := lane.best(best.whole or None)) is not None]
        given = self.given
        return wisest(found, self.metric, rates=given.rates, new_items=given.new_items)

    def go(self, task: Task | None = None) -> None:
        """Run it; after each trial the task shows how much time has passed. Ctrl-C ends it once
        there is an attempt.
        """
        self.task = task
        try:
            self._first()
            # On samples, time is left for fits on the whole.
            seconds = self.allowance.seconds * (0.6 if self.sampled else 1.0)
            for n, (survivors, share) in enumerate(() if self.few else _ROUNDS):
                self._keep(survivors)
                self._round(share * seconds, draws=n > 0)
            if self.sampled:
                self._finals()
        except OutOfTime:
            tried = sum(bool(lane.attempts) for lane in self.lanes)
            were = (
                "family was"
                if len(self.lanes) == 1
                else f"families {'was' if tried == 1 else 'were'}"
            )
            self.run.progress.say(f"the time is over: {tried} of {len(self.lanes)} {were} tried")
        except KeyboardInterrupt:
            if self.best is None:
                raise
            heard()
            self.interrupted = True
            self.run.progress.say("interrupted: the best so far is kept")
        for lane in self.lanes:
            if not lane.attempts and not lane.dropped:
                lane.dropped = INTERRUPTED if self.interrupted else NO_TIME

    def _lanes(self) -> Iterator[Lane]:
        for family in FAMILIES:
            why = family.why_not(self.given)
            if why is None:
                try:
                    family.kind  # noqa: B018 (an extra may be missing)
                except MissingExtraError as error:
                    why = str(error)
            if why is None:
                own = self.content if family.kind_of == "content" else {}
                yield Lane(family, own, [{**own, **start} for start in family.starts])
            else:
                self.skipped[family.name] = why

    def _first(self) -> None:
        """Every family once, with its defaults."""
        for lane in self.lanes:
            if self.best is not None and self.allowance.used > (
                _FIRST_ROUND * self.allowance.seconds
            ):
                return
            try:
                self._try_defaults(lane)
            except OutOfTime:
                raise
            # Another family may be chosen, whatever this one failed by; the paragraph names it.
            except Exception as error:
                lane.dropped = f"failed: {str(error) or type(error).__name__}".rstrip(".")

    def _try_defaults(self, lane: Lane) -> None:
        """Try a family's defaults; where they take too long, with a shorter training, or with its
        quick settings.
        """
        found, quick = None, lane.family.quick
        for own in (lane.own, {**lane.own, **quick})[: 1 + bool(quick)]:
            try:
                found = self._first_attempt(lane.family, own)
            except FitTooLong:
                continue
            if found is not None:
                break
        if found is None:
            lane.dropped = TOO_LONG
            return
        lane.shortened = found.settings != lane.own
        lane.waiting = [one for one in lane.waiting if one != found.settings]
        lane.attempts.append(found)
        self._reserve()
        self._advance()

    def _first_attempt(self, family: Family, own: Settings) -> FamilyTrial | None:
        """Try settings, perhaps with a shorter training; None where that takes too long as well."""
        settings: Settings | None = own
        if self.best is not None:  # the first one has no time to be compared with
            settings = self.forecast.first_settings(family, own, self._limited())
        return None if settings is None else self._try(family, settings, self.small)

    def _keep(self, most: int) -> None:
        """Drop all but the best families; the baselines never run on."""
        running = [lane for lane in self.leaders if not lane.dropped]
        for place, lane in enumerate(running):
            if place >= most:
                lane.dropped = BEHIND
        if running:
            names = ", ".join(f"{lane.family.name} {self._show(lane)}" for lane in running[:3])
            if names != self.said:
                best = "the best is" if len(running) == 1 else "the best are"
                self.run.progress.say(f"after {self.allowance.passed:.0f} s {best} {names}")
            self.said = names

    def _show(self, lane: Lane) -> str:
        found = lane.best()
        return "" if found is None else f"{abs(found.score):.4f}"

    def _advance(self) -> None:
        """Show the seconds that have passed, and the best so far."""
        if self.task is not None and self.leaders:
            steps = max(0, int(self.allowance.passed) - self.seconds_shown)
            self.seconds_shown += steps
            best = self.leaders[0]
            self.task.advance(steps, best=f"{best.family.name} {self._show(best)}")

    def _round(self, until: float, *, draws: bool) -> None:
        """Each family the same time: the settings that wait first, then drawn ones. What would take
        too long for this round waits for the next.
        """
        spent = {lane: 0.0 for lane in self.leaders if not lane.dropped}
        later: dict[Lane, list[Settings]] = {lane: [] for lane in spent}
        while spent and self.allowance.used < until:
            lane = min(spent, key=lambda one: spent[one])
            waited = bool(lane.waiting)
            drawn = self._drawn(lane) if draws and not waited else None
            settings = lane.waiting.pop(0) if waited else drawn
            began = self.allowance.used
            if settings is not None and self._affordable(lane, settings, until):
                self._add(lane, settings, self.small)
                spent[lane] += self.allowance.used - began
            elif settings is not None and waited:
                later[lane].append(settings)
            else:
                del spent[lane]
        for lane, waiting in later.items():
            lane.waiting = [*waiting, *lane.waiting]

    def _finals(self) -> None:
        """The best settings of the best families on the whole training part."""
        ratio = len(self.parts.train) / max(1, len(self.small.train))
        ranked = sorted(
            (lane for lane in self.lanes if lane.attempts),
            key=lambda lane: -score_of(lane.best(False)),
        )
        # The baseline too: the paragraph says what isn't better than it.
        for lane in dict.fromkeys(
            [*ranked[:4], *(n for n in ranked if n.family.name in BASELINES)]
        ):
            found = lane.best(False)
            assert found is not None
            if found.seconds * ratio < 0.8 * self.allowance.left:
                self._add(lane, found.settings, self.parts)

    def _add(self, lane: Lane, settings: Settings, parts: Split) -> None:
        before = lane.best(parts is self.parts)
        try:
            found = self._try(lane.family, settings, parts)
        except OutOfTime:
            raise
        # Settings that can't be fitted are settings that aren't chosen.
        except Exception:
            return
        # Of each family only the best model is kept.
        loser = found if before is not None and before.score >= found.score else before
        lane.attempts = [
            replace(a, model=None, result=None) if a is loser else a
            for a in [*lane.attempts, found]
        ]
        self._reserve()
        self._advance()

    def _try(self, family: Family, settings: Settings, parts: Split) -> FamilyTrial:
        """Fit and measure. Compiling kernels, which happens once on a machine, costs no time."""
        if self.allowance.left <= 0 and self.best is not None:
            raise OutOfTime
        assert parts.validation is not None
        run = self._limited()
        most = int(np.clip(_SCORES / max(1, parts.train.n_items), 500, 10_000))
        model = family.kind(family.config(settings))
        began = self.allowance.now(), self.allowance.extra
        with self.allowance.without_compiling() as taken:
            model.fit(parts.train, run=run)
            result = evaluate(
                model, few_users(parts.validation, most), str(self.metric), run=run, resamples=0
            )
        seconds = taken()
        if self.best is None:  # the first fit waits for imports, too
            self.allowance.extra, seconds = began[1] + self.allowance.now() - began[0], 0.0
        value = result[str(self.metric)]
        if not math.isfinite(value):
            raise CofactorError(f"{self.metric} is undefined.")
        score = self.metric.sign * value
        return FamilyTrial(
            family=family,
            settings=dict(settings),
            score=score,
            seconds=seconds,
            whole=parts is self.parts,
            model=model,
            result=result,
        )

    def _limited(self) -> Run:
        """The run of a fit that is only tried, which ends with its time once there is a model."""
        seconds = self.allowance.seconds
        most = _LATER_SHARE * seconds if self.best is not None else math.inf
        return replace(self.run, progress=Limited(self.allowance, most))

    def _reserve(self) -> None:
        """Keep time for the fits of the choice that follow the search."""
        best = self.best
        if best is None:
            return
        n = len((self.parts if best.whole else self.small).train)
        ahead = _FITS_AFTER * best.seconds * len(self.parts.train) / max(1, n)
        self.allowance.reserved = min(ahead, _RESERVED_SHARE * self.allowance.seconds)

    def _affordable(self, lane: Lane, settings: Settings, until: float) -> bool:
        """Whether a fit should end within the time of the round, or a little later."""
        ahead = later_seconds(lane.attempts[-1], settings)
        used, seconds = self.allowance.used, self.allowance.seconds
        return ahead <= _LATER_SHARE * (seconds - used) and (
            used + ahead < min(1.1 * until, seconds)
        )

    def _drawn(self, lane: Lane) -> Settings | None:
        """Settings near the best of the family, or, one time in four, anywhere in its space."""
        space, best = lane.family.space(), lane.best()
        if not space or best is None:
            return None
        anywhere = self.draw.random() < 0.25
        defaults = best.config.to_params()
        settings = dict(best.settings)
        changed = [name for name in space if anywhere or self.draw.random() < 0.5]
        for name in changed or [str(self.draw.choice(list(space)))]:
            settings[name] = drawn_value(
                space[name], None if anywhere else defaults[name], self.draw
            )
        return settings
