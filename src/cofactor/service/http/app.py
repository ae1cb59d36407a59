"""The service as one ASGI application."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

from starlette.applications import Starlette
from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match
from starlette.routing import Route as StarletteRoute

from cofactor.base.errors import ArgumentError
from cofactor.service.answering.admission import Admission
from cofactor.service.answering.items import LiveItems
from cofactor.service.answering.rerankers import Rerankers
from cofactor.service.answering.scoring import Scorer
from cofactor.service.errors import RequestError
from cofactor.service.experiments.experiment import check_draws
from cofactor.service.experiments.traffic import Traffic
from cofactor.service.experiments.upkeep import Pruning
from cofactor.service.http.context import Context
from cofactor.service.http.dispatch import Dispatch
from cofactor.service.http.fast.protocol import FastPath
from cofactor.service.http.guard import Guard, check_size, check_version, cors, from_origin
from cofactor.service.http.keys import Keys
from cofactor.service.http.openapi import document_bytes
from cofactor.service.http.route import PATH_IDS
from cofactor.service.http.routes import table
from cofactor.service.retraining.retraining import Retraining, RetrainSettings
from cofactor.service.settings import Settings
from cofactor.service.telemetry import Telemetry
from cofactor.service.versions.reload import Models
from cofactor.service.versions.versions import Folder
from cofactor.store import Store

_TICK = 0.02
_CATCH_UP = 0.5  # seconds after which a copy in memory that couldn't follow the store tries again


def build(
    folder: Path,
    store: Store,
    settings: Settings | None = None,
    keys: Keys | None = None,
    retrain: RetrainSettings | None = None,
) -> Starlette:
    """Make the service: load the model, read the items, and put the routes together.

    Parameters
    ----------
    folder
        A saved model, or a folder of versions.
    store
        An open store; the service closes it when it stops.
    settings
        How it is run.
    keys
        Who may call it; without any, everybody on this machine.
    retrain
        When and how the folder of versions is retrained; None for never.

    Raises
    ------
    ArgumentError
        If it is to listen beyond the loopback without keys.
    ArtifactError
        If the model can't be loaded.
    """
    settings = settings or Settings()
    keys = keys if keys is not None else Keys()
    _refuse_open_host(settings, keys)
    served, guard = table(), Guard(settings)
    document = document_bytes(tuple(served), settings.root_path)
    context = _context(folder, store, settings, keys, document)
    if retrain is not None:
        registry = context.telemetry.registry
        context.retraining = Retraining(retrain, context.models, store, registry)
        context.retraining.in_use = context.traffic.versions
    dispatches = {(route.method, route.path): Dispatch(route, context, guard) for route in served}
    routes = [
        _ServedRoute(_starlette_path(path), dispatch, methods=[method])
        for (method, path), dispatch in dispatches.items()
    ]
    app = Starlette(
        routes=routes,
        lifespan=lambda _: _running(context),
        exception_handlers={404: _missing, 405: _missing},
    )
    # A redirect would repeat whatever name the caller used for this host.
    app.router.redirect_slashes = False
    app.state.context = context
    app.state.fast_path = FastPath(context, dispatches)
    app.add_middleware(_Outer, guard=guard, root=settings.root_path)
    return app


def _refuse_open_host(settings: Settings, keys: Keys) -> None:
    """Refuse to listen where others can reach it without keys."""
    if settings.beyond_loopback and not len(keys):
        raise ArgumentError(
            f"host: {settings.host} can be reached by others, so the service needs keys: `cofactor"
            " serve --new-key read --keys FILE`, then --keys FILE. Without keys it listens on"
            " 127.0.0.1 only."
        )


def _context(
    folder: Path, store: Store, settings: Settings, keys: Keys, document: bytes
) -> Context:
    """Load the model, read the items, and make what handlers share."""
    others = settings.workers > 1 or store.database.shared
    live = LiveItems(store, settings.image_hosts, others=others)
    models = Models(Folder(folder), live, store, settings)
    check_draws(settings.explore, models.current.version, lambda: models.current.model)
    Rerankers(settings.rerank).check(models.current)
    telemetry, admission = Telemetry(), Admission(settings)
    traffic = Traffic(settings, models, store, admission, telemetry.registry)
    return Context(
        settings=settings,
        keys=keys,
        store=store,
        live=live,
        telemetry=telemetry,
        models=models,
        admission=admission,
        document=document,
        traffic=traffic,
        pruning=Pruning(store, settings.retention, traffic.running, telemetry.registry),
    )


@contextlib.asynccontextmanager
async def _running(context: Context) -> AsyncIterator[None]:
    """What runs beside the requests: scoring, experiments, retraining."""
    context._scorer = Scorer(context.settings, context.admission)
    context._loop = asyncio.get_running_loop()
    context.models.start()
    await context.traffic.start()
    context.pruning.start()
    if context.retraining is not None:
        context.retraining.start()
    ticking = asyncio.get_running_loop().create_task(_measure_lag(context))
    try:
        yield
    finally:
        context.stopping = True
        ticking.cancel()
        # From the last to the first, each whatever became of those before it.
        async with contextlib.AsyncExitStack() as ending:
            ending.push_async_callback(asyncio.to_thread, context.close)
            ending.push_async_callback(context.models.close)
            ending.push_async_callback(context.traffic.close)
            ending.push_async_callback(context.pruning.close)
            if context.retraining is not None:
                ending.push_async_callback(context.retraining.close)


_ONCE = (b"authorization", b"origin", b"sec-fetch-site", b"content-encoding")
_FRAMINGS = {b"content-length", b"transfer-encoding"}
# Refusals behind which nothing is read: it may not be a request, or one that a proxy hasn't seen.
_LAST, _CLOSE = ("version", "framing"), (b"connection", b"close")


def _check_framing(names: Sequence[bytes]) -> None:
    # A proxy that goes by the other header takes what follows for a part of this request (RFC 9112,
    # section 6.1).
    if set(names) >= _FRAMINGS:
        raise RequestError(
            400,
            "framing",
            "a request has content-length or transfer-encoding, not both; send one of them.",
        )


class _Outer:
    """What holds for every call, also to what there isn't: preflights, foreign hosts, web
    sockets, bodies framed twice, the path of a proxy.
    """

    def __init__(self, app: Any, guard: Guard, root: str = "") -> None:
        self._app = app
        self._guard = guard
        self._root = root

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1003})
            return
        names = [name for name, _ in scope.get("headers", ())]
        if scope["type"] == "http":
            try:
                check_version(scope)
                _check_framing(names)
                check_size(scope)
                scope = from_origin(scope)
            except RequestError as error:
                await error.answer(send, *([_CLOSE] if error.code in _LAST else []))
                return
        twice = next((name for name in _ONCE if names.count(name) > 1), None)
        if twice is not None:
            # A proxy that goes by the other one has let somebody else in.
            what = f"the header {twice.decode()} is given twice; send it once."
            await RequestError(400, "malformed", what).answer(send)
            return
        if scope["type"] == "http" and scope["method"] == "OPTIONS":
            await self._preflight(scope, send)
            return
        if self._root and scope["type"] == "http":
            path = scope["path"]
            if path == self._root:  # the page's own addresses are relative to a folder
                where = (b"location", f"{self._root}/".encode())
                await send({"type": "http.response.start", "status": 308, "headers": [where]})
                await send({"type": "http.response.body", "body": b""})
                return
            if path.startswith(f"{self._root}/"):
                length = len(self._root)
                raw = (scope.get("raw_path") or path.encode())[length:]
                scope = {**scope, "path": path[length:], "raw_path": raw}
        await self._app(scope, receive, send)

    async def _preflight(self, scope: Any, send: Any) -> None:
        try:
            headers = cors(self._guard.check(scope, dict(scope["headers"])), preflight=True)
        except RequestError as error:
            await error.answer(send)
            return
        await send({"type": "http.response.start", "status": 204, "headers": headers})
        await send({"type": "http.response.body", "body": b""})


class _IdConvertor(Convertor[str]):
    """All characters, ends of lines too, so that an id is refused as one and not as a path."""

    regex = "(?s:.*)"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("outside_id", _IdConvertor())


class _ServedRoute(StarletteRoute):
    """A route; a word behind an id has a slash of its own before it, and not the id's (%2F)."""

    def matches(self, scope: Any) -> tuple[Match, Any]:
        found, child = super().matches(scope)
        word, raw = self.path.rpartition("/")[2], scope.get("raw_path")
        if found is not Match.NONE and "{" not in word and raw is not None:
            last = raw.partition(b"?")[0].rpartition(b"/")[2]
            if unquote_to_bytes(last) != word.encode():
                return Match.NONE, {}
        return found, child


def _starlette_path(path: str) -> str:
    """Ids may hold slashes: what stands between the fixed parts of a path is one id, whatever is
    in it.
    """
    for name in PATH_IDS:
        path = path.replace(f"{{{name}}}", f"{{{name}:outside_id}}")
    return path


async def _missing(request: Request, error: Any) -> Response:
    if error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "other methods")
        refusal = RequestError(
            405,
            "method",
            f"{request.url.path} answers {allowed}, not {request.method}; /openapi.json lists what"
            " there is.",
        )
    else:
        refusal = RequestError(
            404,
            "not_found",
            f"there is nothing at {request.url.path}; /openapi.json lists what there is.",
        )
    response = Response(refusal.body(), refusal.status)
    response.raw_headers += refusal.headers()
    if "Allow" in (error.headers or {}):
        response.headers["allow"] = error.headers["Allow"]
    return response


async def _measure_lag(context: Context) -> None:
    """How late the event loop is: what waits in sockets is seen nowhere else."""
    loop = asyncio.get_running_loop()
    looked = loop.time()
    while True:
        before = loop.time()
        if before - looked > _CATCH_UP:
            looked = before
            context.catch_up()
        await asyncio.sleep(_TICK)
        late = loop.time() - before - _TICK
        # One late tick means nothing (a page of memory, a neighbour on the machine); many in a row
        # mean that we are behind.
        context.lag += 0.2 * (min(late, 1.0) - context.lag)
