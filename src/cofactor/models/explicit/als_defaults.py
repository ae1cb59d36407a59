"""What ALS for ratings has by default: as many factors as the ratings are worth, and as much L2 as
held-out ratings ask for.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from cofactor.base.run import Run
from cofactor.data.interactions import Interactions
from cofactor.models.defaults.held_out_ratings import HeldOutRatings
from cofactor.models.defaults.noise import relative_noise
from cofactor.models.defaults.settled import configured
from cofactor.models.validation import proven

# Shares of the relative noise that the vectors' L2 may be. The whole of it is for ratings that are
# mostly noise; where much is personal, it shrinks that too far.
_SHARES = (1.0, 2 / 3, 4 / 9)


def als_factors(data: Interactions) -> int:
    """Return √ratings / 8 in sixteens, from 16 to 128: how many factors ALS has by default.

    With penalties that follow the ratings' noise, more vectors are hardly better, and an epoch
    takes time that grows with the cube of their number.
    """
    return int(np.clip(np.sqrt(len(data)) / 8, 16, 128)) // 16 * 16


@contextmanager
def settled_als_regularization(model: Any, data: Interactions, run: Run) -> Iterator[None]:
    """While open, a `BiasedMF` that is solved by ALS and whose ``regularization`` is None has a
    number there.

    It is the relative noise e of the ratings, or 2/3 or 4/9 of that, as long as less predicts
    held-out training ratings significantly better (paired t of squared errors; see
    `HeldOutRatings`). With a time budget it is e; an update keeps the share.

    Parameters
    ----------
    model
        About to be fitted; with SGD, or with a number, nothing changes.
    data
        What it will be fitted on.
    run
        Seed and threads.
    """
    config = model.config
    if config.solver != "als" or config.regularization is not None:
        yield
        return
    share = _SHARES[0]
    if model._before is not None:
        before = model._before
        share = before._penalties.vectors / relative_noise(before.data)
    elif model._max_time is None:
        share = _share(model, data, run)
    with configured(model, config.replace(regularization=share * relative_noise(data))):
        yield


def _share(model: Any, data: Interactions, run: Run) -> float:
    held = HeldOutRatings.draw(data, run.generator(model.name, "share of the noise"))
    if held is None:
        return _SHARES[0]

    def errors(share: float) -> np.ndarray:
        l2 = share * relative_noise(held.training)
        tried = model.config.replace(regularization=l2, bias_weight=0.0)
        return held.squared_errors(type(model)(tried).fit(held.training, run=run.quiet()))

    best, least = _SHARES[0], errors(_SHARES[0])
    for share in _SHARES[1:]:
        found = errors(share)
        if not proven(least - found):
            break
        best, least = share, found
    if best != _SHARES[0]:
        run.progress.say(f"{model.name}: regularization {best:.2g} times the usual one")
    return best
