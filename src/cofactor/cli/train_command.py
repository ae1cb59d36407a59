"""Train a model on a source, measure it on a held-out part, and save it.

Without --model, models and settings are tried for a minute; the one that is best on a validation
part, by the first of --metrics, is taken. The test part is looked at once, at the end. After that
measurement the model is fitted again on all of the data and saved (--no-refit saves the measured
one)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from cofactor.base.errors import ArgumentError
from cofactor.base.run import Run
from cofactor.cli import options as opt
from cofactor.cli.engine_options import TrainingWorkOptions
from cofactor.cli.groups import option
from cofactor.cli.output import Output, check_writable
from cofactor.cli.reading import ReadingOptions
from cofactor.cli.show import show_result
from cofactor.cli.words import in_options, quoted
from cofactor.runs.auto import AUTO, BUDGET
from cofactor.runs.train import Limits, Trained, train


@dataclass(frozen=True)
class TrainingOptions:
    """Training."""

    overwrite: bool = option(False, "Replace an existing model.", "--overwrite/--no-overwrite")
    refit: bool = option(True, "Fit the saved model on all of the data.")
    plot: str | None = option(
        None, "Draw the learning curves of a model that is trained in epochs.", metavar="FILE.html"
    )
    max_time: str | None = option(
        None, "Time limit for the epochs of each fit: 90s, 5m, 2h.", metavar="60s"
    )
    max_memory: str | None = option(
        None, "Refuse work that is known to need more: 500MB, 2GB.", metavar="2GB"
    )
    resume: bool = option(
        False, "Keep a checkpoint of each epoch beside DIR, and resume from it if there is one."
    )

    licence: str | None = option(
        None, "Terms of use of data and model, for the model card.", metavar="TEXT"
    )

    def check_plot(self) -> None:
        """Refuse a page that couldn't be written once the model is trained."""
        if self.plot is not None:
            check_writable(self.plot, "--plot")

    def limits(self) -> Limits:
        """Return what the runs take."""
        return Limits(max_time=opt.seconds(self.max_time), max_memory=opt.n_bytes(self.max_memory))


@dataclass(frozen=True)
class Training(TrainingOptions):
    """Training."""

    out: str = option(..., "The folder to save to.", metavar="DIR")


@dataclass(frozen=True)
class FirstTraining(TrainingOptions):
    """Training."""

    out: str | None = option(
        None,
        "The folder to save to; by default SOURCE-model in the working directory.",
        metavar="DIR",
    )
    budget: str | None = option(None, "Time for auto: 90s, 10m, 2h; by default 1m.", metavar="10m")

    def limits(self) -> Limits:
        """Return what the runs take."""
        budget = opt.seconds(self.budget, "budget")
        return replace(super().limits(), budget=budget or BUDGET)

    def check(self, model: str) -> None:
        """Refuse a budget where nothing is searched."""
        if self.budget is not None and model != AUTO:
            raise ArgumentError(
                f"--budget limits the search of {AUTO}, and {model} is named; leave it out, or give"
                " --max-time, a limit of a model's epochs."
            )


def command(
    source: opt.SourceArgument,
    model: opt.AnyModelOptions,
    training: FirstTraining,
    held_out: opt.SplitOptions,
    reading: ReadingOptions,
    work: TrainingWorkOptions,
    show: opt.ShowOptions,
) -> None:
    """Train, measure, save."""
    training.check(model.model)
    training.check_plot()
    output, kept = show.output(), work.keeping.prepare()
    with work.cluster.on(work.compute.run(output), *source) as run:
        done = train(
            opt.one_or_several(source),
            model.model,
            training.out,
            settings=model.settings(),
            metrics=opt.names(held_out.metrics),
            refit=training.refit,
            overwrite=training.overwrite,
            plot=training.plot,
            limits=training.limits(),
            resume=training.resume,
            reading=replace(reading.reading(), licence=training.licence),
            cutting=held_out.cutting(work.compute.seed),
            run=run,
        )
    # Kept before anything is said: the output may be a file on a full disk.
    sentences = kept.keep_trained(done) if work.keeping.wanted else []
    tell(output, done, training)
    _tell_of_threads(output, done, work.compute)
    output.line(*sentences)
    output.emit(command="train", **facts(done))


def tell(output: Output, done: Trained, training: Training | FirstTraining) -> None:
    """Say what a training gave."""
    data = done.model.data
    output.line(
        f"{done.model.name} on {data.source}: {data.n_users:,} users, {data.n_items:,} items,"
        f" {len(data):,} interactions"
    )
    output.line(*(f"  {in_options(note)}" for note in (*data.notes, *done.model.notes)))
    if done.chosen is not None:
        output.line(in_options(done.chosen.sentence))
        # The sentence names the families that weren't tried.
        rows = [row for row in done.chosen.rows if row["tried"]]
        names = {"value": "validation"}
        output.table([{names.get(n, n): cell for n, cell in row.items()} for row in rows])
    if done.result is not None and done.split is not None:
        output.line(f"Held out: {done.split.sentence}")
        show_result(output, done.result, done.baselines)
    what = "all of the data" if done.refitted or done.result is None else "the training part"
    output.line(f"Saved to {done.path} (fitted on {what} in {done.seconds:.1f} s).")
    if training.plot is not None:
        output.line(f"Curves: {training.plot}")
    folder, user = training.out or done.path.name, str(data.users.ids([0])[0])
    output.line("Next:")
    if folder.startswith("-"):  # it would be read as an option
        folder = f"./{folder}"
    output.command(f"cofactor recommend {quoted(folder)} --user {quoted(user)}")


def _tell_of_threads(output: Output, done: Trained, compute: opt.ThreadOptions) -> None:
    """Say so where the same seed gives other figures the next time."""
    if done.model.traits.same_on_any_threads or Run(threads=compute.threads).n_threads == 1:
        return
    output.line(
        f"On several threads {done.model.name} gives slightly different figures each time;"
        " --threads 1 repeats them."
    )


def facts(done: Trained) -> dict[str, Any]:
    """Return what a training gave, for machines."""
    data = done.model.data
    return {
        "model": done.model.name,
        "config": done.model.config.to_dict(),
        "path": str(done.path),
        "n_users": data.n_users,
        "n_items": data.n_items,
        "n_interactions": len(data),
        "notes": list(data.notes),
        "result": None if done.result is None else done.result.to_dict(),
        "baselines": None if done.baselines is None else done.baselines.to_dict(),
        "chosen": None if done.chosen is None else done.chosen.to_dict(),
        "refitted": done.refitted,
        "fit_seconds": done.seconds,
    }
