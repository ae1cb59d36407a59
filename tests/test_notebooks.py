"""The tutorial notebooks run from a clean start, and are what their sources say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")

from tools import notebooks

SOURCES = notebooks.sources()
NEEDS = {"tutorial_networks": "torch", "notebook_to_service": "uvicorn"}


def by_name(source: Path) -> str:
    return source.stem


def test_there_are_five() -> None:
    assert len(SOURCES) == 5


@pytest.mark.parametrize("source", SOURCES, ids=by_name)
def test_the_notebook_is_made_from_its_source(source: Path) -> None:
    path = source.with_suffix(".ipynb")
    written = json.loads(path.read_text(encoding="utf-8"))
    found = [(cell["cell_type"], "".join(cell["source"])) for cell in written["cells"]]
    expected = notebooks.cells(source.read_text(encoding="utf-8"))
    assert found == expected, f"run: python -m tools.notebooks {source.stem}"
    code = [cell for cell in written["cells"] if cell["cell_type"] == "code"]
    assert any(cell["outputs"] for cell in code)
    assert not [o for cell in code for o in cell["outputs"] if o["output_type"] == "error"]
    assert path.stat().st_size < 200_000


@pytest.mark.notebooks
@pytest.mark.parametrize("source", SOURCES, ids=by_name)
def test_the_notebook_runs(source: Path, tmp_path: Path) -> None:
    if source.stem in NEEDS:
        pytest.importorskip(NEEDS[source.stem])
    made = notebooks.notebook(source.read_text(encoding="utf-8"))
    done = notebooks.execute(made, tmp_path)
    code = [cell for cell in done.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    shown = [o for cell in code for o in cell.outputs if "text/html" in o.get("data", {})]
    assert len(shown) >= 3
