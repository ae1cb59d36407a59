"""Serve a saved model over HTTP, with a durable event store and a page to explore it."""

from __future__ import annotations

import contextlib
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from cofactor.base.signals import heard
from cofactor.cli import options as opt
from cofactor.cli.groups import option
from cofactor.cli.output import Output

if TYPE_CHECKING:
    from cofactor.service.http.keys import Keys
    from cofactor.service.retraining.retraining import RetrainSettings
    from cofactor.service.settings import Settings
    from cofactor.service.workers import WorkerRole
    from cofactor.store.shared import WriteServer

# Connections that may wait before the first is taken in.
_BACKLOG = 2048
INTERRUPTED = "interrupted before it served a request; nothing was changed."


@dataclass(frozen=True)
class Listening:
    """Listening."""

    host: str = option(
        "127.0.0.1", "Where to listen; beyond this machine only with --keys.", metavar="ADDRESS"
    )
    port: int = option(8000, "The port; 0 takes a free one.")
    allow_host: list[str] | None = option(
        None, "Another host name under which it may be called; may be repeated.", metavar="NAME"
    )
    allow_origin: list[str] | None = option(
        None,
        "A site whose pages may call it: https://shop.example; may be repeated.",
        metavar="ORIGIN",
    )

    image_host: list[str] | None = option(
        None,
        "A host from which the page may load the catalogue's images; may be repeated.",
        metavar="NAME",
    )
    root_path: str = option(
        "", "The path under which a proxy publishes the service: /recs.", metavar="PATH"
    )

    def settings(self) -> Settings:
        """The settings of what it listens to."""
        from cofactor.service.settings import Settings

        return Settings(
            host=self.host,
            port=self.port,
            hosts=tuple(self.allow_host or ()),
            origins=tuple(self.allow_origin or ()),
            image_hosts=tuple(self.image_host or ()),
            root_path=self.root_path.rstrip("/"),
        )


@dataclass(frozen=True)
class Access:
    """Keys."""

    keys: str | None = option(
        None, "File of API keys; without it anybody on this machine may call.", metavar="FILE"
    )
    new_key: str | None = option(
        None,
        "Add a key of the scope read, write or admin to --keys, print it once, and stop.",
        metavar="SCOPE",
    )


@dataclass(frozen=True)
class Retrain:
    """Retraining."""

    retrain: str | None = option(
        None,
        "When to retrain the version that answers, and promote the result if it passes the"
        " checks: 'every 6h' (s, m, h, d), 'after 10000 events'.",
        metavar="WHEN",
    )
    keep_versions: int | None = option(
        None, "Keep this many of the versions that retraining made; by default 5."
    )
    retrain_memory: str | None = option(
        None,
        "Memory limit of the training process; by default half of the machine's.",
        metavar="2GB",
    )
    webhook: str | None = option(
        None, "Address to which the outcome of each retraining is posted, as JSON.", metavar="URL"
    )

    def settings(self, source: str) -> RetrainSettings | None:
        """Return what the service takes; None where nothing is planned."""
        from cofactor.service.retraining.retraining import RetrainSettings
        from cofactor.service.retraining.schedule import parse_schedule

        if self.retrain is None:
            given = [name for name, value in vars(self).items() if value is not None]
            if given:
                raise typer.BadParameter(f"--{given[0].replace('_', '-')} needs --retrain WHEN.")
            return None
        kept = {} if self.keep_versions is None else {"keep_versions": self.keep_versions}
        return RetrainSettings(
            schedule=parse_schedule(self.retrain),
            source=source,
            **kept,
            memory=opt.n_bytes(self.retrain_memory, "retrain-memory"),
            webhook=self.webhook,
        )


@dataclass(frozen=True)
class ShowingOptions(opt.RetentionOptions):
    """Lists."""

    log_impressions: bool = option(
        False, "Log every list for a user: items, version, probabilities."
    )
    durable_impressions: bool = option(
        False, "Answer only once the logged list is on disk, so that a power cut loses none."
    )
    explore: str | None = option(
        None,
        "Draw lists at random: slots=0.1 (a share of positions), softmax=0.5 (temperature)"
        " or thompson; +new=0.05 keeps a share for new items.",
        metavar="HOW",
    )
    rerank: list[str] | None = option(
        None,
        'Rules by which lists are chosen where a request names none: "cap=2 by author",'
        ' "mmr=0.7 by genres" ...; may be repeated.',
        metavar="RULE",
    )


@dataclass(frozen=True)
class Hosting:
    """Options."""

    store: str | None = option(
        None,
        "Where events are stored: sqlite:///events.db (by default, beside DIR), postgresql://...",
        metavar="URL",
    )
    threads: int = option(1, "Number of threads for scoring.")
    workers: int = option(1, "Processes that share the port, the store and the model's memory.")

    def store_url(self, place: Path) -> str:
        """Return where the events of what is served from a folder are stored."""
        from cofactor.store.beside import events_of

        return self.store if self.store is not None else f"sqlite:///{events_of(place)}"


@dataclass(frozen=True)
class Logging(opt.ShowOptions):
    """Output."""

    access_log: bool = option(False, "Log every request, as JSON lines on stderr.")


def command(
    listening: Listening,
    access: Access,
    retrain: Retrain,
    showing: ShowingOptions,
    show: Logging,
    hosting: Hosting,
    model: Annotated[
        str | None,
        typer.Argument(
            metavar="DIR",
            help="A saved model, or a folder with one saved model per subfolder (versions).",
        ),
    ] = None,
) -> None:
    """Serve."""
    from cofactor.service.http.keys import Keys

    output = show.output()
    if access.new_key is not None:
        _new_key(output, access.new_key, access.keys)
        return
    if model is None:
        raise typer.BadParameter("say which model: cofactor serve DIR.")
    settings = replace(
        listening.settings(),
        threads=hosting.threads,
        log_impressions=showing.log_impressions,
        durable_impressions=showing.durable_impressions,
        retention=showing.retention(),
        explore=showing.explore,
        access_log=show.access_log,
        rerank="; ".join(showing.rerank or ()),
        workers=hosting.workers,
    )
    place = Path(model).absolute()
    url = hosting.store_url(place)
    known = None if access.keys is None else Keys.read(Path(access.keys))
    _serve(output, Served(place, url, settings, known, retrain.settings(url)))


def _new_key(output: Output, scope: str, keys: str | None) -> None:
    from cofactor.service.http.keys import new_key

    if keys is None:
        raise typer.BadParameter("--new-key needs --keys FILE.")
    key = new_key(Path(keys), scope)
    output.line(key)
    output.emit(command="serve", key=key, scope=scope, keys=keys)


class Served(NamedTuple):
    """What is served, and how."""

    folder: Path
    url: str
    settings: Settings
    keys: Keys | None
    retrain: RetrainSettings | None


def _serve(output: Output, served: Served) -> None:
    from cofactor.service.http import server
    from cofactor.service.versions.versions import Folder
    from cofactor.service.workers import supervise
    from cofactor.store import Retention

    Folder(served.folder)  # before a store is made beside it
    listening = server.bind(served.settings)
    if served.settings.workers == 1:
        _run(output, served, listening)
        return
    # The parent holds the address, and never takes a connection.
    settings = replace(served.settings, port=listening.getsockname()[1])

    # What is done once for all workers is done by the first.
    others = served._replace(settings=replace(settings, retention=Retention()), retrain=None)

    def work(role: WorkerRole) -> int:
        mine = served._replace(settings=settings) if role.index == 0 else others
        _run(output, mine, server.bind(settings), role)
        return 0

    code = supervise(settings.workers, work, output.progress.say)
    listening.close()
    output.line("stopped; all acknowledged events are kept")
    if code:
        raise typer.Exit(code)


def _run(output: Output, served: Served, listening: Any, role: WorkerRole | None = None) -> None:
    """Serve until a signal, alone or as one of several workers."""
    from cofactor.service.http import server
    from cofactor.service.http.app import build
    from cofactor.service.telemetry import log_to_stderr
    from cofactor.store import open_store
    from cofactor.store.beside import serve_beside

    settings = served.settings
    drain_log = log_to_stderr(access_log=settings.access_log, workers=settings.workers)
    opened = None
    writes: list[WriteServer | None] = []
    try:
        # Elsewhere stderr is the log, a JSON object a line, and says when a version is loaded.
        shown = output.waiting if sys.stderr.isatty() else contextlib.nullcontext
        with shown(f"loading {served.folder} ..."):
            opened = open_store(served.url) if role is None else role.open(served.url)
            if role is not None:
                writes.append(role.serve_writes(opened))
            app = build(served.folder, opened, settings, served.keys, served.retrain)
            if role is None or role.index == 0:
                writes.append(serve_beside(opened, app.state.context.followed_beside))
    except BaseException:
        for one in filter(None, (listening, opened)):
            one.close()
        raise
    # From now on connections wait in the queue: who reads the address may call at once.
    listening.listen(_BACKLOG)
    if role is None or role.index == 0:
        name = app.state.context.models.current.name
        _announce(output, name, listening, opened.database.shown)
    try:
        server.run(app, settings, listening, drain_log)
    except KeyboardInterrupt:
        heard()  # the service has ended in order by now; this is only the signal, sent again
    finally:
        for one in filter(None, writes):
            one.close()
    if role is None:
        output.line("stopped; all acknowledged events are kept")


def _announce(output: Output, name: Any, listening: Any, store: str) -> None:
    host, port = listening.getsockname()[:2]
    url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    output.line(
        f"{name.name} (version {name.version}) on {url}  events in {store}  Ctrl-C stops it"
    )
    output.emit(command="serve", url=url, model=name.name, version=name.version, store=store)
