"""docs/first_hour.md: every command but the installation and the server, on a file as it shows."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from cofactor.cli.main import main

PAGE = (Path(__file__).parents[1] / "docs" / "first_hour.md").read_text(encoding="utf-8")


def write_shop(folder: Path) -> None:
    """Purchases of two kinds of customers, with the page's columns and ids."""
    draw = np.random.default_rng(0)
    names = ["B-204", "B-077", *(f"B-{n}" for n in range(300, 340))]
    lines = ["customer,sku,qty,order_date"]
    for customer in range(60):
        own = names[customer % 2 :: 2]
        for sku in draw.choice(own, 8, replace=False):
            lines.append(
                f"c{customer},{sku},{draw.integers(1, 4)},2026-03-{draw.integers(1, 28):02}"
            )
    (folder / "purchases.csv").write_text("\n".join(lines) + "\n")
    kinds = ["garden" if n % 2 == 0 else "kitchen" for n in range(len(names))]
    rows = [f"{sku},Thing {sku},{kind}" for sku, kind in zip(names, kinds, strict=True)]
    (folder / "catalogue.csv").write_text("\n".join(["sku,title,category", *rows]) + "\n")


def test_every_command_of_the_first_hour_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import shlex

    write_shop(tmp_path)
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    commands = [
        line.split(" #")[0].strip()
        for block in blocks
        for line in block.splitlines()
        if line.startswith("cofactor ") and not line.startswith("cofactor serve")
    ]
    assert len(commands) >= 8
    for command in commands:
        assert main(shlex.split(command)[1:]) == 0, capsys.readouterr().err
    said = capsys.readouterr().out
    assert "ndcg@10" in said
    assert (tmp_path / "report.html").is_file()
    assert (tmp_path / "lists.csv").is_file()
