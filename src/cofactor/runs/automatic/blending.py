"""Whether a blend of the best models is better than the best alone, on validation data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from cofactor.base.errors import CofactorError
from cofactor.base.progress import SilentProgress
from cofactor.base.run import Run
from cofactor.data.split import Part
from cofactor.evaluation import significance
from cofactor.evaluation.evaluate import evaluate
from cofactor.evaluation.result import Result
from cofactor.metrics.table import Metric
from cofactor.models.blends.blend import Blend
from cofactor.runs.automatic.trials import Allowance, FamilyTrial
from cofactor.runs.samples import few_users, with_users
from cofactor.runs.words import listed

# A model that is further behind the best one isn't worth its time in a blend.
_WORTH = 0.7
_MODELS = 4
# How many scores a choice of weights may read, at most and for each second of the budget, and the
# fewest users that are enough for one.
_SCORES, _SCORES_A_SECOND, _USERS = 2e7, 3e5, 20
_ALPHA = 0.05
# A blend takes about as many times as long as its best model takes to be measured: each model's
# scores are computed for the weights, and again to be measured.
_BLEND_TIMES = 4


@dataclass(frozen=True, eq=False)
class Blended:
    """A blend that was tried.

    Parameters
    ----------
    attempts
        Its models, the best alone first.
    config
        The blend's configuration, with weights.
    gain
        How much better it is than the best model alone; each half of the users is measured with
        weights that the other half chose.
    p
        Of the paired t-test of that gain over users, corrected for the number of blends (Holm).
    value
        The metric with weights that all users chose; of a blend that isn't better, that of its best
        model and the gain.
    """

    attempts: tuple[FamilyTrial, ...]
    config: Any
    gain: float
    p: float
    value: float

    @property
    def label(self) -> str:
        """What it is called in tables."""
        return f"blend of {listed([a.family.name for a in self.attempts])}"

    @property
    def better(self) -> bool:
        """Whether it is significantly better than its best model alone."""
        return self.gain > 0 and self.p < _ALPHA


def best_blend(
    attempts: Sequence[FamilyTrial], part: Part, metric: Metric, allowance: Allowance, run: Run
) -> Blended | None:
    """Try blends of the best fitted models, and return the best of them; None if there is none.

    Parameters
    ----------
    attempts
        With their models, the best first.
    part
        The validation part.
    metric
        What decides.
    allowance
        No other blend is tried once it is used up.
    run
        Seed and threads.
    """
    worth = [a for a in attempts if a.model is not None and _is_worth(a, attempts[0])][:_MODELS]
    rates = metric.family == "rating"
    if len(worth) < 2 or (part.candidates is not None and not rates):
        return None
    users = part.user_rows if rates else few_users(part, _most(worth[0], allowance)).user_rows
    if len(users) < 2 * _USERS:
        return None
    halves = with_users(part, users[::2]), with_users(part, users[1::2])
    trial = _Trial(worth, halves, metric, replace(run, progress=SilentProgress()))
    gains: dict[tuple[int, ...], np.ndarray] = {}
    began = allowance.now()
    trial.alone()
    longest = _BLEND_TIMES * (allowance.now() - began)
    for group in _groups(gains, len(worth)):
        began = allowance.now()
        if allowance.left < longest:
            break
        try:
            gains[group] = trial.gain(group)
        except (CofactorError, MemoryError):
            continue
        longest = max(longest, allowance.now() - began)
    if not gains:
        return None
    group = max(gains, key=lambda one: float(gains[one].mean()))
    adjusted = significance.holm(np.array([significance.p_value(g, "t") for g in gains.values()]))
    chosen = [worth[n] for n in group]
    blend = _of(chosen, with_users(part, users), metric, trial.run)
    gain, p = float(gains[group].mean()), float(adjusted[list(gains).index(group)])
    found = Blended(tuple(chosen), blend.refit_config, gain, p, abs(worth[0].score + gain))
    if not found.better:
        return found
    return replace(found, value=_measure(blend, part, metric, trial.run)[str(metric)])


def _is_worth(attempt: FamilyTrial, best: FamilyTrial) -> bool:
    low, high = sorted((abs(attempt.score), abs(best.score)))
    return low >= _WORTH * high


def _most(attempt: FamilyTrial, allowance: Allowance) -> int:
    assert attempt.model is not None
    scores = min(_SCORES, _SCORES_A_SECOND * allowance.seconds)
    return max(4 * _USERS, int(scores / max(1, attempt.model.data.n_items)))


def _groups(gains: Mapping[tuple[int, ...], np.ndarray], n: int) -> Iterator[tuple[int, ...]]:
    """Which models are blended: the best with each other one, then with the two best of these."""
    for other in range(1, n):
        yield 0, other
    ranked = sorted(gains, key=lambda group: -float(gains[group].mean()))
    if len(ranked) > 1:
        yield 0, ranked[0][1], ranked[1][1]


@dataclass(frozen=True)
class _Trial:
    """Where blends are tried: two halves of the users, each of which chooses for the other."""

    worth: Sequence[FamilyTrial]
    halves: tuple[Part, Part]
    metric: Metric
    run: Run
    _alone: list[np.ndarray] = field(default_factory=list)

    def alone(self) -> list[np.ndarray]:
        """Measure the best model alone on each half, once: float64 [n_users]."""
        if not self._alone:
            model = self.worth[0].model
            self._alone.extend(self._values(model, on) for on in self.halves)
        return self._alone

    def gain(self, group: tuple[int, ...]) -> np.ndarray:
        """How much better a blend is than the best model alone, float64 [n_users]."""
        found = []
        for by, on, alone in zip(self.halves, self.halves[::-1], self.alone()[::-1], strict=True):
            blend = _of([self.worth[n] for n in group], by, self.metric, self.run)
            found.append(self.metric.sign * (self._values(blend, on) - alone))
        gains = np.concatenate(found)
        return gains[~np.isnan(gains)]

    def _values(self, model: Any, part: Part) -> np.ndarray:
        return _measure(model, part, self.metric, self.run).values[str(self.metric)]


def _of(attempts: Sequence[FamilyTrial], part: Part, metric: Metric, run: Run) -> Blend:
    """A blend of fitted models, with weights chosen on a part."""
    models = [attempt.model for attempt in attempts]
    arrays: dict[str, np.ndarray] = {"weights": np.ones(len(models))}
    for n, model in enumerate(models):
        assert model is not None
        arrays |= {f"{n}_{name}": array for name, array in model.state().items()}
    assert models[0] is not None
    config = blend_config(attempts, metric)
    blend = Blend.from_state(config, arrays, models[0].data)
    return blend.choose_weights(part, run)


def blend_config(attempts: Sequence[FamilyTrial], metric: Metric) -> Any:
    """Return the configuration of a blend without weights, for what decides."""
    words = [
        f"{n}.{word}" for n, attempt in enumerate(attempts, 1) for word in attempt.config.words()
    ]
    return Blend.Config(
        models=tuple(a.family.name for a in attempts),
        model_settings=tuple(words),
        scale="none" if metric.family == "rating" else "std",
        choose_at=metric.cutoff or 10,
    )


def _measure(model: Any, part: Part, metric: Metric, run: Run) -> Result:
    return evaluate(model, part, str(metric), run=run, resamples=0)
