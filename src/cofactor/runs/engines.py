"""Open an engine by its name, for the duration of some work."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, NamedTuple

from cofactor.base.checks import choice
from cofactor.base.engine import Engine, Local
from cofactor.base.errors import ArgumentError
from cofactor.base.run import Run

ENGINES = ("local", "ray")


@contextmanager
def on_engine(
    run: Run,
    name: str | None,
    address: str | None = None,
    *,
    exchange: str = "auto",
    sources: list[Any] | None = None,
) -> Iterator[Run]:
    """Yield a run whose work goes to an engine, which is closed afterwards.

    Parameters
    ----------
    run
        Its ``threads`` become those of each piece of work; 0 is 1 on a cluster.
    name
        ``"ray"``, ``"local"`` (the same pieces, in this process), or None: no engine.
    address
        ``HOST:6379`` of a cluster; None starts Ray on this machine.
    exchange
        What hosts exchange where there is a choice: ``gather`` (vectors), ``reduce`` (sums), or
        ``auto`` (chosen by the shape of the data).
    sources
        The sources that the work reads; every host must see those that are folders of shards.

    Raises
    ------
    MissingExtraError
        For Ray without the extra ``cluster``.
    EngineError
        If the cluster can't be reached, or its hosts have other versions, clocks or folders.
    """
    if name is None:
        if address is not None:
            raise ArgumentError("address must go with an engine; give --engine ray too.")
        if exchange != "auto":
            raise ArgumentError("exchange must go with an engine; give --engine too.")
        yield run
        return
    choice(name, "engine", ENGINES)
    if name == "local":
        if address is not None:
            raise ArgumentError("address is for a cluster; give --engine ray.")
        yield replace(run, engine=Local(exchange))
        return
    engine = _connected(run, address, exchange, sources or [])
    try:
        yield replace(run, engine=engine)
    finally:
        engine.close()


def _connected(run: Run, address: str | None, exchange: str, sources: list[Any]) -> Engine:
    from cofactor.engines.hosts import check_hosts
    from cofactor.engines.ray import RayEngine

    engine = RayEngine(address, threads=run.threads or 1, exchange=exchange)
    try:
        if address is not None:
            for remark in check_hosts(engine, _folders(sources)):
                run.progress.say(remark)
        cores = engine.workers * engine.threads
        run.progress.say(f"Ray at {address or 'this machine'}: {cores} cores")
    except BaseException:
        engine.close()
        raise
    return engine


class Examined(NamedTuple):
    """What is known of a cluster's hosts."""

    hosts: dict[str, Any]  # `engines.hosts.host_facts` of each, or the exception
    wrong: list[str]  # sentences; empty if they can work together
    remarks: list[str]


def examine(name: str, address: str | None, folders: list[str]) -> Examined:
    """Return facts about the hosts of an engine, and what is wrong with them."""
    from cofactor.engines import hosts
    from cofactor.engines.ray import RayEngine

    choice(name, "engine", ENGINES)
    engine: Engine = Local() if name == "local" else RayEngine(address)
    try:
        found, here = hosts.asked(engine, folders)
    finally:
        engine.close()
    return Examined(found, hosts.complaints(found, here), hosts.remarks(found, here))


def _folders(sources: list[Any]) -> list[str]:
    """The folders of shards among sources, which workers map themselves."""
    from cofactor.data.shards import is_shards

    return [os.path.abspath(os.path.expanduser(source)) for source in sources if is_shards(source)]
