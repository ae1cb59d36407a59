"""Auto: families race on the validation part, within a budget, and it says why it chose what."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from benchmarks import panel

import cofactor
from cofactor.artifact.load import inspect
from cofactor.base.errors import ArgumentError, MissingExtraError
from cofactor.base.run import Run
from cofactor.data.interactions import Interactions
from cofactor.data.split import Split
from cofactor.data.splits import split
from cofactor.metrics.table import parse_metric
from cofactor.models import registry
from cofactor.runs import auto as auto_module
from cofactor.runs.auto import auto, choose
from cofactor.runs.automatic import families, forecast, race
from cofactor.runs.automatic.blending import best_blend
from cofactor.runs.automatic.prior import wisest
from cofactor.runs.automatic.race import Race
from cofactor.runs.automatic.trials import Allowance, FamilyTrial
from cofactor.runs.samples import few_users
from cofactor.runs.source import Cutting
from cofactor.runs.train import Limits, train

RUN = Run(seed=1, threads=1)


def groups(n_users: int = 160, n_items: int = 60, each: int = 15, seed: int = 0) -> Interactions:
    """Users who choose four times in five among the items of their group."""
    draw = np.random.default_rng(seed)
    users = np.repeat(np.arange(n_users), each)
    own = (users % 4) * (n_items // 4) + draw.integers(0, n_items // 4, len(users))
    items = np.where(draw.random(len(users)) < 0.8, own, draw.integers(0, n_items, len(users)))
    return Interactions.from_rows(users, items, users=n_users, items=n_items, source="groups")


def parts_of(data: Interactions) -> Split:
    return split(data, "per-user", test=0.2, validation=0.2, seed=0)


def ticking(step: float = 0.1) -> Any:
    """A clock that goes on by a step whenever it is read."""
    steps = count()
    return lambda: step * next(steps)


def only(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Try these families, where a test isn't about the others."""
    monkeypatch.setattr(race, "FAMILIES", [f for f in families.FAMILIES if f.name in names])


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try families whose fits take hundredths of a second."""
    only(monkeypatch, "popularity", "bias", "item_knn", "ease", "ials")


@contextmanager
def nothing_compiled() -> Iterator[Callable[[], float]]:
    """Stands for kernels that are kept: compiling them would move a clock of its own."""
    yield lambda: 0.0


@pytest.fixture(autouse=True)
def _same_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a budget has room for doesn't depend on the machine, nor on kept kernels."""
    monkeypatch.setitem(choose.__kwdefaults__, "now", ticking())
    monkeypatch.setattr("cofactor.kernels.cpu.jit.compilation_timed", nothing_compiled)


def valued(data: Interactions, values: Any) -> Interactions:
    return replace(data, values=np.asarray(values, np.float32))


def test_it_finds_a_model_that_is_better_than_popularity_and_never_looks_at_the_test_part() -> None:
    data = groups(100, 60)
    unseen = replace(parts_of(data))
    object.__setattr__(unseen, "test", None)  # whatever looks at it fails
    found = choose(data, unseen, budget=6, run=RUN, now=ticking())
    values = {row["model"]: row["value"] for row in found.rows}
    assert found.value is not None
    assert found.value > 2 * values["popularity"]
    assert found.value == pytest.approx(max(v for v in values.values() if v), abs=0.02)
    assert "on the validation part" in found.sentence
    assert "popularity reaches" in found.sentence
    assert "ndcg@10" in found.sentence


def test_losers_are_dropped_and_the_best_are_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    only(monkeypatch, "popularity", "item_knn", "ease", "ials", "graph_filter")
    data = groups(100, 60)
    one = Race(parts_of(data), parse_metric("ndcg@10"), Allowance(25, ticking()), RUN)
    one.go()
    tried = {lane.family.name: len(lane.attempts) for lane in one.lanes}
    best = one.leaders[0].family.name
    assert tried[best] > 5 > tried["popularity"] == 1
    assert one.leaders[0].dropped == ""
    dropped = [lane for lane in one.lanes if lane.dropped == "behind the others"]
    assert len(dropped) >= 3
    assert all(lane.best().score <= one.best.score for lane in dropped)  # type: ignore[union-attr]


@pytest.mark.usefixtures("quick")
def test_of_each_family_one_fitted_model_is_kept() -> None:
    one = Race(parts_of(groups()), parse_metric("ndcg@10"), Allowance(6, ticking()), RUN)
    one.go()
    assert sum(bool(lane.attempts) for lane in one.lanes) == 4
    for lane in one.lanes:
        kept = [a for a in lane.attempts if a.model is not None]
        assert len(kept) == min(1, len(lane.attempts))
        assert all(a is lane.best() for a in kept)


@pytest.mark.usefixtures("quick")
def test_a_search_that_is_interrupted_keeps_the_best_so_far(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real, calls = Race._try, count()

    def interrupted(self: Race, *given: Any) -> FamilyTrial:
        if next(calls) == 3:
            raise KeyboardInterrupt
        return real(self, *given)

    monkeypatch.setattr(Race, "_try", interrupted)
    data = groups()
    found = choose(data, parts_of(data), budget=30, run=RUN, now=ticking())
    assert found.interrupted
    assert sum(row["tried"] for row in found.rows) == 3
    assert "interrupted" in found.sentence
    assert found.create().fit(data, run=RUN).recommend(0, k=3)


def test_an_interruption_before_any_model_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Race, "_try", interrupted)
    with pytest.raises(KeyboardInterrupt):
        choose(groups(), parts_of(groups()), budget=30, run=RUN)


@pytest.mark.usefixtures("quick")
def test_a_family_that_breaks_is_named_and_costs_the_others_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise ValueError("of all things")

    monkeypatch.setattr(cofactor.EASE, "_fit", broken)
    data = groups(80, 40)
    found = choose(data, parts_of(data), budget=4, run=RUN, now=ticking())
    assert found.value is not None
    assert "Left out: ease (failed: of all things)." in found.sentence


@pytest.mark.usefixtures("quick")
def test_a_dense_inverse_that_takes_too_long_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forecast, "_WHOLE_SHARE", 1e-12)
    data = groups(80, 40)
    found = choose(data, parts_of(data), budget=6, run=RUN, now=ticking())
    assert "ease (a fit takes too long for the budget)" in found.sentence


def test_networks_are_left_out_without_pytorch_and_it_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = registry.get

    def without(name: str) -> Any:
        if name in ("latent_factor", "simplex", "transformer", "gru4rec", "two_tower"):
            raise MissingExtraError(f"the model {name} needs PyTorch: pip install cofactor[torch]")
        return real(name)

    monkeypatch.setattr(families.registry, "get", without)
    only(monkeypatch, "popularity", "item_knn", "latent_factor", "simplex")
    data = groups(60, 40, 8)
    found = choose(data, parts_of(data), budget=400, run=RUN, now=ticking(4.0))
    assert "latent_factor (the model latent_factor needs PyTorch" in found.sentence
    assert "simplex (the model simplex needs PyTorch" in found.sentence


@pytest.mark.parametrize(
    ("n_users", "n_items", "n"), [(1, 3, 3), (1, 50, 50), (3, 3, 5), (40, 3, 90), (2, 2, 1)]
)
def test_the_smallest_data_give_a_model_and_a_sentence(n_users: int, n_items: int, n: int) -> None:
    draw = np.random.default_rng(0)
    data = Interactions.from_rows(
        draw.integers(0, n_users, n), draw.integers(0, n_items, n), users=n_users, items=n_items
    )
    found = auto(data, budget=4, run=RUN)
    assert found.chosen.sentence.endswith(".")
    assert found.model.recommend(history=[0], k=1) is not None
    assert (found.result is None) == ("nothing could be measured" in found.chosen.sentence)


@pytest.mark.usefixtures("quick")
def test_what_is_no_better_than_popularity_is_said_to_be_so() -> None:
    draw = np.random.default_rng(1)
    items = np.minimum(draw.geometric(0.1, 1500) - 1, 29)
    data = Interactions.from_rows(np.repeat(np.arange(150), 10), items, users=150, items=30)
    found = choose(data, parts_of(data), budget=4, run=RUN, now=ticking())
    assert found.model == "popularity" or "nothing shows that" in found.sentence
    assert (
        "nothing shows that"
        not in choose(groups(), parts_of(groups()), budget=4, run=RUN, now=ticking()).sentence
    )
    assert "isn't significantly better (p" not in found.sentence  # blends of it are worse


def test_an_error_as_metric_tries_the_models_of_ratings() -> None:
    data = groups(80, 40)
    data = valued(data, np.random.default_rng(0).integers(1, 6, len(data)))
    found = choose(data, parts_of(data), metric="rmse", budget=4, run=RUN, now=ticking())
    names = {row["model"] for row in found.rows if not row["model"].startswith("blend of")}
    assert names == {"bias", "biased_mf", "svdpp", "bayesian_mf"}
    assert found.metric == "rmse"
    lowest = min(row["value"] for row in found.rows if row["value"] is not None)
    assert found.value == pytest.approx(lowest, abs=1e-4)


def test_a_metric_that_says_nothing_of_being_right_is_refused() -> None:
    with pytest.raises(ArgumentError, match="coverage@10"):
        choose(groups(), parts_of(groups()), metric="coverage@10", budget=1)


@pytest.mark.usefixtures("quick")
def test_more_data_than_the_budget_allows_is_sampled_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(race, "_INTERACTIONS_A_SECOND", 100)
    data = groups(200)
    found = choose(data, parts_of(data), budget=6, run=RUN, now=ticking())
    assert "on a sample of" in found.sentence
    assert found.value is not None
    assert found.value > 0.1
    assert "on a sample" in {row["note"].partition(";")[0] for row in found.rows}


def attempts_of(parts: Split, *given: tuple[str, dict[str, Any]]) -> list[FamilyTrial]:
    by_name = {family.name: family for family in families.FAMILIES}
    made = []
    for name, settings in given:
        model = by_name[name].kind(by_name[name].config(settings)).fit(parts.train, run=RUN)
        score = cofactor.evaluate(model, parts.validation, "ndcg@10", resamples=0)["ndcg@10"]
        made.append(FamilyTrial(by_name[name], settings, score, 0.1, True, model, None))
    return sorted(made, key=lambda one: -one.score)


def test_models_that_know_different_things_are_blended() -> None:
    """Fame and groups decide together here; a model of each alone is worse than both."""
    draw = np.random.default_rng(0)
    n_users, n_items = 800, 80
    base = groups(n_users, n_items, each=10)
    famous = np.minimum(draw.geometric(0.3, n_users * 4) - 1, n_items - 1)
    order = draw.permutation(n_items)
    users = np.concatenate((base.user_rows, np.repeat(np.arange(n_users), 4)))
    items = np.concatenate((base.item_rows, order[famous]))
    data = Interactions.from_rows(users, items, users=n_users, items=n_items)
    parts = parts_of(data)
    alone = {"normalize": True, "popularity_weight": 0}
    tried = attempts_of(parts, ("popularity", {}), ("item_knn", alone))
    tried = [replace(one, score=0.3) for one in tried]
    assert parts.validation is not None
    found = best_blend(tried, parts.validation, parse_metric("ndcg@10"), Allowance(60), RUN)
    assert found is not None
    assert found.better
    assert found.p < 0.05
    assert found.gain > 0
    alone = max(
        cofactor.evaluate(a.model, parts.validation, "ndcg@10")["ndcg@10"] for a in tried if a.model
    )
    assert found.value > alone
    again = registry.get("blend")(found.config).fit(parts.train, run=RUN)
    value = cofactor.evaluate(again, parts.validation, "ndcg@10")["ndcg@10"]
    assert value == pytest.approx(found.value, abs=1e-6)


def test_a_model_and_its_like_are_not_blended() -> None:
    parts = parts_of(groups())
    tried = attempts_of(parts, ("ease", {}), ("ease", {"regularization": 201.0}))
    assert parts.validation is not None
    found = best_blend(tried, parts.validation, parse_metric("ndcg@10"), Allowance(60), RUN)
    assert found is not None
    assert not found.better


@pytest.mark.usefixtures("quick")
def test_train_without_a_model_chooses_one_and_the_artifact_says_why(tmp_path: Any) -> None:
    done = train(
        groups(), out=tmp_path / "m", limits=Limits(budget=4), cutting=Cutting(seed=3), run=RUN
    )
    assert done.chosen is not None
    assert done.model.name == done.chosen.model
    assert done.refitted
    assert len(done.model.data) == len(groups())
    assert done.baselines is not None
    assert done.baselines.tests[0].better == done.model.name
    manifest = inspect(tmp_path / "m")
    assert manifest.run["chosen"]["sentence"] == done.chosen.sentence
    assert manifest.metrics["baselines"]["metrics"]["popularity"]["ndcg@10"] > 0
    assert cofactor.load(tmp_path / "m").config == done.chosen.config


def test_settings_belong_to_a_model(tmp_path: Any) -> None:
    with pytest.raises(ArgumentError, match="factors=3 is a setting of one model"):
        train(groups(), out=tmp_path / "m", settings=["factors=3"])
    with pytest.raises(ArgumentError, match="the source has no name"):
        train(groups())


@pytest.mark.usefixtures("quick")
def test_the_test_part_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = []
    real = auto_module.evaluate

    def counted(model: Any, parts: Any, *given: Any, **more: Any) -> Any:
        looks.append(isinstance(parts, Split))
        return real(model, parts, *given, **more)

    monkeypatch.setattr(auto_module, "evaluate", counted)
    found = auto(groups(), budget=4, run=RUN)
    assert looks == [True]
    assert found.result is not None
    assert "significantly better than popularity" in repr(found)


def test_few_users_do_not_overrule_what_is_usually_best() -> None:
    def tried(name: str, values: Any) -> FamilyTrial:
        family = next(one for one in families.FAMILIES if one.name == name)
        result: Any = SimpleNamespace(values={"ndcg@10": np.asarray(values, float)})
        return FamilyTrial(family, {}, float(np.mean(values)), 0.1, True, None, result)

    metric, draw = parse_metric("ndcg@10"), np.random.default_rng(0)

    def chosen(n_users: int, gain: float) -> str:
        usual = draw.random(n_users)
        noise = 0.3 * draw.standard_normal(n_users)
        other = usual + gain + noise - noise.mean()
        attempts = [tried("bpr", other), tried("ials", usual)]
        return wisest(attempts, metric, rates=False, new_items=False).family.name

    assert chosen(8, 0.05) == "ials"
    assert chosen(8, 0.5) == "bpr"
    assert chosen(5_000, 0.005) == "bpr"
    assert chosen(5_000, -0.005) == "ials"


@pytest.mark.usefixtures("quick")
def test_with_few_users_only_defaults_are_tried_and_it_says_so() -> None:
    data = groups(n_users=60, each=12)
    whole = parts_of(data)
    assert whole.validation is not None
    parts = replace(whole, validation=few_users(whole.validation, 8))
    found = choose(data, parts, budget=6, run=RUN, now=ticking())
    assert max(row["tried"] for row in found.rows) == 1
    assert "Only 8 users decided" in found.sentence
    assert "no settings but the defaults were tried" in found.sentence
    if "can't show" in found.sentence:
        assert found.model == "ials"


def test_transitions_begins_with_settings_for_a_catalogue_that_turns_over() -> None:
    """Forward pairs, and walks over them, are a tenth better there, and were found by chance."""
    parts = panel.TURNING["400 items, four tenths, seed 31"]()
    family = next(one for one in families.FAMILIES if one.name == "transitions")
    assert parts.validation is not None
    default, *others = (
        cofactor.evaluate(
            family.kind(family.config(settings)).fit(parts.train, run=RUN),
            parts.validation,
            "ndcg@10",
            resamples=0,
        )["ndcg@10"]
        for settings in ({}, *family.starts)
    )
    assert max(others) > 1.08 * default
