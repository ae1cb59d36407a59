"""Fit several models on one split: one table with intervals, times and paired tests against the
best.

Tests are paired by user and corrected for the number of models (Holm).
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cofactor.base.errors import ArgumentError
from cofactor.cli import options as opt
from cofactor.cli.engine_options import WorkOptions
from cofactor.cli.groups import option
from cofactor.cli.output import Output, check_writable
from cofactor.cli.reading import ReadingOptions

if TYPE_CHECKING:
    from cofactor.evaluation.significance import Comparison
    from cofactor.runs.compare import Compared


@dataclass(frozen=True)
class ModelChoice:
    """Models."""

    models: str | None = option(
        None,
        "Models, also with settings and labels:"
        " ials, big=ials:factors=256; or a study of tune:"
        " tuned=study.db. By default, those that suit the data; `all` for all.",
        metavar="NAME,...",
    )
    baselines: bool = option(
        True, "Measure popularity (bias for ratings, content_knn) beside the models."
    )
    set_: list[str] | None = option(
        None,
        "A setting of one model: ials.factors=128; may be repeated.",
        "--set",
        metavar="MODEL.NAME=VALUE",
    )


@dataclass(frozen=True)
class Reranked:
    """Lists."""

    rerank: list[str] | None = option(
        None,
        "Measure each model's lists under these rules too, to see what they cost:"
        ' "mmr=0.7 by genres; cap=2 by author"; may be repeated, for other rules.',
        metavar="RULES",
    )

    def check(self) -> None:
        """Refuse an option that holds no rule."""
        from cofactor.retrieval.rerank.rules import as_rules

        if any(as_rules(given) is None for given in self.rerank or ()):
            raise ArgumentError("--rerank holds no rule; give one, such as 'cap=2 by author'.")


@dataclass(frozen=True)
class Report(opt.ShowOptions):
    """Output."""

    report: str | None = option(
        None, "Write a self-contained HTML page with plots.", metavar="FILE.html"
    )
    markdown: bool = option(False, "Print the table as Markdown, for a README.")


def command(
    source: opt.SourceArgument,
    chosen: ModelChoice,
    lists: Reranked,
    held_out: opt.MeasuredOn,
    reading: ReadingOptions,
    work: WorkOptions,
    show: Report,
) -> None:
    """Compare."""
    from cofactor.models import registry
    from cofactor.runs.compare import compare

    output, report = show.output(), show.report
    names = registry.names() if chosen.models == "all" else chosen.models
    if report is not None:
        check_writable(report, "--report")
    lists.check()
    kept = work.keeping.prepare()
    with work.cluster.on(work.compute.run(output), *source) as run:
        done = compare(
            opt.one_or_several(source),
            names,
            baselines=chosen.baselines,
            settings=_settings(chosen.set_ or []),
            metrics=opt.names(held_out.metrics),
            rerank=lists.rerank or (),
            reading=reading.reading(),
            cutting=held_out.cutting(work.compute.seed),
            run=run,
        )
    sentences = kept.keep_compared("compare", done)
    _print(output, done, markdown=show.markdown)
    output.line(*sentences)
    if report is not None:
        from cofactor.runs.shown import command_line

        done.write_report(report, command_line(sys.argv[1:]))
        output.line(f"Report: {report}")
    output.emit(command="compare", **done.to_dict())


def _print(output: Output, done: Compared, *, markdown: bool) -> None:
    data, rows = done.data, done.rows()
    output.line(
        f"{data.source}: {data.n_users:,} users, {data.n_items:,} items, {len(data):,} interactions"
    )
    output.line(f"Held out: {done.split.sentence}")
    output.line(next(iter(done.results.values())).how.protocol)
    if markdown:
        output.line(_markdown(rows))
    else:
        output.table(rows, best=done.order.index(done.best))
    output.line(
        f"± is half of the 95 % interval (bootstrap over users); p: paired test on {done.metric}"
        f" against {done.best}, Holm."
    )
    output.line(*done.sentences())
    for cost in done.costs:
        output.line(_cost(cost))
    for label, why in done.failures.items():
        output.line(f"{label} failed: {why}")


def _cost(cost: Comparison) -> str:
    """What rules change, in a sentence."""
    return (
        f"{cost.first}: {cost.difference:+.4f} {cost.metric} [{cost.low:+.4f}, {cost.high:+.4f}]"
        f" against {cost.second}, p = {cost.p_adjusted:.2g}"
    )


def _settings(words: list[str]) -> dict[str, list[str]]:
    """``ials.factors=128`` as {"ials": ["factors=128"]}."""
    found: dict[str, list[str]] = {}
    for word in words:
        model, dot, rest = word.partition(".")
        if not dot or "=" not in rest:
            raise ArgumentError(f"--set of compare must be written MODEL.NAME=VALUE, not {word!r}.")
        found.setdefault(model, []).append(rest)
    return found


def _markdown(rows: list[dict[str, object]]) -> str:
    names = list(rows[0])
    lines = [
        "| " + " | ".join(names) + " |",
        "|" + "|".join(" --- " if n == "model" else " ---: " for n in names) + "|",
    ]
    lines += ["| " + " | ".join(str(row[n]) for n in names) + " |" for row in rows]
    return "\n".join(lines)
