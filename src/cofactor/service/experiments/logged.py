"""What the log holds of an experiment, read list by list: memory grows with its users, its items
and eight bytes a list, not with the log.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from itertools import islice

from cofactor.service.experiments.attribution import Outcome, attribute, outcomes
from cofactor.service.experiments.experiment import Experiment
from cofactor.store import Store, StoredImpression

SHADOW = "/shadow"  # ends the request id of a shadow's list
_TOGETHER = 500  # lists that are looked up at once


@dataclass(eq=False)
class ArmLog:
    """What the lists of an arm come to.

    Parameters
    ----------
    lists, fallbacks
        How many there are, and how many of them are popular items.
    ms
        What those took whose time is known.
    users
        To whom they were shown.
    first
        Item -> the number of lists before the first that holds it.
    """

    lists: int = 0
    fallbacks: int = 0
    ms: array[float] = field(default_factory=lambda: array("d"))
    users: set[str] = field(default_factory=set)
    first: dict[str, int] = field(default_factory=dict)

    def add(self, one: StoredImpression) -> None:
        """Count a list."""
        for item in one.items:
            self.first.setdefault(item, self.lists)
        self.lists += 1
        self.fallbacks += one.source == "popularity"
        self.users.add(one.user_id)
        if one.ms is not None:
            self.ms.append(one.ms)

    def coverage(self, n_lists: int) -> int:
        """Return how many items the first lists hold."""
        return sum(number < n_lists for number in self.first.values())


@dataclass(eq=False)
class ExperimentLog:
    """What the log holds of an experiment.

    Parameters
    ----------
    arms
        Name -> what its lists come to; of an interleaved experiment the same for both.
    users
        Whom lists were shown to.
    overlap
        Of a shadow: the mean share of a shown list that the shadow version's has too.
    """

    arms: dict[str, ArmLog]
    users: dict[str, None] = field(default_factory=dict)
    overlap: float | None = None


def read_log(experiment: Experiment, store: Store) -> ExperimentLog:
    """Return what the log holds of an experiment."""
    both = ArmLog() if experiment.kind == "interleave" else None
    found = ExperimentLog({arm.name: both or ArmLog() for arm in experiment.arms})
    for one in store.impressions(experiment=experiment.name):
        if one.shown:
            found.users[one.user_id] = None
        arm = both or found.arms.get(one.arm or "")
        if arm is not None:
            arm.add(one)
    if experiment.kind == "shadow":
        found.overlap = _overlap(experiment, found.arms[experiment.arms[0].name], store)
    return found


def _overlap(experiment: Experiment, control: ArmLog, store: Store) -> float | None:
    """The mean overlap; the control's lists that were shown in an experiment beside the shadow are
    counted as the control's.
    """
    version, total, count = experiment.arms[0].version, 0.0, 0
    hidden = (one for one in store.impressions(experiment=experiment.name) if not one.shown)
    while part := list(islice(hidden, _TOGETHER)):
        beside = {one.request_id.removesuffix(SHADOW): set(one.items) for one in part}
        for one in store.impressions_by_id(list(beside)):
            own = one.experiment == experiment.name
            if not own and one.version == version:
                control.add(one)
            elif not own or not one.shown:
                continue
            if items := set(one.items):
                total += len(items & beside[one.request_id]) / len(items)
                count += 1
    return total / count if count else None


def read_outcomes(experiment: Experiment, users: dict[str, None], store: Store) -> list[Outcome]:
    """Return what became of the users of an experiment, in the order in which that is complete."""
    made: list[Outcome] = []
    for user in users:
        mine = [one for one in store.user_impressions(user) if one.experiment == experiment.name]
        made += outcomes(experiment, attribute(mine, store.user_events(user), experiment.rules))
    return sorted(made, key=lambda one: (one.complete, one.user_id))
