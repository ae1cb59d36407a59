"""The OpenAPI document, made from a table of routes and the wire types: it can't say anything
else than they do.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import msgspec

import cofactor
from cofactor.service.http.route import Route
from cofactor.service.replies import ErrorOut

_REF = "#/components/schemas/{name}"


def document(routes: Sequence[Route], root_path: str = "") -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of the routes, published under a path."""
    types = list(
        dict.fromkeys(
            [
                *(r.takes for r in routes),
                *(r.gives for r in routes if isinstance(r.gives, type)),
                ErrorOut,
            ]
        )
    )
    schemas, components = msgspec.json.schema_components(types, ref_template=_REF)
    of = dict(zip(types, schemas, strict=True))
    paths: dict[str, Any] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, of, components)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Cofactor",
            "version": cofactor.__version__,
            "description": (
                "Recommendations that react to the last event. Errors have one shape, see ErrorOut."
            ),
        },
        "servers": [{"url": root_path or "/"}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
    }


@lru_cache(maxsize=4)
def document_bytes(routes: tuple[Route, ...], root_path: str = "") -> bytes:
    """Return the document of the routes, published under a path, as JSON.

    It is kept: making it takes half as long as all else that starts a service of a small model.
    """
    return msgspec.json.encode(document(routes, root_path))


def _operation(route: Route, of: dict[type, Any], components: dict[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": route.summary,
        "operationId": f"{route.handler.__module__.rpartition('.')[2]}_{route.handler.__name__}",
        "x-scope": route.scope,
        "parameters": _parameters(route, of, components),
    }
    if route.has_body:
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": of[route.takes]}},
        }
    if isinstance(route.gives, type):
        content = {"application/json": {"schema": of[route.gives]}}
    else:
        content = {route.gives: {"schema": {"type": "string"}}}
    error = {"description": "An error.", "content": {"application/json": {"schema": of[ErrorOut]}}}
    operation["responses"] = {
        "200": {"description": "The answer.", "content": content},
        "4XX": error,
        "503": error,
    }
    if route.goes_on:
        operation["responses"]["202"] = {
            "description": "Accepted; it continues in the background.",
            "content": content,
        }
    if route.scope != "public":
        operation["security"] = [{"key": []}]
    return operation


def _parameters(
    route: Route, of: dict[type, Any], components: dict[str, Any]
) -> list[dict[str, Any]]:
    found = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for name in re.findall(r"{(\w+)}", route.path)
    ]
    if not route.has_body:
        schema = components[of[route.takes]["$ref"].rpartition("/")[2]]
        required = set(schema.get("required", ()))
        for name, kind in schema.get("properties", {}).items():
            found.append(
                {"name": name, "in": "query", "required": name in required, "schema": kind}
            )
    return found
