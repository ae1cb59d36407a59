"""The comparison of metric values before and after a change: it compares something, or it fails."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from benchmarks import model_values

RESULTS = Path(model_values.__file__).parent / "results"


def test_kept_values_can_be_compared() -> None:
    then, now = (
        model_values.read_values(RESULTS / f"model_values_{commit}.json")
        for commit in ("18277fe", "80b7d97")
    )
    count, lines = model_values.differences(now, then)
    assert count > 100
    assert any(line.startswith("ml-100k logistic_mf ndcg@10: 0.27126") for line in lines)
    others = [line for line in lines if "logistic_mf" not in line]
    assert all(abs(float(line.split("(")[1].rstrip(")"))) < 4e-7 for line in others)
    assert model_values.differences(then, then) == (count, [])


def test_without_a_common_value_nothing_is_called_the_same(
    capsys: pytest.CaptureFixture[str],
) -> None:
    values = {"a model": {"rmse": 0.5, "fit_cpu_seconds": 1.0}}
    assert model_values.compared(values, {"a model": {"rmse": 0.5}}) == 0
    assert model_values.compared(values, {"a model": {"rmse": 0.25}}) == 1
    assert model_values.compared(values, {"another": {"rmse": 0.5}}) == 1
    assert capsys.readouterr().out.splitlines() == [
        "1 values are the same",
        "a model rmse: 0.2500000000 -> 0.5000000000 (+2.50e-01)",
        "no value is in both files",
    ]


def test_a_file_of_another_shape_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "nested.json"
    path.write_text(json.dumps({"a model": {"before": {"rmse": 0.5}, "now": {"rmse": 0.5}}}))
    with pytest.raises(SystemExit, match="'before' of 'a model' isn't a number"):
        model_values.read_values(path)
