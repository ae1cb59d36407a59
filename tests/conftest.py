"""What all tests share: real datasets are used where they are at hand, and skipped with the
reason elsewhere.
"""

from __future__ import annotations

import atexit
import gc
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from postgres import postgres_server  # noqa: F401  # a fixture

# OpenMP's threads (PyTorch's) wait asleep: two test processes of two threads each would spend most
# of two cores on spinning. Read when OpenMP is loaded, so set before any import of PyTorch; the
# processes that tests start inherit it.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# The files that take longest, in seconds (`pytest --durations=0`): with `--no-loadscope-reorder`
# they are handed out first, so that both test processes end at the same time.
LONGEST = {
    "contract/test_contract.py": 25,
    "runs/test_tune.py": 13,
    "service/http/test_http_workers.py": 12,
    "service/http/test_http_retraining.py": 11,
    "data/test_shards.py": 10,
    "kernels/test_fork_and_kept_code.py": 9,
    "data/test_datasets.py": 9,
    "contract/test_update.py": 8,
    "test_docs.py": 8,
    "cli/test_streams.py": 8,
    "service/http/test_http_experiments.py": 8,
    "contract/test_iterative.py": 8,
    "service/http/test_http_promises.py": 8,
    "models/test_rating_scale.py": 7,
    "artifact/test_artifact_mutations.py": 7,
    "cli/test_terminal.py": 7,
    "parity/test_inverse.py": 7,
    "field/test_hostile.py": 7,
    "service/http/test_http_connections.py": 6,
    "test_first_hour.py": 6,
    "runs/test_auto.py": 6,
    "test_add_a_loss.py": 6,
    "service/http/test_http_impressions.py": 6,
    "models/neural/test_neural_threads.py": 6,
    "artifact/test_artifact_attacks.py": 5,
    "service/http/test_http_answers.py": 5,
    "service/http/test_http_soak.py": 5,
    "properties/test_every_reader.py": 5,
    "models/content/test_content_models.py": 5,
    "test_add_a_model.py": 5,
    "cli/test_commands.py": 5,
    "engine/test_local_engine.py": 4,
    "models/sequence/test_sequence_bad_input.py": 4,
    "service/http/test_http_fast_path.py": 4,
    "models/test_noise.py": 4,
    "models/sequence/test_sequence_models.py": 4,
    "cli/test_shard_command.py": 4,
}


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[object]:
    """Take what is imported and collected, which stays to the end, out of garbage collection: a
    pass over it takes a third of a second, and a run makes dozens.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()
        atexit.register(gc.unfreeze)  # some libraries check at the end that nothing is left


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
