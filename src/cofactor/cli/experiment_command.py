"""Experiments on a served folder of versions: start, look, stop, roll out.

`experiment start DIR --name N --arms v3:50,v4:50` gives half of the users each version, the same
user always the same one; the first arm is the control. `experiment status DIR` shows the results,
which may be looked at any day: intervals and p-values hold at all looks together. `experiment stop
DIR` ends it, `experiment roll-out DIR VERSION` ends it and promotes a version by the usual checks.
A running `cofactor serve DIR` notices within a quarter of a second."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cofactor.base.durations import SECONDS_OF, duration_text
from cofactor.base.errors import ArgumentError
from cofactor.cli import options as opt
from cofactor.cli.output import Output
from cofactor.cli.promote_command import service_store

if TYPE_CHECKING:
    from cofactor.service.experiments.experiment import Experiment, Experiments
    from cofactor.service.experiments.results import ArmComparison, Results

_ACTIONS = ("start", "status", "stop", "roll-out")


@dataclass(frozen=True)
class ExperimentOptions:
    """Start."""

    arms: Annotated[
        str | None,
        typer.Option(
            metavar="VERSION:PERCENT,...",
            help=(
                "The arms, the control first; v4~slots=0.1:50 also explores (slots=SHARE,"
                " softmax=TEMPERATURE or thompson; +new=SHARE for new items)."
            ),
        ),
    ] = None
    kind: Annotated[
        str,
        typer.Option(
            help="ab, interleave (lists of both arms) or shadow (the second arm isn't shown)."
        ),
    ] = "ab"
    rewards: Annotated[
        str,
        typer.Option(
            metavar="KIND=WORTH,...",
            help="What an event is worth; * is any other positive kind: click=1,purchase=5.",
        ),
    ] = "*=1"
    window: Annotated[
        str, typer.Option(help="How long after a list an event counts for it: 30m, 6h, 1d.")
    ] = "1d"
    horizon: Annotated[
        str, typer.Option(help="How long after their first list a user's lists count: 7d.")
    ] = "7d"


@dataclass(frozen=True)
class ExperimentChoice:
    """Which experiment."""

    name: Annotated[str | None, typer.Option(help="The experiment; by default the latest.")] = None
    store: Annotated[
        str | None,
        typer.Option(metavar="URL", help="The service's events; by default the file beside DIR."),
    ] = None
    force: Annotated[
        bool, typer.Option("--force", help="roll-out: skip the comparison, as promote does.")
    ] = False


def command(
    action: Annotated[str, typer.Argument(metavar="start|status|stop|roll-out")],
    folder: Annotated[
        str, typer.Argument(metavar="DIR", help="The folder of versions that is served.")
    ],
    plan: ExperimentOptions,
    which: ExperimentChoice,
    show: opt.ShowOptions,
    version: Annotated[
        str | None, typer.Argument(metavar="VERSION", help="roll-out: what to promote.")
    ] = None,
) -> None:
    """Start, show, stop or roll out."""
    from cofactor.service.experiments.experiment import Experiments
    from cofactor.service.versions.versions import Folder

    if action not in _ACTIONS:
        raise typer.BadParameter(
            f"the action must be one of {', '.join(_ACTIONS)}, not {action!r}."
        )
    if (version is not None) != (action == "roll-out"):
        needs = "needs a VERSION" if version is None else "takes no VERSION"
        raise typer.BadParameter(f"experiment {action} {needs}.")
    output, path = show.output(), Path(folder)
    experiments = Experiments(Folder(path))
    if action == "start":
        _start(output, experiments, which.name, plan)
    elif action == "status":
        _status(output, experiments.get(which.name), path, which.store)
        _mention_others(output, experiments, which.name)
    else:
        _end(output, experiments, which, version)


def _start(
    output: Output, experiments: Experiments, name: str | None, plan: ExperimentOptions
) -> None:
    import msgspec

    from cofactor.service.experiments.experiment import AttributionRules, parse_arms, parse_rewards

    if name is None or plan.arms is None:
        raise typer.BadParameter("experiment start needs --name and --arms.")
    rules = AttributionRules(
        rewards=parse_rewards(plan.rewards),
        window=seconds_of(plan.window, "window"),
        horizon=seconds_of(plan.horizon, "horizon"),
    )
    begun = experiments.start(name, plan.kind, parse_arms(plan.arms), rules)
    shares = ", ".join(f"{arm.name} {arm.share:.0%}" for arm in begun.arms)
    output.line(f"started {begun.name} ({begun.kind}): {shares}")
    output.emit(command="experiment", action="start", experiment=msgspec.to_builtins(begun))


def seconds_of(text: str, name: str) -> int:
    """Read a time such as ``30m``, ``6h`` or ``7d`` in seconds."""
    number, unit = text[:-1], text[-1:]
    if unit not in SECONDS_OF or not number.isdecimal() or int(number) < 1:
        raise ArgumentError(f"--{name} must be like 30m, 6h or 7d, not {text!r}.")
    return int(number) * SECONDS_OF[unit]


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


def _mention_others(output: Output, experiments: Experiments, name: str | None) -> None:
    """Say which experiments run besides the one that is shown."""
    shown = experiments.get(name).name
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


def _end(
    output: Output, experiments: Experiments, which: ExperimentChoice, version: str | None
) -> None:
    experiment = experiments.get(which.name)
    if version is not None:
        # Before the experiment ends: a promotion that is refused changes nothing.
        _promote(output, experiments, experiment, version, which)
    experiments.stop(experiment.name, version)
    ended = f"ended {experiment.name}"
    output.line(ended if version is None else f"{ended}; {version} answers everybody from now on")
    output.emit(
        command="experiment",
        action="stop" if version is None else "roll-out",
        name=experiment.name,
        version=version,
    )


def _promote(
    output: Output,
    experiments: Experiments,
    experiment: Experiment,
    version: str,
    which: ExperimentChoice,
) -> None:
    from cofactor.service.versions.promotion import promote

    if version not in {arm.version for arm in experiment.arms}:
        raise ArgumentError(f"VERSION must be an arm of {experiment.name}, not {version!r}.")
    folder = experiments.folder.path
    opened = service_store(folder, which.store)
    try:
        done = promote(folder, version, opened, force=which.force)
    finally:
        if opened is not None:
            opened.close()
    for check in done.checks:
        output.line(f"checked: {check}")
