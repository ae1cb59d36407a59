"""A client of a service in this process, whose event loop runs in a thread of its own."""

from __future__ import annotations

import contextlib
from typing import Any, Self

import httpx
from anyio.from_thread import BlockingPortal, start_blocking_portal


class TestClient(httpx.Client):
    """As Starlette's client of this name, which however crosses to the thread of the event loop
    eight times for each request, and that takes longer than most answers; this one does once. And
    it decodes a path once, as servers do.

    Parameters
    ----------
    app
        The service. It starts and ends with the client's block.
    base_url
        What it believes to be its address.
    raise_server_exceptions
        Whether what a request raises is raised here; otherwise the answer is an empty 500.
    """

    __test__ = False

    def __init__(self, app: Any, base_url: str, raise_server_exceptions: bool = True) -> None:
        self.app = app
        self.portal: BlockingPortal | None = None
        self._opened = contextlib.ExitStack()
        super().__init__(
            base_url=base_url,
            transport=_OneCall(self, raise_server_exceptions),
            headers={"user-agent": "testclient"},
            follow_redirects=True,
            trust_env=False,
        )

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            self.portal = stack.enter_context(start_blocking_portal())
            stack.callback(setattr, self, "portal", None)
            running = self.app.router.lifespan_context(self.app)
            stack.enter_context(self.portal.wrap_async_context_manager(running))
            self._opened = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()


class _OneCall(httpx.BaseTransport):
    """Sends a request and takes its whole answer in the event loop."""

    def __init__(self, client: TestClient, raising: bool) -> None:
        self._client = client
        self._service = httpx.ASGITransport(
            client.app, raise_app_exceptions=raising, client=("testclient", 50000)
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.read()  # what is sent in pieces by a generator, too
        open_one = self._client.portal
        with contextlib.nullcontext(open_one) if open_one else start_blocking_portal() as portal:
            return portal.call(self._answered, request)

    async def _answered(self, request: httpx.Request) -> httpx.Response:
        answer = await self._service.handle_async_request(request)
        content = b"".join([part async for part in answer.aiter_raw()])
        return httpx.Response(
            answer.status_code, headers=answer.headers, stream=httpx.ByteStream(content)
        )
