"""A case of the benchmark: what is measured, on what, and who takes part."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Entrant:
    """One side of a case.

    Parameters
    ----------
    name
        What it is called in the table.
    target
        ``module:class`` within `benchmarks`.
    home
        The environment of `environments` that it runs in; None for Cofactor's own.
    settings
        Given to the side.
    bar
        How many times as long as ours it should take; None for ours, and for a peer that no bar is
        set for.
    steps
        In a case of steps, after how many epochs it is judged.
    rounds
        At most so many rounds (for a peer that takes long); None for all.
    note
        What must be known beside its figure.
    """

    name: str
    target: str
    home: str | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    bar: float | None = None
    steps: tuple[int, ...] = ()
    rounds: int | None = None
    note: str = ""


@dataclass(frozen=True)
class Case:
    """One comparison; the first entrant is ours.

    Parameters
    ----------
    name
        What it is asked for by; a prefix up to a hyphen is enough.
    task
        In words.
    data
        A key of `datasets.MAKERS`, or None.
    entrants
        Ours first.
    metric
        ``"ndcg@20"``, ``"rmse"``, ``"rows"`` or None: what shows that all did the same work equally
        well.
    target
        For a case of steps: what share of a quality has to be reached (of an RMSE, its reciprocal);
        0 for a case that times one thing.
    of
        Whose best quality that is: ``"all"``, or an entrant's name.
    alone
        Whether one side ends before the next begins, since the memory doesn't hold both; each runs
        once, compilation and all.
    full
        Whether the case only runs when ``--full`` is given.
    """

    name: str
    task: str
    data: str | None
    entrants: tuple[Entrant, ...]
    metric: str | None = "ndcg@20"
    target: float = 0.0
    of: str = "all"
    alone: bool = False
    full: bool = False
