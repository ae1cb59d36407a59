"""How many examples Hypothesis draws: few and the same in each run of the suite, so that it fails
by a change alone; with COFACTOR_SOAK set, as `make soak` has it, many and new ones.
"""

from __future__ import annotations

import os

from hypothesis import settings
from hypothesis.internal.conjecture import providers

SOAK = bool(os.environ.get("COFACTOR_SOAK"))
TIMES = 40  # as many in the long form

settings.register_profile("suite", deadline=None, derandomize=not SOAK)
if not SOAK:
    # Hypothesis also draws the constants of all modules that are loaded: which those are depends on
    # the tests that ran before in the same process, and reading them takes more than a second.
    providers._get_local_constants = lambda: providers._local_constants


def examples(count: int) -> int:
    """Return how many examples a test that is quick with so many draws in this run."""
    return TIMES * count if SOAK else count
