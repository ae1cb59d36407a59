"""docs/add_a_loss.md, followed to the letter: one file, and everything knows the loss."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from source_copies import ROOT, assert_runs, copy_folder

FILE = "cofactor/training/losses/squared_hinge.py"
USE = """
import sys
import pytest
from cofactor.base.run import Run
from cofactor.data.synthetic import shop
from cofactor.models import registry
run = Run(seed=0, threads=1)
for name in ("latent_factor", "mlp"):
    model = registry.get(name)
    model = model(model.Config.from_text(["loss=squared_hinge", "factors=4", "epochs=2"]))
    model.fit(shop(n_users=80, n_items=40), run=run)
    assert len(model.recommend(history=model.data.items.ids([1, 2]), k=3, run=run).ids) == 3
"""


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the source with the page's file in it."""
    page = (ROOT / "docs" / "add_a_loss.md").read_text(encoding="utf-8")
    assert f"src/{FILE}" in page
    block = re.search(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert block is not None
    copy = copy_folder("src", tmp_path_factory.mktemp("added"))
    (copy / FILE).write_text(block[1], encoding="utf-8")
    return copy


def test_models_train_by_the_added_loss_and_the_suite_of_losses_runs_over_it(source: Path) -> None:
    """In one process: most of its time goes on importing PyTorch."""
    suite = [
        *("-q", "-n", "0", "-p", "no:cacheprovider", "-k", "squared_hinge"),
        *("-o", f"pythonpath={source} tests .", "tests/training/test_losses.py"),
    ]
    assert_runs(source, "-c", f"{USE}\nsys.exit(pytest.main({suite}))")


@pytest.mark.checkers
def test_the_added_file_passes_lint_format_and_types(source: Path) -> None:
    config = str(ROOT / "pyproject.toml")
    assert_runs(source, "-m", "ruff", "check", "--config", config, str(source / FILE))
    assert_runs(source, "-m", "ruff", "format", "--check", "--config", config, str(source / FILE))
    cache = str(source.parent / "mypy")
    assert_runs(
        source,
        *("-m", "mypy", "--config-file", config, "--cache-dir", cache),
        str(source / FILE),
    )
