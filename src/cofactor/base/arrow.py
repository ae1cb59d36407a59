"""Arrow in the processes of commands: it finds no pandas there.

At its first conversion Arrow imports pandas where it is installed, to know pandas' objects when it
is given some: a third of a second of every command and of a service's start. Commands give it none.
"""

from __future__ import annotations

import sys
from typing import Any


class _Process:
    ours = False


class _NoPandas:
    """Finds modules, and none of this name."""

    @staticmethod
    def find_spec(name: str, *_: Any) -> None:
        if name == "pandas":
            raise ModuleNotFoundError("No module named 'pandas'", name=name)


def claim_process() -> None:
    """Say that this process runs nothing but a command of ours."""
    _Process.ours = True


def leave_pandas_out() -> None:
    """Let Arrow look for pandas while there is none, if the process is ours; whatever else imports
    pandas later gets it.
    """
    if not _Process.ours or "pandas" in sys.modules:
        return
    sys.meta_path.insert(0, _NoPandas)
    try:
        import pyarrow

        pyarrow.array([0])
    finally:
        sys.meta_path.remove(_NoPandas)
