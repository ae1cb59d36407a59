"""The race of the families: fits within a time budget, the losers dropped round by round."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from cofactor.base.errors import CofactorError, MissingExtraError
from cofactor.base.run import Run
from cofactor.base.signals import heard
from cofactor.data.interactions import Interactions
from cofactor.data.split import Split
from cofactor.evaluation.evaluate import evaluate
from cofactor.kernels.work import run_context
from cofactor.metrics.table import Metric
from cofactor.runs.automatic.families import (
    BASELINES,
    FAMILIES,
    Circumstances,
    Family,
    Settings,
    drawn_value,
)
from cofactor.runs.automatic.prior import wisest
from cofactor.runs.automatic.trials import (
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
# A first fit may take this share of the budget; a later one this share of what is left.
_FIRST_SHARE, _LATER_SHARE = 0.12, 0.4
# A model with a dense inverse may take more: it is often the best, and can't be trained for less.
_DENSE_SHARE = 0.3
# Interactions on which fits are timed that can't be ended; with fewer than two times as many they
# aren't timed.
_PILOT = 50_000
# Scores in one measurement: with more items, fewer users are measured.
_SCORES = 1.5e8
# How many families are left at the beginning of each round, and the share of the budget that is
# used at its end. In the first one only the settings that families begin with are tried.
_ROUNDS = ((9, 0.55), (3, 0.75), (2, 0.9), (1, 1.0))
# Users in the validation part below which the defaults of all families are tried, and nothing else.
FEW_USERS = 30
# After the search the choice is fitted twice more, which may take this share of the budget from it.
_FITS_AFTER, _RESERVED_SHARE = 2, 0.3
_TOO_LONG = "a fit takes too long for the budget"
# Side of the matrix whose inverse measures the machine's speed.
_SIDE = 768


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
        self.lanes = list(self._lanes())
        self.speed: float | None = None
        self.interrupted = False
        self.said = ""

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

    def go(self) -> None:
        """Run it. Ctrl-C ends it once there is an attempt."""
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
            self.run.progress.say("the time is over")
        except KeyboardInterrupt:
            if self.best is None:
                raise
            heard()
            self.interrupted = True
            self.run.progress.say("interrupted: the best so far is kept")

    def _lanes(self) -> Iterator[Lane]:
        for family in FAMILIES:
            why = family.why_not(self.given)
            if why is None:
                try:
                    family.kind  # noqa: B018 (an extra may be missing)
                except MissingExtraError as error:
                    why = str(error)
            if why is None:
                yield Lane(family, [{**start, **self._own(family)} for start in family.starts])
            else:
                self.skipped[family.name] = why

    def _own(self, family: Family) -> Settings:
        """The columns to read, for models that read some."""
        return self.content if family.kind_of == "content" else {}

    def _first(self) -> None:
        """Every family once, with its defaults."""
        for lane in self.lanes:
            if self.best is not None and self.allowance.used > 0.5 * self.allowance.seconds:
                lane.dropped = "no time was left"
                continue
            limit = _FIRST_SHARE * self.allowance.seconds
            try:
                settings = self._fitting_length(lane.family, limit)
                if settings is None:
                    lane.dropped = _TOO_LONG
                    continue
                settings |= self._own(lane.family)
                lane.attempts.append(self._try(lane.family, settings, self.small))
                self._reserve()
            except OutOfTime:
                raise
            except FitTooLong:
                lane.dropped = _TOO_LONG
            # Another family may be chosen, whatever this one failed by; the paragraph names it.
            except Exception as error:
                lane.dropped = f"failed: {str(error) or type(error).__name__}".rstrip(".")

    def _keep(self, most: int) -> None:
        """Drop all but the best families; the baselines never run on."""
        running = [lane for lane in self.leaders if not lane.dropped]
        for place, lane in enumerate(running):
            if place >= most:
                lane.dropped = "behind the others"
        if running:
            names = ", ".join(f"{lane.family.name} {self._show(lane)}" for lane in running[:most])
            if names != self.said:
                self.run.progress.say(f"{self.allowance.used:.0f} s: {names}")
            self.said = names

    def _show(self, lane: Lane) -> str:
        found = lane.best()
        return "" if found is None else f"{abs(found.score):.4f}"

    def _round(self, until: float, *, draws: bool) -> None:
        """Each family the same time: the settings that wait first, then drawn ones."""
        spent = {lane: 0.0 for lane in self.leaders if not lane.dropped}
        while spent and self.allowance.used < until:
            lane = min(spent, key=lambda one: spent[one])
            drawn = self._drawn(lane) if draws and not lane.waiting else None
            settings = lane.waiting.pop(0) if lane.waiting else drawn
            began = self.allowance.used
            if settings is not None and self._affordable(lane, settings, until):
                self._add(lane, settings, self.small)
            elif not lane.waiting:
                del spent[lane]
                continue
            spent[lane] += self.allowance.used - began

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

    def _try(self, family: Family, settings: Settings, parts: Split) -> FamilyTrial:
        """Fit and measure. Compiling kernels, which happens once on a machine, costs no time."""
        from cofactor.kernels.cpu.jit import compilation_timed

        if self.allowance.left <= 0 and self.best is not None:
            raise OutOfTime
        assert parts.validation is not None
        run = self._limited()
        most = int(np.clip(_SCORES / max(1, parts.train.n_items), 500, 10_000))
        began, really = self.allowance.now(), time.perf_counter()
        model = family.kind(family.config(settings))
        with compilation_timed() as compiled:
            model.fit(parts.train, run=run)
            result = evaluate(
                model, few_users(parts.validation, most), str(self.metric), run=run, resamples=0
            )
        seconds = self.allowance.now() - began
        # The first fit waits for imports too; how long one takes is known from the next.
        share = compiled() / (time.perf_counter() - really) if self.best is not None else 1.0
        self.allowance.extra += share * seconds
        seconds -= share * seconds
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

    # How long fits take.

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

    def _fitting_length(self, family: Family, limit: float) -> Settings | None:
        """The settings of a first fit that takes no longer than the limit; None: there are none."""
        if family.dense and self._dense_seconds() > _DENSE_SHARE / _FIRST_SHARE * limit:
            return None
        if family.length is None:
            return {} if self._short_enough(family) else None
        usual = family.usual_length
        each = self._seconds_each(family)
        fitting = int(limit / max(each, 1e-9))
        # Choosing the epochs takes up to twice their usual number, and then comes the fit.
        chosen = family.kind.Config.defaults()[family.length] is None
        if fitting >= (3 if chosen else 1) * usual:
            return {}
        fitting = min(fitting, usual)
        if fitting < max(2, usual // 30):
            return None
        return family.lasting(fitting)

    def _short_enough(self, family: Family) -> bool:
        """Whether a fit that can't be shortened or ended takes no more than a closed form may, by
        one on some of the users.
        """
        if self.best is None or family.dense or len(self.small.train) < 2 * _PILOT:
            return True
        some = sample(self.small, _PILOT, self.run.seed).train
        ahead = self._seconds(family, self._own(family), some) * len(self.small.train)
        return ahead / max(1, len(some)) <= _DENSE_SHARE * self.allowance.seconds

    def _seconds_each(self, family: Family) -> float:
        """The time of one epoch (or sweep)."""
        return self._seconds(family, family.lasting(2), self.small.train) / 2

    def _seconds(self, family: Family, settings: Settings, data: Interactions) -> float:
        """The time of a fit, after a first one that compiles what must be."""
        model = family.kind(family.config(settings))
        run = self._limited()
        began = self.allowance.now()
        model.fit(data, run=run)
        self.allowance.extra += (first := self.allowance.now() - began)
        if first < 0.2:
            return first
        began = self.allowance.now()
        model.fit(data, run=run)
        again = self.allowance.now() - began
        # Compiling isn't counted; the rest is.
        self.allowance.extra -= min(first, again)
        return again

    def _dense_seconds(self) -> float:
        """How long the inverse of the square matrix takes: of items, or of users if fewer."""
        if self.speed is None:
            draw = np.eye(_SIDE, dtype=np.float32) * _SIDE
            draw += self.draw.random((_SIDE, _SIDE), np.float32)
            took = []
            with run_context(self.run):
                for _ in range(2):
                    began = self.allowance.now()
                    np.linalg.inv(draw)
                    took.append(self.allowance.now() - began)
            self.speed = min(took) / _SIDE**3
        side = min(self.given.n_items, 2 * int((self.small.train.user_counts > 0).sum()))
        return self.speed * side**3

    def _affordable(self, lane: Lane, settings: Settings, until: float) -> bool:
        """Whether a fit should end within the time of the round, or a little later."""
        last = lane.attempts[-1]
        scale = 1.0
        for name in ("factors", "epochs", "sweeps", "neighbours"):
            defaults = lane.family.kind.Config.defaults()
            if name in defaults:
                old, new = (one.get(name, defaults[name]) for one in (last.settings, settings))
                scale *= max(1.0, (new or 1) / (old or 1)) if old and new else 1.0
        ahead = last.seconds * scale
        return ahead <= _LATER_SHARE * self.allowance.left and (
            self.allowance.used + ahead < 1.1 * until
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
