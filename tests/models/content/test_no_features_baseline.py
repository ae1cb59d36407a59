"""What features cost: models with content beside the same models without, and how it is told,
saved and left out.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from cofactor.artifact.load import inspect, load
from cofactor.artifact.save import save
from cofactor.base.run import Run
from cofactor.data.catalogue import Catalogue
from cofactor.data.split import Split
from cofactor.data.splits import split
from cofactor.models import registry
from cofactor.models.content.no_features_baseline import FeatureComparison
from cofactor.models.validation import warm_ndcg, warm_users
from cofactor.runs.train import train
from content_shop import SMALL, shop

RUN = Run(threads=1, device="cpu")


def cut_shop(how: str = "per-user") -> Split:
    return split(shop(), how, test=0.2, validation=0.2, seed=1)


def fitted(name: str, parts: Split, **more: Any) -> Any:
    model = registry.create(name, **{**SMALL[name], "text": ("description",), **more})
    return model.fit(parts.train, validation=parts.validation, run=RUN)


@pytest.mark.parametrize(
    ("name", "baseline"),
    [
        ("content_knn", "item_knn"),
        ("content_ridge", "item_knn"),
        ("content_blend", "ials"),
        ("feature_ials", "ials"),
        ("bridge", "ials"),
        ("two_tower", "latent_factor"),
    ],
)
def test_fit_with_validation_compares_with_the_no_features_baseline_and_the_file_keeps_it(
    name: str, baseline: str, tmp_path: Path
) -> None:
    parts = cut_shop()
    model = fitted(name, parts, **({"epochs": 3} if name == "two_tower" else {}))
    assert model.comparison.baseline == baseline
    assert parts.validation is not None
    held = parts.train.item_counts[parts.validation.truth.item_rows] > 0
    assert model.comparison.n_users == len(np.unique(parts.validation.truth.user_rows[held]))
    assert model.comparison.rich == pytest.approx(
        warm_ndcg(model, parts.validation, warm_users(parts.validation, model.data)[:1000])
    )
    assert model.notes[-1] == model.comparison.sentence
    if name == "bridge":
        assert model.comparison.rich == model.comparison.plain
    again = load(save(model, tmp_path / "model"))
    assert again.comparison == model.comparison
    assert again.notes == model.notes
    assert model.fit(parts.train, run=RUN).comparison is None


def test_comparison_off_and_no_validation_fit_no_baseline(monkeypatch: pytest.MonkeyPatch) -> None:

    from cofactor.models.content import content_features

    monkeypatch.setattr(
        content_features,
        "compare_without_features",
        lambda *a, **k: pytest.fail("a twin was fitted"),
    )
    parts = cut_shop()
    assert fitted("content_blend", parts, compare_without_features=False).comparison is None
    assert fitted("content_blend", replace(parts, validation=None)).comparison is None


def test_features_that_mislead_are_noted_with_what_they_cost() -> None:
    data = shop()
    rng = np.random.default_rng(3)
    # A text that goes against who takes what: every kind of item says what another one, at random,
    # says.
    wrong = [f"word{rng.integers(4)}" for _ in range(data.n_items)]
    parts = split(
        replace(data, catalogue=Catalogue(pa.table({"description": wrong}))),
        "per-user",
        test=0.2,
        validation=0.2,
        seed=1,
    )
    model = fitted("content_knn", parts)
    assert model.comparison.cost > 0.2
    assert model.notes[-1].startswith("features cost ")
    assert "use item_knn" in model.notes[-1]


@pytest.mark.parametrize(
    ("rich", "said"),
    [
        (0.3, "cost nothing"),
        (0.297, "cost 1.0%"),
        (0.33, "bring 10.0%"),
        (0.27, "where new items don't"),
    ],
)
def test_sentence_says_cost_or_gain(rich: float, said: str) -> None:
    assert said in FeatureComparison("ials", rich, 0.3, 7).sentence


def test_only_items_with_interactions_are_ranked_and_counted() -> None:
    parts = cut_shop("items")
    assert parts.validation is not None
    assert fitted("content_knn", parts).comparison is None
    whole = cut_shop()
    model = fitted("content_knn", whole)

    class Loud(type(model)):  # type: ignore[misc]
        def _score(self, states: Any, item_rows: Any) -> np.ndarray:
            scores = super()._score(states, item_rows)
            scores[:, self.data.item_counts == 0] += 1000
            return scores

    loud = Loud(model.config).fit(whole.train, run=RUN)
    assert warm_ndcg(
        loud, whole.validation, warm_users(whole.validation, loud.data)[:1000]
    ) == pytest.approx(model.comparison.rich)


def test_train_compares_on_the_test_part_and_inspect_tells_it(tmp_path: Path) -> None:
    done = train(shop(), "content_knn", tmp_path / "model", settings=["text=description"], run=RUN)
    assert done.refitted
    assert done.model.comparison is not None  # type: ignore[attr-defined]
    assert "without them" in inspect(done.path).run["notes"][-1]
    quiet = train(
        shop(),
        "content_knn",
        tmp_path / "quiet",
        settings=["text=description", "compare_without_features=false"],
        run=RUN,
    )
    assert quiet.model.comparison is None  # type: ignore[attr-defined]


def test_baseline_is_stopped_by_what_stopped_the_model_and_by_nothing_else() -> None:
    parts = cut_shop()
    model = fitted("two_tower", parts, compare_without_features=False)
    seen: list[Any] = []

    class Twin(type(model.without_features())):  # type: ignore[misc]
        def fit(self, data: Any, *, validation: Any = None, run: Any = None) -> Any:
            seen.append(validation)
            return super().fit(data, validation=validation, run=run)

    model.without_features = lambda: Twin(factors=4, epochs=2, loss="bpr")
    model.compare_without_features(parts.test, run=RUN)
    model.compare_without_features(parts.test, run=RUN, validation=parts.validation)
    assert seen == [None, parts.validation]
