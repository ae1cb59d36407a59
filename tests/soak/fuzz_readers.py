"""Mutated small files through `read` and `describe`: typed errors only, bounded memory, quick.

Run it by ``make soak``, or ``python tests/soak/fuzz_readers.py --count 100000 --seed 1``. Each
mutation follows from the seed and its number alone, so that ``--first N --count 1`` repeats one.
What is mutated are the files of `reader_seeds`."""

from __future__ import annotations

import argparse
import faulthandler
import gc
import random
import resource
import signal
import sys
import tempfile
import time
from array import array
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

import cofactor
from cofactor.base.errors import CofactorError
from cofactor.data.describe import describe
from cofactor.data.interactions import Interactions
from soak.reader_seeds import Seed, of_field, of_formats

_TOKENS = (
    *(b"\r", b"\n", b"\r\n", b'"', b'""', b",", b";", b"\t", b"::", b"|", b" ", b"\0", b"\xff"),
    *(
        b"NULL",
        b"NaN",
        b"inf",
        b"-1",
        b"1e999",
        b"99999999999999999999",
        b"1,5",
        b"4/5",
        b"20190105",
    ),
    *(
        b"{",
        b"}",
        b"[",
        b"]",
        b"[[[[",
        b"null",
        b"\xef\xbb\xbf",
        b"\xed\xa0\x80",
        b"sep=;",
        b"1:\n",
    ),
    *(b"PK\x03\x04", b"PAR1", b"\x1f\x8b", b"BZh9", b"\xfd7zXZ\x00", b"ustar", b"ARROW1"),
)
# Processor seconds that a file may take at most, MiB that the process may, and the files after
# which a long run says how far it is.
LONGEST, MOST, EVERY = 30, 1024, 50_000
# MiB beyond the most so far that a file is named for.
MUCH = 64
# Seconds that so many files may take: more do if a library's own code hangs, which no signal ends.
STUCK, SOME = 900, 2_000


def mutated(content: bytes, chance: Callable[[], float]) -> bytes:
    """Return content with one to eight changes: bytes, tokens, pieces taken away or doubled.

    ``chance`` gives numbers from 0 to 1 (`random.Random.random`: the quickest to draw from)."""
    data = bytearray(content)
    for _ in range(1 + int(8 * chance())):
        size = len(data)
        place = int((size + 1) * chance())
        end = min(size, place + 1 + int(16 * chance()))
        what = int(7 * chance())
        if what == 0 and size:
            data[min(place, size - 1)] = int(256 * chance())
        elif what == 1:
            data[place:place] = _TOKENS[int(len(_TOKENS) * chance())]
        elif what == 2:
            del data[place:end]
        elif what == 3:
            data[place:place] = data[place:end] * (1 + int(39 * chance()))
        elif what == 4:
            del data[place:]
        elif what == 5 and size:
            data[min(place, size - 1)] ^= 1 << int(8 * chance())
        else:
            data[place:end] = data[place:end][::-1]
    return bytes(data)


def tried(path: Path, skip: bool, options: Mapping[str, Any] | None = None) -> str:
    """Read and describe one file; what came of it: ``"read"`` or the name of a typed error."""
    source = f"sqlite:///{path}" if path.suffix == ".db" else str(path)
    told = {"on_bad": "skip" if skip else "error", "now": 1.8e9} | (options or {})
    try:
        str(describe(Interactions.build(cofactor.read(source, **told))))
    except CofactorError as error:
        return type(error).__name__
    return "read"


class Slow(BaseException):
    """A file took longer than `LONGEST` seconds."""


def _stop(*_: object) -> None:
    raise Slow(f"not done after {LONGEST} s")


def chosen(number: int, known: tuple[Sequence[Seed], Sequence[Seed]]) -> Seed:
    """Return the seed of a number: by turns one of the formats and one of the field suite."""
    some = known[number % 2]
    return some[number // 2 % len(some)]


def file_of(seed: Seed, chance: Callable[[], float], folder: Path) -> Path:
    """Write a seed's file with changes and return its place."""
    path, content = folder / seed.name, mutated(seed.content, chance)
    with open(path, "wb", buffering=0) as stream:
        stream.write(content if seed.packed is None else seed.packed(content))
    return path


def main() -> int:
    """Try many mutations and print what came of them; 1 if one wasn't typed, or all is slow."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--keep", type=Path, default=None, help="where failing files are written")
    asked = parser.parse_args()
    signal.signal(signal.SIGPROF, _stop)
    for sign in (signal.SIGINT, signal.SIGTERM):  # in the background, the first one is ignored
        signal.signal(sign, signal.default_int_handler)
    faulthandler.enable()
    known = (of_formats(), of_field())
    # What the modules hold stays, and needn't be looked through again and again.
    gc.freeze()
    tally, began, number = Tally(asked.keep), time.perf_counter(), asked.first
    # Memory instead of a disk, where there is such a place.
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(dir=memory) as folder, suppress(KeyboardInterrupt):
        for number in range(asked.first, asked.first + asked.count):
            if time.perf_counter() - began > asked.seconds:
                break
            if number % SOME == 0:
                faulthandler.dump_traceback_later(STUCK, exit=True)
            seed = chosen(number, known)
            chance = random.Random((asked.seed << 40) | number).random
            tally.add(number, file_of(seed, chance, Path(folder)), seed.options)
    print(tally, f"{asked.first:,} to {number:,}, seed {asked.seed}", flush=True)
    faulthandler.cancel_dump_traceback_later()
    gc.unfreeze()
    return int(bool(tally.failures) or np.median(tally.times) > 0.1 or _peak() > MOST)


class Tally:
    """What came of the files so far; ``keep`` is where those that failed are written."""

    def __init__(self, keep: Path | None) -> None:
        self.keep, self.times = keep, array("f")
        self.outcomes: Counter[str] = Counter()
        self.failures: Counter[str] = Counter()
        self.peak = _peak()

    def add(self, number: int, path: Path, options: Mapping[str, Any]) -> None:
        """Try a file."""
        start = time.perf_counter()
        signal.setitimer(signal.ITIMER_PROF, LONGEST)
        try:
            self.outcomes[tried(path, number % 3 == 0, options)] += 1
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            what = f"{path.name}: {type(error).__name__}: {str(error)[:90]!r}"
            self.failures[what] += 1
            if self.failures[what] == 1:
                print(f"{number}: {what}", flush=True)
                _keep(path, number, self.keep)
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
        self.times.append(time.perf_counter() - start)
        if _peak() > self.peak + MUCH:
            print(f"{number}: {path.name}: {_peak() - self.peak} MiB more", flush=True)
            self.peak = _peak()
        if len(self.times) % EVERY == 0:
            print(self, f"next --first {number + 1}", flush=True)

    def __str__(self) -> str:
        spent = np.array(self.times)
        processor = 1e3 * time.process_time() / max(1, len(spent))
        low, high = np.quantile(spent, (0.5, 0.999)) if len(spent) else (0.0, 0.0)
        return (
            f"{len(spent):,} files: {dict(self.outcomes)}; {sum(self.failures.values())} untyped;"
            f" median {1e3 * low:.1f} ms, 99.9 % {1e3 * high:.0f} ms, longest"
            f" {spent.max(initial=0):.2f} s; CPU {processor:.2f} ms; peak {_peak()} MiB"
        )


def _peak() -> int:
    """The most memory that the process took, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


def _keep(path: Path, number: int, folder: Path | None) -> None:
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number}-{path.name}").write_bytes(path.read_bytes())


if __name__ == "__main__":
    sys.exit(main())
