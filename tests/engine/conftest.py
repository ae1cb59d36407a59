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
            add_host(cluster)
        yield cluster
        cluster.shutdown()


def add_host(cluster: Any, cores: int = 1) -> Any:
    """Start a host, and return it."""
    return cluster.add_node(num_cpus=cores, object_store_memory=200 << 20)


def connect(cluster: Any, **how: Any) -> Any:
    """Return an engine of a cluster that knows its hosts: one that was removed a moment ago may
    still count, and what is sent to it is computed twice.
    """
    from cofactor.engines.ray import RayEngine

    deadline = time.monotonic() + 60
    while True:
        engine = RayEngine(cluster.address, **how)
        hosts = len(set(engine.places()))
        if hosts == engine.workers == len(cluster.worker_nodes) or time.monotonic() > deadline:
            return engine
        engine.close()
        time.sleep(0.2)
