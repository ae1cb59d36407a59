"""The command line: ``python -m benchmarks [CASE ...]``."""

from __future__ import annotations

import argparse
import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import report
from benchmarks.case import Case
from benchmarks.cases import CASES
from benchmarks.driver import ROOT, Settings, run_case
from benchmarks.machine import facts
from benchmarks.own import OWN, run_own, shares

NAMES = ("bounds", *(case.name for case in CASES), "startup", "threads", "scale")


def chosen(words: list[str], *, full: bool = False) -> list[str]:
    """The names of the cases that words ask for: a name, or what stands before its hyphen; all
    without any.
    """
    unknown = [w for w in words if not any(n == w or n.split("-")[0] == w for n in NAMES)]
    if unknown:
        raise SystemExit(f"there is no case {unknown[0]!r}; there are {', '.join(NAMES)}.")
    long = {case.name for case in CASES if case.full}
    if not words:
        return [n for n in NAMES if full or n not in long]
    return [
        n for n in NAMES if n in words or (n.split("-")[0] in words and (full or n not in long))
    ]


def run(names: list[str], settings: Settings, out: Path | None = None) -> dict[str, Any]:
    """Run some cases and return all that was found; what there is is written after each, lest a
    long run be lost.
    """
    by_name: dict[str, Case] = {case.name: case for case in CASES}
    settings.work.mkdir(parents=True, exist_ok=True)
    before, cases = list(os.getloadavg()), list[dict[str, Any]]()

    def whole() -> dict[str, Any]:
        return {
            "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
            "machine": facts(),
            "load_before": before,
            "load_after": list(os.getloadavg()),
            "settings": {
                k: str(v) if isinstance(v, Path) else v
                for k, v in vars(settings).items()
                if k not in ("envs", "work")
            },
            "cases": cases,
            "verdicts": report.verdicts(cases),
            "shares": shares(cases, settings),
        }

    for name in names:
        print(f"{name} ...", end=" ", file=sys.stderr, flush=True)
        found = run_own(name, settings) if name in OWN else run_case(by_name[name], settings)
        cases.append(found)
        told = [f"{v['ratio']:.2f} x {v['peer']}" for v in report.verdicts([found]) if v["ratio"]]
        failed = f" FAILED {found['failed'].strip()}" if "failed" in found else ""
        print(f"{found['took']:.0f} s {', '.join(told)}{failed}", file=sys.stderr, flush=True)
        if out is not None:
            report.save(whole(), out)
    return whole()


def _parser() -> argparse.ArgumentParser:
    made = ROOT / ".bench-envs"
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Cofactor beside its peers, in one run."
    )
    parser.add_argument(
        "cases",
        nargs="*",
        metavar="CASE",
        help=f"of {', '.join(NAMES)}, or a group such as ials; all by default",
    )
    rounds = "alternated rounds (fewer for peers that take minutes)"
    parser.add_argument("--rounds", type=int, default=5, help=rounds)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--quick", action="store_true", help="tiny synthetic data and one round: does it run?"
    )
    parser.add_argument(
        "--full", action="store_true", help="also what takes many minutes (EASE on all of Gowalla)"
    )
    parser.add_argument("--no-peers", action="store_true", help="ours alone")
    parser.add_argument(
        "--no-pin",
        action="store_true",
        help="let processes use other cores than as many as they have threads",
    )
    cpu = "take CPU seconds, where a side counts them: for a busy machine"
    parser.add_argument("--cpu", action="store_true", help=cpu)
    envs = "where the peers' environments are or are made"
    parser.add_argument("--envs", type=Path, default=made, help=envs)
    parser.add_argument(
        "--work", type=Path, default=made / "data", help="where prepared data is kept"
    )
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "latest.json")
    return parser


def main() -> None:
    """Parse, run, write, print."""
    asked = _parser().parse_args()
    settings = Settings(
        rounds=1 if asked.quick else asked.rounds,
        threads=asked.threads,
        quick=asked.quick,
        full=asked.full,
        peers=not asked.no_peers,
        pin=not asked.no_pin,
        cpu=asked.cpu,
        envs=asked.envs,
        work=asked.work,
    )
    began = time.perf_counter()
    whole = run(chosen(asked.cases, full=asked.full), settings, asked.out)
    beside = asked.out.with_suffix(".md")
    print(report.table(whole))
    print(
        f"{time.perf_counter() - began:.0f} s; written to {asked.out} and {beside}", file=sys.stderr
    )


if __name__ == "__main__":
    main()
