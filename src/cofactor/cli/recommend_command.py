"""Recommend items to a user, to a history of items (an unseen user), or to all users into a
file.
"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cofactor.cli import options as opt
from cofactor.cli.ids import history_of, listed_ids
from cofactor.cli.output import Output
from cofactor.cli.show import reasoned_rows
from cofactor.models.answers import Explanation, RankedTable


def command(
    model: opt.ModelFolder,
    user: Annotated[
        str | None, typer.Option(metavar="ID", help="A user that the model was trained on.")
    ] = None,
    history: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ID,ID,...",
            help=(
                "Item ids, oldest first, of somebody unseen; ID:VALUE gives ratings; may repeat,"
                " for ids that hold commas."
            ),
        ),
    ] = None,
    all_users: Annotated[
        bool, typer.Option("--all-users", help="All users, into the file --out.")
    ] = False,
    out: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="With --all-users: a .parquet, .csv or .jsonl file."),
    ] = None,
    items: Annotated[
        str | None,
        typer.Option(
            "--items",
            metavar="FILE",
            help="New items that nobody has had yet: ids and the catalogue's columns.",
        ),
    ] = None,
    k: opt.K = 10,
    where: Annotated[
        str | None,
        typer.Option(
            metavar="EXPRESSION",
            help="Only items for which it holds: \"genres has 'Comedy' and year >= 1990\".",
        ),
    ] = None,
    block: Annotated[
        list[str] | None,
        typer.Option(metavar="ID,ID,...", help="Items that must not come back; may repeat."),
    ] = None,
    keep_seen: Annotated[
        bool, typer.Option("--keep-seen", help="Recommend items again that the user had.")
    ] = False,
    explain: Annotated[
        bool,
        typer.Option(
            "--explain", help="Which past items carried each recommendation (linear models)."
        ),
    ] = False,
    threads: opt.Threads = 0,
    json: opt.Json = False,
    quiet: opt.Quiet = False,
) -> None:
    """Recommend."""
    from cofactor.artifact.load import load
    from cofactor.retrieval.filters import Filters
    from cofactor.runs.recommend import recommend_all

    if sum([user is not None, bool(history), all_users]) != 1:
        raise typer.BadParameter("give one of --user, --history and --all-users.")
    output = Output(json, quiet)
    run = opt.run_of(output, threads=threads)
    loaded = load(model)
    if items is not None:
        before = loaded.data.n_items
        loaded = loaded.with_items(items, known="skip")
        output.line(f"{loaded.data.n_items - before:,} new items")
    blocked, strange = listed_ids(block or [], loaded.data.items)
    if strange:
        output.progress.say(f"--block: unknown items {', '.join(map(repr, strange[:5]))}")
    filters = Filters(block=blocked, where=where) if where or blocked else None
    if all_users:
        if out is None:
            raise typer.BadParameter("--all-users needs --out FILE.")
        path, count = recommend_all(loaded, out, k, filters=filters, run=run)
        output.line(f"{count:,} recommendations for {loaded.data.n_users:,} users in {path}")
        output.emit(command="recommend", path=str(path), lines=count)
        return
    past: Any = history_of(history, loaded.data.items) if history else None
    table = loaded.recommend(
        user, k, history=past, exclude_seen=not keep_seen, filters=filters, run=run
    )
    reasons = [loaded.explain(user, item, history=past) for item in table.ids] if explain else []
    _show(output, loaded.name, table, reasons)


def _show(output: Output, name: str, table: RankedTable, reasons: list[Explanation]) -> None:
    """One person's list, with the reasons where they were asked for."""
    output.table(reasoned_rows(table, reasons, 3))
    if table.cold_share:
        output.line(f"{table.cold_share:.0%} of them are items that nobody has had yet.")
    if not len(table):
        output.line("Nothing is left to recommend: every item is seen, blocked or filtered away.")
    output.emit(
        command="recommend",
        model=name,
        recommendations=table.to_dicts(),
        cold_share=table.cold_share,
        reasons=_reasons(reasons),
    )


def _reasons(explanations: list[Explanation]) -> list[dict[str, Any]]:
    return [
        {
            "item_id": one.item,
            "score": one.score,
            "rest": one.rest,
            "reasons": [vars(reason) for reason in one.reasons[:10]],
            "features": [vars(reason) for reason in one.features[:10]],
        }
        for one in explanations
    ]
