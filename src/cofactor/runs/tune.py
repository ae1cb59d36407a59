"""Tune: search a model's settings on a validation part, and measure once on the test part."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

from cofactor.base import checks
from cofactor.base.errors import ArgumentError, CofactorError
from cofactor.base.extras import require
from cofactor.base.names import word
from cofactor.base.run import Run, run_of
from cofactor.base.search import Choices, Search
from cofactor.data.split import Split
from cofactor.evaluation.protocol import check_rated
from cofactor.metrics.table import Metric, parse_metric
from cofactor.models import registry
from cofactor.models.recommender import Recommender
from cofactor.runs.compared_models import name_of, without_comparison
from cofactor.runs.source import Clock, Cutting, Reading, as_cutting, as_reading, cut, interactions
from cofactor.runs.study import (
    DEFAULT,
    best_trial,
    check_file,
    config_of,
    counts,
    finished,
    keeping,
    open_study,
    quiet,
)
from cofactor.runs.trial_pieces import trials_in_pieces
from cofactor.runs.trials import Bench, search_space
from cofactor.runs.tuned import Tuned, measure_test_part

# With fewer finished trials, no importances are reported.
_TRIALS_TO_EXPLAIN = 8
_DIGITS = 4  # significant digits of the values that are tried, so that they are easy to copy


def tune(
    source: Any,
    model: str,
    *,
    settings: Iterable[str] | Mapping[str, Any] = (),
    search: Mapping[str, Search] | None = None,
    metric: str | None = None,
    trials: int = 50,
    budget: float | None = None,
    seeds: int = 1,
    out: str | os.PathLike[str] | None = None,
    reading: Reading | None = None,
    cutting: Cutting | None = None,
    run: Run | None = None,
) -> Tuned:
    """Search a model's settings on a validation part; the test part is used once, at the end.

    The default settings are the first trial; the others are drawn by a tree-structured Parzen
    estimator. Models that are trained in epochs are measured during training: the best epoch
    counts, and a trial below the median of the others at the same epoch is stopped.

    Parameters
    ----------
    source
        A file, a dataset's name, a database URL, a data frame, or Interactions.
    model
        The model's name in the registry.
    settings
        Settings that stay as they are: values by name, or words like ``factors=64``.
    search
        Setting -> its search space (see `cofactor.base.search`), added to those that the model's
        Config declares, or in place of one.
    metric
        What to optimise; None for RMSE where ratings are predicted, else nDCG@10.
    trials
        How many, at least 1, including those that are in the study's file already.
    budget
        Seconds after which the search ends, above 0; a running trial is then stopped, but the first
        one is always finished. None: no limit. Fits for the test part aren't counted.
    seeds
        Number of fits with different seeds that are averaged in each trial; at least 1.
    out
        The file that keeps the study (SQLite); if it exists, the search is continued.
    reading, cutting
        How the source is read and cut; there must be a test part and a validation part.
    run
        Seed, threads, device, progress.

    Returns
    -------
    Tuned
        The best settings, how they were found, and their result on the test part.

    Raises
    ------
    MissingExtraError
        Without the extra ``tune``.
    ArgumentError
        If there is nothing to search, or the file holds another study or none.
    CofactorError
        If no trial could be finished; the message says why.
    """
    optuna = require("optuna", purpose="cofactor tune")
    run = run_of(run)
    cutting = as_cutting(cutting, Cutting(validation=0.1))
    checks.of_kind(settings, "settings", Iterable, "a list of texts, or a mapping of values")
    settings = settings if isinstance(settings, Mapping) else list(settings)
    _check_requests(trials, seeds, budget, cutting)
    check_file(out)
    kind = registry.get(model)
    fixed = without_comparison(kind.Config.of(settings))
    given = set(map(name_of, settings))
    space = search_space(kind, fixed, given, search or {})
    wanted = None if metric is None else parse_metric(metric)
    reading = as_reading(reading)
    if kind.traits_of(fixed).uses_features:
        reading = replace(reading, keep_items=True)
    data = interactions(source, reading, run)
    parts = cut(data, cutting)
    aim = _metric(kind(fixed), parts, wanted, space)
    with quiet(optuna), keeping(out):
        bench = Bench(kind, parts, aim, seeds, run)
        facts = _facts(bench, fixed, space)
        study = open_study(optuna, out, facts, lower_is_better=aim.lower_is_better)
        return _search(_Searching(optuna, study, bench, fixed, space, budget), trials)


def _search(searching: _Searching, trials: int) -> Tuned:
    optuna, study, bench = searching.optuna, searching.study, searching.bench
    study.sampler = _sampler(optuna, study, trials, bench.run.seed)
    study.pruner = _pruner(optuna, bench.kind, searching.fixed)
    clock = Clock()
    searching.go(trials, bench.run)
    return _report(searching, clock.seconds)


def _check_requests(trials: int, seeds: int, budget: float | None, cutting: Cutting) -> None:
    checks.integer(trials, "trials", low=1)
    checks.integer(seeds, "seeds", low=1)
    if budget is not None:
        checks.real(budget, "budget", above=0)
    for name, share in (("test", cutting.test), ("validation", cutting.validation)):
        if share <= 0:
            raise ArgumentError(
                f"{name} must be above 0, not {share:g}: tune searches on the validation part, and"
                " measures on the test part."
            )


def _metric(
    model: Recommender, parts: Split, wanted: Metric | None, space: Mapping[str, Search]
) -> Metric:
    """The metric to optimise; the usual one of the model and the data if none is named."""
    if wanted is not None:
        # The loss says of some models whether they predict ratings.
        if not any(name.endswith("loss") for name in space):
            check_rated(model, parts.test, [wanted])
        return wanted
    rates = model.traits.predicts_ratings and parts.train.values is not None
    return parse_metric("rmse" if rates else "ndcg@10")


def _facts(bench: Bench, fixed: Any, space: Mapping[str, Search]) -> dict[str, Any]:
    """What has to be the same if a search continues from a study's file."""
    return {
        "model": bench.kind.name,
        "metric": str(bench.metric),
        "data and split": bench.parts.fingerprint,
        "seeds": [bench.run.seed, bench.seeds],
        "settings": {name: word(value) for name, value in fixed.to_params().items()},
        "search": {name: str(one) for name, one in space.items()},
    }


def _sampler(optuna: Any, study: Any, trials: int, seed: int) -> Any:
    """The sampler; seeded by the number of trials, so that a continued search doesn't repeat its
    draws.
    """
    return optuna.samplers.TPESampler(
        seed=(seed + len(study.trials)) % 2**32, n_startup_trials=min(10, max(3, trials // 4))
    )


def _pruner(optuna: Any, kind: type[Recommender], fixed: Any) -> Any:
    """The pruner; it waits for a quarter of the epochs, since the first ones say little of the
    last.
    """
    warmup = max(2, (fixed.epochs or fixed.usual_epochs) // 4) if kind.iterative else 0
    return optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=warmup)


class _OutOfTime(Exception):
    """The budget ended during a trial."""


@dataclass
class _Searching:
    """A running search."""

    optuna: Any
    study: Any
    bench: Bench
    fixed: Any
    space: Mapping[str, Search]
    budget: float | None

    def __post_init__(self) -> None:
        self.deadline = None if self.budget is None else time.monotonic() + self.budget

    def go(self, trials: int, run: Run) -> None:
        """Try settings until there are enough trials, or the time is over."""
        if done := [t for t in self.study.get_trials(deepcopy=False) if counts(t)]:
            run.progress.say(f"going on from {len(done)} trials")
        waiting = [t for t in self.study.trials if t.state.name == "WAITING"]
        if not any(DEFAULT in trial.user_attrs for trial in done + waiting):
            values = {name: self.fixed.value_of(name) for name in self.space}
            start = {name: v for name, v in values.items() if v in self.space[name]}
            self.study.enqueue_trial(start, user_attrs={DEFAULT: True})
        with run.progress.task(f"tuning {self.bench.kind.name}", trials) as task:
            task.advance(len(done))
            if run.engine is not None:
                trials -= trials_in_pieces(self, run.engine, trials - len(done), task)
            for _ in range(trials - len(done)):
                if self.late():
                    run.progress.say("the time is over")
                    return
                self._one()
                best = best_trial(self.study)
                task.advance(1, **({} if best is None else {"best": float(best.value)}))

    def late(self) -> bool:
        """Return whether the time is over, or too short for a model that can't be stopped."""
        took = [t.user_attrs["seconds"] for t in self.study.trials if "seconds" in t.user_attrs]
        if self.deadline is None or not took:
            return False
        ahead = 0.0 if self.bench.kind.iterative else median(took)
        return time.monotonic() + ahead >= self.deadline

    def _one(self) -> None:
        state = self.optuna.trial.TrialState
        trial = self.study.ask()
        clock = Clock()
        try:
            config = self.begin(trial)
            found = self.bench.measure(config, lambda *at: self._watch(trial, *at))
        except _OutOfTime:
            self.study.tell(trial, state=state.FAIL)
        except self.optuna.TrialPruned:
            trial.set_user_attr("seconds", clock.seconds)
            self.study.tell(trial, state=state.PRUNED)
        except (CofactorError, MemoryError) as error:
            trial.set_user_attr("why", str(error) or "out of memory")
            self.study.tell(trial, state=state.FAIL)
        except BaseException:
            self.study.tell(trial, state=state.FAIL)
            raise
        else:
            found.tell(self.study, trial)

    def begin(self, trial: Any) -> Any:
        """Return the configuration that the sampler draws for a trial. In the trial of the defaults
        it draws those that lie in the space, so that it learns from them.
        """
        is_default = DEFAULT in trial.user_attrs
        drawn = {
            name: _suggest(trial, name, one)
            for name, one in self.space.items()
            if not is_default or self.fixed.value_of(name) in one
        }
        trial.set_user_attr("settings", {} if is_default else drawn)
        return self.fixed if is_default else self.fixed.with_values(drawn)

    def _watch(self, trial: Any, seed: int, epoch: int, value: float | None) -> None:
        is_default = DEFAULT in trial.user_attrs
        if self.deadline is not None and not is_default and time.monotonic() > self.deadline:
            raise _OutOfTime
        if seed == 0 and value is not None:
            trial.report(value, epoch + 1)
            if not is_default and trial.should_prune():
                raise self.optuna.TrialPruned


def _suggest(trial: Any, name: str, one: Search) -> Any:
    if isinstance(one, Choices):
        return trial.suggest_categorical(name, one.values)
    if one.whole:
        return trial.suggest_int(name, one.low, one.high, log=one.log)
    value = float(f"{trial.suggest_float(name, one.low, one.high, log=one.log):.{_DIGITS}g}")
    return min(max(value, one.low), one.high)


def _report(searching: _Searching, seconds: float) -> Tuned:
    study, bench, fixed = searching.study, searching.bench, searching.fixed
    best, trials = best_trial(study), [t for t in study.trials if counts(t)]
    if best is None:
        reasons = "; ".join(dict.fromkeys(t.user_attrs.get("why", "pruned") for t in trials))
        raise CofactorError(f"no trial could be finished. {reasons}")
    config = config_of(best, fixed)
    looks = int(study.user_attrs.get("test_looks", 0)) + 1
    study.set_user_attr("test_looks", looks)
    default = next((t for t in finished(study) if DEFAULT in t.user_attrs), None)
    start = fixed if default is None else config_of(default, fixed)
    compared, verdicts = measure_test_part(bench, start, config)
    states = [trial.state.name for trial in trials]
    return Tuned(
        model=bench.kind.name,
        metric=str(bench.metric),
        settings=config.changed(),
        searched=tuple(searching.space),
        value=float(best.value),
        default_value=None if default is None else float(default.value),
        curve=_curve(study),
        importances=_importances(searching.optuna, study),
        counts={
            "finished": states.count("COMPLETE"),
            "pruned": states.count("PRUNED"),
            "failed": states.count("FAIL"),
        },
        split=bench.parts,
        compared=compared,
        verdicts=verdicts,
        test_looks=looks,
        seconds=seconds,
    )


def _curve(study: Any) -> tuple[tuple[int, float], ...]:
    sign = -1 if study.direction.name == "MINIMIZE" else 1
    curve: list[tuple[int, float]] = []
    for trial in finished(study):
        if not curve or sign * trial.value > sign * curve[-1][1]:
            curve.append((trial.number + 1, float(trial.value)))
    return tuple(curve)


def _importances(optuna: Any, study: Any) -> dict[str, float]:
    """By PED-ANOVA (Watanabe et al. 2023, IJCAI), over the trials that have every setting."""
    drawn = [t for t in finished(study) if t.params]
    names = set().union(*(t.params for t in drawn)) if drawn else set()
    whole = [t for t in drawn if set(t.params) == names]
    if len(whole) < _TRIALS_TO_EXPLAIN:
        return {}
    apart = optuna.create_study(direction=study.direction)
    apart.add_trials(whole)
    evaluator = optuna.importance.PedAnovaImportanceEvaluator()
    found = optuna.importance.get_param_importances(apart, evaluator=evaluator)
    return {name: float(share) for name, share in found.items()}
