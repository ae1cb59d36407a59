"""What a service and its experiments draw in production, fixed: no test fails by chance."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from cofactor.service.experiments import experiment, traffic


@pytest.fixture(autouse=True, scope="module")
def same_draws() -> Iterator[None]:
    """Every experiment has the same salt, and every service draws its lists from the same seed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(experiment, "new_salt", lambda: "salt")
        patch.setattr(traffic, "unseeded", lambda: np.random.default_rng(0))
        yield
