"""A small shop on disk, a model trained on it once, and a way to run commands in this process."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from cofactor.cli.main import main
from cofactor.data.synthetic import shop_events


@dataclass(frozen=True)
class Ran:
    """A command that has run."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Its JSON; fails if it isn't one object on one line."""
        (line,) = self.out.splitlines()
        return json.loads(line)

    @property
    def sentence(self) -> str:
        """The one sentence of a failure; fails if there was more on stderr, or anything on
        stdout.
        """
        assert self.out == ""
        assert "Traceback" not in self.err
        said = [line for line in self.err.splitlines() if line.startswith("cofactor: ")]
        assert len(said) == 1, self.err
        return said[0].removeprefix("cofactor: ")


@pytest.fixture
def cofactor(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Run ``cofactor WORD ...`` in this process."""

    def run(*words: object) -> Ran:
        capsys.readouterr()
        code = main([str(word) for word in words])
        said = capsys.readouterr()
        return Ran(code, said.out, said.err)

    return run


@pytest.fixture(scope="session")
def shop_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with events.csv and books.parquet of a synthetic shop."""
    folder = tmp_path_factory.mktemp("shop")
    events = shop_events(n_users=120, n_items=60, seed=4)
    users, items = (column.cast(pa.string()) for column in (events.users, events.items))
    columns = {
        "user_id": users,
        "item_id": items,
        "rating": events.values,
        "timestamp": events.times,
    }
    pyarrow.csv.write_csv(pa.table(columns), folder / "events.csv")
    pq.write_table(events.item_table, folder / "books.parquet")
    return folder


@pytest.fixture(scope="session")
def trained(shop_files: Path) -> Path:
    """A model of the shop, trained by the command itself."""
    out = shop_files / "model"
    words = [
        "train",
        shop_files / "events.csv",
        "--items",
        shop_files / "books.parquet",
        "--model",
        "ease",
        "--out",
        out,
        "-q",
    ]
    assert main([str(word) for word in words]) == 0
    return out
