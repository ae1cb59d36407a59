"""What reranking rules cost: a model's lists with and without them, for the same users."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from cofactor.base.run import Run
from cofactor.data.split import Split
from cofactor.evaluation import significance
from cofactor.evaluation.evaluate import evaluate
from cofactor.evaluation.protocol import measures_lists
from cofactor.evaluation.result import Result
from cofactor.evaluation.significance import Comparison
from cofactor.metrics.table import parse_metrics
from cofactor.models.recommender import Recommender
from cofactor.retrieval.rerank.rules import Rerank

_BETWEEN = " + "  # a model's label and the rules


def reranked_results(
    model: Recommender, plain: Result, parts: Split, rules: Sequence[Rerank], run: Run
) -> Iterator[Result]:
    """Yield a model's results under each set of rules, on the list metrics of its plain result.

    Parameters
    ----------
    model
        A fitted model.
    plain
        The result of its own lists.
    parts
        The split that it was measured on.
    rules
        Sets of rules.
    """
    wanted = [str(m) for m in parse_metrics(plain.metrics) if measures_lists(m)]
    for one in rules:
        label = f"{plain.model}{_BETWEEN}{one.text}"
        run.progress.say(f"reranking {label}")
        yield evaluate(model, parts, wanted, rerank=one, label=label, run=run)


def costs_of(results: Mapping[str, Result], metric: str) -> list[Comparison]:
    """Return for every reranked result its paired comparison with the model's own lists.

    Parameters
    ----------
    results
        Results by label, reranked ones among them.
    metric
        The metric to compare.
    """
    found = []
    for label, result in results.items():
        if not result.how.rerank:
            continue
        plain = results[label.removesuffix(f"{_BETWEEN}{result.how.rerank}")]
        found += significance.compare([result, plain], [metric], baseline=plain.model)
    return found
