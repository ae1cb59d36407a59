"""Off-policy evaluation: what a model that was never online would have earned, from lists that were
shown with known probabilities.

LOGS is the event store of a service that explored (`serve --explore`), or a table with a row per
item and position: request_id, user_id, position, item_id, probability, reward. Estimates: IPS,
clipped, self-normalised (SNIPS), doubly robust (DR). If the lists support no
estimate, it says so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

from cofactor.cli import options as opt
from cofactor.cli.groups import option
from cofactor.data.readers.sources import is_url
from cofactor.runs.logged_lists import LoggedLists
from cofactor.runs.ope import Evaluated, OpeSettings, ope


@dataclass(frozen=True)
class EvaluatedPolicy:
    """Policy."""

    policy: str = option(
        ..., "The saved model; trained before the lists were shown.", metavar="DIR"
    )
    explore: str | None = option(None, "How it would draw its lists, as for serve.", metavar="HOW")
    positions: int | None = option(
        None, "How many positions of a list count; with fewer, importance weights vary less."
    )
    clip: float = option(10.0, "The greatest weight of the clipped estimate.")


@dataclass(frozen=True)
class AttributionOptions:
    """Outcomes, of an event store."""

    rewards: str | None = option(
        None, "What an event is worth, as for experiment: *=1.", metavar="KIND=WORTH,..."
    )
    window: str | None = option(
        None,
        "How long after a list an event counts for it: 30m, 6h; by default 1d.",
        metavar="1d",
    )
    experiment: str | None = option(None, "Only the lists of one experiment.", metavar="NAME")
    arm: str | None = option(None, "Only the lists of one arm.", metavar="VERSION")

    def refuse(self, logs: str) -> None:
        """Refuse what is given, beside a table: its lists have their rewards."""
        name = next((name for name, value in vars(self).items() if value is not None), None)
        if name is not None:
            raise typer.BadParameter(
                f"--{name} is for an event store, and {logs} is a table with rewards; leave it out."
            )


def command(
    logs: Annotated[str, typer.Argument(metavar="LOGS", help="An event store's URL, or a table.")],
    policy: EvaluatedPolicy,
    attribution: AttributionOptions,
    show: opt.ShowOptions,
) -> None:
    """Estimate and print."""
    output = show.output()
    settings = OpeSettings(explore=policy.explore, positions=policy.positions, clip=policy.clip)
    if not is_url(logs):
        attribution.refuse(logs)
    found = ope(stored_lists(logs, attribution) if is_url(logs) else logs, policy.policy, settings)
    output.table(_rows(found))
    output.line(
        f"{found.n_lists:,} lists of {found.n_users:,} users, {found.positions} positions;"
        f" effective sample {found.effective[0]:,.0f} at the first position,"
        f" {found.effective[-1]:,.0f} at the last; mean weight {found.mean_weights[-1]:.3f} there"
        " (1 under full support)"
    )
    output.emit(
        command="ope",
        estimates=_rows(found),
        lists=found.n_lists,
        users=found.n_users,
        positions=found.positions,
        effective=found.effective,
        mean_weights=found.mean_weights,
    )


def _rows(found: Evaluated) -> list[dict[str, object]]:
    return [
        {"estimate": one.method, "reward a list": one.value, "low": one.low, "high": one.high}
        for one in (found.logged, *found.estimates)
    ]


def stored_lists(url: str, attribution: AttributionOptions) -> LoggedLists:
    """Return the lists that a service logged, with what they earned by the rules of attribution."""
    from cofactor.data.event_kinds import AGAINST
    from cofactor.service.experiments.attribution import attribute
    from cofactor.service.experiments.experiment import AttributionRules, parse_rewards
    from cofactor.store import open_store

    rules = AttributionRules(
        rewards=parse_rewards(attribution.rewards or "*=1"),
        window=opt.duration(attribution.window or "1d", "window"),
    )
    with open_store(url, read_only=True) as store:
        lists = [
            one
            for one in store.impressions(experiment=attribution.experiment)
            # Interleaved lists hold another model's items too.
            if one.item_arms is None and attribution.arm in (None, one.arm)
        ]
        by_user = {user: store.user_events(user) for user in {one.user_id for one in lists}}
        source = store.database.shown
    shown = attribute(lists, [event for events in by_user.values() for event in events], rules)
    return LoggedLists(
        users=[one.impression.user_id for one in shown],
        items=[one.impression.items for one in shown],
        probabilities=[one.impression.probabilities for one in shown],
        rewards=[one.rewards for one in shown],
        histories=[
            [
                event.item_id
                for event in by_user[one.impression.user_id]
                if event.undone is None
                and event.kind not in AGAINST
                and event.time < one.impression.time
            ]
            for one in shown
        ],
        source=source,
    )
