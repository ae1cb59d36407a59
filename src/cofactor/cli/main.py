"""``cofactor``: finds the command, runs it, and turns every failure into one sentence and an exit
code.

Exit codes: 0 it worked, 1 it failed (one sentence on stderr; ``--debug`` shows the traceback), 2 it
was called wrongly, 130 it was ended by Ctrl-C. SIGTERM and SIGHUP end it as they end other
programs, once what it was writing is gone. Only the command that is asked for is imported, and the
help of ``cofactor`` itself imports nothing: it answers at once."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import sys
import warnings
from collections.abc import Sequence

# The words of an ImportError where there is no room for a library.
_NO_ROOM = ("failed to map segment", "cannot allocate memory")
INTERRUPTED = 130  # what shells show for a program that Ctrl-C ended

# Name -> what it does, in the order of the help. Each is a module of this package (see ``app``).
COMMANDS: dict[str, str] = {
    "demo": "a tour in a minute: data, models, recommendations, reasons",
    "datasets": "public datasets by name: list them, show a licence, fetch one",
    "describe": "what a source holds, and what was left out when it was read",
    "shard": "divide a source larger than memory into a folder of shards",
    "train": "train a model on a source, measure it on a held-out part, save it",
    "retrain": "train a saved model again on its own data and new events",
    "evaluate": "measure a saved model on interactions it wasn't trained on",
    "curve": "ranking quality by an item's number of interactions",
    "compare": "several models on one split, with intervals and paired tests",
    "tune": "search a model's settings on a validation part",
    "runs": "measurements kept in a folder: list, show, compare",
    "recommend": "recommend items to users, to a history, or to all users",
    "similar": "the items most like an item",
    "serve": "serve a saved model over HTTP, with an event store and a page",
    "promote": "choose the version that answers, after checks, or roll back",
    "experiment": "A/B tests, interleaving and shadow traffic on served versions",
    "ope": "what another model would have earned, from logged lists",
    "inspect": "what a saved model is: settings, measurements, model card",
    "models": "the models and their settings",
    "metrics": "the metrics and their formulas",
    "reproduce": "repeat published experiments, their figures beside Cofactor's",
    "events": "the event store: import, export, back up, restore, count",
    "completion": "the lines that a shell needs for completion on Tab",
    "doctor": "what this installation has: versions, threads, kernels, data",
}


# Commands as they are called elsewhere -> those that do it here.
_ELSEWHERE = {
    "fit": "train",
    "predict": "recommend",
    "search": "tune",
    "test": "evaluate",
    "list": "models or datasets",
    "export": "recommend --all-users, or events export",
    "map": "serve, whose page has a map of the items",
}


# One for each command, at the end of its help.
EXAMPLES: dict[str, str] = {
    "demo": "cofactor demo --out demo-model",
    "datasets": "cofactor datasets show ml-100k",
    "describe": "cofactor describe purchases.csv --items catalogue.csv",
    "train": "cofactor train purchases.csv --budget 5m --out shop-model",
    "retrain": "cofactor retrain models sqlite:///models-events.db --out models/v2",
    "evaluate": "cofactor evaluate shop-model later.csv --metrics ndcg@10,recall@20",
    "curve": "cofactor curve purchases.csv --model feature_ials --items catalogue.csv",
    "compare": "cofactor compare purchases.csv --models ease,ials,big=ials:factors=256",
    "tune": "cofactor tune purchases.csv --model ials --budget 10m --out study.db",
    "runs": "cofactor runs show runs last",
    "recommend": "cofactor recommend shop-model --user 4711 --explain",
    "similar": "cofactor similar shop-model --item B-204",
    "serve": "cofactor serve shop-model --port 8000",
    "promote": "cofactor promote models v2",
    "experiment": "cofactor experiment start models --name new-model --arms v3:50,v4:50",
    "ope": "cofactor ope sqlite:///models-events.db --policy models/v4 --positions 3",
    "inspect": "cofactor inspect shop-model",
    "models": "cofactor models ials",
    "metrics": "cofactor metrics",
    "completion": "cofactor completion bash",
    "reproduce": "cofactor reproduce tutorials mf",
    "events": "cofactor events backup sqlite:///events.db backup.db",
    "shard": "cofactor shard 'events/*.parquet' --out shop.shards --memory 2GB",
    "doctor": "cofactor doctor",
}


def run() -> None:
    """Run the command line and exit; the entry point of the ``cofactor`` script."""
    from cofactor.base import signals

    signals.take()
    from cofactor.base import arrow

    arrow.claim_process()
    try:
        code = _run_all()
    except KeyboardInterrupt:  # of the moments before and after the command itself
        code = _interrupted()
    except signals.Terminated:  # we end as other programs do
        signals.tidy()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.raise_signal(signal.SIGTERM)
    signals.ignore()
    if code == INTERRUPTED:
        signals.tidy()
        # A thread that still computes would hold up Python's own way out.
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError):
                stream.flush()
        os._exit(code)
    sys.exit(code)


def _run_all() -> int:
    """Run the command on prepared streams and return the exit code."""
    from cofactor.base import signals
    from cofactor.cli.streams import prepare, reread_arguments

    reread_arguments()
    prepare(json="--json" in sys.argv)
    warnings.showwarning = _print_warning
    code = 0
    try:
        code = main(sys.argv[1:])
        signals.ignore()
        sys.stdout.flush()
    except OSError as error:  # the disk that the output goes to is full
        if not code:
            print(f"cofactor: the output can't be written: {error.strerror}.", file=sys.stderr)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    return code


def main(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code: 0, 1, 2 or 130."""
    words = list(arguments)
    if words[:1] == ["help"]:  # of a command, or of all
        words = [*words[1:2], "--help"]
    if not words or words[0] in ("--help", "-h"):
        print(_help() if not sys.stdout.isatty() else _in_lines(_help()))
        return 0
    if words[0] in ("--version", "-V", "version"):
        import cofactor

        print(f"cofactor {cofactor.__version__}")
        return 0
    name = words[0]
    if name not in COMMANDS:
        return _unknown(name)
    debug = "--debug" in words
    return _run(name, [word for word in words[1:] if word != "--debug"], debug)


def _run(name: str, words: list[str], debug: bool) -> int:
    from cofactor.base.errors import CofactorError
    from cofactor.base.signals import heard
    from cofactor.cli.streams import Interrupted

    try:
        code = _command(name, words)
        # What parses the words makes an exit of a signal.
        return _ended(came) if code and (came := heard()) else code
    except SystemExit as done:
        if came := heard():
            return _ended(came)
        return done.code if isinstance(done.code, int) else 0
    except (KeyboardInterrupt, Interrupted) as error:
        heard()
        return _interrupted(str(error))
    except Exception as error:
        if came := heard():  # a module that is interrupted while it is loaded fails for any reason
            return _ended(came)
        if debug:
            raise
        if isinstance(error, ImportError) and any(one in str(error) for one in _NO_ROOM):
            error = MemoryError()
        if isinstance(error, (CofactorError, OSError, MemoryError)):
            _print_error(_sentence(error, name))
        else:
            from cofactor.cli.streams import report

            _print_error(report(error, name))
        return 1


def _ended(number: int) -> int:
    """What a signal makes of a command."""
    from cofactor.base.signals import Terminated

    if number != signal.SIGINT:
        raise Terminated
    return _interrupted()


def _interrupted(said: str = "") -> int:
    _print_error(said or "interrupted; nothing was saved.")
    return INTERRUPTED


def _print_error(sentence: str) -> None:
    from cofactor.cli.output import wrapped

    said, line, place = f"cofactor: {sentence}".partition("\n")
    # A caret stays below its place.
    print(wrapped(said, sys.stderr) + line + place, file=sys.stderr)


def _print_warning(message: Warning | str, *_: object, **__: object) -> None:
    """Print a warning as commands print their remarks, without lines of source."""
    from cofactor.cli.output import wrapped
    from cofactor.cli.streams import printable

    print(wrapped(f"· {printable(str(message))}", sys.stderr), file=sys.stderr, flush=True)


def _command(name: str, words: list[str]) -> int:
    from cofactor.base.extras import naming_extras

    with naming_extras(f"cofactor {name}"):
        from cofactor.cli.app import WrongUse, call

        try:
            return call(name, words, EXAMPLES[name])
        except WrongUse as error:
            from cofactor.cli.streams import printable
            from cofactor.cli.wrong_use import sentence_of

            _print_error(printable(" ".join(sentence_of(error, words).split())))
            return 2


def _sentence(error: BaseException, command: str) -> str:
    import re

    from cofactor.base.errors import ArgumentError, DataError
    from cofactor.cli.app import options_of
    from cofactor.cli.streams import printable
    from cofactor.cli.words import sentence_of

    if isinstance(error, MemoryError) and not str(error):
        return "out of memory; use fewer factors, a smaller batch, or a machine with more memory."
    if isinstance(error, OSError) and error.errno == errno.ENOSPC and error.filename is None:
        return f"the output can't be written: {error.strerror}."
    if isinstance(error, FileNotFoundError) and error.filename is None and error.errno:
        return _sentence_of_no_folder(error)
    if isinstance(error, OSError) and isinstance(error.filename, str) and error.strerror:
        return printable(f"{error.filename}: {error.strerror}.")
    refused = isinstance(error, (ArgumentError, DataError))
    said = sentence_of(error, options_of(command) if refused else ())
    # A place in a filter keeps its caret below it.
    place = re.search(r"\n  (.*)\n( *)\^$", said)
    sentence = printable(" ".join((said[: place.start()] if place else said).split()))
    if place:
        return f"{sentence}\n    {printable(place[1])}\n{' ' * (len(place[2]) + 2)}^"
    return sentence or type(error).__name__


def _sentence_of_no_folder(error: OSError) -> str:
    """What is missing where Python names no file: the current folder, or one for `tempfile`."""
    try:
        os.getcwd()
    except OSError:
        return "the current folder was deleted; change to one that is there."
    if "temporary" in str(error.strerror):
        return (
            "there is no folder for temporary files that this user may write to; set TMPDIR to one"
            " with free space."
        )
    return f"{error.strerror}."


def _help() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {name.ljust(width)}  {text}" for name, text in COMMANDS.items()]
    return "\n".join(
        [
            "Usage: cofactor COMMAND [OPTIONS]",
            "",
            "A recommender toolkit: train, evaluate, recommend, serve.",
            "",
            "Commands:",
            *lines,
            "",
            "Begin with `cofactor demo`. `cofactor COMMAND --help` shows its options.",
            "Every command takes --json.",
        ]
    )


def _in_lines(text: str) -> str:
    from cofactor.cli.output import wrapped

    return wrapped(text, sys.stdout)


def _unknown(name: str) -> int:
    from cofactor.base.names import nearest

    meant = _ELSEWHERE.get(name.casefold())
    close = [meant] if meant else nearest(name, COMMANDS, cutoff=0.65)
    cure = f"did you mean {close[0]}?" if close else "see `cofactor --help`."
    print(f"cofactor: unknown command {name!r}; {cure}", file=sys.stderr)
    return 2
