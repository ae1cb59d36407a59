"""JSON as services, document stores and analysts write it, and what stands around it."""

from __future__ import annotations

import json
from typing import Any

from field.case import Case, Row

_AB: list[Row] = [("u1", "a", 3.0), ("u2", "b", 4.0)]
_LINES = '{"user":1,"item":2}\n{"user":1,"item":4}\n'
_TWO: list[Row] = [(1, 2), (1, 4)]


def _file(name: str, origin: str, content: Any, rows: list[Row], **more: Any) -> Case:
    """A case of one document, or of text or bytes as they stand."""
    raw = content if isinstance(content, (str, bytes)) else json.dumps(content)
    return Case(name=name, origin=origin, files={"a.csv": raw}, rows=rows, **more)


def _lines(*records: Any) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


DOCUMENTS = (
    _file("JSON lines below a mark of bytes", "Windows", "\ufeff" + _LINES, _TWO),
    _file("JSON lines in UTF-16, named csv", "PowerShell's >", _LINES.encode("utf-16"), _TWO),
    _file("JSON lines below a comment", "a dump with its date", "# dump\n" + _LINES, _TWO),
    _file(
        "JSON lines in Latin-1",
        "an old service",
        '{"user":"é","item":2}\n'.encode("latin-1"),
        [("é", 2)],
        notes=("Latin-1",),
    ),
    _file(
        "JSON lines of which some are in Latin-1",
        "the logs of two services, joined",
        '{"user":"é","item":2}\n'.encode() + '{"user":"ü","item":4}\n'.encode("latin-1"),
        [("é", 2), ("ü", 4)],
        notes=("line 2 is not UTF-8",),
    ),
    Case(
        name="JSON behind a key",
        origin="Kafka's console",
        files={"a.txt": 'k1\t{"user":1,"item":2}\nk2\t{"user":1,"item":4}\n'},
        error="JSON behind a key",
    ),
    _file("arrays a line", "jq -c", '["u1","a",3]\n["u2","b",4]\n', _AB),
    _file(
        "lists of records by user",
        "a web app's store",
        {"u1": [{"item": "a", "rating": 3}], "u2": [{"item": "b", "rating": 4}]},
        _AB,
    ),
    _file(
        "records by user and item",
        "Firebase",
        {
            "u1": {"a": {"rating": 3, "timestamp": 1600000000}},
            "u2": {"b": {"rating": 4, "timestamp": 1600000001}},
        },
        [("u1", "a", 3.0, 1600000000), ("u2", "b", 4.0, 1600000001)],
    ),
    _file("values of a single user", "a test", {"u1": {"a": 3}}, [("u1", "a", 3.0)]),
    _file(
        "one order alone in a file",
        "an API's answer",
        {"id": 1, "customer_id": 7, "line_items": [{"id": 11, "product_id": 5, "quantity": 2}]},
        [(7, 5, 2.0)],
    ),
    _file(
        "one record whose fields are all wrapped",
        "mongoexport",
        {"user": {"$oid": "5f1d7f1e1c9d440000a1b2c3"}, "item": {"$numberLong": "7"}},
        [("5f1d7f1e1c9d440000a1b2c3", 7)],
    ),
    Case(
        name="a document without any record",
        origin="a day without orders",
        files={"a.json": "[]"},
        error="no rows in it",
    ),
    _file(
        "fields of events in properties",
        "Segment",
        _lines(
            {"userId": "u1", "event": "Viewed", "properties": {"product_id": "a"}},
            {"userId": "u2", "event": "Viewed", "properties": {"product_id": "b"}},
        ),
        [("u1", "a"), ("u2", "b")],
    ),
    _file(
        "all fields in properties, some named with a dollar",
        "Mixpanel",
        _lines(
            {"event": "View", "properties": {"distinct_id": "u1", "item_id": "a", "$os": "x"}},
            {"event": "View", "properties": {"distinct_id": "u2", "item_id": "b"}},
        ),
        [("u1", "a"), ("u2", "b")],
    ),
    _file(
        "nodes of a graph",
        "GraphQL",
        {"data": {"ratings": {"edges": [{"node": {"user": {"id": 1}, "item": {"id": 2}}}]}}},
        [(1, 2)],
    ),
    _file(
        "values in the names of their types",
        "Avro's JSON",
        _lines(
            {"user": {"string": "u1"}, "item": {"string": "a"}, "rating": {"double": 3.0}},
            {"user": {"string": "u2"}, "item": {"string": "b"}, "rating": {"double": 4.0}},
        ),
        _AB,
    ),
    _file(
        "values in the letters of their types",
        "DynamoDB",
        _lines(
            {"Item": {"user_id": {"S": "u1"}, "item_id": {"S": "a"}, "rating": {"N": "3"}}},
            {"Item": {"user_id": {"S": "u2"}, "item_id": {"S": "b"}, "rating": {"N": "4"}}},
        ),
        _AB,
    ),
    _file(
        "sessions with lists of clicks",
        "OTTO",
        _lines({"session": 1, "events": [{"aid": 59625, "ts": 1661724000278, "type": "clicks"}]}),
        [(1, 59625, None, 1661724000)],
    ),
)
