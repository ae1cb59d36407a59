"""Saved models changed at random, with their checksums made again: each loads and answers, or is
refused with an `ArtifactError`; nothing else, and nothing ends the process.

``COFACTOR_MUTATIONS`` is their number; ``make soak`` runs a million by `soak.mutate_models`.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import cofactor
from cofactor.artifact import format as fmt
from cofactor.base.errors import ArtifactError, CofactorError
from cofactor.data.histories import Histories
from cofactor.data.synthetic import shop

MODELS: dict[str, Callable[[], Any]] = {
    "popularity": cofactor.Popularity,
    "item_knn": lambda: cofactor.ItemKNN(neighbours=5),
    "ease": lambda: cofactor.EASE(keep=5),
    "ials": lambda: cofactor.IALS(factors=4, epochs=1),
    "content_knn": cofactor.ContentKNN,
    "bias": cofactor.Bias,
}
EACH = int(os.environ.get("COFACTOR_MUTATIONS", 600)) // len(MODELS)
NASTY: list[Any] = [
    None, True, -1, 0, 1, 2**31, 2**63 - 1, -(2**63), 2**64, 10**400, 1e308, -0.5, "", "é", "../x",
    "\x00", [], {}, [[]], {"a": 1}, "9" * 400,
]  # fmt: off
NUMBERS = [0, 1, -1, 2, 40, 60, 127, 2**31 - 1, -(2**31), 2**62, -(2**62), 2**63 - 1, -(2**63)]


@pytest.fixture(scope="module", params=list(MODELS))
def original(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small saved model of each kind."""
    data = shop(n_users=30, n_items=20)
    folder = tmp_path_factory.mktemp("mutations")
    return cofactor.save(MODELS[request.param]().fit(data), folder / "model")


def seal(folder: Path, chance: random.Random) -> None:
    manifest = json.loads((folder / fmt.MANIFEST).read_text())
    for name in fmt.FILES:
        facts = fmt.file_facts(folder / name)
        manifest["files"][name] = {"bytes": facts.bytes, "sha256": facts.sha256}
    if chance.random() < 0.9:
        # What can't be read any more keeps the old list.
        with contextlib.suppress(Exception):
            manifest["arrays"] = fmt.array_facts(load_file(folder / fmt.TENSORS))
    (folder / fmt.MANIFEST).write_text(json.dumps(manifest))


def change_manifest(folder: Path, chance: random.Random) -> None:
    manifest = json.loads((folder / fmt.MANIFEST).read_text())
    place: Any = manifest
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        if not keys:
            return
        key = chance.choice(keys)
        if isinstance(place[key], (dict, list)) and place[key] and chance.random() < 0.7:
            place = place[key]
            continue
        if chance.random() < 0.1:
            del place[key]
        else:
            place[key] = chance.choice(NASTY)
        break
    (folder / fmt.MANIFEST).write_text(json.dumps(manifest))


def change_arrays(folder: Path, chance: random.Random) -> None:
    arrays = load_file(folder / fmt.TENSORS)
    for _ in range(chance.choice([1, 1, 1, 2, 3])):
        name = chance.choice(list(arrays))
        arrays[name] = changed(arrays[name], arrays, chance)
        if chance.random() < 0.05:
            del arrays[name]
    save_file({n: np.ascontiguousarray(a) for n, a in arrays.items()}, folder / fmt.TENSORS)


def changed(array: np.ndarray, arrays: dict[str, np.ndarray], chance: random.Random) -> np.ndarray:
    way = chance.randrange(7)
    array = array.copy()
    flat = array.reshape(-1)
    if way <= 2 and flat.size and array.dtype.kind in "fiu":
        low = chance.randrange(flat.size)
        high = low + 1 if chance.random() < 0.7 else flat.size
        number = chance.choice(NUMBERS)
        if array.dtype.kind == "f":
            flat[low:high] = chance.choice([number, 1e30, -1e30, 1e-40, float("nan")])
        else:
            limits = np.iinfo(array.dtype)
            flat[low:high] = min(max(number, limits.min), limits.max)
        return array
    if way == 3:
        return array[: chance.randrange(len(array) + 1)] if array.ndim else array
    if way == 4:
        return array[::-1].copy() if array.ndim else array
    if way == 5:
        return chance.choice(list(arrays.values())).copy()
    return array.astype(chance.choice(["int8", "uint64", "float64", "float32", "bool"]))


def change_bytes(folder: Path, chance: random.Random) -> None:
    path = folder / chance.choice(fmt.FILES)
    raw = bytearray(path.read_bytes())
    for _ in range(chance.choice([1, 1, 2, 8])):
        # The beginning and the end are where the formats keep what they say of themselves.
        span = chance.choice([len(raw), min(len(raw), 400)])
        at = chance.randrange(span)
        at = len(raw) - 1 - at if chance.random() < 0.5 else at
        raw[at] = chance.choice([0, 255, raw[at] ^ (1 << chance.randrange(8))])
    if chance.random() < 0.05:
        raw = raw[: chance.randrange(len(raw))]
    path.write_bytes(raw)


def use(model: Any) -> None:
    """What a service asks of a model: rows, histories, reasons, ratings, likes, new items."""
    data, traits = model.data, model.traits
    rows = np.arange(min(4, data.n_users), dtype=np.int32)

    def folded() -> None:
        people = model.fold_in(Histories.of([[0, 2], [1]], data.n_items))
        model.topk(people, 5, excluded=people.seen)

    steps: list[tuple[bool, Callable[[], object]]] = [
        (len(rows) > 0, lambda: model.recommend(data.users.ids(rows), k=3)),
        (data.n_items > 2, folded),
        (
            traits.explains and len(rows) > 0,
            lambda: model.explain_rows(model.user_batch(rows[:1]), np.array([0])),
        ),
        (traits.predicts_ratings and data.n_items > 3, lambda: model.predict_rows(rows, rows)),
        (traits.finds_similar and data.n_items > 3, lambda: model.similar_item_rows(rows, 3)),
        (traits.uses_features, lambda: model.with_items([{"item_id": -9, "title": "a new one"}])),
        (data.catalogue.title_column is not None, lambda: data.catalogue.search("a", 3)),
        (True, lambda: (repr(model), model.notes, getattr(model, "refit_config", None))),
    ]
    for wanted, step in steps:
        if wanted:
            with contextlib.suppress(CofactorError):
                step()


def tried(original: dict[str, bytes], folder: Path, chance: random.Random) -> bool:
    """Write a changed copy of a saved model, load and use it; whether it loaded."""
    for name, content in original.items():
        (folder / name).write_bytes(content)
    change = chance.choice([change_arrays, change_arrays, change_bytes, change_manifest])
    change(folder, chance)
    if change is not change_manifest:
        seal(folder, chance)
    try:
        model = cofactor.load(folder)
    except ArtifactError:
        return False
    use(model)
    return True


def contents(folder: Path) -> dict[str, bytes]:
    """The files of a saved model."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# Numbers of 1e30 overflow in what a model derives from them, which NumPy warns of.
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_mutated_models_are_refused_or_answer(original: Path, tmp_path: Path) -> None:
    chance = random.Random(original.parent.name + str(os.environ.get("COFACTOR_SEED", 17)))
    files = contents(original)
    # What fails stays in the folder of the test.
    loaded = sum(tried(files, tmp_path, chance) for _ in range(EACH))
    assert 0 < loaded < EACH
