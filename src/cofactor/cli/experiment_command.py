"""Experiments on a served folder of versions: start, look, stop, roll out.

A running `cofactor serve DIR` notices within a quarter of a second. `cofactor experiment ACTION
--help` shows the options of an action; every action takes --json."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cofactor.base.durations import duration_text
from cofactor.base.errors import ArgumentError
from cofactor.cli import options as opt
from cofactor.cli.groups import option
from cofactor.cli.output import Output
from cofactor.cli.promote_command import promoted, service_store

if TYPE_CHECKING:
    from cofactor.service.experiments.experiment import Experiment, Experiments
    from cofactor.service.experiments.results import ArmComparison, Results

Served = Annotated[
    str, typer.Argument(metavar="DIR", help="The folder of versions that is served.")
]
Name = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="The experiment; by default the latest that runs."),
]
StoreUrl = Annotated[
    str | None,
    typer.Option(metavar="URL", help="The service's events; by default the file beside DIR."),
]


@dataclass(frozen=True)
class StartOptions:
    """Experiment."""

    name: str = option(..., "A name of your choice.", metavar="NAME")
    arms: str = option(
        ...,
        "The arms, the control first; v4~slots=0.1:50 also explores (slots=SHARE,"
        " softmax=TEMPERATURE or thompson; +new=SHARE for new items).",
        metavar="VERSION:PERCENT,...",
    )
    kind: str = option(
        "ab",
        "A version for each user (ab), lists mixed of two (interleave), or a second version whose"
        " lists nobody sees (shadow).",
        metavar="ab|interleave|shadow",
    )
    rewards: str = option(
        "*=1",
        "What an event is worth; * is any other positive kind: click=1,purchase=5.",
        metavar="KIND=WORTH,...",
    )
    window: str = option(
        "1d", "How long after a list an event counts for it: 30m, 6h, 1d.", metavar="1d"
    )
    horizon: str = option(
        "7d", "How long after a user's first list further ones count: 7d.", metavar="7d"
    )


def start(folder: Served, plan: StartOptions, show: opt.ShowOptions) -> None:
    """Divide the users among versions; each user stays with one of them.

    The first arm is the control."""
    import msgspec

    from cofactor.service.experiments.experiment import AttributionRules, parse_arms, parse_rewards

    rules = AttributionRules(
        rewards=parse_rewards(plan.rewards),
        window=opt.duration(plan.window, "window"),
        horizon=opt.duration(plan.horizon, "horizon"),
    )
    begun = _experiments(folder).start(plan.name, plan.kind, parse_arms(plan.arms), rules)
    shares = ", ".join(f"{arm.name} {arm.share:.0%}" for arm in begun.arms)
    output = show.output()
    output.line(f"started {begun.name} ({begun.kind}): {shares}")
    output.emit(command="experiment", action="start", experiment=msgspec.to_builtins(begun))


def status(
    folder: Served, show: opt.ShowOptions, name: Name = None, store: StoreUrl = None
) -> None:
    """Show the results, which are valid whenever you look.

    Looking often doesn't make intervals and p-values less reliable."""
    output, experiments = show.output(), _experiments(folder)
    shown = experiments.get(name)
    _status(output, shown, Path(folder), store)
    _mention_others(output, experiments, shown.name)


def stop(folder: Served, show: opt.ShowOptions, name: Name = None) -> None:
    """End the experiment; the current version answers everybody."""
    experiments = _experiments(folder)
    ended = experiments.get(name).name
    experiments.stop(ended, None)
    _print_ended(show.output(), "stop", ended, None)


def roll_out(
    folder: Served,
    version: Annotated[str, typer.Argument(metavar="VERSION", help="The arm to promote.")],
    show: opt.ShowOptions,
    name: Name = None,
    store: StoreUrl = None,
    force: bool = option(False, "Skip checks, as in promote."),
) -> None:
    """End the experiment and promote a version by the usual checks."""
    experiments = _experiments(folder)
    experiment = experiments.get(name)
    if version not in {arm.version for arm in experiment.arms}:
        raise ArgumentError(f"VERSION must be an arm of {experiment.name}, not {version!r}.")
    output = show.output()
    # Before the experiment ends: a promotion that is refused changes nothing.
    for check in promoted(experiments.folder.path, version, store, force=force).checks:
        output.line(f"checked: {check}")
    experiments.stop(experiment.name, version)
    _print_ended(output, "roll-out", experiment.name, version)


def _experiments(folder: str) -> Experiments:
    from cofactor.service.experiments.experiment import Experiments
    from cofactor.service.versions.versions import Folder

    return Experiments(Folder(Path(folder)))


def _status(output: Output, experiment: Experiment, folder: Path, url: str | None) -> None:
    import time

    import msgspec

    from cofactor.service.experiments.results import results

    store = service_store(folder, url)
    if store is None:
        raise ArgumentError(f"there is no event store beside {folder}; name it with --store URL.")
    with store:
        found = results(experiment, store, int(time.time()))
    _show(output, found)
    output.emit(command="experiment", action="status", **msgspec.to_builtins(found))


def _mention_others(output: Output, experiments: Experiments, shown: str) -> None:
    """Say which experiments run besides the one that is shown."""
    for one in experiments.running():
        if one.name != shown:
            output.line(f"{one.name} ({one.kind}) is running too: --name {one.name}")


def _show(output: Output, found: Results) -> None:
    state = "running" if found.ended is None else "ended"
    worth = ", ".join(
        f"{'any other' if kind == '*' and len(found.rules.rewards) > 1 else kind} counts {value:g}"
        for kind, value in found.rules.rewards.items()
    )
    output.line(
        f"{found.name} ({found.kind}), {state}; {worth.replace('* counts', 'any event counts')}"
        f" within {duration_text(found.rules.window)} of a list, for the lists of a user's first"
        f" {duration_text(found.rules.horizon)}"
    )
    shown = ("arm", "users", "complete", "lists", "mean", "low", "high", "p99_ms", "fallback_share")
    output.table([{name: getattr(arm, name) for name in shown} for arm in found.arms])
    for one in found.comparisons:
        output.line(_sentence(one))
    if found.overlap is not None:
        output.line(f"{found.overlap:.1%} of a shown list is in the shadow's list too")
    for rail in found.guardrails:
        if rail.breached:
            output.line(
                f"guardrail breached: {rail.metric} of {rail.arm} is {rail.value:g}, of the control"
                f" {rail.control:g} (limit {rail.limit:g})"
            )


def _sentence(one: ArmComparison) -> str:
    if one.verdict == "too_early":
        return f"{one.arm} against {one.control}: too early, fewer than 100 complete users an arm"
    return (
        f"{one.arm} against {one.control}: {one.verdict}; difference {one.difference:+.4f}"
        f" ({one.low:+.4f} to {one.high:+.4f}), p = {one.p:.3g}, {one.users:,} users; valid however"
        " often it is looked at"
    )


def _print_ended(output: Output, action: str, name: str, version: str | None) -> None:
    more = "" if version is None else f"; {version} answers everybody from now on"
    output.line(f"ended {name}{more}")
    output.emit(command="experiment", action=action, name=name, version=version)


ACTIONS = {
    "start": (start, "models --name new-model --arms v3:50,v4:50"),
    "status": (status, "models"),
    "stop": (stop, "models --name new-model"),
    "roll-out": (roll_out, "models v4"),
}
