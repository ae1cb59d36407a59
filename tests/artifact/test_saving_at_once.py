"""Two who save a model under one name at the same time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cofactor
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
