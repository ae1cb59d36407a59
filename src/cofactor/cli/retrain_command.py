"""Train a saved model again on its own training data and on new events.

A saved model holds its training data, catalogue and settings, and how its sources were read; what
it was trained on already is left out. Without a SOURCE, new events come from the event stores that
it was trained on, or else from the one that `cofactor serve` keeps beside the folder."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from cofactor.base.errors import ArgumentError
from cofactor.cli import options as opt
from cofactor.cli.groups import option
from cofactor.cli.ids import listed_ids
from cofactor.cli.output import Output
from cofactor.cli.reading import ReadingOptions
from cofactor.cli.train_command import Training, facts, tell
from cofactor.runs.retrain import Changes, Retrained, retrain


@dataclass(frozen=True)
class Start:
    """Training data."""

    folder: Annotated[
        str,
        typer.Argument(
            metavar="DIR",
            help="A saved model, or a folder of versions (then the one that answers).",
        ),
    ]
    source: Annotated[
        list[str] | None,
        typer.Argument(metavar="SOURCE", help="New events, as for train."),
    ] = None
    forget: list[str] | None = option(
        None,
        "Users whose interactions in the old training data are left out; may be repeated.",
        metavar="ID,...",
    )

    def model(self) -> Path:
        """Return the folder of the saved model.

        Where nothing says which version answers, the latest does: it is written down, or else the
        new one would answer without a promotion.
        """
        from cofactor.service.versions.versions import Folder

        folder = Folder(Path(self.folder))
        version = folder.current()
        if not folder.single:
            folder.promote(version)
        return folder.folder(version)

    def known_stores(self, model: Path) -> list[str]:
        """Return the stores that the model was trained on."""
        from cofactor.artifact.load import inspect
        from cofactor.runs.data_origin import origin_of

        return list(origin_of(inspect(model)).reading.stores)

    def forgotten(self, model: Path, output: Output) -> list[str]:
        """Return the users to forget; says which of them the model doesn't know."""
        if not self.forget:
            return []
        from cofactor.artifact.load import load

        known = load(model, mapped=True).data.users
        found, strange = listed_ids(self.forget, known)
        if not found and not strange:
            raise ArgumentError("--forget holds no user id.")
        if strange:
            output.line(
                f"--forget: {len(strange):,} of {len(strange) + len(found):,} ids forget nobody:"
                f" {known.unknown(strange, 'user')}"
            )
        output.also["unknown_forgotten"] = strange
        return found

    def sources(self, model: Path) -> list[str]:
        """Return where the new events are; empty for the stores that the model knows."""
        if self.source:
            return self.source
        if self.known_stores(model):
            return []
        from cofactor.store.beside import events_of

        stores = map(events_of, (model, model.parent))
        return [f"sqlite:///{store}" for store in stores if store.is_file()][:1]


@dataclass(frozen=True)
class Compute(opt.ThreadOptions):
    """Computation."""

    device: opt.Device = "auto"


@dataclass(frozen=True)
class Draws:
    """Computation."""

    seed: int | None = option(None, "Seed of all random numbers; by default the model's.")


def command(
    context: typer.Context,
    start: Start,
    training: Training,
    held_out: opt.SplitOptions,
    reading: ReadingOptions,
    compute: Compute,
    draws: Draws,
    show: opt.ShowOptions,
) -> None:
    """Join, train, measure, save."""
    output = show.output()
    training.check_plot()
    model = start.model()
    sources = start.sources(model)
    done = retrain(
        model,
        sources,
        training.out,
        Changes(
            reading=replace(reading.reading(), licence=training.licence),
            cutting=held_out.cutting(draws.seed or 0),
            named=_given(context),
            seed=draws.seed,
            forget=start.forgotten(model, output),
            shown=_shown(sources or start.known_stores(model)),
            metrics=opt.names(held_out.metrics),
            refit=training.refit,
            overwrite=training.overwrite,
            plot=training.plot,
            resume=training.resume,
            limits=training.limits(),
        ),
        compute.run(output),
    )
    _print(output, model, done, training)


def _given(context: typer.Context) -> set[str]:
    """Return the options that stand on the command line, by what the runs call them: `--core 0` is
    no core, also of a model that was trained with one.
    """
    sources = {name: context.get_parameter_source(name) for name in context.params}
    given = {name for name, source in sources.items() if source and source.name == "COMMANDLINE"}
    return {"how" if name == "split" else name for name in given}


def _print(output: Output, model: Path, done: Retrained, training: Training) -> None:
    output.table(_rows(done, "already known"))
    for what, (known, new) in (("users", done.users), ("items", done.items)):
        output.line(f"{what}: {known:,} known to the old model, {new:,} new")
    tell(output, done.trained, training)
    output.line(_comparison(done.trained.against))
    output.emit(
        command="retrain",
        old=str(model),
        shares=_rows(done),
        users=dict(zip(("known", "new"), done.users, strict=True)),
        items=dict(zip(("known", "new"), done.items, strict=True)),
        against=done.trained.against,
        **facts(done.trained),
    )


def _comparison(found: dict[str, Any] | None) -> str:
    """What old and new model were compared on, in a sentence."""
    if found is None:
        return (
            "not compared with the old model: no new event is left to compare on. The old model"
            " knows all of them, or they come from users without a history, or follow lists that"
            " the service had shown."
        )
    return (
        f"compared on the latest {found['held_out']:,} of {found['fresh']:,} new events, which"
        f" neither model was fitted on: of {found['n']:,} users the new model found an item for"
        f" {found['new']:,} among its twenty best, the old one for {found['old']:,}"
    )


def _shown(sources: list[str]) -> tuple[list[str], list[str]]:
    """What the services of some event stores had shown to whom, pair by pair."""
    from cofactor.data.readers.sources import is_url
    from cofactor.store import StoreError, open_store

    users, items = [], []
    for url in filter(is_url, sources):
        try:
            with open_store(url.partition("?")[0], read_only=True) as store:
                lists = store.impressions() if store.counts().impressions else ()
                pairs = [(one.user_id, item) for one in lists if one.shown for item in one.items]
        except (StoreError, ArgumentError):  # another database: it holds no impressions
            continue
        users += [user for user, _ in pairs]
        items += [item for _, item in pairs]
    return users, items


def _rows(done: Retrained, known: str = "known") -> list[dict[str, object]]:
    return [{"from": one.source, "events": one.events, known: one.known} for one in done.shares]
