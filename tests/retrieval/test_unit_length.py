"""Vectors of any size have a direction."""

from __future__ import annotations

import numpy as np
import pytest

from cofactor.retrieval.topk import unit_length


@pytest.mark.parametrize("scale", [1e-30, 1e-20, 1.0, 1e20, 1e30])
def test_the_direction_of_a_vector_depends_on_no_scale(scale: float) -> None:
    vectors = np.array([[3, 4], [0, 0], [-1, 0]], np.float32) * np.float32(scale)
    units = unit_length(vectors)
    assert units.dtype == np.float32
    np.testing.assert_allclose(units, [[0.6, 0.8], [0, 0], [-1, 0]], rtol=1e-6)
