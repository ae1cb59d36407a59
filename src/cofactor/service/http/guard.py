"""Before anything else: is this call meant for us, from a page that may make it, and is there
room?
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any
from urllib.parse import unquote

from cofactor.service.errors import RequestError, overloaded
from cofactor.service.settings import LOOPBACK, Settings

Scope = Any  # ASGI's, of which Starlette says no more

MAX_HEAD = 1 << 16  # bytes of a request's line and headers
_MOST_AT_ONCE = 2_000


class Guard:
    """Checks the ``Host`` and ``Origin`` of every request.

    A page of another site can make a browser call a service on the loopback, by its own name for
    127.0.0.1 too (DNS rebinding): so names that aren't ours are refused, and so is what pages of
    other sites ask for, reads too: they can't see the answer, but it takes time, and lists are
    logged as shown. What is public (the page, its document, probes) is for everybody, so that links
    lead to it.

    Parameters
    ----------
    settings
        Which hosts and origins are ours.
    """

    def __init__(self, settings: Settings) -> None:
        self._hosts = {name.lower() for name in (*settings.hosts, *LOOPBACK)}
        if settings.host not in ("0.0.0.0", "::"):
            self._hosts.add(settings.host.lower())
        # Beyond the loopback, keys guard the data; which names lead here is known to whoever named
        # them.
        self._any_host = settings.beyond_loopback and not settings.hosts
        self._origins = {origin.rstrip("/").lower() for origin in settings.origins}
        self.under_way = 0
        # Bytes of bodies that haven't come whole, by the digest of their key.
        self.held: Counter[str] = Counter()

    def check(
        self,
        scope: Scope,
        headers: dict[bytes, bytes],
        *,
        probe: bool = False,
        public: bool = False,
    ) -> str | None:
        """Return the origin that may read the answer, if another site's page asks and may; refuse
        who must not. A probe may call it by any name, as an orchestrator does by an address; pages
        of any site may read what is public.

        Raises
        ------
        RequestError
            421 for a foreign host, 403 for a foreign page, 503 for too many requests at once.
        """
        host = headers.get(b"host", b"").decode("latin-1").lower()
        if not self._any_host and not probe and _name_of(host) not in self._hosts:
            raise RequestError(
                421,
                "host",
                f"this service doesn't answer to {host or 'no name'!r}; start it with --allow-host"
                " to allow that name.",
            )
        if self.under_way > _MOST_AT_ONCE:
            raise overloaded("there are too many requests under way.")
        return self._page(scope, headers, host, public)

    def _page(
        self, scope: Scope, headers: dict[bytes, bytes], host: str, public: bool
    ) -> str | None:
        """Return the origin that may read the answer, or None; refuse the pages of other sites."""
        open_to_all = public and scope["method"] in ("GET", "HEAD")
        origin = headers.get(b"origin")
        if origin is None:
            site = headers.get(b"sec-fetch-site", b"none")
            if site not in (b"none", b"same-origin") and not open_to_all:
                raise RequestError(
                    403,
                    "origin",
                    "pages of other sites must not call this; open it by its own address, or start"
                    " it with --allow-origin to let them.",
                )
            return None
        page = origin.decode("latin-1").rstrip("/").lower()
        if page in self._origins:
            return page
        if page.partition("://")[2] != host and not open_to_all:
            raise RequestError(
                403,
                "origin",
                f"pages of {page!r} must not call this; start it with --allow-origin to let them.",
            )
        return None


def check_size(scope: Scope) -> None:
    """Refuse a head that is longer than it may be and yet came whole.

    Raises
    ------
    RequestError
        431.
    """
    size = len(scope.get("raw_path") or b"") + len(scope["query_string"])
    if size + sum(len(name) + len(value) for name, value in scope["headers"]) > MAX_HEAD:
        raise RequestError(
            431, "too_large", f"a request's head must have at most {MAX_HEAD:,} bytes."
        )


def check_version(scope: Scope) -> None:
    """Refuse what says it is another major version of HTTP: its messages may mean something else.

    Raises
    ------
    RequestError
        505.
    """
    version = scope["http_version"]
    if not version.startswith("1."):
        raise RequestError(505, "version", f"this service speaks HTTP/1.1, not HTTP/{version}.")


_ABSOLUTE = re.compile(rb"https?://([^/?#]*)(.*)", re.IGNORECASE | re.DOTALL)


def from_origin(scope: Scope) -> Scope:
    """Return a request whose target is a path: of a whole address (``GET http://shop/v1/items``),
    which every server has to take (RFC 9112, section 3.2.2), the host counts instead of the
    header's.

    Raises
    ------
    RequestError
        400 for a target of another form, or an address with a user's name or without a host.
    """
    raw = scope.get("raw_path") or scope["path"].encode()
    if raw.startswith(b"/") or (raw == b"*" and scope["method"] == "OPTIONS"):
        return scope
    found = _ABSOLUTE.fullmatch(raw)
    if found is None or not found[1] or b"@" in found[1]:
        raise RequestError(
            400,
            "malformed",
            "the target of a request is a path such as /v1/items, or http:// with a host and one.",
        )
    headers = [(name, value) for name, value in scope["headers"] if name != b"host"]
    path = found[2] or b"/"
    return {
        **scope,
        "path": unquote(path.decode("latin-1")),
        "raw_path": path,
        "headers": [(b"host", found[1]), *headers],
    }


def cors(origin: str | None, preflight: bool = False) -> list[tuple[bytes, bytes]]:
    """Return the headers that let a page of an allowed origin read the answer."""
    if origin is None:
        return []
    found = [(b"access-control-allow-origin", origin.encode("latin-1")), (b"vary", b"origin")]
    if preflight:
        found += [
            (b"access-control-allow-methods", b"GET, POST, DELETE"),
            (b"access-control-allow-headers", b"authorization, content-type"),
            (b"access-control-max-age", b"600"),
        ]
    return found


_HOST = re.compile(r"(?:\[([^]]*)\]|([^:\[\]]*))(?::[0-9]{0,5})?")


def _name_of(host: str) -> str:
    """A ``Host`` header without its port; what isn't written as one stays as it is, nobody's
    name.
    """
    found = _HOST.fullmatch(host)
    return host if found is None else found[1] or found[2] or ""
