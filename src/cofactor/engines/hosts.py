"""What a host of a cluster is: its versions, its clock, its memory for workers, and its folders."""

from __future__ import annotations

import os
import platform
import shutil
import time
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from cofactor.base.engine import Engine, EngineError
from cofactor.base.run import available_cores

# Libraries whose versions have a part in the bits of a result, or in what workers understand.
LIBRARIES = ("cofactor", "numpy", "scipy", "numba", "llvmlite", "pyarrow", "ray")
MOST_SECONDS_APART = 10.0
LEAST_SHARED_MEMORY = 1 << 30


def host_facts(folders: Sequence[str] = ()) -> dict[str, Any]:
    """Return what this host is.

    Parameters
    ----------
    folders
        Absolute paths; whether each is there is said.
    """
    versions = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "missing"
    # The package that is imported may lie beside an installed one.
    import cofactor

    versions["cofactor"] = cofactor.__version__
    shared = Path("/dev/shm")
    return {
        "versions": versions,
        "cpu": _cpu(),
        "cores": available_cores(),
        "clock": time.time(),
        "shared_memory": shutil.disk_usage(shared).total if shared.is_dir() else None,
        "folders": {folder: os.access(folder, os.R_OK) for folder in folders},
    }


def _cpu() -> str:
    from llvmlite import binding

    return str(binding.get_host_cpu_name())


def asked(engine: Engine, folders: Sequence[str] = ()) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what `host_facts` says on each host, or the exception, and here.

    ``clock_off`` are the seconds by which a host's clock is off this one's: beyond the time between
    question and answers, which is long where hosts have other work.
    """
    began = time.time()
    found = engine.each_host(host_facts, list(folders))
    here = host_facts()
    for facts in found.values():
        if isinstance(facts, dict):
            clock = facts["clock"]
            facts["clock_off"] = min(clock - began, 0) + max(clock - here["clock"], 0)
    return found, here


def complaints(found: Mapping[str, Any], here: Mapping[str, Any]) -> list[str]:
    """Return a sentence for all that is wrong with hosts, each with its cure.

    Parameters
    ----------
    found, here
        As `asked` returned them.
    """
    said = []
    for host, facts in found.items():
        if isinstance(facts, BaseException):
            said.append(_no_answer(host, facts))
            continue
        for name, version in facts["versions"].items():
            if version != here["versions"][name]:
                said.append(
                    f"{host} has {name} {version}, and this host {here['versions'][name]}; install"
                    " the same versions on every host."
                )
        for folder, seen in facts["folders"].items():
            if not seen:
                said.append(
                    f"{host} doesn't see {folder}; put it in a folder that all hosts share under"
                    " the same path."
                )
        apart = facts["clock_off"]
        if abs(apart) > MOST_SECONDS_APART:
            said.append(f"the clock of {host} is {apart:+.0f} s off this host's; let NTP set both.")
    return said


def remarks(found: Mapping[str, Any], here: Mapping[str, Any]) -> list[str]:
    """Return a sentence for what is unlucky, but no reason to refuse hosts."""
    said = []
    for host, facts in found.items():
        if isinstance(facts, BaseException):
            continue
        if facts["cpu"] != here["cpu"]:
            said.append(
                f"{host} is a {facts['cpu']}, and this host a {here['cpu']}: results may differ"
                " in their last bits from those of one machine."
            )
        memory = facts["shared_memory"]
        if memory is not None and memory < LEAST_SHARED_MEMORY:
            said.append(
                f"{host} has {memory / 2**20:.0f} MiB in /dev/shm, so Ray keeps objects on disk;"
                " give it more (docker run --shm-size=4g)."
            )
    return said


def check_hosts(engine: Engine, folders: Sequence[str] = ()) -> list[str]:
    """Refuse a cluster whose hosts can't work together; return remarks.

    Raises
    ------
    EngineError
        With all that is wrong.
    """
    found, here = asked(engine, folders)
    wrong = complaints(found, here)
    if wrong:
        raise EngineError(" ".join(wrong))
    return remarks(found, here)


def _no_answer(host: str, error: BaseException) -> str:
    said = " ".join(str(error).split())
    if "No module named" in said:
        return f"{host} lacks Cofactor; install the same version of it on every host."
    return f"{host} doesn't answer ({type(error).__name__}); see that it is up, or remove it."
