"""The tutorial notebooks: executed from their sources, and written with their outputs.

python -m tools.notebooks [NAME ...]

A source is a Python file in docs/notebooks with cells (``# %%`` and ``# %% [markdown]``), which is
easy to review; the .ipynb beside it is made from it here, and never edited."""

from __future__ import annotations

import copy
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "notebooks"
_KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def sources() -> list[Path]:
    """Return the sources, by name."""
    return sorted(FOLDER.glob("*.py"))


def cells(source: str) -> list[tuple[str, str]]:
    """Return the kind ("code" or "markdown") and the text of each cell of a source."""
    parts = re.split(r"^# %%( \[markdown\])?\n", source, flags=re.MULTILINE)[1:]
    found = []
    for mark, text in zip(parts[::2], parts[1::2], strict=True):
        body = text.strip("\n")
        if mark is None:
            found.append(("code", body))
        else:
            found.append(("markdown", re.sub(r"^# ?", "", body, flags=re.MULTILINE)))
    return found


def notebook(source: str) -> Any:
    """Return a notebook without outputs."""
    from nbformat import v4

    made = v4.new_notebook(metadata={"kernelspec": _KERNEL, "language_info": {"name": "python"}})
    for n, (kind, text) in enumerate(cells(source)):
        cell = v4.new_code_cell(text) if kind == "code" else v4.new_markdown_cell(text)
        cell["id"] = f"cell-{n}"
        made.cells.append(cell)
    return made


def execute(made: Any, folder: Path, timeout: int = 240) -> Any:
    """Return a notebook with its outputs, run in a folder.

    Raises
    ------
    CellExecutionError
        If a cell fails.
    """
    from nbclient import NotebookClient

    path = os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])
    env = {**os.environ, "PYTHONPATH": path, "COFACTOR_DATA": ""}
    done = copy.deepcopy(made)
    place = {"metadata": {"path": str(folder)}}
    NotebookClient(done, timeout=timeout, resources=place).execute(env=env)
    return done


def cleaned(done: Any) -> Any:
    """Return a notebook without what differs from run to run: bars that have left again, when a
    line was printed.
    """
    for cell in done.cells:
        cell.metadata = {}
        kept: list[Any] = []
        for one in cell.get("outputs", []):
            if "metadata" in one:
                one.metadata = {}
            if one.output_type == "display_data" and not one.data.get("text/html", "gone"):
                continue
            if one.output_type == "stream" and kept and kept[-1].get("name") == one.name:
                kept[-1].text += one.text
            else:
                kept.append(one)
        if "outputs" in cell:
            cell.outputs = kept
    return done


def main(names: list[str]) -> None:
    """Execute and write the named notebooks, or all."""
    import nbformat

    for source in sources():
        if names and source.stem not in names:
            continue
        with tempfile.TemporaryDirectory() as folder:
            done = cleaned(execute(notebook(source.read_text(encoding="utf-8")), Path(folder)))
        target = source.with_suffix(".ipynb")
        # Where it ran concerns nobody.
        text = nbformat.writes(done).replace(f"{folder}/", "").replace(folder, ".")
        target.write_text(text + "\n", encoding="utf-8")
        print(f"{target.relative_to(ROOT)}: {target.stat().st_size / 1000:,.0f} kB")


if __name__ == "__main__":
    main(sys.argv[1:])
