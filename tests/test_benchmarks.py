"""The benchmark suite itself: it runs without peers, its evaluator is right, and it can lose."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmarks import driver, quality, report
from benchmarks.__main__ import NAMES, chosen, run
from benchmarks.case import Case, Entrant
from benchmarks.driver import Settings


def _case(
    ours: float, theirs: float, own_quality: float, their_quality: float, metric: str = "ndcg@20"
) -> dict[str, Any]:
    entrants = [
        {"name": name, "bar": bar, "note": "", "seconds": [seconds] * 3, "peak": [1], "quality": q}
        for name, bar, seconds, q in (
            ("cofactor", None, ours, own_quality),
            ("peer", 2.0, theirs, their_quality),
        )
    ]
    return {"case": "a", "task": "a task", "metric": metric, "entrants": entrants}


@pytest.mark.parametrize(
    ("case", "state"),
    [
        (_case(1.0, 2.5, 0.2, 0.2), "reached"),
        (_case(1.0, 1.5, 0.2, 0.2), "short"),
        (_case(1.0, 0.9, 0.2, 0.2), "behind"),
        (_case(1.0, 9.0, 0.19, 0.2), "worse"),
        (_case(1.0, 9.0, 0.95, 0.9, "rmse"), "worse"),
        (_case(1.0, 9.0, 0.9, 0.95, "rmse"), "reached"),
    ],
)
def test_a_verdict_can_be_a_loss(case: dict[str, Any], state: str) -> None:
    assert [v["state"] for v in report.verdicts([case])] == [state]


def test_a_peer_without_a_bar_is_ahead_of_or_behind() -> None:
    cases = _case(1.0, 1.1, 0.2, 0.2), _case(1.0, 0.9, 0.2, 0.2)
    for case in cases:
        case["entrants"][1]["bar"] = None
    assert [v["state"] for v in report.verdicts(list(cases))] == ["ahead", "behind"]


def test_a_ratio_is_of_the_rounds_that_both_ran() -> None:
    case = _case(1.0, 3.0, 0.2, 0.2)
    case["entrants"][0]["seconds"] = [1.0, 2.0, 9.0, 9.0, 9.0]
    case["entrants"][1]["seconds"] = [3.0, 3.0]
    (line,) = report.verdicts([case])
    assert (line["ours"], line["ratio"], line["ratios"]) == (9.0, 2.0, [1.5, 3.0])


class _Told:
    """A side whose error after each number of epochs is known."""

    def __init__(self, name: str, errors: dict[int, float]) -> None:
        self.entrant, self.errors, self.step = Entrant(name, "", steps=tuple(errors)), errors, 0

    def ask(self, do: str, step: int) -> dict[str, float]:
        self.step = step
        return {"seconds": float(step)}

    def quality(self, metric: str, data: object) -> float:
        return self.errors[self.step]


def test_in_a_case_of_steps_a_lower_error_is_the_better_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(driver, "version_of", lambda side: "1")
    sides: list[Any] = [
        _Told("cofactor", {1: 0.99, 2: 0.90, 3: 0.85}),
        _Told("peer", {4: 0.95, 5: 0.91}),
    ]
    case = Case(
        "a", "a task", "data", tuple(side.entrant for side in sides), "rmse", target=1.0, of="peer"
    )
    found: dict[str, Any] = {}
    ours, theirs = driver._stepwise(case, sides, {}, Settings(rounds=2), found)
    assert found["goal"] == 0.91
    assert (ours["step"], ours["quality"], ours["seconds"]) == (2, 0.90, [2.0, 2.0])
    assert (theirs["step"], theirs["quality"]) == (5, 0.91)


def test_common_ndcg_of_lists_by_hand() -> None:
    data = {
        "test_indptr": np.array([0, 2, 2, 3]),
        "test_items": np.array([1, 4, 0]),
        "n_items": np.array(30),
    }
    lists = np.full((3, 20), -1)
    lists[0, :3], lists[1, :3], lists[2, :3] = [4, 2, 1], [1, 2, 3], [5, 6, 7]
    first = (1 + 1 / np.log2(4)) / (1 + 1 / np.log2(3))
    assert quality.ndcg(lists, data) == pytest.approx(
        (first + 0) / 2
    )  # the second user has no truth, the third no hit


def test_a_group_of_cases_is_chosen_by_its_first_word_without_the_long_ones() -> None:
    assert chosen(["ials"]) == ["ials-64", "ials-128", "ials-256", "ials-quality"]
    assert chosen(["ease"]) == ["ease-ml-1m", "ease-gowalla-popular"]
    assert "ease-gowalla" not in chosen([])
    assert "ease-gowalla" in chosen([], full=True)
    assert set(NAMES) >= {"bounds", "startup", "scale", "threads"}
    with pytest.raises(SystemExit, match="no case 'ilas'"):
        chosen(["ilas"])


def test_a_case_runs_on_small_data_without_peers_and_is_written(tmp_path: Path) -> None:
    settings = Settings(
        rounds=2, threads=1, quick=True, peers=False, pin=False, work=tmp_path / "data"
    )
    whole = run(["knn-ml-1m"], settings)
    beside = report.save(whole, tmp_path / "out.json")
    (case,) = json.loads((tmp_path / "out.json").read_text())["cases"]
    assert "failed" not in case
    (ours,) = case["entrants"]
    assert len(ours["seconds"]) == 2
    assert min(ours["seconds"]) > 0
    assert 0 < ours["quality"] < 1
    assert "tiny synthetic data" in beside.read_text().lower()


def test_of_sides_that_run_alone_one_ends_before_the_next_and_a_peer_that_dies_is_reported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    alive: list[str] = []

    class Alone:
        def __init__(self, entrant: Entrant, *_: object) -> None:
            assert not alive
            self.entrant = entrant
            alive.append(entrant.name)

        def ask(self, do: str) -> dict[str, float]:
            if self.entrant.home:
                raise driver.Failed(f"{self.entrant.name} {driver._end(-11)}")
            return {"seconds": 2.0, "peak": 1.0}

        def quality(self, metric: str, data: object) -> float:
            return 0.5

        def close(self) -> None:
            alive.clear()

    monkeypatch.setattr(driver, "Process", Alone)
    monkeypatch.setattr(driver, "version_of", lambda side: "1")
    case = Case(
        "a",
        "a task",
        "data",
        (Entrant("cofactor", "x"), Entrant("peer", "y", "home", bar=1.2)),
        alone=True,
    )
    ours, theirs = rows = driver._one_by_one(case, list(case.entrants), Path(), {}, Settings())
    assert (ours["seconds"], ours["quality"]) == ([2.0], 0.5)
    assert theirs["failed"] == "peer was ended by SIGSEGV"
    (line,) = report.verdicts(
        [{"case": "a", "task": "a task", "metric": "ndcg@20", "entrants": rows}]
    )
    assert (line["state"], line["ratio"], line["ours"]) == ("peer failed", None, 2.0)
