"""Show what a saved model is: settings, data, measurements, model card.

Its arrays aren't loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cofactor.cli import options as opt
from cofactor.cli.groups import option
from cofactor.cli.output import Output
from cofactor.cli.words import in_options

if TYPE_CHECKING:
    from cofactor.artifact.format import Manifest


def command(
    model: opt.ModelFolder,
    show: opt.ShowOptions,
    card: bool = option(False, "Print the model card alone, as Markdown."),
) -> None:
    """Read the manifest."""
    import msgspec

    from cofactor.artifact.card import card_of
    from cofactor.artifact.load import inspect

    output = show.output()
    facts = inspect(model)
    known = card_of(facts)
    if card:
        output.line(known.to_markdown())
        output.emit(command="inspect", card=known.to_dict())
        return
    output.line(
        f"{facts.model}, saved {facts.created} by Cofactor {facts.versions.get('cofactor', '?')}"
        f" (format {facts.format})"
    )
    data = facts.data
    output.line(
        f"fitted on {data.source}: {data.n_users:,} users, {data.n_items:,} items,"
        f" {data.n_interactions:,} interactions"
    )
    notes = facts.run.get("notes", [])
    for note in (*data.notes, *(notes if isinstance(notes, list) else [])):
        output.line(f"  {in_options(note)}")
    output.line(f"licence: {known.licence}")
    for limit in known.limits:
        output.line(f"  {limit}")
    _print_measures(output, facts)
    _print_files(output, facts)
    output.emit(command="inspect", card=known.to_dict(), **msgspec.to_builtins(facts))


def _print_measures(output: Output, facts: Manifest) -> None:
    chosen = facts.run.get("chosen")
    if isinstance(chosen, dict):
        output.line(in_options(str(chosen.get("sentence", ""))))
    output.table([{"setting": name, "value": str(value)} for name, value in facts.config.items()])
    metrics = facts.metrics.get("metrics", facts.metrics)
    if metrics:
        output.line(f"Measured: {facts.data.split or 'as its maker says'}")
        output.table(
            [
                {"metric": name, "value": _value(value)}
                for name, value in metrics.items()
                if _value(value) is not None
            ]
        )
    baselines = facts.metrics.get("baselines")
    said = baselines.get("sentences", []) if isinstance(baselines, dict) else []
    output.line(*map(str, said if isinstance(said, list) else []))


def _print_files(output: Output, facts: Manifest) -> None:
    output.table(
        [
            {"array": name, "dtype": dtype, "shape": " × ".join(map(str, shape))}
            for name, (dtype, shape) in facts.arrays.items()
        ]
    )
    output.table(
        [
            {"file": name, "bytes": one.bytes, "sha256 begins": one.sha256[:16]}
            for name, one in facts.files.items()
        ]
    )


def _value(fact: object) -> float | None:
    if isinstance(fact, dict):
        fact = fact.get("value")
    return float(fact) if isinstance(fact, (int, float)) else None
