"""The models of a comparison, each fitted and measured, in this process or on an engine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from cofactor.base.engine import in_turn
from cofactor.base.errors import CofactorError
from cofactor.base.run import Run
from cofactor.data.split import Split
from cofactor.evaluation.evaluate import evaluate
from cofactor.evaluation.protocol import check_rated
from cofactor.evaluation.result import Result
from cofactor.models.recommender import Recommender
from cofactor.models.shipped import ShippedModel
from cofactor.retrieval.rerank.item_attributes import ItemSide
from cofactor.retrieval.rerank.reranker import Reranker
from cofactor.retrieval.rerank.rules import Rerank
from cofactor.runs.rerank_costs import reranked_results
from cofactor.runs.source import Clock


class Fit(NamedTuple):
    """A fitted model, the seconds of the fit, and its results: plain first, then under each set of
    rules.
    """

    model: Recommender
    seconds: float
    results: list[Result]


def measured(
    entries: Mapping[str, Recommender],
    parts: Split,
    metrics: Sequence[str] | None,
    rules: Sequence[Rerank],
    run: Run,
) -> Iterator[Fit | str]:
    """Yield each model fitted and measured, or why it failed; on an engine several at a time.

    Raises
    ------
    ArgumentError
        If rules don't fit the catalogue, before anything is fitted.
    """
    for one in rules:
        Reranker(one, ItemSide(parts.train))
    if run.engine is None:
        for label, model in entries.items():
            run.progress.say(f"fitting {label}")
            yield _measure(label, model, ComparisonBench(parts, metrics, rules, run))
        return
    shared = run.engine.share(ComparisonBench(parts, metrics, rules, run.alone()))
    pieces = ((label, run.engine.share(model), shared) for label, model in entries.items())
    for found in in_turn(run.engine, shipped, pieces):
        yield found if isinstance(found, str) else Fit(found[0].model, *found[1:])


@dataclass(frozen=True)
class ComparisonBench:
    """Where every model is measured, in the same way."""

    parts: Split
    metrics: Sequence[str] | None
    rules: Sequence[Rerank]
    run: Run


def shipped(
    label: str, model: Recommender, bench: ComparisonBench
) -> tuple[ShippedModel, float, list[Result]] | str:
    """Return a fitted model and its results in a form that can be sent to another process."""
    found = _measure(label, model.clone(), bench)
    return found if isinstance(found, str) else (ShippedModel(found.model), *found[1:])


def _measure(label: str, model: Recommender, bench: ComparisonBench) -> Fit | str:
    run = bench.run
    try:
        check_rated(model, bench.parts.test, bench.metrics)
        model, seconds = _fit(model, bench.parts, run)
        plain = evaluate(model, bench.parts, bench.metrics, label=label, run=run)
        reranked = reranked_results(model, plain, bench.parts, bench.rules, run)
        return Fit(model, seconds, [plain, *reranked])
    except (CofactorError, MemoryError) as error:
        return str(error) or "out of memory"


def _fit(model: Recommender, parts: Split, run: Run) -> tuple[Recommender, float]:
    """Fit a model and time it. A fit that compiled kernels is repeated, so that only fitting is
    timed.
    """
    from cofactor.kernels.cpu.jit import compilation_timed

    clock = Clock()
    with compilation_timed() as compiled:
        model.fit(parts.train, validation=parts.validation, run=run)
    if compiled():
        clock = Clock()
        model.fit(parts.train, validation=parts.validation, run=run)
    return model, clock.seconds
