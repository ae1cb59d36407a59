"""Mutated small files through `read` and `describe`: typed errors only, bounded memory, quick.

Run it by ``make soak``, or ``python tests/soak/fuzz_readers.py --count 100000 --seed 1``. Each
mutation follows from the seed and its number alone, so that ``--first N --count 1`` repeats one."""

from __future__ import annotations

import argparse
import bz2
import gc
import gzip
import io
import json
import lzma
import random
import resource
import signal
import sqlite3
import sys
import tarfile
import tempfile
import time
import zipfile
from array import array
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import feather
from pyarrow import parquet as pq

import cofactor
from cofactor.base.errors import CofactorError
from cofactor.data.describe import describe
from cofactor.data.interactions import Interactions

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
# Seconds that a file may take at most, and the files after which a long run says how far it is.
LONGEST, EVERY = 30, 50_000
_COLUMNS = {
    "user": ["u1", "u2", "u3", "u1", "u2", "u3"],
    "item": [7, 8, 9, 10, 11, 12],
    "rating": [1.0, 2.5, 3.0, 4.0, 5.0, 2.0],
    "time": [1_546_646_400 + n for n in range(6)],
}


def seeds() -> dict[str, bytes]:
    """Return small sound files of every format, by name."""
    table = pa.table(_COLUMNS)
    rows = table.to_pylist()
    text = "user,item,rating,time\n" + "".join(",".join(map(str, r.values())) + "\n" for r in rows)
    dated = "user;item;rating;date\n" + "".join(
        f"{r['user']};{r['item']};{r['rating']};0{n + 1}.01.2019 08:0{n}\n"
        for n, r in enumerate(rows)
    )
    quoted = "user\titem\ttitle\n" + "".join(
        f'"{r["user"]}"\t{r["item"]}\t"a ""b""\nc"\n' for r in rows
    )
    lines = "".join(json.dumps(r) + "\n" for r in rows).encode()
    found = {
        "plain.csv": text.encode(),
        "dated.csv": dated.encode(),
        "quoted.tsv": quoted.encode(),
        "bare.dat": text.split("\n", 1)[1].replace(",", "::").encode(),
        "wide.csv": text.encode("utf-16"),
        "lists.txt": b"1 2 3 4\n2 3 4\n3 1 2 3 4 5\n4 5\n",
        "netflix.txt": b"1:\n10,3,2005-09-06\n11,4,2005-09-07\n2:\n10,5,2005-10-01\n",
        "lines.jsonl": lines,
        "array.json": json.dumps(rows).encode(),
        "columns.json": json.dumps(_COLUMNS).encode(),
        "mongo.jsonl": b"".join(
            json.dumps(
                {"user": {"$oid": f"{n:024x}"}, "item": n, "time": {"$date": 1546646400000}}
            ).encode()
            + b"\n"
            for n in range(5)
        ),
        "plain.csv.gz": gzip.compress(text.encode(), mtime=0),
        "plain.csv.bz2": bz2.compress(text.encode()),
        "plain.csv.xz": lzma.compress(text.encode()),
        "lines.jsonl.gz": gzip.compress(lines, mtime=0),
    }
    return found | _archives(text) | _binaries(table)


def _archives(text: str) -> dict[str, bytes]:
    zipped, tarred = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("ratings.csv", text)
    with tarfile.open(fileobj=tarred, mode="w:gz") as tar:
        info = tarfile.TarInfo("ratings.csv")
        info.size = len(text)
        tar.addfile(info, io.BytesIO(text.encode()))
    return {"one.zip": zipped.getvalue(), "one.tar.gz": tarred.getvalue()}


def _binaries(table: pa.Table) -> dict[str, bytes]:
    columns, frame = io.BytesIO(), io.BytesIO()
    pq.write_table(table, columns)
    feather.write_feather(table, frame, compression="uncompressed")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.db"
        with sqlite3.connect(path) as base:
            base.execute("PRAGMA page_size=512")
            base.execute("CREATE TABLE ratings (user TEXT, item INT, rating REAL, time INT)")
            rows = [tuple(row.values()) for row in table.to_pylist()]
            base.executemany("INSERT INTO ratings VALUES (?, ?, ?, ?)", rows)
        base.close()
        database = path.read_bytes()
    return {
        "table.parquet": columns.getvalue(),
        "table.feather": frame.getvalue(),
        "base.db": database,
    }


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


def tried(path: Path, skip: bool) -> str:
    """Read and describe one file; what came of it: ``"read"`` or the name of a typed error."""
    source = f"sqlite:///{path}" if path.suffix == ".db" else str(path)
    on_bad = "skip" if skip else "error"
    try:
        events = cofactor.read(source, on_bad=on_bad, now=1.8e9)
        str(describe(Interactions.build(events)))
    except CofactorError as error:
        return type(error).__name__
    return "read"


class Slow(BaseException):
    """A file took longer than `LONGEST` seconds."""


def _stop(*_: object) -> None:
    raise Slow(f"not done after {LONGEST} s")


def file_of(number: int, seed: int, known: list[tuple[str, bytes]], folder: Path) -> Path:
    """Write the mutated file of a number and return its place."""
    name, content = known[number % len(known)]
    path = folder / name
    path.write_bytes(mutated(content, random.Random((seed << 40) | number).random))
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
    signal.signal(signal.SIGALRM, _stop)
    known = list(seeds().items())
    outcomes: Counter[str] = Counter()
    failures: Counter[str] = Counter()
    times = array("f")
    began = time.perf_counter()
    # Memory instead of a disk, where there is such a place.
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        for number in range(asked.first, asked.first + asked.count):
            if time.perf_counter() - began > asked.seconds:
                break
            path = file_of(number, asked.seed, known, Path(folder))
            start = time.perf_counter()
            signal.alarm(LONGEST)
            try:
                outcomes[tried(path, number % 3 == 0)] += 1
            except KeyboardInterrupt:
                raise
            except BaseException as error:
                what = f"{path.name}: {type(error).__name__}: {str(error)[:90]!r}"
                if failures[what] == 0:
                    print(f"{number}: {what}", flush=True)
                    _keep(path, number, asked.keep)
                failures[what] += 1
            finally:
                signal.alarm(0)
            times.append(time.perf_counter() - start)
            if len(times) % EVERY == 0:
                print(_said(times, outcomes, failures), f"next --first {number + 1}", flush=True)
    print(_said(times, outcomes, failures))
    return int(bool(failures) or np.median(times) > 0.1)


def _keep(path: Path, number: int, folder: Path | None) -> None:
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number}-{path.name}").write_bytes(path.read_bytes())


def _said(times: array[float], outcomes: Counter[str], failures: Counter[str]) -> str:
    spent, usage = np.array(times), resource.getrusage(resource.RUSAGE_SELF)
    processor = 1e3 * (usage.ru_utime + usage.ru_stime) / len(times)
    return (
        f"{len(times):,} files: {dict(outcomes)}; {sum(failures.values())} untyped;"
        f" median {1e3 * np.median(spent):.1f} ms, 99.9 % {1e3 * np.quantile(spent, 0.999):.0f} ms,"
        f" longest {spent.max():.2f} s; CPU {processor:.2f} ms; peak {usage.ru_maxrss >> 10} MiB"
    )


if __name__ == "__main__":
    # What the modules hold stays, and needn't be looked through again and again.
    gc.freeze()
    sys.exit(main())
