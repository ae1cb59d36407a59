"""Values on their way to workers: arrays that are mapped from a file travel as its name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cofactor.artifact.load import load
from cofactor.artifact.save import save
from cofactor.base.engine import EngineError
from cofactor.base.run import Run
from cofactor.data.synthetic.shapes import power_law
from cofactor.engines.packing import is_plain, mapped_array, pack, unpack
from cofactor.models import registry
from cofactor.models.shipped import ShippedModel


@pytest.fixture
def whole(tmp_path: Path) -> np.ndarray:
    """1,000 numbers, mapped."""
    file = tmp_path / "numbers.bin"
    np.arange(1000, dtype=np.float32).tofile(file)
    return np.memmap(file, np.float32, "c")


def test_parts_of_mapped_arrays_are_those_that_were_sent(whole: np.ndarray) -> None:
    raw = np.memmap(whole.filename, np.uint8, "c")
    again = np.memmap(whole.filename, np.float32, "c", offset=400)
    parts = [
        *(whole, whole[7:], whole[7:30][3:], np.asarray(whole[50:90]).reshape(4, 10)[1:3]),
        *(raw[40:80].view(np.float32), np.asarray(raw[44:])[4:84].view(np.float32)),
        *(again[5:9], again.view(np.ndarray)[60:]),
        whole[::3],  # whose numbers don't lie together: sent as they are
    ]
    for part in parts:
        assert mapped_array(part) is not None
        assert not is_plain(part)
        sent = pack({"a": part})
        np.testing.assert_array_equal(unpack(sent)["a"], part)
        assert not sent.buffers


@pytest.mark.parametrize("name", ["ials", "item_knn", "popularity", "transitions"])
def test_a_model_whose_arrays_are_mapped_arrives_as_it_is(tmp_path: Path, name: str) -> None:
    data = power_law(200, 60, 2_000, rated=True, seed=1)
    save(registry.create(name).fit(data, run=Run(threads=1)), tmp_path / "m")
    model = load(tmp_path / "m", mapped=True)
    sent = unpack(pack(ShippedModel(model))).model
    for array_name, array in model.state().items():
        np.testing.assert_array_equal(sent.state()[array_name], array)
    assert sent.data.fingerprint == model.data.fingerprint


def test_a_file_that_a_host_does_not_see_is_one_sentence(whole: np.ndarray) -> None:
    sent = pack([whole])
    Path(whole.filename).write_bytes(b"short")
    with pytest.raises(EngineError, match="isn't seen by every host"):
        unpack(sent)
