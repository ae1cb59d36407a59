"""The learning curve over an item's interactions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cofactor.base.errors import ArgumentError
from cofactor.base.run import Run
from cofactor.models import registry
from cofactor.runs import learning_curve as runs
from content_shop import shop


def test_points_hold_so_many_interactions_and_share_one_truth(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = []

    def spy(model: object, part: object, *rest: object, **more: object) -> object:
        seen.append(part)
        return real(model, part, *rest, **more)

    real = runs.evaluate
    monkeypatch.setattr(runs, "evaluate", spy)
    results = runs.learning_curve(
        shop(),
        registry.create("content_knn", text=("description",)),
        counts=(3, 0, 1),
        share=0.3,
        run=Run(threads=1),
    )
    assert list(results) == [0, 1, 3]
    chosen = seen[0].candidates
    for part, n in zip(seen, (0, 1, 3), strict=True):
        assert (part.history.item_counts[chosen] == n).all()
        assert part.truth.fingerprint == seen[0].truth.fingerprint
        assert not part.truth.item_counts[np.setdiff1d(np.arange(61), chosen)].any()
    pairs = [
        set(zip(p.history.user_rows.tolist(), p.history.item_rows.tolist(), strict=True))
        for p in seen
    ]
    assert pairs[0] < pairs[1] < pairs[2]
    truth = set(
        zip(seen[0].truth.user_rows.tolist(), seen[0].truth.item_rows.tolist(), strict=True)
    )
    assert not truth & pairs[2]


def test_collaborative_model_needs_interactions_where_content_does_not() -> None:
    how = {"counts": (0, 10), "share": 0.4, "run": Run(threads=1)}
    words = runs.learning_curve(
        shop(), registry.create("content_knn", text=("description",)), **how
    )
    plain = runs.learning_curve(shop(), registry.create("ease", regularization=5.0), **how)
    assert words[0]["ndcg@10"] > plain[0]["ndcg@10"] + 0.1
    assert plain[10]["ndcg@10"] > plain[0]["ndcg@10"] + 0.1


def test_counts_above_all_items_are_refused() -> None:
    with pytest.raises(ArgumentError, match="more than 1000"):
        runs.learning_curve(shop(), "ease", counts=(1000,))


def test_sentences_say_what_is_ranked_and_what_differs() -> None:
    model = registry.create("content_knn", text=("description",))
    results = runs.learning_curve(shop(), model, counts=(0, 3), share=0.3, run=Run(threads=1))
    ranked, *tested = runs.sentences(results)
    assert f"the same {results[0].how.n_candidates:,} items are ranked" in ranked
    assert tested == ["Nothing shows that interactions help beyond 0 (ndcg@10)."]
    shuffled = dict(results)
    worse = results[0].values["ndcg@10"] / 2
    shuffled[0] = replace(results[0], values={**results[0].values, "ndcg@10": worse})
    assert runs.sentences(shuffled)[1:] == [
        "Significantly better than with 0 interactions (ndcg@10): with 3."
    ]
