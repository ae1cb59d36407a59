"""What all tests share: real datasets are used where they are at hand, and skipped with the
reason elsewhere.
"""

from __future__ import annotations

import atexit
import gc
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.internal.conjecture import providers

from draws import EXPLORE
from log_records import caplog  # noqa: F401  # a fixture
from postgres import postgres_server  # noqa: F401  # a fixture

# OpenMP's threads (PyTorch's) wait asleep: two test processes of two threads each would spend most
# of two cores on spinning. Read when OpenMP is loaded, so set before any import of PyTorch; the
# processes that tests start inherit it.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# OpenBLAS' threads can't be told to wait asleep at once: on small matrices, with two test processes
# on two cores, they take many times what the matrices do. Where a test or a model asks for threads,
# it gets them all the same.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "4")

# Hypothesis draws the same examples in each run, and keeps none; a slow machine is no failure.
_UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("explore", _UNHURRIED)
settings.register_profile("same", _UNHURRIED, derandomize=True, database=None)
settings.load_profile("explore" if EXPLORE else "same")
if not EXPLORE:
    # Hypothesis also draws the constants of all modules that are loaded: which those are depends on
    # the tests that ran before in the same process, and reading them takes more than a second.
    providers._get_local_constants = lambda: providers._local_constants

# The files that take longest, in seconds of CPU and of waiting: with `--no-loadscope-reorder`
# they are handed out first, so that all test processes end at the same time.
LONGEST = {
    "kernels/test_fork_and_kept_code.py": 11,
    "contract/test_contract.py": 10,
    "service/http/test_http_workers.py": 9,
    "runs/test_tune.py": 8,
    "service/http/test_http_retraining.py": 8,
    "data/test_datasets.py": 8,
    "service/http/test_http_impressions.py": 7,
    "runs/test_auto.py": 7,
    "cli/test_streams.py": 6,
    "service/http/test_http_soak.py": 5,
    "test_add_a_loss.py": 5,
    "data/test_shards.py": 5,
    "cli/test_terminal.py": 5,
    "properties/test_every_reader.py": 5,
    "test_docs.py": 5,
    "service/http/test_http_experiments.py": 5,
    "service/http/test_http_connections.py": 5,
    "service/http/test_http_promises.py": 5,
    "models/defaults/test_held_out_epochs.py": 5,
    "models/test_rating_scale.py": 4,
    "engine/test_local_engine.py": 4,
    "contract/test_iterative.py": 4,
    "test_add_a_model.py": 4,
    "field/test_hostile.py": 4,
    "artifact/test_artifact_mutations.py": 4,
    "artifact/test_artifact_attacks.py": 4,
    "models/sequence/test_next_item_content.py": 4,
    "models/content/test_content_models.py": 4,
    "data/test_readers_large.py": 4,
    "engine/test_local_models.py": 4,
    "service/http/test_http_replicas.py": 4,
    "service/http/test_http_answers.py": 4,
    "service/http/test_http_overload.py": 4,
    "engine/test_reduced_ials.py": 3,
    "contract/test_update.py": 3,
    "test_packaging.py": 3,
    "models/neural/test_neural_models.py": 3,
    "parity/test_inverse.py": 3,
    "evaluation/test_off_policy.py": 3,
    "cli/test_commands.py": 3,
    "test_glossary.py": 3,
}


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[object]:
    """Take what is imported and collected, which stays to the end, out of garbage collection, and
    collect seldom afterwards: a pass over all that is imported later takes a fifth of a second, and
    by Python's own thresholds a process would make some thirty.

    What PyTorch computes outside a fit, which has the threads of its `Run`, is small here: on two
    threads it takes twice the processor time.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.set_threshold(50_000, 50, 100)
        gc.enable()
        atexit.register(gc.unfreeze)  # some libraries check at the end that nothing is left
        if "torch" in sys.modules:
            sys.modules["torch"].set_num_threads(1)


# Folders whose files share what is expensive to make: one test process takes all of them.
TOGETHER = ("tests/contract/",)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Hand out files whole, as ``--dist loadfile`` does, and those of some folders together."""
    from xdist.scheduler import LoadFileScheduling

    class Whole(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            of = [folder for folder in TOGETHER if nodeid.startswith(folder)]
            return of[0] if of else super()._split_scope(nodeid)

    return Whole(config, log) if config.getoption("dist") == "loadfile" else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    root = Path(__file__).parent
    items.sort(key=lambda item: -LONGEST.get(item.path.relative_to(root).as_posix(), 0))
    for item in items:
        for mark in item.iter_markers("data"):
            reason = _missing(mark.args[0])
            if reason is not None:
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def data_home() -> Path:
    """The folder with the real datasets; tests that use it are marked ``data(name)``."""
    home = os.environ.get("COFACTOR_DATA")
    if not home:
        pytest.skip("COFACTOR_DATA is not set")
    return Path(home)


def _missing(name: str) -> str | None:
    home = os.environ.get("COFACTOR_DATA")
    if not home:
        return f"needs the dataset {name}: COFACTOR_DATA is not set"
    return (
        None
        if (Path(home) / name).is_dir()
        else f"needs the dataset {name}, which is not in COFACTOR_DATA"
    )
