"""`shard` killed by SIGKILL at random moments until it ends by itself, again and again: the bytes
are those of a run that nothing disturbed, and nothing is left beside them.

    python -W ignore tests/soak/kill_shards.py FILE [--rounds 5] [--seed 0] [--period 1]

FILE is any source that takes some seconds (`python benchmarks/shards.py make FILE --events
5000000`); ``--period`` is the seconds between checkpoints."""

from __future__ import annotations

import argparse
import hashlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROGRAM = """
import sys
from cofactor.base import unfinished
from cofactor.base.run import Run
from cofactor.data.readers.sharded import shard
unfinished.PERIOD = float(sys.argv[3])
class Said:
    from cofactor.base.progress import SILENT
    task = SILENT.task
    def say(self, text): print(text, flush=True)
shard([sys.argv[1]], sys.argv[2], memory=700_000_000, run=Run(threads=1, progress=Said()))
"""


def started(file: str, out: Path, period: float) -> subprocess.Popen[str]:
    words = [sys.executable, "-c", PROGRAM, file, str(out), str(period)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True)


def digests(folder: Path) -> dict[str, str]:
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            found[path.relative_to(folder).as_posix()] = digest
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--period", type=float, default=1.0)
    settings = parser.parse_args()
    draw = random.Random(settings.seed)
    with tempfile.TemporaryDirectory(dir=Path(settings.file).parent) as place:
        out = Path(place) / "out"
        began = time.monotonic()
        assert started(settings.file, out, 1e9).wait() == 0
        seconds, wanted = time.monotonic() - began, digests(out)
        print(f"undisturbed: {seconds:.1f} s, {len(wanted)} files", flush=True)
        for number in range(settings.rounds):
            shutil.rmtree(out)
            kills = resumed = 0
            while True:
                process = started(settings.file, out, settings.period)
                # The later ones get more time, so that it ends.
                after = draw.uniform(0.3, 0.7 + 0.1 * kills) * seconds
                try:
                    process.wait(after)
                except subprocess.TimeoutExpired:
                    process.send_signal(signal.SIGKILL)
                said = process.communicate()[0]
                resumed += "continuing" in said
                assert process.returncode in (0, -signal.SIGKILL), process.returncode
                if out.exists():  # it may be killed as it ends
                    break
                kills += 1
            made = digests(out)
            other = [name for name in {**wanted, **made} if wanted.get(name) != made.get(name)]
            assert not other, f"round {number}: other bytes in {other}"
            assert [path.name for path in Path(place).iterdir()] == ["out"]
            print(
                f"round {number}: {kills} kills, {resumed} times continued, same bytes", flush=True
            )


if __name__ == "__main__":
    main()
