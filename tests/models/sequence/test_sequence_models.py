"""Models of order: new events learnt exactly, every click counted, odd input."""

from __future__ import annotations

from itertools import count, pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from scipy.sparse import csr_matrix

import forked
from cofactor.artifact.load import load
from cofactor.artifact.save import save
from cofactor.base.errors import ArgumentError, ArtifactError, DataError
from cofactor.base.run import Run
from cofactor.data.catalogue import Catalogue
from cofactor.data.events import Events
from cofactor.data.histories import Histories
from cofactor.data.interactions import Interactions
from cofactor.data.readers import read
from cofactor.data.sessions import questions
from cofactor.data.splits import leave_last
from cofactor.evaluation.next_item import evaluate_next
from cofactor.models import registry
from cofactor.models.blends.blend import Blend
from cofactor.models.defaults import popularity_term
from cofactor.models.recommender import Recommender
from cofactor.models.sequence.sequence_linear import SequenceLinear
from cofactor.models.sequence.session_knn import SessionKNN
from cofactor.models.sequence.transitions import Transitions
from cofactor.service.answering.profiles import UserProfiles
from cofactor.service.settings import Settings
from cofactor.store import open_store
from cofactor.store.records import Event

ONE = Run(threads=1)
MODELS = {
    "transitions": {"repeat_weight": 0.5, "target_power": 0.2, "walk_weight": 0.5, "damping": 2.0},
    "sequence_linear": {"regularization": 5.0, "keep_sums": True},
    "session_knn": {"neighbours": 20, "idf": 1.0},
    "blend": {"models": ("transitions", "session_knn"), "weights": (1.0, 0.7)},
}
EVERY = pytest.mark.parametrize("name", list(MODELS))
_SMALL = {"factors": 16, "max_length": 60, "history_length": 60, "batch_tokens": 600, "epochs": 3}
NETWORKS = {
    "transformer": {**_SMALL, "learning_rate": 0.01, "dropout": 0.0},
    "gru4rec": {**_SMALL, "learning_rate": 0.01, "dropout": 0.0},
}
SEQUENCES = {**MODELS, **NETWORKS}
EVERY_SEQUENCE = pytest.mark.parametrize("name", list(SEQUENCES))


def events(n: int, seed: int, *, users: int = 30, items: int = 25, start: int = 0) -> Events:
    """Walks over a ring of items: the next one mostly follows."""
    rng = np.random.default_rng(seed)
    owner = rng.integers(0, users, n)
    place = rng.integers(0, items, users)
    walked = []
    for u in owner:
        place[u] = (place[u] + rng.choice([1, 1, 1, 2, 0, 7])) % items
        walked.append(f"i{place[u]:02d}")
    return Events(
        pa.chunked_array([pa.array([f"u{u:02d}" for u in owner])]),
        pa.chunked_array([pa.array(walked)]),
        times=np.arange(n, dtype=np.int64) + start,
    )


def together(*parts: Events) -> Events:
    return Events(
        pa.chunked_array([c for part in parts for c in part.users.chunks]),
        pa.chunked_array([c for part in parts for c in part.items.chunks]),
        times=np.concatenate([part.times for part in parts]),
    )


@EVERY
@pytest.mark.parametrize("repeats", ["keep", "last"])
def test_update_equals_a_refit_on_all_events(name: str, repeats: str) -> None:
    # The second part has new users and new items, and some of it is older than the first part.
    first, second = events(400, 1, start=1000), events(150, 2, users=40, items=32, start=900)
    model = registry.create(name, **MODELS[name])
    model.fit(Interactions.build(first, repeats=repeats), run=ONE)
    assert model.update(second, run=ONE) is model
    whole = Interactions.build(together(first, second), repeats=repeats)
    refit = registry.create(name, **MODELS[name]).fit(whole, run=ONE)
    assert model.data.items == whole.items
    rows = np.arange(whole.n_users)
    np.testing.assert_allclose(model.score_rows(rows), refit.score_rows(rows), rtol=2e-3, atol=2e-4)


def test_an_update_takes_what_a_fit_takes(tmp_path) -> None:
    rows = [("u1", "item 3", 5_000), ("u1", "item 4", 5_060), ("u2", "item 3", 6_000)]
    named = [{"user": user, "item": item, "time": time} for user, item, time in rows]
    table = pa.Table.from_pylist(named)
    path = tmp_path / "more.csv"
    path.write_text("user,item,time\n" + "".join(f"{u},{i},{t}\n" for u, i, t in rows))
    counts = []
    for more in (read(table), table, named, path, str(path)):
        model = Transitions().fit(Interactions.build(events(100, 1), repeats="keep"), run=ONE)
        counts.append(model.update(more, run=ONE).counts.toarray())
    for other in counts[1:]:
        np.testing.assert_array_equal(other, counts[0])
    for bad in (7, None, model.data, csr_matrix([[1.0]])):
        with pytest.raises(ArgumentError, match="events must"):
            model.update(bad, run=ONE)
    np.testing.assert_array_equal(model.counts.toarray(), counts[0])


@EVERY
def test_an_interrupted_update_changes_nothing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = registry.create(name, **MODELS[name]).fit(Interactions.build(events(200, 1)), run=ONE)
    before, data = model.score_rows([0, 1]), model.data
    done = popularity_term.kept_offset
    models_left = iter(range(len(getattr(model, "parts", [model])) - 1))

    def interrupted(*given):  # in the last model of a blend
        if next(models_left, None) is None:
            raise KeyboardInterrupt
        return done(*given)

    monkeypatch.setattr(popularity_term, "kept_offset", interrupted)
    with pytest.raises(KeyboardInterrupt):
        model.update(events(50, 2, users=40), run=ONE)
    assert model.data is data
    np.testing.assert_array_equal(model.score_rows([0, 1]), before)


def test_updated_counts_are_those_of_a_refit_to_rounding() -> None:
    first, second = events(400, 1, start=1000), events(150, 2, start=900)
    model = Transitions().fit(Interactions.build(first, repeats="keep"), run=ONE)
    model.update(second, run=ONE)
    whole = Interactions.build(together(first, second), repeats="keep")
    refit = Transitions().fit(whole, run=ONE)
    assert model.counts.nnz == refit.counts.nnz
    np.testing.assert_allclose(model.counts.toarray(), refit.counts.toarray(), atol=1e-12)


@EVERY_SEQUENCE
def test_each_click_counts_in_the_services_next_answer(name: str, tmp_path) -> None:
    model = registry.create(name, **SEQUENCES[name])
    model.fit(Interactions.build(events(600, 3), repeats="keep"), run=ONE)
    data = model.data
    known = int(np.argmax(data.user_counts))
    before = data.histories([known]).item_rows.tolist()
    clicks = ["i03", "i04", "i04", "nowhere", "i11", "i03"]
    for user, past in (("somebody new", []), (data.users.ids([known])[0], before)):
        with open_store(f"sqlite:///{tmp_path / user.replace(' ', '')}.db") as store:
            profiles = UserProfiles(model, store, Settings())
            answers = []
            for moment, click in enumerate(clicks):
                event = Event(user_id=user, item_id=click, kind="click", time=10_000 + moment)
                store.append([event]).result(300)
                batch = profiles.user_batch([profiles.of_user(user)])
                streamed = model.score_batch(batch)[0]
                rows = data.items.find(clicks[: moment + 1])
                history = Histories.of([[*past, *rows[rows >= 0].tolist()]], data.n_items)
                whole = model.score_batch(model.fold_in(history))[0]
                np.testing.assert_allclose(streamed, whole, rtol=1e-6)
                answers.append(streamed)
        assert not np.allclose(answers[0], answers[1])
        np.testing.assert_array_equal(answers[2], answers[3])  # nobody knows "nowhere"


@EVERY_SEQUENCE
def test_order_matters_and_is_read(name: str) -> None:
    model = registry.create(name, **SEQUENCES[name]).fit(
        Interactions.build(events(600, 3)), run=ONE
    )
    assert model.traits.uses_order
    ahead, back = (
        model.score_batch(model.fold_in(Histories.of([rows], model.data.n_items)))
        for rows in ([1, 9, 17], [17, 9, 1])
    )
    assert not np.allclose(ahead, back)


@pytest.fixture(scope="module")
def kept(tmp_path_factory) -> tuple[Path, dict[str, Recommender]]:
    """Every model on data with repeats, and the folder that each is saved in by its name."""
    folder, models = tmp_path_factory.mktemp("kept"), {}
    for name, settings in SEQUENCES.items():
        models[name] = registry.create(name, **settings)
        models[name].fit(Interactions.build(events(300, 5), repeats="keep"), run=ONE)
        save(models[name], folder / name)
    return folder, models


@EVERY_SEQUENCE
def test_artifacts_hold_the_repeats(name: str, kept) -> None:
    folder, models = kept
    model, again = models[name], load(folder / name)
    rows = np.arange(model.data.n_users)
    np.testing.assert_allclose(again.score_rows(rows), model.score_rows(rows), rtol=1e-6)
    np.testing.assert_array_equal(
        again.data.histories().item_rows, model.data.histories().item_rows
    )


def test_artifacts_answer_without_torch(kept) -> None:
    folder, models = kept
    code = (
        "import sys\nsys.modules['torch'] = None\nfrom cofactor.artifact.load import load\n"
        f"for name in {list(models)}:\n"
        f"    m = load({str(folder)!r} + '/' + name)\n"
        "    print(name, m.recommend(history=['i03', 'i04'], k=3).ids)"
    )
    done = forked.run(code)
    assert done.stdout.splitlines() == [
        f"{name} {model.recommend(history=['i03', 'i04'], k=3).ids}"
        for name, model in models.items()
    ], done.stderr


@EVERY
def test_explanations_of_histories_with_repeats_add_up(name: str) -> None:
    model = registry.create(name, **MODELS[name])
    model.fit(Interactions.build(events(600, 3), repeats="keep"), run=ONE)
    batch = model.fold_in(Histories.of([[4, 5, 4, 9, 5]], model.data.n_items))
    wanted = np.array([4, 6, 10, 20])
    past, added, rest = model.explain_rows(batch, wanted)
    assert set(past.tolist()) <= {4, 5, 9}
    scores = model.score_batch(batch)[0, wanted]
    np.testing.assert_allclose(added.sum(axis=1) + rest, scores, rtol=1e-4, atol=1e-6)


def test_texts_join_items_that_nobody_had_together() -> None:
    data = Interactions.build(events(400, 1))
    words = ["red ribbon", "red ribbon large"] + [f"thing {n}" for n in range(data.n_items - 2)]
    object.__setattr__(data, "catalogue", Catalogue(pa.table({"title": words})))
    model = Transitions(text=("title",), text_weight=5.0).fit(data, run=ONE)
    assert model.score_batch(model.fold_in(Histories.of([[0]], data.n_items)))[0].argmax() == 1
    with pytest.raises(DataError, match="text_weight needs a catalogue with titles"):
        Transitions(text_weight=1.0).fit(Interactions.build(events(400, 1)), run=ONE)


def test_counts_are_normalised_by_damped_powers_of_their_sums() -> None:
    config = {"window": 2, "backward": 0.5, "source_power": 0.8, "target_power": 0.3}
    model = Transitions(**config, damping=4.0).fit(Interactions.build(events(300, 1)), run=ONE)
    counts = model.counts.toarray()
    rows, columns = counts.sum(1) + 4.0, counts.sum(0) + 4.0
    every = np.arange(len(counts))
    expected = counts * rows[:, None] ** -0.8 * columns**-0.3
    np.testing.assert_allclose(model.weights.between(every, every), expected, rtol=1e-5)


def test_the_gram_matrix_by_recurrence_is_that_of_all_prefixes() -> None:
    rng = np.random.default_rng(0)
    lists = [rng.integers(0, 7, size) for size in rng.integers(1, 30, 25)]
    histories = Histories.of(lists, 7)
    model = SequenceLinear(decays=(0.5, 0.9), regularization=3.0, user_weight_power=0.3)
    gram, following = np.zeros((14, 14)), np.zeros((14, 7))
    for own in lists:
        state, share = np.zeros(14), len(own) ** -0.3
        for now, after in pairwise(own):
            state[:7] *= 0.5
            state[7:] *= 0.9
            state[[now, 7 + now]] += 1
            gram += share * np.outer(state, state)
            following[:, after] += share * state
    sums = model._sums_of(histories, ONE)
    np.testing.assert_allclose(sums.following.T, following, rtol=1e-4, atol=1e-4)
    for first, end in ((0, 4), (4, 9), (9, 14)):  # the second has rows of both decays
        final = sums.final[first:end].copy()
        rows = model._gram_rows(sums.following, sums.counts, first, final)
        below = np.arange(14) <= np.arange(first, end)[:, None]
        np.testing.assert_allclose(rows[below], gram[first:end][below], rtol=1e-4, atol=2e-4)


def test_a_model_that_a_blend_names_again_has_a_seed_of_its_own() -> None:
    data = Interactions.build(events(300, 3))
    settings = {"models": ("bpr", "bpr"), "model_settings": ("bpr.epochs=1", "bpr.factors=4")}
    first, second = Blend(**settings).fit(data, run=ONE).parts
    alone = registry.create("bpr", epochs=1, factors=4).fit(data, run=ONE)
    assert np.array_equal(first.item_factors, alone.item_factors)
    assert not np.allclose(first.item_factors, second.item_factors)


def test_a_blend_chooses_the_model_that_knows_and_keeps_its_choice() -> None:
    split = leave_last(Interactions.build(events(3000, 3, users=150)), test=1, validation=1)
    settings = {"models": ("popularity", "transitions"), "model_settings": ("2.window=5",)}
    blend = Blend(**settings).fit(split.train, validation=split.validation, run=ONE)
    alone = Transitions(window=5).fit(split.train, run=ONE)
    measured = [
        evaluate_next(model, split.validation, "ndcg@10", run=ONE)["ndcg@10"]
        for model in (blend, alone)
    ]
    assert measured[0] >= measured[1] - 1e-9
    assert blend.refit_config.weights == tuple(blend.weights)
    assert blend.refit_config.replace().weights
    with pytest.raises(ArgumentError, match="must begin with one of its models"):
        Blend(models=("popularity", "transitions"), model_settings=("ease.keep=3",))
    with pytest.raises(ArgumentError, match="weights must be one for each of 2 models"):
        Blend(models=("popularity", "transitions"), weights=(1.0,))
    with pytest.raises(ArgumentError, match="can't learn from new events alone"):
        blend.update(events(5, 1))


def test_session_knn_is_bounded_and_prefers_recent_sessions() -> None:
    lists = [["a", "b"]] * 5 + [["a", "c"]] * 2
    flat = [item for one in lists for item in one]
    clock = count()
    data = Interactions.build(
        Events(
            pa.chunked_array([pa.array([n for n, one in enumerate(lists) for _ in one])]),
            pa.chunked_array([pa.array(flat)]),
            times=np.array([next(clock) for _ in flat]),
        ),
        repeats="keep",
    )
    everything = SessionKNN().fit(data, run=ONE)
    assert everything.recommend(history=["a"], k=1, run=ONE).ids == ["b"]
    recent = SessionKNN(sessions_per_item=3).fit(data, run=ONE)
    assert recent.recommend(history=["a"], k=1, run=ONE).ids == ["c"]
    assert np.diff(recent.index.item_indptr).max() <= 3
    assert len(SessionKNN(max_sessions=2).fit(data, run=ONE).index.scale) == 2


def test_a_damaged_index_is_refused() -> None:
    model = SessionKNN().fit(Interactions.build(events(100, 1)), run=ONE)
    arrays = dict(model.state())
    arrays["sessions"] = arrays["sessions"] + np.int32(10_000)
    with pytest.raises(ArtifactError, match="'sessions' must hold rows of sessions"):
        SessionKNN.from_state(model.config, arrays, model.data)


def test_prefix_questions_of_a_ring_are_answered() -> None:
    data = Interactions.build(events(3000, 3, users=100), repeats="keep")
    part = questions(Histories.of([[1, 2, 3, 4, 5, 6]], data.n_items), data.items)
    for name, settings in MODELS.items():
        model = registry.create(name, **settings).fit(data, run=ONE)
        assert evaluate_next(model, part, "hit@3", run=ONE)["hit@3"] == 1.0, name


def test_session_knn_reads_one_history_as_it_reads_many() -> None:
    draw = np.random.default_rng(4)
    rows = [draw.integers(0, 5, n).tolist() for n in (1, 4, 9, 0, 30)]
    histories, model = Histories.of(rows, 5), SessionKNN(history_length=20, query_decay=0.5)
    model.fit(Interactions.from_rows(np.arange(5), np.arange(5), users=5, items=5))
    indptr, items, weights = model._queries(histories)
    for n in range(len(rows)):
        own = model._queries(histories.take(np.array([n])))
        part = slice(indptr[n], indptr[n + 1])
        assert own[0].tolist() == [0, part.stop - part.start]
        np.testing.assert_array_equal(own[1], items[part])
        np.testing.assert_array_equal(own[2], weights[part])
