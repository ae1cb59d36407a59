"""How many examples Hypothesis draws."""

from __future__ import annotations

from draws import EXPLORE

TIMES = 40  # as many where something new is looked for


def examples(count: int) -> int:
    """Return how many examples a test that is quick with so many draws in this run."""
    return TIMES * count if EXPLORE else count
