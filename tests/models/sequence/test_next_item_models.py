"""Next-item networks: NumPy reads as PyTorch does, padding and neighbours change nothing, losses
are what their formulas say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import cofactor
import forked
from cofactor.base.errors import ArgumentError
from cofactor.base.run import Run
from cofactor.data.histories import Histories
from cofactor.data.interactions import Interactions
from cofactor.models import registry
from cofactor.models.blends import blend_settings
from cofactor.models.sequence import next_losses, transformer_module, transitions
from cofactor.models.sequence.next_item_network import _few_shapes
from cofactor.models.sequence.token_batches import Augmentation, augmented, rounded_up
from cofactor.models.sequence.transformer import PRESETS
from cofactor.training.torch import device

RUN = Run(seed=1, threads=1)
N_ITEMS = 23


def cycles(n_users: int = 60, length: int = 12) -> Interactions:
    """Users who walk the items in one order, each from a place of their own: what comes next is
    known.
    """
    draw = np.random.default_rng(0)
    users = np.repeat(np.arange(n_users), length)
    items = (
        np.repeat(draw.integers(0, N_ITEMS, n_users), length) + np.tile(np.arange(length), n_users)
    ) % N_ITEMS
    times = np.tile(np.arange(length), n_users)
    return Interactions.from_rows(users, items, times=times, users=n_users, items=N_ITEMS)


SETTINGS = [
    ("transformer", {"heads": 2}),
    ("transformer", {"gated": True, "heads": 4, "loss": "sampled_softmax", "negatives": 10}),
    ("transformer", {"positions": "learned", "low_pass": 0.3, "heads": 2}),
    ("transformer", {"positions": "none", "loss": "gbce", "negatives": 8}),
    ("gru4rec", {"blocks": 2, "event_dropout": 0.3, "reversal": 0.5}),
    ("gru4rec", {"loss": "bpr_max", "negatives": 12}),
]


def fitted(name: str, settings: dict[str, object], **more: object):
    base = {"factors": 16, "max_length": 16, "history_length": 16, "batch_tokens": 256, "epochs": 2}
    return registry.create(name, **{**base, **settings, **more}).fit(cycles(), run=RUN)


@pytest.mark.parametrize(("name", "settings"), SETTINGS)
def test_numpy_reads_histories_as_the_module_does(name: str, settings: dict[str, object]) -> None:
    model = fitted(name, settings)
    module = model._encoder(N_ITEMS).eval()
    named = {"embeddings.weight": model.item_factors, **model.weights}
    module.load_state_dict({name: torch.from_numpy(array) for name, array in named.items()})
    assert {name for name, _ in model.layout(model.config)} == set(model.weights)
    rows = [[3], [1, 2, 3, 4, 5], list(range(16)), [7, 7, 7]]
    read = np.asarray(model._fold_in(Histories.of(rows, N_ITEMS)))
    for row, found in zip(rows, read, strict=True):
        with torch.no_grad():
            wanted = module(torch.tensor([row]))[0, -1].numpy()
        np.testing.assert_allclose(found, wanted, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize(("name", "settings"), SETTINGS)
def test_reading_packed_padded_and_one_at_a_time_is_the_same(
    name: str, settings: dict[str, object]
) -> None:
    model = fitted(name, settings)
    draw = np.random.default_rng(5)
    rows = [draw.integers(0, N_ITEMS, n).tolist() for n in (1, 9, 0, 16, 4, 16, 2)]
    together = np.asarray(model._fold_in(Histories.of(rows, N_ITEMS)))
    for row, found in zip(rows, together, strict=True):
        alone = np.asarray(model._fold_in(Histories.of([row], N_ITEMS)))[0]
        np.testing.assert_allclose(found, alone, atol=1e-5)
    assert not together[2].any()


@pytest.mark.parametrize("name", ["transformer", "gru4rec"])
def test_the_next_item_of_a_known_order_is_learnt(name: str) -> None:
    model = fitted(name, {}, epochs=20, factors=32, learning_rate=0.01, dropout=0.0)
    walk = [4, 5, 6, 7]
    assert model.recommend(history=walk, k=1).ids == [8]


def test_a_longer_history_than_is_read_counts_by_its_end() -> None:
    model = fitted("transformer", {})
    long = [1] * 50 + list(range(16))
    both = np.asarray(model._fold_in(Histories.of([long, list(range(16))], N_ITEMS)))
    np.testing.assert_allclose(both[0], both[1], atol=1e-5)


@pytest.mark.parametrize("wide", [False, next_losses._WIDE])  # products by torch, by oneDNN
def test_chunked_softmax_has_the_loss_and_gradient_of_cross_entropy(
    wide: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(next_losses, "_WIDE", wide)
    monkeypatch.setattr(next_losses, "_LOGITS", 3 * N_ITEMS)
    h = torch.randn(8, 5, requires_grad=True)
    items = torch.randn(N_ITEMS, 5, requires_grad=True)
    target = torch.randint(N_ITEMS, (8,))
    config = registry.get("transformer").Config()
    loss = next_losses.softmax(h, target, items, config, torch.Generator())
    (loss * 3).backward()
    own = [h.grad.clone(), items.grad.clone()]
    h.grad = items.grad = None
    wanted = torch.nn.functional.cross_entropy(h @ items.T, target)
    (wanted * 3).backward()
    assert float(loss.detach()) == pytest.approx(float(wanted.detach()), rel=1e-6)
    torch.testing.assert_close(own, [h.grad, items.grad])


def test_sampled_softmax_over_all_items_is_the_full_one() -> None:
    h, items, target = torch.randn(6, 4), torch.randn(N_ITEMS, 4), torch.randint(N_ITEMS, (6,))
    config = registry.get("transformer").Config(negatives=N_ITEMS)
    given = (h, target, items, config, torch.Generator().manual_seed(0))
    full = next_losses.softmax(*given)
    assert float(next_losses.sampled_softmax(*given)) == pytest.approx(float(full), rel=1e-5)


@pytest.mark.parametrize("scale", [1.0, 30.0])  # 30: scores that have to be shifted before exp
def test_sampled_softmax_has_the_gradient_of_its_formula(scale: float) -> None:
    torch.manual_seed(3)
    h = (torch.randn(9, 4) * scale).requires_grad_()
    items, target = torch.randn(N_ITEMS, 4, requires_grad=True), torch.randint(N_ITEMS, (9,))
    config = registry.get("transformer").Config(negatives=10)
    loss = next_losses.sampled_softmax(h, target, items, config, torch.Generator().manual_seed(0))
    loss.backward()
    found = [float(loss.detach()), h.grad.clone(), items.grad.clone()]
    h.grad = items.grad = None
    pool = torch.randperm(N_ITEMS, generator=torch.Generator().manual_seed(0))[:10]
    own = (h * items[target]).sum(1)
    others = (h @ items[pool].T + np.log(N_ITEMS / 10)).masked_fill(
        pool[None, :] == target[:, None], -torch.inf
    )
    wanted = (torch.cat((own[:, None], others), 1).logsumexp(1) - own).mean()
    wanted.backward()
    assert found[0] == pytest.approx(float(wanted.detach()), rel=1e-5)
    torch.testing.assert_close(found[1:], [h.grad, items.grad])


def test_softmax_in_bfloat16_is_near_the_one_in_float32() -> None:
    torch.manual_seed(4)
    h, items = torch.randn(40, 16, requires_grad=True), torch.randn(N_ITEMS, 16, requires_grad=True)
    target, config = torch.randint(N_ITEMS, (40,)), registry.get("transformer").Config()
    found = []
    for low in (False, True):
        h.grad = items.grad = None
        with torch.autocast("cpu", torch.bfloat16, enabled=low):
            loss = next_losses.softmax(h, target, items, config, torch.Generator())
        loss.backward()
        found.append((loss.detach(), h.grad.clone(), items.grad.clone()))
    torch.testing.assert_close(found[1], found[0], rtol=0.02, atol=0.004)


@pytest.mark.parametrize("has_it", [False, True])
def test_precision_is_bfloat16_where_the_processor_has_it_and_is_kept(
    has_it: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(device, "multiplies_bfloat16", lambda _: has_it)
    model = fitted("transformer", {"factors": 4, "epochs": 1})
    named = {"factors": 4, "epochs": 1, "precision": ("float32", "bfloat16")[has_it]}
    assert np.array_equal(model.item_factors, fitted("transformer", named).item_factors)
    assert model.config.precision == "auto"
    cofactor.save(model, tmp_path / "model")
    assert cofactor.load(tmp_path / "model").precision_bits.tolist() == [16 if has_it else 32]


def attention_of(dropout: float) -> transformer_module.Attention:
    config = registry.get("transformer").Config(factors=16, heads=2)
    torch.manual_seed(5)
    shared = transformer_module.Dropout(transformer_module.Masks(dropout))
    return transformer_module.Attention(config, shared)


def test_attention_in_bfloat16_is_near_the_one_in_float32() -> None:
    attention, x = attention_of(dropout=0.0).eval(), torch.randn(3, 7, 16)
    with torch.no_grad():
        exact = attention(x)
        with torch.autocast("cpu", torch.bfloat16):
            low = attention(x)
    assert low.dtype == torch.bfloat16
    torch.testing.assert_close(low.float(), exact, rtol=0.05, atol=0.01)


def test_attention_with_dropout_drops_weights_and_is_else_the_fused_one() -> None:
    attention, x = attention_of(dropout=0.5), torch.randn(3, 7, 16)
    masks = attention.dropout.masks
    masks.kept = {torch.float32: torch.ones(3 * 2 * 7 * 7)}
    exact = attention.eval()(x)
    torch.testing.assert_close(attention.train()(x), exact, rtol=1e-5, atol=1e-6)
    masks.kept = {torch.float32: torch.zeros(3 * 2 * 7 * 7)}
    nothing = attention.output.bias.expand(3, 7, 16)
    torch.testing.assert_close(attention(x), nothing)


def test_batches_have_few_shapes_and_rounding_them_up_changes_no_loss() -> None:
    sizes = {rounded_up(n) for n in range(1, 1025)}
    assert len(sizes) == 15 + 6 * 8 + 1
    assert all(n <= rounded_up(n) <= n * 9 / 8 for n in range(1, 1025))
    model = fitted("transformer", {"epochs": 1, "dropout": 0.0})
    step, draws = model._step(model._encoder(N_ITEMS)), torch.Generator()
    rows = torch.randint(N_ITEMS, (17, 12))
    rows[3, 5:] = -1
    more = torch.nn.functional.pad(rows, (0, 5, 0, 9), value=-1)
    with torch.no_grad():
        seen = _few_shapes(rows, 16).shape, _few_shapes(more, 16).shape
        losses = [float(step((given,), draws)) for given in (rows, more)]
    assert seen == ((18, 12), (26, 17))
    assert losses[1] == pytest.approx(losses[0], rel=1e-6)


def test_windows_lose_events_and_are_read_from_their_end() -> None:
    rows = np.array([[1, 2, 3, 4, 5, 6, 7, 8], [9, 10, 11, -1, -1, -1, -1, -1]], np.int32)
    draws = np.random.default_rng(0)
    turned = augmented(rows, Augmentation(reversal=1.0), draws)
    assert turned.tolist() == [[8, 7, 6, 5, 4, 3, 2, 1], [11, 10, 9, -1, -1, -1, -1, -1]]
    assert np.array_equal(augmented(rows, Augmentation(reversal=1e-9), draws), rows)
    thinned = augmented(np.repeat(rows, 500, 0), Augmentation(event_dropout=0.5), draws)
    lengths = (thinned >= 0).sum(1)
    assert thinned.shape[1] == lengths.max()
    assert lengths.min() == 2
    assert lengths[:500].mean() == pytest.approx(4, abs=0.3)
    for row, length in zip(thinned.tolist(), lengths, strict=True):
        assert row[:length] == sorted(row[:length])
        assert set(row[length:]) <= {-1}
    assert {tuple(row[:2]) for row in thinned[500:].tolist()} == {(9, 10), (9, 11), (10, 11)}


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99, 0.999, 1 - 1e-16])
def test_dropout_of_nearly_everything_leaves_something(share: float) -> None:
    masks = transformer_module.Masks(share)
    masks.draw(4_096)
    kept = masks.kept[torch.float32]
    assert bool(torch.isfinite(kept).all())
    assert bool(kept.any())


def test_dropout_leaves_out_its_share_and_keeps_the_mean() -> None:
    torch.manual_seed(6)
    masks = transformer_module.Masks(0.25)
    masks.draw(40_000)
    dropout = transformer_module.Dropout(masks).train()
    first, second = dropout(torch.ones(200, 200)), dropout(torch.ones(200, 200).bfloat16())
    assert first.unique().tolist() == pytest.approx([0, 4 / 3])
    assert float((first == 0).float().mean()) == pytest.approx(0.25, abs=0.01)
    # Each layer has a stretch of its own, so what one leaves out tells nothing of another.
    both = ((first == 0) & (second == 0)).float().mean()
    assert float(both) == pytest.approx(0.0625, abs=0.01)
    assert dropout.eval()(first) is first


def test_gbce_without_calibration_is_binary_cross_entropy() -> None:
    h, items, target = torch.randn(6, 4), torch.randn(N_ITEMS, 4), torch.randint(N_ITEMS, (6,))
    config = registry.get("transformer").Config(negatives=N_ITEMS, calibration=0.0)
    found = next_losses.gbce(h, target, items, config, torch.Generator().manual_seed(0))
    scores = h @ items.T
    labels = torch.nn.functional.one_hot(target, N_ITEMS).float()
    wanted = torch.nn.functional.binary_cross_entropy_with_logits(scores, labels, reduction="sum")
    assert float(found) == pytest.approx(float(wanted) / 6, rel=1e-5)


def test_every_preset_is_a_valid_configuration() -> None:
    for name, settings in PRESETS.items():
        assert registry.get("transformer").Config(**settings), name
    for name, settings in blend_settings.PRESETS.items():
        assert registry.create("blend", **settings).parts, name


def test_the_blend_of_beauty_is_of_the_models_that_its_board_shows() -> None:
    name = "amazon-beauty-5core"
    blend = registry.create("blend", **blend_settings.PRESETS[name])
    shown = {"transformer": PRESETS[name], "transitions": transitions.PRESETS[name]}
    for part, (model, settings) in zip(blend.parts, shown.items(), strict=True):
        assert part.config == registry.get(model).Config(**settings)


def test_settings_that_contradict_are_refused() -> None:
    with pytest.raises(ArgumentError, match="factors must be a multiple of heads"):
        registry.create("transformer", factors=10, heads=4)
    with pytest.raises(ArgumentError, match="history_length must be at most max_length"):
        registry.create("transformer", max_length=20, history_length=30)
    data = Interactions.from_rows(np.arange(4), np.arange(4), users=4, items=4)
    with pytest.raises(ArgumentError, match="no history has two events; use a model"):
        registry.create("transformer").fit(data, run=RUN)


def test_a_saved_model_answers_without_torch(tmp_path) -> None:
    model = fitted("transformer", {"gated": True})
    cofactor.save(model, tmp_path / "model")
    code = f"""
import sys
import cofactor
model = cofactor.load(r"{tmp_path / "model"}")
print(model.recommend(history=[1, 2, 3], k=3).ids)
print("torch" in sys.modules)
"""
    done = forked.run(code)
    assert done.returncode == 0, done.stderr
    ids, torch_loaded = done.stdout.splitlines()
    assert ids == str(model.recommend(history=[1, 2, 3], k=3).ids)
    assert torch_loaded == "False"


def test_only_the_latest_windows_are_learned_from_where_that_is_said() -> None:
    histories = Histories.of([list(range(20)), [1, 2]], N_ITEMS)
    small = {"max_length": 4, "history_length": 4, "batch_tokens": 16}
    every = registry.create("transformer", **small)._windows(histories)
    latest = registry.create("transformer", **small, latest_windows=1)._windows(histories)
    assert every.owners.tolist() == [0, 0, 0, 0, 0, 1]
    assert latest.owners.tolist() == [0, 1]
    assert (latest.starts + latest.lengths).tolist() == [20, 22]
