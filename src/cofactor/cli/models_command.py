"""List the models there are; with a name, its settings."""

from __future__ import annotations

from typing import Annotated

import typer

from cofactor.cli import options as opt
from cofactor.cli.output import Output


def command(
    model: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="A model, for its settings.")
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
    kind = registry.get(model)
    defaults = kind.Config.defaults()
    settings = [
        {"setting": n, "default": str(defaults[n]), "range": _range(s), "meaning": s.doc}
        for n, s in kind.Config.settings().items()
    ]
    output.line(f"{model}: {registry.MODELS[model].summary}")
    output.table(settings)
    output.emit(command="models", model=model, settings=settings, traits=vars(kind.traits))


def _range(spec: object) -> str:
    choices = getattr(spec, "choices", None)
    if choices:
        return ", ".join(choices)
    words = (("low", "≥"), ("above", ">"), ("high", "≤"), ("below", "<"))
    return " ".join(
        f"{sign} {getattr(spec, n):g}" for n, sign in words if getattr(spec, n, None) is not None
    )
