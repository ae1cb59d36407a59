"""What the hosts of a cluster have, side by side, and whether they can work together."""

from __future__ import annotations

import os
from typing import Any

from cofactor.base.engine import EngineError
from cofactor.cli.output import Output
from cofactor.runs.engines import examine


def show_hosts(engine: str, address: str | None, folders: list[str], output: Output) -> None:
    """Show them.

    Raises
    ------
    EngineError
        If they can't work together, with all that is wrong.
    """
    found = examine(engine, address, [os.path.abspath(one) for one in folders])
    output.table([_row(host, facts) for host, facts in found.hosts.items()])
    output.line(*found.remarks)
    output.emit(
        command="doctor",
        hosts={host: _plain(facts) for host, facts in found.hosts.items()},
        wrong=found.wrong,
        remarks=found.remarks,
    )
    if found.wrong:
        raise EngineError(" ".join(found.wrong))
    output.line(f"{len(found.hosts)} hosts can work together.")


def _row(host: str, facts: Any) -> dict[str, Any]:
    if isinstance(facts, BaseException):
        return {"host": host, "versions": "no answer"}
    shown = ("python", "cofactor", "ray", "numba", "numpy")
    memory = facts["shared_memory"]
    return {
        "host": host,
        "versions": ", ".join(f"{name} {facts['versions'][name]}" for name in shown),
        "cpu": facts["cpu"],
        "cores": facts["cores"],
        "/dev/shm": "none" if memory is None else f"{memory / 2**30:.1f} GiB",
        "clock": f"{facts['clock_off']:+.1f} s",
    }


def _plain(facts: Any) -> Any:
    return {"error": str(facts)} if isinstance(facts, BaseException) else facts
