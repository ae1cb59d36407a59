"""What a command shows: results on stdout (tables or JSON), progress and remarks on stderr."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TextIO

from cofactor.base.progress import Progress, SilentProgress, Task
from cofactor.cli.streams import printable
from cofactor.cli.words import in_options


class Output:
    """Where a command's results go.

    Parameters
    ----------
    json
        Whether results are one JSON object on stdout, for machines.
    quiet
        Whether remarks and progress are left out.
    """

    def __init__(self, json: bool = False, quiet: bool = False) -> None:
        self.json = json
        self.quiet = quiet
        # What `emit` adds to its object: remarks that machines have to see too.
        self.also: dict[str, Any] = {}
        self.progress: Progress = (
            SilentProgress() if quiet else _Terminal(sys.stderr.isatty() and not json)
        )

    def emit(self, **facts: Any) -> None:
        """Print one JSON object, if results are for machines."""
        if self.json:
            import msgspec

            # At once: into a pipe Python would keep it, and who waits for a server's address would
            # wait for ever.
            print(msgspec.json.encode(facts | self.also, enc_hook=_plain).decode(), flush=True)

    def line(self, *texts: str) -> None:
        """Print lines for people."""
        for text in () if self.json else texts:
            print(wrapped(printable(text), sys.stdout), flush=True)

    def command(self, text: str) -> None:
        """Print a command to copy; it stays one line."""
        if not self.json:
            print(f"  {printable(text)}", flush=True)

    @contextmanager
    def waiting(self, text: str) -> Iterator[None]:
        """Show that something takes its time: a spinner on a terminal, a line elsewhere."""
        if self.json or self.quiet or not sys.stderr.isatty():
            self.progress.say(text)
            yield
            return
        from rich.console import Console

        with Console(stderr=True).status(printable(text)):
            yield

    def heading(self, text: str) -> None:
        """Print a heading for people."""
        if not self.json:
            from rich.console import Console
            from rich.markup import escape

            Console(highlight=False, soft_wrap=True).print(
                f"\n[bold]{escape(printable(text))}[/bold]"
            )

    def table(
        self,
        rows: Sequence[dict[str, Any]],
        columns: Sequence[str] | None = None,
        title: str | None = None,
        best: int | None = None,
    ) -> None:
        """Print lines of equal keys as a table for people; numbers stand right, the best line is
        coloured.
        """
        if self.json or not rows:
            return
        from cofactor.cli.tables import print_table

        print_table(rows, columns, title=title, best=best)


def check_writable(path: str, option: str) -> None:
    """Refuse a page that can't be written, before the work that it is for.

    Raises
    ------
    ArgumentError
        If its folder isn't there, it is a folder itself, or a file that isn't a page.
    """
    from pathlib import Path

    from cofactor.base.errors import ArgumentError
    from cofactor.base.page import check_page

    target = Path(path)
    if target.is_dir():
        raise ArgumentError(f"{option} {path}: this is a folder; name a file in it.")
    if not target.absolute().parent.is_dir():
        raise ArgumentError(f"{option} {path}: there is no folder {target.parent}; make it first.")
    if not os.access(target.absolute().parent, os.W_OK):
        raise ArgumentError(f"{option} {path}: this user may not write to {target.parent}.")
    check_page(target)


def wrapped(text: str, stream: TextIO) -> str:
    """A text in lines that fit the terminal, broken between words; elsewhere lines stay whole."""
    if not stream.isatty():
        return text
    width = shutil.get_terminal_size().columns
    return "\n".join(_in_width(line, width) for line in text.split("\n"))


def _in_width(line: str, width: int) -> str:
    bare = line.lstrip(" -·")
    indent = " " * (len(line) - len(bare))
    return (
        textwrap.fill(
            bare,
            width,
            initial_indent=line[: len(indent)],
            subsequent_indent=indent,
            break_long_words=False,
            break_on_hyphens=False,
        )
        if len(line) > width
        else line
    )


def _plain(value: Any) -> Any:
    """What JSON doesn't know: NumPy's numbers and paths."""
    if hasattr(value, "tolist"):
        return value.tolist()
    return str(value)


class _Terminal:
    """A bar with time left on a terminal, plain lines elsewhere."""

    def __init__(self, bars: bool) -> None:
        self.bars = bars
        self.said: set[str] = set()

    def say(self, text: str) -> None:
        # A remark on the data comes from each of several models.
        if text in self.said:
            return
        self.said.add(text)
        shown = in_options(printable(text))
        print(wrapped(f"· {shown}", sys.stderr), file=sys.stderr, flush=True)

    @contextmanager
    def task(self, name: str, total: int | None) -> Iterator[Task]:
        if not self.bars:
            yield _LineTask(name, total, self.say)
            return
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bars

        # Of what has no known end, there is neither a share nor a time left.
        known = (MofNCompleteColumn(), TimeRemainingColumn())
        columns = (
            TextColumn("· {task.description}"),
            BarColumn(bar_width=30),
            *((TextColumn("{task.completed:,.0f}"),) if total is None else known),
            TextColumn("{task.fields[facts]}"),
        )
        with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
            yield _BarTask(bars, bars.add_task(name, total=total, facts=""))


class _BarTask:
    def __init__(self, bars: Any, handle: Any) -> None:
        self.bars = bars
        self.handle = handle

    def advance(self, steps: int = 1, **facts: float | int | str) -> None:
        self.bars.update(self.handle, advance=steps, facts=_facts(facts))


class _LineTask:
    """Says at most one line in five seconds."""

    def __init__(self, name: str, total: int | None, say: Any) -> None:
        self.name = name
        self.total = total
        self.done = 0
        self.say = say
        self.shown_at = time.monotonic()

    def advance(self, steps: int = 1, **facts: float | int | str) -> None:
        self.done += steps
        if time.monotonic() - self.shown_at >= 5:
            self.shown_at = time.monotonic()
            of = f" of {self.total:,}" if self.total is not None else ""
            self.say(f"{self.name}: {self.done:,}{of} {_facts(facts)}".rstrip())


def _facts(facts: dict[str, Any]) -> str:
    return "  ".join(
        f"{name} {value:.4f}" if isinstance(value, float) else f"{name} {value}"
        for name, value in facts.items()
    )
