"""docs/add_a_dataset.md, followed to the letter."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from source_copies import ROOT, copy_folder

RATINGS = "userId,movieId,rating\n1,10,4\n1,20,5\n2,10,3\n3,30,5\n3,10,2\n4,20,4\n"


def test_an_entry_and_a_line_make_a_dataset(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "add_a_dataset.md").read_text(encoding="utf-8")
    entry, use = re.findall(r"^```py\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    (members,) = re.findall(r"is made of: `(\(.*?\))`", page)
    source = copy_folder("src", tmp_path)
    known = source / "cofactor" / "data" / "datasets" / "known.py"
    text = known.read_text(encoding="utf-8")
    before, after = text.split("KNOWN: Mapping", 1)
    old = members.replace(", _CORNER_SHOP", "")
    assert old in after
    known.write_text(f"{before}{entry}\nKNOWN: Mapping{after.replace(old, members)}", "utf-8")
    folder = tmp_path / "data" / "corner-shop"
    folder.mkdir(parents=True)
    (folder / "ratings.csv").write_text(RATINGS)
    (folder / "movies.csv").write_text("movieId,title\n10,Bread\n20,Milk\n30,Jam\n")
    env = {**os.environ, "PYTHONPATH": str(source), "COFACTOR_DATA": str(tmp_path / "data")}
    show_title = "\nprint(data.catalogue.titles(data.items.rows([20]))[0])"
    done = subprocess.run(
        [sys.executable, "-c", use + show_title],
        capture_output=True,
        text=True,
        env=env,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "Milk"
    ruff, settings = [sys.executable, "-m", "ruff"], ["--config", str(ROOT / "pyproject.toml")]
    for verb in ("format", "check"):
        command = [*ruff, verb, *settings, str(known)]
        assert subprocess.run(command, capture_output=True, check=False).returncode == 0, verb
