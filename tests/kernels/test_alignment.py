"""Arrays on cache lines: where they begin, and that models keep theirs so, saved or not."""

from __future__ import annotations

import numpy as np
import pytest

import cofactor
from cofactor.base.memory import aligned, aligned_empty
from cofactor.data.synthetic import shop
from cofactor.models import registry


@pytest.mark.parametrize("shape", [0, 1, 17, (5, 3), (1000, 64), (0, 4), (2, 3, 4)])
@pytest.mark.parametrize("dtype", [np.float32, np.int8, np.float64])
def test_arrays_begin_on_a_cache_line(shape, dtype):
    for _ in range(5):
        made = aligned_empty(shape, dtype)
        assert made.ctypes.data % 64 == 0 or not made.size
        assert made.shape == np.empty(shape).shape
        assert made.dtype == dtype
        made[...] = 1  # all of it may be written


def test_aligned_copies_only_what_begins_elsewhere():
    here = aligned_empty((4, 16))
    here[:] = 3
    assert aligned(here) is here
    for other in (here[:, 1:], here.T, here[1:, :].reshape(-1)[1:]):
        copied = aligned(other)
        assert copied.ctypes.data % 64 == 0
        np.testing.assert_array_equal(copied, other)


NAMES = ("ials", "bpr", "warp", "logistic_mf", "biased_mf", "feature_ials")


@pytest.mark.parametrize("name", NAMES)
def test_factors_begin_on_a_cache_line(name):
    data = shop(n_users=60, n_items=30)
    more = {"features": ("author",)} if name == "feature_ials" else {}
    kind = registry.get(name)
    model = kind(factors=16, epochs=1, **more).fit(data, run=cofactor.Run(threads=1))
    state = {key: off_line(array) for key, array in model.state().items()}
    again = kind.from_state(model.config, state, data)
    for held in (model, again):
        assert held.item_factors.ctypes.data % 64 == 0
        if more:  # users' vectors are gathered by no kernel of it
            continue
        assert held.user_factors.ctypes.data % 64 == 0


def off_line(array):
    """A copy that begins 16 bytes behind a cache line, as a file's arrays may."""
    raw = aligned_empty(array.nbytes + 16, np.uint8)
    copied = raw[16 : 16 + array.nbytes].view(array.dtype).reshape(array.shape)
    copied[...] = array
    return copied
