"""Notebooks: whether this is one, and progress that is shown there by default."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cofactor.base.markup import safe
from cofactor.base.progress import SILENT, Progress, Task

# Work that is done before shows no bar: it would only flicker.
_PATIENCE = 0.5
_EVERY = 0.1


def usual_progress() -> Progress:
    """Return where work reports to by default: bars in a notebook, nothing elsewhere."""
    return NotebookProgress() if in_notebook() else SILENT


def in_notebook() -> bool:
    """Return whether this runs in a notebook that shows HTML (Jupyter, JupyterLab, Colab ...)."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return shell is not None and hasattr(shell, "kernel")


class NotebookProgress:
    """A bar for each piece of work that takes longer than half a second; it leaves again when the
    work is done.
    """

    def say(self, text: str) -> None:
        """Print a sentence below the cell."""
        print(f"· {text}")

    @contextmanager
    def task(self, name: str, total: int | None) -> Iterator[Task]:
        """Yield a task that moves its bar."""
        bar = _Bar(name, total)
        try:
            yield bar
        finally:
            bar.close()


class _Bar:
    def __init__(self, name: str, total: int | None) -> None:
        self.name, self.total, self.done = name, total, 0
        self.began = self.shown_at = time.monotonic()
        self.handle: Any = None

    def advance(self, steps: int = 1, **facts: float | int | str) -> None:
        self.done += steps
        now = time.monotonic()
        if now - self.began < _PATIENCE or (self.handle and now - self.shown_at < _EVERY):
            return
        self.shown_at = now
        self._show(self._html(now - self.began, facts))

    def close(self) -> None:
        if self.handle is not None:
            self._show("")

    def _show(self, markup: str) -> None:
        from IPython.display import HTML, display

        if self.handle is None:
            self.handle = display(HTML(markup), display_id=True)
        else:
            self.handle.update(HTML(markup))

    def _html(self, seconds: float, facts: dict[str, Any]) -> str:
        share = self.done / self.total if self.total else None
        value = "" if share is None else f' value="{share:.4f}"'
        of = "" if self.total is None else f" of {self.total:,}"
        left = f", {seconds / share - seconds:,.0f} s left" if share else ""
        words = "  ".join(
            f"{name} {value:.4f}" if isinstance(value, float) else f"{name} {value}"
            for name, value in facts.items()
        )
        text = safe(f"{self.name}: {self.done:,}{of}{left}  {words}".rstrip())
        return f'<div><progress max="1"{value}></progress> <small>{text}</small></div>'
