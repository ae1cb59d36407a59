"""The whole tour: data, models side by side, recommendations with reasons, similar items, a saved
model.

It runs on MovieLens 100K where it is available locally (in COFACTOR_DATA or the cache), else on a
synthetic book shop, and says which."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from cofactor.cli import options as opt
from cofactor.cli.groups import option
from cofactor.cli.output import Output
from cofactor.cli.show import ranked_rows, reasoned_rows
from cofactor.cli.words import quoted

if TYPE_CHECKING:
    from cofactor.runs.demo import Demo


def command(
    compute: opt.SeededOptions,
    show: opt.ShowOptions,
    out: str = option(
        "demo-model", "The folder for the model; an existing model is replaced.", metavar="DIR"
    ),
    fetch: bool = option(False, "Download MovieLens 100K if it isn't available locally."),
    synthetic: bool = option(False, "Always use the synthetic book shop."),
) -> None:
    """Show the whole tour."""
    from cofactor.runs.demo import demo

    if fetch and synthetic:
        raise typer.BadParameter("give --fetch or --synthetic, not both.")
    output = show.output()
    done = demo(out, fetch=fetch, synthetic=synthetic, run=compute.run(output))
    _print(output, done)
    _print_next(output, done, out)
    output.emit(
        command="demo",
        origin=done.origin,
        comparison=done.compared.to_dict(),
        model=done.model.name,
        path=str(done.path),
        known=done.known.recommendations.to_dicts(),
        stranger=done.unseen.recommendations.to_dicts(),  # glossary: old name of a JSON field
        similar=done.similar[1].to_dicts(),
    )


def _print_next(output: Output, done: Demo, out: str) -> None:
    user = quoted(done.known.title.removeprefix("user "))
    output.line("Next:")
    name, out = _executable(), quoted(out)
    output.command(f"{name} recommend {out} --user {user} --explain")
    output.command(f"{name} similar {out} --title {quoted(done.similar[0])}")
    output.command(f"{name} inspect {out}")
    output.command(f"{name} serve {out}")
    output.line("    and open the address that it prints")
    output.command(f"{name} train YOUR.csv --model ials --out my-model")


def _print(output: Output, done: Demo) -> None:
    data = done.data
    output.heading("1. The data")
    output.line(
        f"{done.origin[0].upper()}{done.origin[1:]}: {data.n_users:,} users, {data.n_items:,}"
        f" items, {len(data):,} interactions."
    )
    output.heading("2. Models side by side")
    output.line(f"Held out: {done.compared.split.sentence}")
    compared = done.compared
    output.table(compared.rows(), best=compared.order.index(compared.best))
    output.line(
        "± is half of the 95 % interval (bootstrap over users); p: paired test against the best,"
        " corrected for the number of tests."
    )
    for number, example in ((3, done.known), (4, done.unseen)):
        output.heading(f"{number}. What {done.model.name} recommends to {example.title}")
        output.line("who liked: " + "; ".join(example.history))
        output.table(reasoned_rows(example.recommendations, example.reasons, 2))
    output.heading(f"5. Most like {done.similar[0]}")
    output.table(ranked_rows(done.similar[1]))
    output.heading("6. The model is saved")
    output.line(
        f"{done.path}: manifest, arrays, ids and titles in open formats; loading it can't run code."
    )


def _executable() -> str:
    """How this command is called from here: by its name where that is found, else by its path."""
    import shutil
    import sys
    from pathlib import Path

    if shutil.which("cofactor"):
        return "cofactor"
    beside = Path(sys.executable).with_name("cofactor")
    if not beside.exists():
        return f"{quoted(sys.executable)} -m cofactor"
    here = Path.cwd()
    return quoted(str(beside.relative_to(here) if beside.is_relative_to(here) else beside))
