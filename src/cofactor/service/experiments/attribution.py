"""Attribution: which list an event counts for, and what a user's outcome is.

The rules, also in docs/guides/experiments.md:

1. Lists are those that were shown to the user in the experiment.
2. An event counts for the latest list before it that holds its item, if it came within the window.
3. For each list, item and kind the first event counts; undone events don't.
4. It is worth what the experiment says of its kind.
5. A user's outcome is the worth of all that counts for the lists of the first ``horizon`` seconds
   after the user's first list. It is complete when that and one window more have passed;
   users whom the end of the experiment cut short aren't counted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from cofactor.data.event_kinds import AGAINST
from cofactor.service.experiments.experiment import ANY, AttributionRules, Experiment
from cofactor.store import StoredEvent, StoredImpression


@dataclass(eq=False)
class Shown:
    """A list and what it earned.

    Parameters
    ----------
    impression
        The list.
    rewards
        By position.
    """

    impression: StoredImpression
    rewards: list[float] = field(default_factory=list)
    counted: set[tuple[int, str]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.rewards = [0.0] * len(self.impression.items)


@dataclass(frozen=True)
class Outcome:
    """What became of one user of an experiment.

    Parameters
    ----------
    user_id, arm
        Who, and in which arm (of an interleaved experiment, none).
    first
        When the user's first list was shown.
    complete
        When nothing can change it any more.
    reward
        The worth of what counts; interleaved, that of the second arm's items less the first's.
    """

    user_id: str
    arm: str | None
    first: int
    complete: int
    reward: float


def attribute(
    impressions: Iterable[StoredImpression], events: Iterable[StoredEvent], rules: AttributionRules
) -> list[Shown]:
    """Return the lists that were shown, with what each position earned, in the order of time."""
    shown = [Shown(one) for one in impressions if one.shown]
    shown.sort(key=lambda one: (one.impression.time, one.impression.seq))
    holding: dict[tuple[str, str], list[tuple[Shown, int]]] = defaultdict(list)
    for one in shown:
        for position, item in enumerate(one.impression.items):
            holding[one.impression.user_id, item].append((one, position))
    ordered = sorted(events, key=lambda event: (event.time, event.seq))
    for event in ordered:
        worth = worth_of(event.kind, rules.rewards)
        if not worth or event.undone is not None:
            continue
        for one, position in reversed(holding.get((event.user_id, event.item_id), ())):
            if one.impression.time > event.time:
                continue
            late = event.time - one.impression.time > rules.window
            if not late and (position, event.kind) not in one.counted:
                one.counted.add((position, event.kind))
                one.rewards[position] += worth
            break
    return shown


def worth_of(kind: str, rewards: Mapping[str, float]) -> float:
    """Return what an event of a kind is worth."""
    if kind in rewards:
        return rewards[kind]
    return 0.0 if kind in AGAINST else rewards.get(ANY, 0.0)


def outcomes(experiment: Experiment, shown: Iterable[Shown]) -> list[Outcome]:
    """Return the users of an experiment in the order in which their outcomes are complete."""
    rules = experiment.rules
    by_user: dict[str, list[Shown]] = defaultdict(list)
    for one in shown:
        by_user[one.impression.user_id].append(one)
    found = []
    for user, lists in by_user.items():
        first = lists[0].impression.time
        until = first + rules.horizon
        counted = [one for one in lists if one.impression.time < until]
        reward = sum(_earned(experiment, one) for one in counted)
        complete = until + rules.window
        found.append(Outcome(user, lists[0].impression.arm, first, complete, reward))
    return sorted(found, key=lambda one: (one.complete, one.user_id))


def _earned(experiment: Experiment, shown: Shown) -> float:
    arms = shown.impression.item_arms
    if experiment.kind != "interleave" or arms is None:
        return sum(shown.rewards)
    second = experiment.arms[1].name
    pairs = zip(arms, shown.rewards, strict=True)
    return sum(reward if arm == second else -reward for arm, reward in pairs)
