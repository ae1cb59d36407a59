"""The table of routes. The app, the OpenAPI document and the tests
read it.
"""

from __future__ import annotations

from cofactor.service.http.handlers import (
    events,
    experiments,
    feeds,
    items,
    models,
    people,
    recommend,
    system,
)
from cofactor.service.http.route import Route


def table() -> list[Route]:
    """Return all routes; of two that match the earlier one answers."""
    return [
        *recommend.ROUTES,
        *feeds.ROUTES,
        *items.ROUTES,
        *events.ROUTES,
        *people.ROUTES,
        *models.ROUTES,
        *experiments.ROUTES,
        *system.ROUTES,
    ]
