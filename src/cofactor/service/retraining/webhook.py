"""A webhook: a JSON object posted to an address of the operator's."""

from __future__ import annotations

import logging
import urllib.error
import urllib.request
from http.client import HTTPException
from typing import Any
from urllib.parse import urlsplit

import msgspec

from cofactor.base.errors import ArgumentError

log = logging.getLogger("cofactor.service")
_SECONDS = 10.0
_TRIES = 2


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """What was meant for one address goes to no other."""

    def redirect_request(self, *_: Any) -> None:
        return None


class Webhook:
    """Posts to one address.

    Parameters
    ----------
    url
        http or https.

    Raises
    ------
    ArgumentError
        If it is another kind of URL.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ArgumentError(f"webhook must be an http:// or https:// URL, not {url!r}.")
        self._url = url
        self.shown = f"{parts.scheme}://{parts.hostname}"
        self._opener = urllib.request.build_opener(_NoRedirects)

    def send(self, body: dict[str, Any]) -> bool:
        """Post an object; try twice, log a failure, and return whether it arrived."""
        request = urllib.request.Request(
            self._url,
            msgspec.json.encode(body),
            {"content-type": "application/json", "user-agent": "cofactor"},
            method="POST",
        )
        problem = ""
        for _ in range(_TRIES):
            try:
                with self._opener.open(request, timeout=_SECONDS):
                    return True
            except (OSError, ValueError, HTTPException) as error:
                problem = str(error) or type(error).__name__
        log.warning("webhook failed", extra={"facts": {"to": self.shown, "problem": problem}})
        return False
