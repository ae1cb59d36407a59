"""Always-valid inference: by hand, against the test that it inverts, and on simulations."""

from __future__ import annotations

import math

import numpy as np
import pytest

from cofactor.base.errors import ArgumentError
from cofactor.metrics.sequential import (
    confidence_sequence,
    difference_terms,
    mixture_rate,
)


def test_the_interval_is_the_formula() -> None:
    values = np.array([1.0, 3.0, 2.0, 6.0])
    found = confidence_sequence(values, np.array([4]), alpha=0.1, horizon=4)
    rate, n, sd = mixture_rate(4, 0.1), 4, values.std(ddof=1)
    grown = n * rate**2 + 1
    width = sd * math.sqrt(2 * grown / (n * rate) ** 2 * math.log(math.sqrt(grown) / 0.1))
    assert found.mean[0] == pytest.approx(3.0)
    assert (found.high[0] - found.mean[0], found.mean[0] - found.low[0]) == (
        pytest.approx(width),
        pytest.approx(width),
    )


def test_the_rate_makes_the_interval_narrowest_at_its_horizon() -> None:
    def width(rate: float, n: int = 500, alpha: float = 0.05) -> float:
        grown = n * rate**2 + 1
        return 2 * grown / (n * rate) ** 2 * math.log(math.sqrt(grown) / alpha)

    best = mixture_rate(500, 0.05)
    assert width(best) <= min(width(best * 1.05), width(best / 1.05))


def test_p_is_below_the_level_exactly_when_zero_is_outside() -> None:
    rng = np.random.default_rng(0)
    for shift in (0.0, 0.05, 0.1, 0.2):
        values = rng.normal(shift, 1, 2_000)
        moments = np.arange(50, 2_001, 50)
        found = confidence_sequence(values, moments)
        outside = (found.low > 0) | (found.high < 0)
        assert ((found.p < 0.05) == np.maximum.accumulate(outside)).all()
        assert (np.diff(found.p) <= 0).all()


def test_constant_values_are_no_division_by_zero() -> None:
    found = confidence_sequence(np.zeros(10), np.array([5, 10]))
    assert (found.low.tolist(), found.high.tolist(), found.p.tolist()) == ([0, 0], [0, 0], [1, 1])
    assert confidence_sequence(np.ones(10), np.array([10])).p[0] == 0.0


def test_moments_beyond_the_data_are_refused() -> None:
    for moments in ([1], [11]):
        with pytest.raises(ArgumentError, match="moments must be 2 to 10"):
            confidence_sequence(np.zeros(10), np.array(moments))


def test_terms_have_the_difference_as_their_mean_for_any_share() -> None:
    rng = np.random.default_rng(1)
    treated = rng.random(200_000) < 0.2
    outcomes = 5 + rng.exponential(1.0, 200_000) + 0.3 * treated
    terms = difference_terms(outcomes, treated, 0.2)
    assert terms.mean() == pytest.approx(0.3, abs=0.02)
    # Centring: the level of the outcomes costs no variance.
    raw = outcomes * np.where(treated, 5.0, -1.25)
    assert terms.std() < 0.5 * raw.std()


def test_false_positives_are_rare_although_looked_at_every_day() -> None:
    # The full run is benchmarks/sequential_tests.py.
    rng = np.random.default_rng(2)
    moments = np.arange(200, 4_001, 200)
    wrong = usual = 0
    for _ in range(200):
        outcomes = rng.poisson(0.4, 4_000) * rng.gamma(1.0, 1.0, 4_000)
        treated = rng.random(4_000) < 0.5
        terms = difference_terms(outcomes, treated, 0.5)
        wrong += confidence_sequence(terms, moments).p[-1] < 0.05
        z = [terms[:n].mean() / terms[:n].std() * math.sqrt(n) for n in moments]
        usual += max(map(abs, z)) > 1.96
    assert wrong <= 10  # 5 %
    assert usual > 30  # the usual test, looked at every day, errs far more often
