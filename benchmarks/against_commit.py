"""The benchmark's cases at an earlier commit and now, in turn: what became slower?

    python -m benchmarks.against_commit 18277fe            # every short case, 3 turns
    python -m benchmarks.against_commit 18277fe ials bpr --turns 5

Each side is its own tree, with its own code of the cases, and runs without peers, in processes of
its own; the first turn of each compiles and isn't counted. For a quiet machine: other work there
makes the ratios meaningless. Ends with 1 if a case takes longer than before by the bar (EASE: 1.3).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parent.parent
CASES = (
    *("ials-64", "ials-128", "ials-256", "ials-quality", "bpr", "warp"),
    *("mf", "mf-als", "svdpp", "ease-ml-1m", "knn-ml-1m", "knn-gowalla"),
    *("topk", "evaluation", "reading"),
)
SPEED = 0.95  # of before, at least
EASE_TIME = 1.3  # of before, at most


def extracted(commit: str, folder: Path) -> Path:
    """Write a commit's code and cases to a folder."""
    archive = ["git", "-C", str(ROOT), "archive", commit, "src", "benchmarks"]
    packed = subprocess.run(archive, check=True, capture_output=True).stdout
    subprocess.run(["tar", "x", "-C", str(folder)], input=packed, check=True)
    return folder


def seconds(tree: Path, case: str, rounds: int, threads: int, work: Path) -> list[float]:
    """Run one case in a tree; return what each round took."""
    out = work / "found.json"
    command = [sys.executable, "-m", "benchmarks", case, "--no-peers"]
    command += ["--rounds", str(rounds), "--threads", str(threads)]
    command += ["--work", str(work / "data"), "--out", str(out)]
    paths = os.pathsep.join((str(tree), str(tree / "src")))
    environment = {**os.environ, "PYTHONPATH": paths}
    subprocess.run(command, cwd=tree, env=environment, check=True, stdout=subprocess.DEVNULL)
    found = next(one for one in json.loads(out.read_text())["cases"] if one["case"] == case)
    if "failed" in found:
        raise SystemExit(f"{case} in {tree}: {found['failed']}")
    return [float(value) for value in found["entrants"][0]["seconds"]]


def main() -> int:
    """Run, compare, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("commit")
    parser.add_argument("cases", nargs="*", default=CASES)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3, help="of a case in each turn")
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    slower = []
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        (work / "before").mkdir()
        sides = (extracted(given.commit, work / "before"), ROOT)
        print("| case | before, s | now, s | now / before |\n|---|---:|---:|---:|")
        for case in given.cases:
            # Now first: it writes the data that both read, and may have to load it in ways that the
            # commit's code doesn't have the packages for.
            for tree in reversed(sides):
                seconds(tree, case, 1, given.threads, work)
            taken: tuple[list[float], list[float]] = ([], [])
            for turn in range(given.turns):
                for side in (0, 1) if turn % 2 == 0 else (1, 0):
                    taken[side].extend(
                        seconds(sides[side], case, given.rounds, given.threads, work)
                    )
            before, now = median(taken[0]), median(taken[1])
            bound = EASE_TIME if case.startswith("ease") else 1 / SPEED
            slower += [case] if now > bound * before else []
            print(f"| {case} | {before:.4g} | {now:.4g} | {now / before:.3f} |", flush=True)
    print(f"slower than the bar: {', '.join(slower)}" if slower else "no case is slower")
    return 1 if slower else 0


if __name__ == "__main__":
    sys.exit(main())
