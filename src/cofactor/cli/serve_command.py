"""Serve a saved model over HTTP, with a durable event store and a page to explore it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from cofactor.cli import options as opt
from cofactor.cli.output import Output

# Connections that may wait before the first is taken in.
_BACKLOG = 2048
INTERRUPTED = "interrupted before it served a request; nothing was changed."


@dataclass(frozen=True)
class Listening:
    """Listening."""

    host: Annotated[
        str, typer.Option(help="Where to listen; beyond this machine only with --keys.")
    ] = "127.0.0.1"
    port: Annotated[int, typer.Option(help="The port; 0 takes a free one.")] = 8000
    allow_host: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help=("Another host name under which it may be called.")),
    ] = None
    allow_origin: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ORIGIN", help="A site whose pages may call it: https://shop.example."
        ),
    ] = None


@dataclass(frozen=True)
class Access:
    """Keys."""

    keys: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="API keys; without them everybody on this machine may call."
        ),
    ] = None
    new_key: Annotated[
        str | None,
        typer.Option(
            metavar="SCOPE",
            help="Add a key of the scope read, write or admin to --keys, print it once, and stop.",
        ),
    ] = None


@dataclass(frozen=True)
class Logging(opt.ShowOptions):
    """Output."""

    access_log: Annotated[
        bool, typer.Option("--access-log", help="Log every request, as JSON lines on stderr.")
    ] = False


def command(
    listening: Listening,
    access: Access,
    show: Logging,
    model: Annotated[
        str | None,
        typer.Argument(
            metavar="DIR",
            help=("A saved model, or a folder with one saved model per subfolder (versions)."),
        ),
    ] = None,
    store: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help=(
                "Where events are stored: sqlite:///events.db (by default,"
                " beside DIR), postgresql://..."
            ),
        ),
    ] = None,
    threads: Annotated[int, typer.Option(help="Number of threads for scoring.")] = 1,
) -> None:
    """Serve."""
    from cofactor.service.settings import Settings

    output = show.output()
    if access.new_key is not None:
        _new_key(output, access.new_key, access.keys)
        return
    if model is None:
        raise typer.BadParameter("say which model: cofactor serve DIR.")
    settings = Settings(
        host=listening.host,
        port=listening.port,
        hosts=tuple(listening.allow_host or ()),
        origins=tuple(listening.allow_origin or ()),
        threads=threads,
        access_log=show.access_log,
    )
    _serve(output, Path(model), store, access.keys, settings)


def _new_key(output: Output, scope: str, keys: str | None) -> None:
    from cofactor.service.http.keys import new_key

    if keys is None:
        raise typer.BadParameter("--new-key needs --keys FILE.")
    key = new_key(Path(keys), scope)
    output.line(key)
    output.emit(command="serve", key=key, scope=scope, keys=keys)


def _serve(
    output: Output, folder: Path, store: str | None, keys: str | None, settings: object
) -> None:
    from cofactor.service.http import server
    from cofactor.service.http.app import build
    from cofactor.service.http.keys import Keys
    from cofactor.service.settings import Settings
    from cofactor.service.telemetry import log_to
    from cofactor.store import open_store

    assert isinstance(settings, Settings)
    known = None if keys is None else Keys.read(Path(keys))
    place = folder.absolute()
    url = store if store is not None else f"sqlite:///{place.with_name(place.name + '-events.db')}"
    listening = server.bind(settings)
    drain_log = log_to(beside=settings.access_log)
    opened = None
    try:
        with output.waiting(f"loading {folder} ..."):
            opened = open_store(url)
            app = build(folder, opened, settings, known)
    except BaseException:
        listening.close()
        if opened is not None:
            opened.close()
        raise
    # From now on connections wait in the queue: who reads the address may call at once.
    listening.listen(_BACKLOG)
    _announce(output, app.state.context.models.current.name, listening, opened.database.shown)
    try:
        server.run(app, settings, listening, drain_log)
    except KeyboardInterrupt:
        # The service has ended in order by now; this is only the signal, sent again.
        output.line("stopped; all acknowledged events are kept")


def _announce(output: Output, name: Any, listening: Any, store: str) -> None:
    host, port = listening.getsockname()[:2]
    url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    output.line(
        f"{name.name} (version {name.version}) on {url}  events in {store}  Ctrl-C stops it"
    )
    output.emit(command="serve", url=url, model=name.name, version=name.version, store=store)
