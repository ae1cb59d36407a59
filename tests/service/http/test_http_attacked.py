"""What callers with the source in hand do to a running service: bytes that cost more to read than
to send, ids that only one of two rules takes, moments between two steps.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from cofactor.service.http.context import Context
from service.http.served import Line, raw_request, serve_and_play


def test_chunks_of_a_byte_are_refused_before_they_take_long(folder: Path, events: str) -> None:
    """A quarter of a megabyte of them, without a key, held everybody up for half a second."""

    async def play(port: int, context: Context) -> None:
        line = await Line.to(port)
        head = raw_request("POST", "/v1/recommend", b"", "Transfer-Encoding: chunked")
        line.send(head.replace(b"Content-Length: 0\r\n", b"") + b"1\r\n \r\n" * 40_000)
        status, headers, body = await line.answer()
        assert (status, headers["connection"]) == (400, "close")
        assert b"chunks" in body
        few = await Line.to(port)
        body = b'{"history": [], "k": 3}' + b" " * 1_000
        chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n"
        assert (await few.ask(head.replace(b"Content-Length: 0\r\n", b"") + chunks))[0] == 200

    serve_and_play(folder, events, play)


@pytest.mark.parametrize("path", ["/v1/users/u1/recommendations", "/v1/stats"])
@pytest.mark.parametrize("whole", [True, False])
def test_a_head_of_thousands_of_lines_is_refused_unread(
    folder: Path, events: str, path: str, whole: bool
) -> None:
    async def play(port: int, context: Context) -> None:
        raw = raw_request("GET", path, b"", *(f"a{n}:" for n in range(5_000)))
        line = await Line.to(port)
        status, headers, _ = await line.ask(raw if whole else raw[:20_000])
        assert (status, headers["connection"]) == (431, "close")
        usual = raw_request("GET", path, b"", *(f"a{n}: b" for n in range(200)))
        assert (await (await Line.to(port)).ask(usual))[0] == 200

    serve_and_play(folder, events, play)
