"""The whole HTTP surface for as long as asked, by a real process over real sockets: requests made
from the OpenAPI document, valid and bent, with odd headers and methods, and raw bytes between them.
No answer may be a 5xx but 503, none may keep its client waiting, and the process has to live.

Run it by ``make soak``, or ``python tests/soak/fuzz_http.py --seconds 60 --seed 1`` with src and
tests on the path."""

from __future__ import annotations

import argparse
import http.client
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

import cofactor
from cofactor.base.run import Run
from cofactor.data.synthetic import shop
from cofactor.models import registry
from service.http.processes import serving
from service.http.test_http_fuzz import OPERATIONS, RAW, _content, _filled, _sent

# Seconds that an answer may take, requests of one operation in a row, and seconds between two
# lines that say how far it is.
LONGEST, IN_A_ROW, EVERY = 30, 60, 300
HEADERS = (
    ("Content-Type", "text/plain"),
    ("Content-Encoding", "gzip"),
    ("Accept-Encoding", "gzip, br;q=0, *;q=nonsense"),
    ("If-None-Match", '"x", W/"y", *'),
    ("If-Modified-Since", "yesterday"),
    ("Range", "bytes=-1,5-2"),
    ("Expect", "100-continue"),
    ("Idempotency-Key", "\x80" * 300),
    ("X-Forwarded-Prefix", "//evil.example/%2e%2e"),
    ("X-Forwarded-Proto", "javascript"),
    ("Forwarded", 'for="[::1";proto=https'),
    ("Authorization", "Bearer " + "x" * 4_000),
    ("Origin", "null"),
    ("Cookie", "=" * 1_000),
    ("Upgrade", "websocket"),
    ("Last-Event-ID", "-1"),
)
METHODS = ("HEAD", "OPTIONS", "TRACE", "PUT", "PATCH", "DELETE", "POST", "GET", "get", "PROPFIND")


@dataclass
class Seen:
    """What came back, and what mustn't have."""

    process: subprocess.Popen[str]
    statuses: Counter[int] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    raw: int = 0

    def fail(self, what: str, request: object) -> None:
        self.failures[what] += 1
        if self.failures[what] <= 3:
            print(f"{what}: {request!r:.2000}", flush=True)

    def say(self, seconds: float) -> None:
        print(
            f"{seconds:,.0f} s: {self.statuses.total():,} requests and {self.raw:,} of raw bytes,"
            f" {dict(sorted(self.statuses.items()))}, slowest {self.slowest:.1f} s, service's"
            f" memory {_memory(self.process.pid)} MiB, {self.failures.total()} failures",
            flush=True,
        )


def _memory(pid: int) -> int:
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        return 0
    lines = [line for line in status.read_text().splitlines() if line.startswith("VmRSS")]
    return int(lines[0].split()[1]) >> 10 if lines else 0


def ask(seen: Seen, place: str, request: tuple[str, str, bytes | None, dict[str, str]]) -> None:
    """Send a request on a connection of its own, and judge the answer."""
    method, path, content, headers = request
    begun = time.monotonic()
    line = http.client.HTTPConnection(place, timeout=LONGEST)
    try:
        line.request(method, path, content, headers)
        answer = line.getresponse()
        body = answer.read()
        seen.statuses[answer.status] += 1
        if answer.status >= 500 and answer.status != 503:
            seen.fail(f"{answer.status} to {method} {path.partition('?')[0]:.40}", (request, body))
    except TimeoutError:
        seen.fail("no answer in time", request)
    except ValueError:
        pass  # http.client itself refuses to send it
    except (http.client.HTTPException, OSError) as error:
        if seen.process.poll() is not None:
            raise SystemExit(
                f"the service ended ({seen.process.returncode}) at {request!r}"
            ) from None
        seen.fail(f"no answer: {error!r:.80}", request)
    finally:
        line.close()
    seen.slowest = max(seen.slowest, time.monotonic() - begun)


def play(seen: Seen, place: str, operation: tuple[str, str, Any], number: int) -> None:
    """Draw requests for an operation, and send them."""
    method, path, described = operation

    @seed(number)
    @settings(
        max_examples=IN_A_ROW,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(data=st.data())
    def drawn(data: st.DataObject) -> None:
        content = _content(described, data)
        headers = {"Content-Type": "application/json"} if content is not None else {}
        odd = data.draw(st.integers(0, 9))
        chosen = data.draw(st.sampled_from(METHODS)) if odd == 0 else method.upper()
        if odd in (1, 2):
            headers |= dict(data.draw(st.lists(st.sampled_from(HEADERS), max_size=3)))
        ask(seen, place, (chosen, _filled(path, described, data), content, headers))

    drawn()


def throw(seen: Seen, place: str, chance: random.Random) -> None:
    """Send raw bytes: known ones, random ones, and known ones with some bytes changed."""
    raw = bytearray(chance.choice(RAW)[:4_000])
    for _ in range(chance.randrange(4)):
        raw[chance.randrange(len(raw))] = chance.randrange(256)
    answer = _sent(int(place.rpartition(":")[2]), bytes(raw), wait=0.02)
    seen.raw += 1
    if answer.startswith((b"HTTP/1.1 50", b"HTTP/1.0 50")) and answer[9:12] != b"503":
        seen.fail(f"{answer[:12]!r} to raw bytes", bytes(raw))


def main() -> int:
    """Ask for as long as wanted; 1 if anything failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3_600)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    chance = random.Random(asked.seed)
    with tempfile.TemporaryDirectory() as scratch:
        folder, store = Path(scratch) / "models", f"sqlite:///{scratch}/events.db"
        data = shop(n_users=90, n_items=53, seed=5)
        for version, name in (("v1", "ials"), ("v2", "content_blend"), ("v3", "ease")):
            model = registry.create(name).fit(data, run=Run(threads=1))
            cofactor.save(model, folder / version)
        (folder / "current").write_text('{"version": "v1"}')
        with serving(folder, store, "--log-impressions", "--explore", "slots=0.1", fresh=True) as (
            process,
            url,
        ):
            seen = Seen(process)
            threading.Thread(target=_read, args=(seen,), daemon=True).start()
            return _play_all(seen, urlsplit(url).netloc, asked.seconds, chance)


def _read(seen: Seen) -> None:
    """Read what the service says, which would fill its pipe; a traceback is a failure."""
    assert seen.process.stderr is not None
    for line in seen.process.stderr:
        if "Traceback" in line:
            seen.fail(f"a traceback that ends with {line[-160:]}", line[-1_900:])


def _play_all(seen: Seen, place: str, seconds: float, chance: random.Random) -> int:
    begun = said = time.monotonic()
    while time.monotonic() - begun < seconds:
        play(seen, place, chance.choice(OPERATIONS), chance.getrandbits(32))
        throw(seen, place, chance)
        if time.monotonic() - said > EVERY:
            said = time.monotonic()
            seen.say(said - begun)
    ask(seen, place, ("GET", "/health", None, {}))
    seen.say(time.monotonic() - begun)
    return int(seen.failures.total() > 0 or seen.process.poll() is not None)


if __name__ == "__main__":
    sys.exit(main())
