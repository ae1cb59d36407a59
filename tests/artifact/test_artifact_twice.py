"""Saved models in which something is given twice, so that two readers would take it differently."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

import cofactor
from artifact.test_artifact_attacks import sealed, with_table
from cofactor.artifact import format as fmt
from cofactor.base.errors import ArtifactError
from cofactor.data.synthetic import shop


@pytest.fixture
def popularity(tmp_path: Path) -> Path:
    """A saved model that reads nothing but the history."""
    return cofactor.save(
        cofactor.Popularity().fit(shop(n_users=60, n_items=40)), tmp_path / "model"
    )


@pytest.mark.parametrize(
    ("name", "first"),
    [("model", '"ease"'), ("n_users", "0"), ("bytes", "0"), ("count", '"events"')],
)
def test_a_manifest_that_gives_a_name_twice_is_refused(
    popularity: Path, name: str, first: str
) -> None:
    path = popularity / fmt.MANIFEST
    before = path.read_text()
    path.write_text(before.replace(f'"{name}":', f'"{name}": {first}, "{name}":', 1))
    assert path.read_text() != before
    for read in (cofactor.load, cofactor.inspect):
        with pytest.raises(ArtifactError, match=f"{name!r} is given twice"):
            read(popularity)


@pytest.mark.parametrize("mapped", [False, True])
def test_a_file_of_arrays_that_gives_a_name_twice_is_refused(
    popularity: Path, mapped: bool
) -> None:
    path = popularity / fmt.TENSORS
    raw = path.read_bytes()
    size = int.from_bytes(raw[:8], "little")
    head = raw[8 : 8 + size].rstrip()
    twice = b"{" + head[1:-1] + b"," + head[1:-1] + b"}"
    path.write_bytes(len(twice).to_bytes(8, "little") + twice + raw[8 + size :])
    sealed(popularity)
    with pytest.raises(ArtifactError, match="is given twice"):
        cofactor.load(popularity, mapped=mapped)


@pytest.mark.parametrize("name", [fmt.USERS, fmt.ITEMS])
@pytest.mark.parametrize("twin", [" a", "a\u00a0", "\u200ba", "a\x00"])
def test_ids_that_every_call_takes_for_one_are_refused(
    popularity: Path, name: str, twin: str
) -> None:
    def changed(table: pa.Table) -> pa.Table:
        ids = ["a", twin, *(f"i{n}" for n in range(table.num_rows - 2))]
        return table.set_column(table.schema.get_field_index(fmt.ID_COLUMN), fmt.ID_COLUMN, [ids])

    with_table(popularity, name, changed)
    with pytest.raises(ArtifactError, match="whitespace"):
        cofactor.load(popularity)
