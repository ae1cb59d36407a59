"""docs/add_a_metric.md, followed to the letter: a function and a line, and everything knows the
metric.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from source_copies import ROOT, assert_runs, copy_folder

USE = """
import numpy as np
from cofactor.base.run import Run
from cofactor.data.splits import split
from cofactor.data.synthetic import shop
from cofactor.evaluation.evaluate import evaluate
from cofactor.models import registry
from cofactor.metrics.table import evaluate_lists

parts = split(shop(n_users=80, n_items=40), "per-user", test=0.3, seed=0)
model = registry.create("popularity").fit(parts.train, run=Run(seed=0, threads=1))
found = evaluate(model, parts, "rbp@5,rbp,ndcg@10", groups="count")
assert 0 < found["rbp@5"] < found["rbp"] < 1
rows, count = np.array([[7, 3, 9, 1]], np.int32), np.array([4], np.int32)
true = np.array([0, 2]), np.array([1, 3], np.int32)
by_hand = 0.2 * (0.8 ** 1 + 0.8 ** 3)
np.testing.assert_allclose(evaluate_lists(rows, count, *true, "rbp")["rbp"], [by_hand])
np.testing.assert_allclose(evaluate_lists(rows, count, *true, "rbp@3")["rbp@3"], [0.2 * 0.8])
"""


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the source with what the page adds."""
    page = (ROOT / "docs" / "add_a_metric.md").read_text(encoding="utf-8")
    function, line = re.findall(r"^```py\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    copy = copy_folder("src", tmp_path_factory.mktemp("added"))
    ranking, table = (copy / "cofactor" / "metrics" / n for n in ("ranking.py", "table.py"))
    assert f"src/cofactor/metrics/{ranking.name}" in page
    ranking.write_text(f"{ranking.read_text(encoding='utf-8')}\n\n{function}", encoding="utf-8")
    assert f'`METRICS` of `src/cofactor/metrics/{table.name}`, after `"hit"`' in page
    lines = table.read_text(encoding="utf-8").splitlines(keepends=True)
    at = next(n for n, text in enumerate(lines) if text.startswith('    "hit":'))
    table.write_text("".join([*lines[: at + 1], line, *lines[at + 1 :]]), encoding="utf-8")
    return copy


def test_the_added_metric_is_measured(source: Path) -> None:
    assert_runs(source, "-c", USE)


@pytest.mark.checkers
def test_the_added_code_passes_lint_format_and_types(source: Path) -> None:
    config, metrics = str(ROOT / "pyproject.toml"), str(source / "cofactor" / "metrics")
    assert_runs(source, "-m", "ruff", "check", "--config", config, metrics)
    assert_runs(source, "-m", "ruff", "format", "--check", "--config", config, metrics)
    cache = str(source.parent / "mypy")
    assert_runs(source, "-m", "mypy", "--config-file", config, "--cache-dir", cache, metrics)
