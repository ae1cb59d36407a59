"""List the models; with a name, show its settings."""

from __future__ import annotations

from typing import Annotated

import typer

from cofactor.cli import options as opt
from cofactor.cli.output import Output


def command(
    model: Annotated[
        str | None, typer.Argument(metavar="NAME", help="A model, for its settings.")
    ] = None,
    json: opt.Json = False,
) -> None:
    """List models or settings."""
    from cofactor.models import registry

    output = Output(json)
    if model is None:
        rows = [
            {"model": n, "family": e.family, "what it is": e.summary}
            for n, e in registry.MODELS.items()
        ]
        output.table(rows)
        output.line(
            "`cofactor models NAME` shows a model's settings; give them to train as --set"
            " NAME=VALUE."
        )
        output.emit(command="models", models=rows)
        return
    _print_settings(output, model)


def _print_settings(output: Output, model: str) -> None:
    from cofactor.models import registry

    kind = registry.get(model)
    defaults = kind.Config.defaults()
    settings = [
        {
            "setting": name,
            "group": group,
            "default": str(defaults[name]),
            "range": spec.allowed,
            "meaning": spec.doc,
        }
        for group, names in kind.Config.groups().items()
        for name, spec in kind.Config.settings().items()
        if name in names
    ]
    output.line(f"{model}: {registry.MODELS[model].summary}")
    for group in kind.Config.groups():
        output.line(f"Settings of the {group}:")
        output.table(
            [{k: v for k, v in s.items() if k != "group"} for s in settings if s["group"] == group]
        )
    output.emit(command="models", model=model, settings=settings, traits=vars(kind.traits))
