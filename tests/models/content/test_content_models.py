"""Models with content: new items, profiles, descriptions, words as reasons, saving."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from cofactor.artifact.load import load
from cofactor.artifact.save import save
from cofactor.base.errors import ArgumentError, DataError, TraitError
from cofactor.base.run import Run
from cofactor.data.catalogue import Catalogue
from cofactor.models import registry
from cofactor.models.content.bridge import BASES, BridgeConfig
from content_shop import SMALL, made, shop


@pytest.mark.parametrize("name", SMALL)
def test_new_item_is_recommended_to_those_who_like_its_kind(name: str, tmp_path: Path) -> None:
    model = made(name)
    new = [
        {"item_id": 9001, "description": "piano keys music", "colour": "red"},
        {"item_id": 9000, "description": "engine oil fuel"},
    ]
    model = model.with_items(new)
    assert model.data.n_items == 63
    scores = model.score_rows(np.arange(90))
    wants_piano, wants_engine = np.arange(90) % 4 == 2, np.arange(90) % 4 == 1
    assert (
        scores[wants_piano, 61].mean() > scores[~wants_piano, 61].mean() + 0.5 * scores[:, 61].std()
    )
    assert (
        scores[wants_engine, 62].mean()
        > scores[~wants_engine, 62].mean() + 0.5 * scores[:, 62].std()
    )
    shown = model.recommend(2, k=20)
    assert 9001 in shown.ids
    assert shown.cold_share is not None
    assert "without interactions" in repr(shown)
    again = load(save(model, tmp_path / "model"))
    np.testing.assert_allclose(again.score_rows(np.arange(90)), scores, rtol=1e-4, atol=1e-5)
    assert again.with_items([{"item_id": 7, "description": "cheese milk"}]).data.n_items == 64


@pytest.mark.parametrize("name", SMALL)
def test_new_items_leave_the_model_as_it_was_and_both_answer_at_once(
    name: str, tmp_path: Path
) -> None:
    old = made(name)
    users, lists = np.arange(90), list(range(0, 90, 7))
    before = {n: array.copy() for n, array in old.state().items()}
    scores, shown = old.score_rows(users), old.recommend(lists, k=5).to_dicts()
    lines = [{"item_id": 9001, "description": "piano keys music"}]
    new = old.with_items(lines).with_items([{"item_id": 9002, "description": "engine oil"}])
    assert (old.data.n_items, new.data.n_items) == (61, 63)
    expected = new.score_rows(users)

    def answers(n: int) -> None:
        model, wanted = ((old, scores), (new, expected))[n % 2]
        np.testing.assert_array_equal(model.score_rows(users), wanted)
        model.recommend(lists, k=61)
        model.explain(2, 502) if model.traits.explains else None
        model.similar_items(502, k=3)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(answers, range(12)))
    assert set(before) == set(old.state())
    for n, array in old.state().items():
        np.testing.assert_array_equal(array, before[n], err_msg=n)
    assert old.recommend(lists, k=5).to_dicts() == shown
    assert 9001 in new.recommend(2, k=61).ids
    np.testing.assert_allclose(
        load(save(old, tmp_path / "old")).score_rows(users), scores, rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("name", SMALL)
def test_cold_item_of_the_catalogue_has_an_answer_from_its_text(name: str) -> None:
    scores = made(name).score_rows(np.arange(90))[:, 60]
    garden = np.arange(90) % 4 == 0
    assert scores[garden].mean() > scores[~garden].mean() + 0.5 * scores.std()


@pytest.mark.parametrize("name", [name for name in SMALL if name != "two_tower"])
def test_words_that_carried_a_score_are_named(name: str) -> None:
    explained = made(name).explain(2, 500 + 2)
    assert {"piano"} <= {reason.title for reason in explained.features[:3]}
    assert "by its words and features: " in repr(explained)


def test_description_in_words_finds_its_kind() -> None:
    model = made("content_knn")
    found = model.similar_to("a piano with good keys for music", k=5)
    assert all((i - 500) % 4 == 2 for i in found.ids)
    assert len(model.similar_to("nothing at all known", k=5)) == 0
    with pytest.raises(ArgumentError, match="sentence or a mapping"):
        model.similar_to(5)


@pytest.mark.parametrize("name", ["feature_ials", "two_tower"])
def test_somebody_known_by_a_profile_alone_gets_their_kind(name: str) -> None:
    model = made(name, user_features=("hobby",))
    found = model.recommend(features={"hobby": "engine"}, k=5)
    assert np.mean([(i - 500) % 4 == 1 for i in found.ids]) >= 0.8
    both = model.recommend(
        features=[{"hobby": "engine"}, {"hobby": "unheard of"}], history=[[502, 506], [503]], k=4
    )
    assert len(both) == 8
    with pytest.raises(ArgumentError, match="without profiles"):
        made(name, epochs=1).recommend(features={"hobby": "engine"})


def test_model_without_content_says_so() -> None:
    model = registry.create("ials", factors=4).fit(shop(), run=Run(threads=1))
    with pytest.raises(TraitError, match="reads no content"):
        model.with_items([{"item_id": 1}])
    with pytest.raises(TraitError, match="reads no content"):
        model.similar_to("words")
    with pytest.raises(TraitError, match="no profiles"):
        model.recommend(features={"age": 3})


def test_known_and_repeated_ids_of_new_items_are_refused_or_skipped() -> None:
    model = made("content_knn")
    with pytest.raises(ArgumentError, match="known already: 500"):
        model.with_items([{"item_id": 500, "description": "x"}])
    with pytest.raises(ArgumentError, match="duplicate id"):
        model.with_items([{"item_id": 1, "description": "x"}, {"item_id": 1, "description": "y"}])
    with pytest.raises(DataError, match="aren't int64"):
        model.with_items([{"item_id": "abc", "description": "x"}])
    assert (
        model.with_items(
            [{"item_id": 500, "description": "x"}, {"item_id": 2, "description": "x"}], known="skip"
        ).data.n_items
        == 62
    )


def test_no_catalogue_is_refused_with_the_cure() -> None:
    bare = replace(shop(), catalogue=Catalogue.nothing(61))
    with pytest.raises(DataError, match="need a catalogue"):
        registry.create("content_knn").fit(bare)


@pytest.mark.parametrize("name", SMALL)
def test_one_text_for_all_still_fits_and_says_that_content_is_useless(name: str) -> None:
    data = replace(shop(), catalogue=Catalogue(pa.table({"description": ["the same words"] * 61})))
    model = registry.create(name, **SMALL[name], text=("description",)).fit(
        data, run=Run(threads=1, device="cpu")
    )
    assert any("distinguish the items" in note for note in model.notes)
    assert np.isfinite(model.score_rows(np.arange(90))).all()


@pytest.mark.parametrize("base", BASES)
def test_a_bridge_of_0_1_keeps_the_base_settings_it_was_fitted_with(base: str) -> None:
    saved = {"base": base, "compare_without_features": True}
    earlier = {**saved, "base_settings": []}
    earlier["twin"] = earlier.pop("compare_without_features")  # glossary: its name in 0.1
    found = BridgeConfig.from_dict(earlier).base_config()
    if base in ("ials", "bpr"):
        assert found.value_of("regularization") == 0.01
    rate = {"bpr": 0.08, "warp": 0.1, "logistic_mf": 0.3}.get(base)
    assert rate is None or found.value_of("learning_rate") == rate
    usual = registry.get(base).Config()
    assert BridgeConfig.from_dict({**saved, "base_settings": []}).base_config() == usual
    given = BridgeConfig.from_dict({**earlier, "base_settings": ["regularization=3"]})
    assert given.base_config().value_of("regularization") == 3


@pytest.mark.parametrize("base", ["bpr", "ease", "latent_factor", "logistic_mf"])
def test_bridge_serves_every_base_with_item_vectors(base: str, tmp_path: Path) -> None:
    settings = {
        "bpr": ("factors=8", "epochs=60"),
        "ease": ("regularization=5",),
        "logistic_mf": ("factors=8",),
        "latent_factor": (
            "factors=8",
            "loss=bpr",
            "epochs=40",
            "batch_size=128",
            "learning_rate=0.02",
        ),
    }[base]
    model = registry.create("bridge", base=base, base_settings=settings, text=("description",))
    model.fit(shop(), run=Run(threads=1, device="cpu"))
    assert model.check.auc > 0.8
    model = model.with_items([{"item_id": 9001, "description": "piano keys music"}])
    scores = model.score_rows(np.arange(90))[:, 61]
    piano = np.arange(90) % 4 == 2
    assert scores[piano].mean() > scores[~piano].mean() + 0.5 * scores.std()
    again = load(save(model, tmp_path / "model"))
    np.testing.assert_allclose(
        again.score_rows(np.arange(90)), model.score_rows(np.arange(90)), rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("name", ["content_ridge", "feature_ials", "content_blend"])
def test_score_normalisation_brings_new_items_to_one_spread_and_leaves_the_others(
    name: str, tmp_path: Path
) -> None:
    plain, level = (
        made(
            name,
            normalize_scores=q,
            **({"calibrate_exposure": False} if name == "feature_ials" else {}),
        )
        for q in (0.0, 1.0)
    )
    short = {"item_id": 9001, "description": "piano"}
    long = {"item_id": 9002, "description": "garden roses soil spade seeds thing"}
    plain, level = (model.with_items([short, long]) for model in (plain, level))
    users = np.arange(90)
    faint, even = plain.score_rows(users), level.score_rows(users)
    np.testing.assert_allclose(even[:, :60], faint[:, :60], rtol=2e-3, atol=1e-5)
    ratio = [s[:, 61].std() / s[:, 62].std() for s in (faint, even)]
    assert abs(np.log(ratio[1])) < abs(np.log(ratio[0]))
    if name != "content_blend":
        assert abs(np.log(ratio[1])) < 0.25
    reasons = level._explain_features(level.user_batch(np.array([2])), 61)
    if name == "content_ridge":
        assert sum(r.contribution for r in reasons) == pytest.approx(float(even[2, 61]), rel=1e-3)
    again = load(save(level, tmp_path / "model"))
    again = again.with_items([{"item_id": 9003, "description": "piano"}])
    np.testing.assert_allclose(again.score_rows(users)[:, 63], even[:, 61], rtol=1e-3, atol=1e-5)


def test_ridge_with_a_constant_answers_for_items_of_which_nothing_is_said() -> None:
    silent = [{"item_id": 9001, "description": ""}]
    assert not made("content_ridge").with_items(silent).score_rows(np.arange(90))[:, 61].any()
    model = made("content_ridge", constant=1.0, size=0.5).with_items(silent)
    scores = model.score_rows(np.arange(90))
    assert scores[:, 61].all()
    assert model.explain_rows(model.user_batch(np.array([3])), [61]).added.sum() == pytest.approx(
        float(scores[3, 61]), rel=1e-3
    )


def test_blend_with_towers_adds_their_part_saves_it_and_explains_the_rest(tmp_path: Path) -> None:
    tower = ("factors=8", "epochs=4", "batch_size=128", "learning_rate=0.02", "hidden=16")
    plain, model = (
        made("content_blend"),
        made("content_blend", tower_weight=0.5, tower_settings=tower),
    )
    assert (len(plain.parts), len(model.parts)) == (2, 3)
    histories = model.data.histories(np.array([2, 7]))
    own = model.parts[2].fold_in(histories)
    spread = model.parts[2]._score(own.states, model.probes).std(axis=1, keepdims=True)
    gained = model.score_batch(model.fold_in(histories)) - plain.score_batch(
        plain.fold_in(histories)
    )
    np.testing.assert_allclose(
        gained, 0.5 * model.parts[2]._score(own.states, None) / spread, rtol=1e-3, atol=1e-3
    )
    batch = model.user_batch(np.array([2]))
    _, added, rest = model.explain_rows(batch, [6])
    assert added.sum() + rest[0] == pytest.approx(float(model.score_batch(batch)[0, 6]), rel=1e-3)
    again = load(save(model, tmp_path / "model"))
    np.testing.assert_allclose(
        again.score_rows(np.arange(9)), model.score_rows(np.arange(9)), rtol=1e-3, atol=1e-4
    )
    assert again.with_items([{"item_id": 7, "description": "cheese milk"}]).score_rows(
        np.arange(9)
    ).shape == (9, 62)


def test_blend_puts_new_items_of_which_nothing_is_said_last_and_adds_up() -> None:
    model = made("content_blend", ridge_settings=("constant=1",))
    model = model.with_items(
        [{"item_id": 9001, "description": ""}, {"item_id": 9002, "description": "piano music"}]
    )
    users = np.arange(90)
    scores = model.score_rows(users)
    np.testing.assert_array_equal(scores[:, 61], scores[:, model.probes].min(axis=1))
    assert (scores[:, 62] > scores[:, 61]).all()
    np.testing.assert_array_equal(model.score_rows(users, np.array([62, 61])), scores[:, [62, 61]])
    _, added, rest = model.explain_rows(model.user_batch(np.array([4])), [61])
    assert added.sum() + rest[0] == pytest.approx(float(scores[4, 61]))


def test_parts_of_a_blend_keep_their_own_settings_and_take_over_the_rest() -> None:
    kind = registry.get("content_blend")
    words = (
        "characters=true",
        "value_weight=1.4",
        "normalize_scores=0.5",
        "ials_settings=value_weight=1,factors=8",
        "ridge_settings=normalize_scores=0",
    )
    ridge, ials = kind(kind.Config.from_text(words)).parts
    assert (ridge.config.value_weight, ridge.config.normalize_scores, ridge.config.characters) == (
        1.4,
        0.0,
        True,
    )
    assert (ials.config.value_weight, ials.config.normalize_scores, ials.config.characters) == (
        1.0,
        0.5,
        False,
    )
    asked = kind(kind.Config.from_text((*words[:3], "ials_settings=characters=true"))).parts[1]
    assert asked.config.characters
