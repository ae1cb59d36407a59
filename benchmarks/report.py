"""What was found: as JSON, and as a table that says first where we are behind."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

MIB = 2**20
_STATES = ("reached", "ahead", "short", "behind", "worse", "peer failed", "unknown")


def verdicts(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One line for each peer of each case: ours, theirs, their median over ours (of the rounds both
    ran), the bar, what both reached.

    ``state`` is ``"reached"``, ``"ahead"`` (where no bar is set), ``"short"`` (ahead of the peer,
    below the bar), ``"behind"`` (slower), ``"worse"`` (our quality is lower by more than 1 %),
    ``"peer failed"``, or ``"unknown"``."""
    lines = []
    for case in found:
        if not case.get("entrants"):
            continue
        ours, *theirs = case["entrants"]
        for peer in theirs:
            lines.append(_verdict(case, ours, peer))
    return lines


def _verdict(case: dict[str, Any], ours: dict[str, Any], peer: dict[str, Any]) -> dict[str, Any]:
    line = {
        "case": case["case"],
        "task": case["task"],
        "peer": f"{peer['name']} {peer.get('version', '')}".strip(),
        "ours": _median(ours["seconds"]),
        "theirs": _median(peer["seconds"]),
        "ratio": None,
        "bar": peer["bar"],
        "metric": case["metric"],
        "quality": ours.get("quality"),
        "their_quality": peer.get("quality"),
        "peak": _median(ours["peak"]),
        "their_peak": _median(peer["peak"]),
        "first": ours.get("first"),
        "note": peer["note"],
        "failed": peer.get("failed"),
    }
    if line["ours"] and line["theirs"]:
        # Over the rounds that both ran: a peer that takes long has fewer, and the machine may have
        # been busier in the others.
        both = ours["seconds"][: len(peer["seconds"])]
        line["ratio"] = line["theirs"] / statistics.median(both)
        pairs = [theirs / own for own, theirs in zip(both, peer["seconds"], strict=False)]
        line["ratios"] = [min(pairs), max(pairs)]
    line["state"] = _state(line, case)
    return line


def _state(line: dict[str, Any], case: dict[str, Any]) -> str:
    if "goal" in case and line["ours"] is None:
        return "worse"
    if "goal" in case and line["theirs"] is None:
        return "reached" if line["bar"] else "ahead"  # the peer never got there
    if line["ratio"] is None:
        return "peer failed" if line["failed"] else "unknown"
    better = line["quality"], line["their_quality"]
    if None not in better and case["metric"] and not case.get("goal"):
        own, peer = (-q if case["metric"] == "rmse" else q for q in better)
        if own < peer - 0.01 * abs(peer):
            return "worse"
    if line["ratio"] < 1:
        return "behind"
    if line["bar"] is None:
        return "ahead"
    return "reached" if line["ratio"] >= line["bar"] else "short"


def table(whole: dict[str, Any]) -> str:
    """The Markdown of a run."""
    lines = ["# Cofactor beside its peers", "", *_head(whole), "", *_summary(whole), ""]
    lines += [
        (
            "| task | against | ours | theirs | ratio (least to most) | bar | ours reached | they"
            " reached | peak ours / theirs | |"
        ),
        "|---|---|---:|---:|---:|---:|---:|---:|---:|---|",
    ]
    for v in whole["verdicts"]:
        spread = f" ({v['ratios'][0]:.1f} to {v['ratios'][1]:.1f})" if v.get("ratios") else ""
        ratio = "-" if v["ratio"] is None else f"**{v['ratio']:.2f}**{spread}"
        memory = f"{_mib(v['peak'])} / {_mib(v['their_peak'])}"
        lines.append(
            f"| {v['task']} | {v['peer']} | {_seconds(v['ours'])} | {_seconds(v['theirs'])} |"
            f" {ratio} | {v['bar'] or '-'} | {_figure(v['quality'], v['metric'])} |"
            f" {_figure(v['their_quality'], v['metric'])} | {memory} | {v['state']} |"
        )
    for case in whole["cases"]:
        lines += _own(case)
    if whole["shares"]:
        lines += [
            "",
            "## Share of the machine's bounds",
            "",
            "| kernel | seconds | of the multiply-adds | of the gathered bytes |",
            "|---|---:|---:|---:|",
        ]
        lines += [
            f"| {s['case']} | {s['seconds']:.4f} | {s['share_of_flops']:.0%} |"
            f" {s['share_of_gather']:.0%} |"
            for s in whole["shares"]
        ]
    return "\n".join([*lines, "", *_notes(whole), ""])


def save(whole: dict[str, Any], path: Path) -> Path:
    """Write the JSON and, beside it, the table; return the table's path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(whole, indent=1) + "\n")
    beside = path.with_suffix(".md")
    beside.write_text(table(whole))
    return beside


def _head(whole: dict[str, Any]) -> list[str]:
    m, s = whole["machine"], whole["settings"]
    versions = ", ".join(f"{name} {number}" for name, number in m["versions"].items())
    load = " -> ".join(f"{x:.1f}" for x in (whole["load_before"][0], whole["load_after"][0]))
    lines = [
        (
            f"{whole['date']}. {m['processor']}, {m['cores']} cores,"
            f" {m['memory_bytes'] / 2**30:.0f} GiB; {s['threads']}"
            f" threads{' on as many cores' if s['pin'] else ''}; load {load}; {m['system']}, Python"
            f" {m['python']}, {versions}."
        ),
        (
            f"Medians of {s['rounds']} alternated rounds in processes of their own, first calls"
            " apart; ratio: their median over ours, of the rounds that both ran."
        ),
    ]
    if s.get("cpu"):
        lines.append("Seconds are CPU seconds of all threads.")
    if max(whole["load_before"][0], *(c["load"][0] for c in whole["cases"])) > 1.5 * s["threads"]:
        lines.append(
            "**The machine was busy with other work: take these figures as a rough guide.**"
        )
    if s["quick"]:
        lines.append(
            "**Tiny synthetic data (--quick): the figures say that it runs, nothing else.**"
        )
    return lines


def _summary(whole: dict[str, Any]) -> list[str]:
    by = {state: [v for v in whole["verdicts"] if v["state"] == state] for state in _STATES}
    counts = ", ".join(f"{len(v)} {state}" for state, v in by.items() if v)
    lines = [f"Bars: {counts or 'none measured'}."]
    for state, word in (
        ("behind", "slower than"),
        ("worse", "worse quality than"),
        ("short", "below the bar against"),
    ):
        for v in by[state]:
            bar = f" of {v['bar']}" if v["bar"] else ""
            ratio = "" if v["ratio"] is None else f" ({v['ratio']:.2f}{bar})"
            lines.append(f"- {v['task']}: {word} {v['peer']}{ratio}")
    return lines


def _own(case: dict[str, Any]) -> list[str]:
    lines = (
        ["", f"## {case['task']}", ""]
        if any(k in case for k in ("bounds", "startup", "threads", "scale"))
        else []
    )
    for b in case.get("bounds", []):
        lines.append(
            f"- {b['threads']} threads: {b['flops'] / 1e9:.0f} Gflop/s (float32), read"
            f" {b['read'] / 1e9:.1f} GB/s, copy {b['copy'] / 1e9:.1f} GB/s, rows of 256 bytes at"
            f" random {b['gather'] / 1e9:.1f} GB/s"
        )
    for s in case.get("startup", []):
        lines.append(
            f"- {s['model']}: cold {s['cold']:.1f} s (bar {s['bars'][0]:.0f}), warm {s['warm']:.1f}"
            f" s (bar {s['bars'][1]:.0f})"
        )
    for t in case.get("threads", []):
        many = (
            "the same bits on more"
            if t["threads_change_nothing"]
            else f"nDCG@20 {t['ndcg@20_threads']:.4f} on more"
        )
        once = "repeats bit for bit" if t["one_thread_repeats"] else "DIFFERS"
        lines.append(f"- {t['model']}: on one thread it {once}, nDCG@20 {t['ndcg@20']:.4f}; {many}")
    if "scale" in case:
        found = case["scale"]
        for s in found["steps"]:
            lines.append(f"- {s['step']}: {s['seconds']:.1f} s, peak {s['peak'] / 2**30:.2f} GiB")
        lines.append(
            f"- all: {found['seconds']:.1f} s, peak {found['peak'] / 2**30:.2f} GiB (bar"
            f" {found['bar'] / 2**30:.0f})"
        )
    return lines


def _notes(whole: dict[str, Any]) -> list[str]:
    lines = [f"- {v['peer']}, {v['case']}: {v['note']}" for v in whole["verdicts"] if v["note"]]
    lines += [
        f"- {v['peer']}, {v['case']}: FAILED: {v['failed'].splitlines()[0]}"
        for v in whole["verdicts"]
        if v.get("failed")
    ]
    for case in whole["cases"]:
        lines += [
            f"- {case['case']}: left out: {text.splitlines()[-1]}"
            for text in case.get("left_out", [])
        ]
        if "failed" in case:
            lines.append(f"- {case['case']}: FAILED: {case['failed'].strip().splitlines()[-1]}")
    return ["## Notes", "", *lines] if lines else []


def _median(values: list[float]) -> float | None:
    return statistics.median(values) if values else None


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f} s" if value < 1 else f"{value:.2f} s"


def _mib(value: float | None) -> str:
    return "-" if value is None else f"{value / MIB:,.0f} MiB"


def _figure(value: float | None, metric: str | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f} rows" if metric == "rows" else f"{metric} {value:.4f}"
