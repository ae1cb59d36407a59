"""The cases: which task, on which data, against whom, by what measure, and the bar that is set
for it.
"""

from __future__ import annotations

from benchmarks.case import Case
from benchmarks.cases import answers, ials, linear, ratings, sampled, sasrec

CASES: tuple[Case, ...] = (
    *ials.CASES,
    *sampled.CASES,
    *ratings.CASES,
    *linear.CASES,
    *answers.CASES,
    *sasrec.CASES,
)
