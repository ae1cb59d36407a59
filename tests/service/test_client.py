"""The Python client by itself: what it refuses to send, and what it makes of answers that aren't
the service's.
"""

from __future__ import annotations

import datetime
import json
import socket
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from cofactor.base.errors import ArgumentError
from cofactor.client import Client, ServiceError

NOWHERE = "http://127.0.0.1:9"


@contextmanager
def answering(*answers: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """A server that reads a request and gives the next answer, each on a connection of its own."""
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            for answer in answers:
                taken, _ = listening.accept()
                with taken:
                    request = taken.recv(1 << 16)
                    head, _, body = request.partition(b"\r\n\r\n")
                    length = int(head.lower().partition(b"content-length: ")[2].split(b"\r")[0])
                    while len(body) < length:
                        body += taken.recv(1 << 16)
                    asked.append(body)
                    size = b"Content-Length: %d\r\nConnection: close\r\n" % len(answer)
                    taken.sendall(b"HTTP/1.1 200 OK\r\n" + size + b"\r\n" + answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}", asked
        thread.join(300)


@pytest.mark.parametrize(
    "url", ["127.0.0.1:8000", "ftp://shop", "http://", "http://shop:99999", "http://[::1", "http:x"]
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ArgumentError, match="url must be such as"):
        Client(url)


@pytest.mark.parametrize("key", ["cof_one\ncof_two", "cof_\x00", "cof_schlüssel", "cof_ключ"])
def test_a_key_that_is_none_is_refused_without_being_shown(key: str) -> None:
    with pytest.raises(ArgumentError, match="key must be") as refused:
        Client(NOWHERE, key=key)
    assert "cof_" not in str(refused.value)


def test_the_end_of_a_line_behind_a_key_does_no_harm() -> None:
    with pytest.raises(ServiceError, match="can't be reached"):
        Client(NOWHERE, key="cof_key\n", retries=0).recommend(1)


@pytest.mark.parametrize("odd", [float("nan"), float("inf"), np.float32("nan")])
def test_a_number_that_json_lacks_is_refused_by_its_place(odd: float) -> None:
    events = [{"user_id": 1, "item_id": 2}, {"user_id": 1, "item_id": 2, "value": odd}]
    with pytest.raises(ArgumentError, match=r"^events\[1\]\.value"):
        Client(NOWHERE).send(events)


def test_what_is_no_id_is_refused_with_its_place() -> None:
    client = Client(NOWHERE, retries=0)
    for call, place in (
        (lambda: client.send([{"user_id": 1, "item_id": 7.5}]), r"events\[0\]\.item_id"),
        (lambda: client.recommend(history=["a", True]), r"history\[1\]"),
        (lambda: client.recommend(history=[{"item_id": None}]), r"history\[0\]\.item_id"),
        (lambda: client.recommend(1, block=[1j]), r"block\[0\]"),
        (lambda: client.hide(np.array([1.0, np.nan])), r"item_ids\[1\]"),
        (lambda: client.history(None), "the id"),  # type: ignore[arg-type]
    ):
        with pytest.raises(ArgumentError, match=f"{place} must be a text or an integer, not"):
            call()


def test_ids_values_and_moments_are_sent_as_plain_ones() -> None:
    moment = datetime.datetime(
        2020, 1, 1, 12, tzinfo=datetime.timezone(datetime.timedelta(hours=2))
    )
    events = [
        {"user_id": b"u", "item_id": np.float64(7), "value": Decimal("4.5"), "time": moment},
        {"user_id": uuid.UUID(int=5), "item_id": 2**100, "time": np.datetime64("2020-01-01")},
        {"user_id": pa.scalar("u"), "item_id": "7", "value": np.float32(4), "time": 5},
    ]
    with answering(b"{}") as (url, asked), pytest.raises(ServiceError, match="the answer isn't"):
        Client(url, retries=0).send(events, request_id="r")
    first, second, third = json.loads(asked[0])["events"]
    assert first == {"user_id": "u", "item_id": 7, "value": 4.5, "time": 1_577_872_800}
    assert second == {
        "user_id": str(uuid.UUID(int=5)),
        "item_id": str(2**100),
        "time": 1_577_836_800,
    }
    assert third == {"user_id": "u", "item_id": "7", "value": 4.0, "time": 5}


@pytest.mark.parametrize(
    "call",
    [
        lambda client: client.recommend(1, features={"a": object()}),
        lambda client: client.recommend("\ud800"),
        lambda client: client.similar("\ud800"),
        lambda client: client.search("\ud800"),
    ],
)
def test_what_cannot_be_written_is_refused_in_a_sentence(call: Any) -> None:
    with pytest.raises(ArgumentError, match="can't be sent"):
        call(Client(NOWHERE))


def test_numbers_and_arrays_of_numpy_are_sent_as_numbers() -> None:
    acknowledged = b'{"outcome": "stored", "changed": 1, "unchanged": 0, "seq": 1}'
    listed = b'{"items": [], "source": "personal", "model": {"name": "m", "version": "v"}, "history_used": 2}'  # noqa: E501
    with answering(acknowledged, listed) as (url, asked):
        client = Client(url)
        row = {"user_id": np.int64(4), "item_id": np.str_("x"), "value": np.float32(0.5)}
        client.send([row], request_id="r")
        client.recommend(history=np.array([5, 6]), k=np.int32(3))
    assert json.loads(asked[0])["events"] == [{"user_id": 4, "item_id": "x", "value": 0.5}]
    assert json.loads(asked[1]) == {"history": [5, 6], "k": 3}


@pytest.mark.parametrize("answer", [b"<html>Sign in</html>", b"{}", b"[1]", b"\xff"])
def test_an_answer_of_somebody_else_is_said_to_be_one(answer: bytes) -> None:
    with answering(answer) as (url, _), pytest.raises(ServiceError, match="address") as found:
        Client(url).hide(["x"])
    assert (found.value.status, found.value.outcome) == (200, "unknown")
