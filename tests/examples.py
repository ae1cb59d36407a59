"""How many examples Hypothesis draws: few and the same in each run of the suite, so that it fails
by a change alone; with COFACTOR_SOAK set, as `make soak` has it, many and new ones.
"""

from __future__ import annotations

import os

from hypothesis import settings

SOAK = bool(os.environ.get("COFACTOR_SOAK"))
TIMES = 40  # as many in the long form

settings.register_profile("suite", deadline=None, derandomize=not SOAK)


def examples(count: int) -> int:
    """Return how many examples a test that is quick with so many draws in this run."""
    return TIMES * count if SOAK else count
