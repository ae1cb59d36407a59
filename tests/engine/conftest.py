"""A Ray cluster of this machine: a head without cores of its own, and hosts that come and go."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

SOURCE = Path(__file__).parents[2] / "src"
# A dead host is noticed within two seconds instead of fifteen.
FAST_CHECKS = {
    "health_check_initial_delay_ms": 0,
    "health_check_period_ms": 500,
    "health_check_timeout_ms": 1000,
    "health_check_failure_threshold": 4,
}


@pytest.fixture(scope="session")
def ray_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A cluster of a head and two hosts of one core each (Ray's own `cluster_utils`)."""
    if find_spec("ray") is None:
        pytest.skip("needs Ray (extra cluster), which isn't installed")
    if os.name == "nt":
        pytest.skip("Ray's cluster_utils don't run on Windows")
    home = tmp_path_factory.mktemp("ray-home")
    with pytest.MonkeyPatch.context() as patch:
        # Workers import Cofactor and the functions of these tests by name.
        tests = Path(__file__).parents[1]
        patch.setenv("PYTHONPATH", os.pathsep.join([str(SOURCE), str(tests)]))
        patch.setenv("RAY_AUTH_MODE", "token")  # which Ray reads when it is imported
        patch.setenv("RAY_AUTH_TOKEN_PATH", str(home / "token"))
        (home / "token").write_text("c0ffee" * 6)
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_worker_niceness", "0")  # 15 by default: they would wait for all others
        from ray.cluster_utils import Cluster

        head = {"num_cpus": 0, "object_store_memory": 200 << 20, "include_dashboard": False}
        cluster = Cluster(
            initialize_head=True, head_node_args={**head, "_system_config": FAST_CHECKS}
        )
        for _ in range(2):
            add_host(cluster, wait=False)  # both start at the same time
        cluster.wait_for_nodes()
        yield cluster
        cluster.shutdown()


def add_host(cluster: Any, *, wait: bool = True) -> Any:
    """Start a host of one core, and return it."""
    return cluster.add_node(wait=wait, num_cpus=1, object_store_memory=200 << 20)


def wait_for_hosts(engine: Any, cluster: Any) -> None:
    """Wait until an engine knows a cluster's hosts: one that was removed a moment ago may still
    count, and what is sent to it is computed twice.
    """
    deadline = time.monotonic() + 300
    while len(set(engine.places())) != len(cluster.worker_nodes):
        assert time.monotonic() < deadline
        time.sleep(0.1)


class Connection:
    """The connection of this process to a cluster, which many tests share: for each new one Ray
    starts new workers, and these import everything again.
    """

    def __init__(self, cluster: Any) -> None:
        self.cluster, self.opened = cluster, None

    def engine(self) -> Any:
        """Return the engine."""
        from cofactor.engines.ray import RayEngine

        self.opened = self.opened or RayEngine(self.cluster.address)
        wait_for_hosts(self.opened, self.cluster)
        return self.opened

    def close(self) -> None:
        """Make room for a command's own connection; a process has one at a time."""
        if self.opened is not None:
            self.opened.close()
            self.opened = None


@pytest.fixture(scope="session")
def connection(ray_cluster: Any) -> Iterator[Connection]:
    """The connection, not opened yet."""
    made = Connection(ray_cluster)
    yield made
    made.close()


@pytest.fixture
def engine(connection: Connection) -> Any:
    """A Ray engine of two workers."""
    return connection.engine()
