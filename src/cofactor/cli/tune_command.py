"""Search a model's settings on a validation part; the test part is used once, at the end.

The default settings are the first trial. With --out the study is kept in a file; the same command
continues it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cofactor.base.errors import ArgumentError
from cofactor.base.search import Search, parse_search
from cofactor.cli import options as opt
from cofactor.cli.engine_options import WorkOptions
from cofactor.cli.groups import option
from cofactor.cli.output import Output
from cofactor.cli.reading import ReadingOptions

if TYPE_CHECKING:
    from cofactor.runs.tuned import Tuned

INTERRUPTED = "interrupted; with --out, the finished trials are kept: the same command goes on."


@dataclass(frozen=True)
class SearchOptions:
    """Search."""

    trials: int = option(50, "How many settings are tried, including those in --out.")
    budget: str | None = option(None, "Time for the search: 90s, 10m, 2h.", metavar="10m")
    metric: str | None = option(
        None, "The metric to optimise; by default ndcg@10, or rmse for ratings.", metavar="NAME"
    )
    seeds: int = option(1, "Fits in each trial, each with another seed.")
    search: list[str] | None = option(
        None,
        "A setting's search space: factors=log:16..256, dropout=0..0.5, solver=cg,cholesky.",
        metavar="NAME=RANGE",
    )
    out: str | None = option(
        None, "The file of the study; one that exists is continued.", metavar="STUDY.db"
    )

    def space(self) -> dict[str, Search]:
        """Return what is searched beside what the model declares."""
        found: dict[str, Search] = {}
        for word in self.search or []:
            name, equals, text = word.partition("=")
            if not equals:
                raise ArgumentError(f"--search must be written NAME=RANGE, not {word!r}.")
            setting = name.strip().replace("-", "_")
            if setting in found:
                raise ArgumentError(f"--search gives {setting} twice; {word!r} comes second.")
            try:
                found[setting] = parse_search(text)
            except ArgumentError as error:
                raise ArgumentError(f"--search {word}: {error}") from None
        return found


@dataclass(frozen=True)
class SearchedOn(opt.HeldOutOptions):
    """Held-out data."""

    test: float = option(0.2, "The share held out for the test (leave-last: how many).")
    validation: float = option(0.1, "The share held out for the search (leave-last: one).")


def command(
    source: opt.SourceArgument,
    model: opt.ModelOptions,
    search: SearchOptions,
    held_out: SearchedOn,
    reading: ReadingOptions,
    work: WorkOptions,
    show: opt.ShowOptions,
) -> None:
    """Tune."""
    from cofactor.runs.tune import tune

    output, kept = show.output(), work.keeping.prepare()
    with work.cluster.on(work.compute.run(output), *source) as run:
        done = tune(
            opt.one_or_several(source),
            model.model,
            settings=model.settings(),
            search=search.space(),
            metric=search.metric,
            trials=search.trials,
            budget=opt.seconds(search.budget, "budget"),
            seeds=search.seeds,
            out=search.out,
            reading=reading.reading(),
            cutting=held_out.cutting(work.compute.seed),
            run=run,
        )
    sentences = kept.keep_compared("tune", done.compared, _found(done))
    _print(output, done)
    output.line(*sentences)
    command_line = done.command(source, _given(reading))
    output.line(f"Next: {command_line}")
    output.emit(command="tune", **done.to_dict(), next=command_line)


def _print(output: Output, done: Tuned) -> None:
    data, counts = done.compared.data, done.counts
    output.line(
        f"{done.model} on {data.source}: {data.n_users:,} users, {data.n_items:,} items; "
        + ", ".join(f"{n} trials {state}" for state, n in counts.items() if n)
        + f" in {done.seconds:.0f} s"
    )
    output.line(f"Held out: {done.split.sentence}")
    output.heading("Settings")
    output.table(done.rows())
    output.heading(f"Best so far, {done.metric} on validation")
    output.table(_curve(done))
    output.heading("On the test part")
    output.table(done.compared.rows())
    output.line("")
    output.line(*done.sentences())
    for label, why in done.compared.failures.items():
        output.line(f"{label} failed: {why}")


def _curve(done: Any) -> list[dict[str, Any]]:
    return [{"trial": str(trial), "value": value} for trial, value in done.curve]


def _found(done: Any) -> dict[str, Any]:
    """What a kept run says of the search."""
    facts = done.to_dict()
    return {name: facts[name] for name in ("settings", "validation", "curve", "importances")}


def _given(reading: ReadingOptions) -> list[str]:
    """The words of the reading options that aren't the defaults, for the next command."""
    usual, words = ReadingOptions(), []
    for name, value in vars(reading).items():
        if value == getattr(usual, name):
            continue
        option = f"--{name.replace('_', '-')}"
        if isinstance(value, bool):
            words.append(option if value else option.replace("--", "--no-", 1))
        else:
            words += [option, str(value)]
    return words
