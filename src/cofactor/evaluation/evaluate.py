"""Measure a fitted model on held-out interactions."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from cofactor.base import checks
from cofactor.base.offsets import offsets, owners_of
from cofactor.base.run import Run, run_of
from cofactor.data.split import Part, Split
from cofactor.evaluation import protocol
from cofactor.evaluation.groups import Groups, item_groups
from cofactor.evaluation.intervals import MAX_RESAMPLES, Summary, ratio_summary, summaries
from cofactor.evaluation.list_sums import Lists
from cofactor.evaluation.measure import Blocks, TrueItemRanks, predictions
from cofactor.evaluation.pieces import rank_in_pieces
from cofactor.evaluation.question import Question, ask, whole_truth
from cofactor.evaluation.rating import Errors, levels_of
from cofactor.evaluation.result import How, Result
from cofactor.kernels.work import run_context
from cofactor.metrics.ranking import Ranks, mean_by_user
from cofactor.metrics.rating import root as root_of
from cofactor.metrics.table import Metric, parse_metrics, ranking_values
from cofactor.models.answering.reranking import RerankedLists
from cofactor.models.recommender import Recommender
from cofactor.retrieval.rerank.rules import Rerank


def evaluate(
    model: Recommender,
    split: Split | Part,
    metrics: str | Iterable[str] | None = None,
    *,
    exclude_seen: bool = True,
    candidates: int | np.ndarray | None = None,
    full: bool = False,
    groups: str | Groups | None = None,
    rerank: Rerank | str | None = None,
    label: str | None = None,
    confidence: float = 0.95,
    resamples: int = 1000,
    memory_limit: int = 256 * 2**20,
    run: Run | None = None,
) -> Result:
    """Measure a fitted model on held-out interactions.

    Parameters
    ----------
    model
        A fitted model.
    split
        A split, whose test part is measured, or one part (such as ``split.validation``).
    metrics
        Names such as ``"ndcg@10"``, ``"recall@20"``, ``"auc"``, ``"rmse"``, ``"coverage@10"``, in a
        list or with commas; None for the usual ones of the model.
    exclude_seen
        Whether items of the users' histories are left out of the rankings. True items that are in
        the history are then left out of the truth; the result says how many.
    candidates
        Item rows to rank instead of all (int [n]), or a number: each true item is then ranked among
        that many randomly drawn unseen items, and the result is labelled as sampled.
    full
        Whether to rank all items although the part comes with published negatives.
    groups
        Metrics over the true items of a group only, within the same ranking: ``"warm"`` (items with
        and without training interactions), ``"count"`` (by their number, at 0, 1, 2, 5, 10), or
        names with item rows or masks (bool [n_items]).
    rerank
        Rules by which the lists are chosen from the model's best items; lists are as long as the
        largest cutoff among the metrics.
    label
        The model's name in tables; None for its own name.
    confidence
        Confidence level of the intervals, in (0, 1).
    resamples
        Bootstrap resamples of the users, up to 1,000,000; 0 for no intervals.
    memory_limit
        Bytes that a block of scores and its working copy may take (at least one user's scores).
    run
        Seed, threads, progress.

    Returns
    -------
    Result
        Per-user values, summaries with intervals, how it was measured.

    Raises
    ------
    UnknownNameError
        For an unknown metric.
    TraitError
        For rating metrics of a model that predicts no ratings.
    ArgumentError
        If nothing can be measured: no user has a true item that may be recommended, or the items
        differ from the model's.
    """
    part = protocol.measured_part(model, split)
    checks.real(confidence, "confidence", above=0, below=1)
    checks.integer(resamples, "resamples", low=0, high=MAX_RESAMPLES)
    checks.integer(memory_limit, "memory_limit", low=1)
    exclude_seen = checks.boolean(exclude_seen, "exclude_seen")
    full = checks.boolean(full, "full")
    run = run_of(run)
    wanted = protocol.default_metrics(model, part) if metrics is None else parse_metrics(metrics)
    masks = item_groups(groups, split.train if isinstance(split, Split) else model.data)
    with run_context(run):
        question = _question(part, wanted, exclude_seen, candidates, full)
        protocol.check(model, part, wanted, sampled=question.sampled)
        reranked = RerankedLists.of(model, rerank, len(question.users))
        if reranked is not None:
            protocol.check_reranked(wanted, sampled=question.sampled)
        answers = _answers(model, question, wanted, run, Blocks(memory_limit), reranked)
    drawn = _Resampling(confidence, resamples, run.seed)
    how = replace(_how(split, question, wanted, exclude_seen, drawn), seconds=answers.seconds)
    how = how if reranked is None else replace(how, rerank=reranked.reranker.rules.text)
    answers = answers if label is None else answers._replace(model=label)
    inside = tuple(m for m in wanted if m.family != "lists")
    inner = {name: _result(answers, how, inside, mask) for name, mask in masks.items() if inside}
    return replace(_result(answers, how, wanted, None), groups=inner)


class _Resampling(NamedTuple):
    """How intervals are computed."""

    confidence: float
    resamples: int
    seed: int


def _question(
    part: Part,
    metrics: tuple[Metric, ...],
    exclude_seen: bool,
    candidates: int | np.ndarray | None,
    full: bool,
) -> Question:
    if all(m.family == "rating" for m in metrics):
        return whole_truth(part)
    return ask(part, exclude_seen=exclude_seen, candidates=candidates, full=full)


def _sentence(question: Question, exclude_seen: bool, metrics: tuple[Metric, ...]) -> str:
    if all(m.family == "rating" for m in metrics):
        return f"errors of {len(question.items):,} held-out ratings"
    seen = "seen items left out" if exclude_seen else "seen items kept"
    dropped = (
        f"; {question.dropped:,} true items that may not be recommended were left out"
        if question.dropped
        else ""
    )
    if question.negatives is not None:
        return (
            f"SAMPLED: each true item among {question.negatives.shape[1]:,} given candidates, not"
            f" all items{dropped}"
        )
    if question.drawn:
        return (
            f"SAMPLED: each true item among {question.drawn:,} drawn unseen items, not all"
            f" items{dropped}"
        )
    return f"full ranking of {question.n_candidates:,} items, {seen}{dropped}"


def _how(
    split: Split | Part,
    question: Question,
    metrics: tuple[Metric, ...],
    exclude_seen: bool,
    drawn: _Resampling,
) -> How:
    return How(
        split=protocol.how_split(split),
        fingerprint=split.fingerprint,
        protocol=_sentence(question, exclude_seen, metrics),
        sampled=question.sampled,
        exclude_seen=exclude_seen,
        ties=protocol.TIES,
        n_candidates=question.n_candidates,
        dropped=question.dropped,
        seconds=0.0,
        **drawn._asdict(),
    )


class _Answers(NamedTuple):
    """A model's answers, from which results over all items and over groups are computed."""

    model: str
    config: dict[str, Any]
    question: Question
    ranking: tuple[Metric, ...]
    rating: tuple[Metric, ...]
    lists: Lists
    true_ranks: TrueItemRanks | None
    errors: Errors | None
    seconds: float


def _answers(
    model: Recommender,
    question: Question,
    metrics: tuple[Metric, ...],
    run: Run,
    blocks: Blocks,
    reranked: RerankedLists | None,
) -> _Answers:
    ranking, of_lists, rating = (
        tuple(m for m in metrics if m.family == f) for f in ("ranking", "lists", "rating")
    )
    lists = Lists(of_lists, model.data.item_counts, model.data.n_users, question.n_candidates)
    true_ranks, errors, seconds = None, None, 0.0
    if ranking or of_lists:
        true_ranks = rank_in_pieces(
            model, question, ranking, lists=lists, run=run, blocks=blocks, reranked=reranked
        )
        seconds = true_ranks.seconds
    if rating:
        errors, spent = _errors(model, question.part)
        seconds += spent
    config = model.config.to_dict()
    families = (question, ranking, rating, lists)
    return _Answers(model.name, config, *families, true_ranks, errors, seconds)


def _result(
    answers: _Answers, how: How, metrics: tuple[Metric, ...], mask: np.ndarray | None
) -> Result:
    """The metrics over all items, or over the true items of a group."""
    tables = []
    if answers.true_ranks is not None and (answers.ranking or mask is None):
        tables.append(_ranking_table(answers, answers.true_ranks, mask))
    if answers.errors is not None:
        tables.append(_rating_table(answers, answers.errors, mask))
    users, values = _join_tables(tables)
    summary = _summarised(answers, how, values, mask)
    if mask is None:
        overall = answers.lists.overall().items()
        summary |= {name: Summary(value, None, None, len(users)) for name, value in overall}
    names = tuple(str(m) for m in metrics)
    return Result(
        model=answers.model,
        config=answers.config,
        metrics=names,
        user_rows=users,
        user_ids=answers.question.part.truth.users.take(users),
        values={name: values[name] for name in names if name in values},
        summary=summary,
        how=how,
    )


Table = tuple[np.ndarray, dict[str, np.ndarray]]


def _ranking_table(answers: _Answers, true_ranks: TrueItemRanks, mask: np.ndarray | None) -> Table:
    """The users with true items in the group, and their values."""
    question, metrics = answers.question, answers.ranking
    keep = np.ones(len(question.items), bool) if mask is None else mask[question.items]
    owners = owners_of(np.diff(question.indptr))
    sizes = np.bincount(owners[keep], minlength=len(question.users))
    kept = np.flatnonzero(sizes)
    indptr = offsets(sizes[kept])
    ranks = true_ranks.ranks[keep]
    shares = {name: each[keep] for name, each in true_ranks.auc_shares.items()}
    if question.sampled:
        # Each true item was ranked among its own candidates; its values are averaged by user.
        alone = np.arange(len(ranks) + 1, dtype=np.int64)
        each = ranking_values(metrics, Ranks(alone, ranks, shares))
        values = {name: mean_by_user(indptr, column) for name, column in each.items()}
    else:
        values = ranking_values(metrics, Ranks(indptr, ranks, shares))
    return question.users[kept], {**values, **(answers.lists.per_user() if mask is None else {})}


def _errors(model: Recommender, part: Part) -> tuple[Errors, float]:
    began = time.perf_counter()
    question = whole_truth(part)
    predicted = np.concatenate(list(predictions(model, question)))
    levels = levels_of(model.data.values)
    return (
        Errors(question.indptr, predicted, part.truth.weights, levels),
        time.perf_counter() - began,
    )


def _rating_table(answers: _Answers, errors: Errors, mask: np.ndarray | None) -> Table:
    part, chosen = answers.question.part, _errors_within(answers, errors, mask)
    some = np.diff(chosen.indptr) > 0
    return part.user_rows[some], {
        name: column[some] for name, column in chosen.per_user(answers.rating).items()
    }


def _errors_within(answers: _Answers, errors: Errors, mask: np.ndarray | None) -> Errors:
    truth = answers.question.part.truth
    return errors if mask is None else errors.where(mask[truth.item_rows])


def _join_tables(tables: list[Table]) -> Table:
    """Merge tables over different users; NaN where a user is missing in one of them."""
    users = np.unique(np.concatenate([rows for rows, _ in tables])).astype(np.int32)
    values = {}
    for rows, columns in tables:
        at = np.searchsorted(users, rows)
        for name, column in columns.items():
            values[name] = np.full(len(users), np.nan)
            values[name][at] = column
    return users, values


def _summarised(
    answers: _Answers, how: How, values: dict[str, np.ndarray], mask: np.ndarray | None
) -> dict[str, Summary]:
    """Means over users; errors are means over all ratings."""
    draw = _Resampling(how.confidence, how.resamples, how.seed)._asdict()
    pooled = {str(m) for m in answers.rating}
    summary = summaries(
        {name: column for name, column in values.items() if name not in pooled}, **draw
    )
    if answers.errors is not None:
        chosen = _errors_within(answers, answers.errors, mask)
        sizes = np.diff(chosen.indptr)
        for metric in answers.rating:
            sums = chosen.sums(metric)[sizes > 0]
            root = metric.definition.finish is root_of
            summary[str(metric)] = ratio_summary(sums, sizes[sizes > 0], root=root, **draw)
    return summary
