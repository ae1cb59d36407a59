"""Mapped arrays are those that are read, and loading them is checked as strictly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cofactor.artifact.load import load
from cofactor.artifact.mapped import mapped_tensors
from cofactor.artifact.save import save
from cofactor.base.errors import ArtifactError
from cofactor.data.synthetic import shop
from cofactor.models import registry


@pytest.mark.parametrize("name", ["ials", "ease", "popularity"])
def test_a_mapped_model_answers_as_a_read_one_and_its_file_stays(tmp_path: Path, name: str) -> None:
    from safetensors.numpy import load_file

    books = shop(n_users=60, n_items=40, seed=2)
    save(registry.create(name).fit(books), tmp_path / "m")
    file = tmp_path / "m" / "tensors.safetensors"
    before = file.read_bytes()
    mapped, plain = mapped_tensors(file), load_file(file)
    assert mapped.keys() == plain.keys()
    for key, array in plain.items():
        assert mapped[key].dtype == array.dtype
        assert np.array_equal(mapped[key], array)
    one, two = load(tmp_path / "m", mapped=True), load(tmp_path / "m")
    user = books.users.ids([3])[0]
    assert one.recommend(user, 8).to_dicts() == two.recommend(user, 8).to_dicts()
    next(iter(mapped.values()))[...] = 0
    assert file.read_bytes() == before


def test_a_damaged_file_is_refused_when_it_is_mapped(tmp_path: Path) -> None:
    save(registry.create("ease").fit(shop(n_users=60, n_items=40, seed=2)), tmp_path / "m")
    file = tmp_path / "m" / "tensors.safetensors"
    raw = bytearray(file.read_bytes())
    raw[-5] ^= 0xFF
    file.write_bytes(raw)
    with pytest.raises(ArtifactError, match="SHA-256 differs"):
        load(tmp_path / "m", mapped=True)
