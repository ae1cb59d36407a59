"""Recommend items to users, to an unseen user by a history, or to all users into a file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from cofactor.base.errors import ArgumentError
from cofactor.cli import options as opt
from cofactor.cli.engine_options import EngineOptions
from cofactor.cli.groups import option
from cofactor.cli.ids import history_of, known_users, lines_of, listed_ids
from cofactor.cli.output import Output
from cofactor.cli.show import reasoned_rows
from cofactor.models.answering.answers import Explanation, RankedTable

if TYPE_CHECKING:
    from cofactor.models.recommender import Recommender
    from cofactor.retrieval.filters import Filters
    from cofactor.retrieval.rerank.rules import Rerank

INTERRUPTED = (
    "interrupted; nothing was saved, but for whole parts of DIR/, which the same command keeps."
)


@dataclass(frozen=True)
class Who:
    """Users."""

    user: list[str] | None = option(
        None, "Users that the model was trained on; may be repeated.", metavar="ID,..."
    )
    users: str | None = option(
        None, "A file with one user id per line; - for standard input.", metavar="FILE"
    )
    history: list[str] | None = option(
        None,
        "History of an unseen user: item ids, oldest first; ID:VALUE"
        " gives ratings; may be repeated, for ids with commas.",
        metavar="ID,ID,...",
    )
    all_users: bool = option(False, "For all users, written to --out.")

    def check(self, cluster: EngineOptions) -> None:
        """Refuse none of them, or several, and an engine for some users."""
        if sum(map(bool, (self.user, self.users, self.history, self.all_users))) != 1:
            raise typer.BadParameter("give one of --user, --users, --history and --all-users.")
        if not self.all_users and (cluster.engine, cluster.address) != (None, None):
            raise typer.BadParameter(
                "an engine computes the lists of --all-users; leave --engine and --address out."
            )


@dataclass(frozen=True)
class Which:
    """Items."""

    items: str | None = option(
        None,
        "New items that nobody has interacted with: ids and the catalogue's columns.",
        metavar="FILE",
    )
    k: opt.K = 10
    where: str | None = option(
        None,
        "Only items that satisfy a condition: \"genres has 'Comedy' and year >= 1990\".",
        metavar="EXPRESSION",
    )
    block: list[str] | None = option(
        None, "Items to leave out; may be repeated.", metavar="ID,ID,..."
    )
    keep_seen: bool = option(False, "Also recommend items that the user has interacted with.")


@dataclass(frozen=True)
class ListOptions:
    """Lists."""

    rerank: list[str] | None = option(
        None,
        'Choose the list by rules: "mmr=0.7 by genres", "cap=2 by author", "pin=ID at 1",'
        ' "boost=0.3 if year >= 2020", "fresh=0.2", "at_least=0.3 if long_tail",'
        ' "calibrate=0.5 by genres", "exposure=0.05" ...; may be repeated.',
        metavar="RULE",
    )

    def rules(self) -> Rerank | None:
        """Return what the lists are chosen by; None where nothing is given."""
        from cofactor.retrieval.rerank.rules import as_rules

        found = as_rules(self.rerank)
        if self.rerank and found is None:
            raise ArgumentError("--rerank holds no rule; give one, such as 'cap=2 by author'.")
        return found


@dataclass(frozen=True)
class Showing(opt.ShowOptions):
    """Output."""

    out: str | None = option(
        None,
        "Write to a .parquet, .csv or .jsonl file; DIR/ with --all-users: Parquet parts.",
        metavar="FILE",
    )
    explain: bool = option(False, "Show which past items contributed to each recommendation.")

    def check(self, who: Who) -> None:
        """Refuse lists for all users without a file, and reasons in one."""
        if who.all_users and self.out is None:
            raise typer.BadParameter("--all-users needs --out FILE, or DIR/ for parts.")
        if self.explain and self.out is not None:
            raise typer.BadParameter(
                "--explain shows reasons here, not in a file; leave out --out."
            )


def command(
    model: opt.ModelFolder,
    who: Who,
    which: Which,
    lists: ListOptions,
    compute: opt.ThreadOptions,
    cluster: EngineOptions,
    show: Showing,
) -> None:
    """Recommend."""
    from cofactor.artifact.load import load

    who.check(cluster)
    show.check(who)
    output = show.output()
    how: dict[str, Any] = {"rerank": lists.rules(), "exclude_seen": not which.keep_seen}
    run = compute.run(output)
    loaded = load(model, mapped=True)
    if which.items is not None:
        before = loaded.data.n_items
        loaded = loaded.with_items(which.items, known="skip")
        output.line(f"{loaded.data.n_items - before:,} new items")
    how["filters"] = _filters(output, loaded, which)
    if who.all_users:
        with cluster.on(run) as run:
            _for_all(output, loaded, str(show.out), which.k, {**how, "run": run})
        return
    past: Any = history_of(who.history, loaded.data.items) if who.history else None
    explain = show.explain and _explains(output, loaded)
    users = None if past else known_users(who.user or lines_of(str(who.users)), loaded.data.users)
    _refuse_several(users, explain)
    answers = (loaded.recommend(users, which.k, history=past, run=run, **how) for _ in range(1))
    if show.out is not None:
        _write(output, answers, show.out)
        return
    table = next(answers)
    if isinstance(users, list):
        _show_several(output, loaded, table)
        return
    reasons = [loaded.explain(users, item, history=past) for item in table.ids if explain]
    _show(output, loaded.name, table, reasons)


def _refuse_several(users: Any, explain: bool) -> None:
    """Refuse reasons for the lists of several users."""
    if explain and isinstance(users, list):
        raise typer.BadParameter("--explain is for one user; give one --user, or --history.")


def _explains(output: Output, loaded: Recommender) -> bool:
    """Whether a model gives reasons; says so if not."""
    if not loaded.traits.explains:
        others = "ease, item_knn and ials are"
        output.progress.say(f"no reasons: {loaded.name} isn't linear in a user's history; {others}")
    return loaded.traits.explains


def _for_all(output: Output, loaded: Recommender, out: str, k: int, how: Mapping[str, Any]) -> None:
    from cofactor.runs.recommend import recommend_all

    path, count = recommend_all(loaded, out, k, **how)
    _say_written(output, path, count, f" for {loaded.data.n_users:,} users")


def _write(output: Output, answers: Iterator[RankedTable], out: str) -> None:
    """Write what is computed once the file's place was found good."""
    from cofactor.runs.recommend import write_tables

    _say_written(output, *write_tables((table.to_arrow() for table in answers), out))


def _say_written(output: Output, path: Path, count: int, whose: str = "") -> None:
    output.line(f"{count:,} recommendations{whose} in {path}")
    output.emit(command="recommend", path=str(path), lines=count)


def _filters(output: Output, loaded: Recommender, which: Which) -> Filters | None:
    from cofactor.retrieval.filters import Filters

    blocked, strange = listed_ids(which.block or [], loaded.data.items)
    if which.block and not blocked and not strange:
        raise ArgumentError("--block holds no item id.")
    if strange:
        output.progress.say(
            f"--block: {len(strange):,} of {len(strange) + len(blocked):,} ids block nothing:"
            f" {loaded.data.items.unknown(strange, 'item')}"
        )
        output.also["unknown_blocked"] = strange
    return Filters(block=blocked, where=which.where) if which.where or blocked else None


def _show_several(output: Output, loaded: Recommender, table: RankedTable) -> None:
    """The lists of several users, one below the other."""
    lists: dict[Any, list[dict[str, Any]]] = {}
    for line in table.to_dicts():
        lists.setdefault(line["user_id"], []).append(line)
    for user, lines in lists.items():
        output.line(f"user {user}:")
        kept = ("rank", "item_id", "title", "score")
        output.table([{name: line[name] for name in kept if name in line} for line in lines])
    output.emit(command="recommend", model=loaded.name, recommendations=table.to_dicts())


def _show(output: Output, name: str, table: RankedTable, reasons: list[Explanation]) -> None:
    """One user's list, with reasons if requested."""
    output.table(reasoned_rows(table, reasons, 3))
    if table.cold_share:
        output.line(f"{table.cold_share:.0%} of them are new items, without interactions.")
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
