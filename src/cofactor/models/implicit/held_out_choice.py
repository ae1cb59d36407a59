"""Values of settings chosen on held-out training interactions, where data of one shape differ in
what is right: how much of the noise a regularization is for, how much an ideal filter weighs.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar, NamedTuple

import numpy as np

from cofactor.base.errors import CofactorError
from cofactor.base.run import Run
from cofactor.data.interactions import Interactions
from cofactor.data.split import Split
from cofactor.data.splits import split
from cofactor.models import validation
from cofactor.models.defaults.held_out_epochs import some_users
from cofactor.models.hooks import Hooks
from cofactor.models.recommender import Recommender
from cofactor.models.traits import ArraySpec

MOST = 20_000  # interactions that candidates are fitted on
FEWEST = 100  # users with held-out interactions below which nothing can be said
_HELD_OUT = 0.2
_CUTOFF = 100  # of nDCG; by 10 items alone far fewer users tell candidates apart

# fit(data, value, run): a model with that value.
Fit = Callable[[Interactions, float, Run], Recommender]
# How the state of a model keeps its share; models of older versions have none.
NOISE_SHARE_ARRAY = {"noise_share": ArraySpec("float64", ("1",), optional=True, low=0)}


class Usual(NamedTuple):
    """The value that is right for most data, by which factor others differ, and of what it is."""

    value: float
    step: float
    name: str = "regularization"


class NoiseShareHooks(Hooks[Any]):
    """A default regularization that is a share of the data's noise."""

    usual_share: ClassVar[Usual]

    noise_share: np.ndarray  # float64 [1]
    _before: Any
    _max_time: float | None

    @abstractmethod
    def _l2_by(self, data: Interactions, share: float) -> float:
        """Return the L2 that is this share of the noise of the data."""

    def _choose_share(self, data: Interactions, run: Run) -> None:
        """Set the share for a fit: that of the model it goes on from, the usual one where the
        regularization is given or the time limited, or else the chosen one.
        """
        if self._before is not None:
            share = float(self._before.noise_share[0])
        elif self.config.regularization is not None or self._max_time is not None:
            share = self.usual_share.value
        else:
            share = choose_value(self._fitted, data, self.usual_share, run)
        self.noise_share = np.array([share])

    def _default_l2(self, data: Interactions) -> float:
        """Return the L2 of the settings, or what the data ask for."""
        given: float | None = self.config.regularization
        return self._l2_by(data, float(self.noise_share[0])) if given is None else float(given)

    def _fitted(self: Any, data: Interactions, share: float, run: Run) -> Recommender:
        l2 = self._l2_by(data, share)
        config = self.config.replace(regularization=l2, popularity_weight=0.0)
        return type(self)(config).fit(data, run=run)

    def as_chosen(self: Any, data: Interactions) -> Any:
        """Return an unfitted model with the L2 that this fit's share gives other data."""
        return type(self)(self.config.replace(regularization=self._default_l2(data)))

    def _restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        # Models of older versions keep no share: they have the usual one.
        super()._restore({"noise_share": np.array([self.usual_share.value]), **arrays})


def choose_value(
    fit: Fit, data: Interactions, usual: Usual, run: Run, *, most: int = MOST
) -> float:
    """Return the usual value, or one a step or two below or above it where that ranks held-out
    interactions significantly better.

    A fifth of each user's interactions is held out, of as many random users as have about ``most``
    in all. Two to four models are fitted on the rest, and compared by the paired t-test of users'
    nDCG@100. The usual value stays where fewer than 100 users have held-out interactions.

    Parameters
    ----------
    fit
        Returns a fitted model for data, a value and a run.
    data
        The training interactions.
    usual
        The value that is right for most data, the step, and the name for what is said.
    run
        Seed and threads; an engine and a device are left alone, so that the choice is the same
        without them.
    most
        Interactions that models are fitted on, about.
    """
    # Below three interactions a fifth is none.
    if np.count_nonzero(data.user_counts >= 3) < FEWEST:
        return usual.value
    parts = split(
        some_users(data, most, run, "noise share").compact(),
        "per-user",
        test=_HELD_OUT,
        seed=run.seed,
    )
    if len(parts.test.user_rows) < FEWEST:
        return usual.value
    alone = replace(run.quiet(), device="cpu")
    measure = partial(_measure, fit, parts, alone)
    try:
        values = measure(usual.value)
        for step in (1 / usual.step, usual.step):
            best = usual.value
            for tried in (usual.value * step, usual.value * step**2):
                found = measure(tried)
                if not validation.proven(found - values):
                    break
                best, values = tried, found
            if best != usual.value:
                run.progress.say(
                    f"{usual.name}: {best / usual.value:.3g} times the usual value, which ranks"
                    " held-out training interactions better"
                )
                return best
    # Training that diverges here does so on all of the data too, and is explained there.
    except CofactorError:
        pass
    return usual.value


def _measure(fit: Fit, parts: Split, run: Run, value: float) -> np.ndarray:
    """Each user's nDCG, float64 [n_users]."""
    model, users = fit(parts.train, value, run), parts.test.user_rows
    return validation.users_ndcg(model, parts.test, users, _CUTOFF, n_threads=run.n_threads)
