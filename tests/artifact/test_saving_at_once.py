"""Two who save a model under one name at the same time, or one who loads it meanwhile."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cofactor
from cofactor.artifact import load as loading
from cofactor.artifact import save as saving
from cofactor.base.errors import ArtifactError
from cofactor.data.synthetic import shop


@pytest.mark.parametrize("overwrite", [False, True])
def test_of_two_who_save_at_once_the_second_replaces_nothing_unasked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, overwrite: bool
) -> None:
    data = shop(n_users=12, n_items=20)
    first, second = cofactor.Popularity().fit(data), cofactor.EASE().fit(data)
    real = saving.write_arrays

    def meanwhile(path: Path, arrays: dict[str, np.ndarray]) -> Any:
        monkeypatch.undo()
        cofactor.save(first, tmp_path / "model")  # there was nothing when the second one looked
        return real(path, arrays)

    monkeypatch.setattr(saving, "write_arrays", meanwhile)
    if overwrite:
        cofactor.save(second, tmp_path / "model", overwrite=True)
    else:
        with pytest.raises(ArtifactError, match="holds a model already"):
            cofactor.save(second, tmp_path / "model")
    kept = second if overwrite else first
    assert cofactor.load(tmp_path / "model").name == kept.name
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


@pytest.mark.parametrize("files", [False, True])
def test_a_model_that_is_replaced_while_it_is_read_is_loaded_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: bool
) -> None:
    """The second has arrays of the same names and shapes, so no check tells them from the first."""
    data = shop(n_users=12, n_items=20)
    first, second = (cofactor.EASE(regularization=ridge).fit(data) for ridge in (1.0, 900.0))
    cofactor.save(first, tmp_path / "model")
    other = cofactor.save(second, tmp_path / "other")
    real = loading._read_tensors

    def meanwhile(path: Path, *rest: Any) -> Any:
        monkeypatch.undo()
        if files:  # one by one, into the same folder, as a copying program does
            for source in other.iterdir():
                shutil.copyfile(source, tmp_path / "model" / source.name)
        else:
            cofactor.save(second, tmp_path / "model", overwrite=True)
        return real(path, *rest)

    monkeypatch.setattr(loading, "_read_tensors", meanwhile)
    model = cofactor.load(tmp_path / "model")
    assert model.config.regularization == 900.0
    np.testing.assert_array_equal(model.state()["weights"], second.state()["weights"])
