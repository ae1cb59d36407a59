"""Settings in signatures and docstrings, as editors, ``help()`` and notebooks show them."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Sequence
from typing import Any

_PARAMETERS = re.compile(r"^Parameters\n-+", re.MULTILINE)
# Sections that come after the parameters.
_LATER = re.compile(r"^(Raises|See Also|Notes|References|Examples)\n-+", re.MULTILINE)


def join(init: Callable[..., Any], kind: str, settings: inspect.Signature) -> inspect.Signature:
    """Return the signature of an ``__init__`` with settings in place of its ``**settings``, and
    ``kind`` as the type of its ``config``.
    """
    parameters = [
        parameter.replace(annotation=f"{kind} | None") if name == "config" else parameter
        for name, parameter in inspect.signature(init).parameters.items()
        if name != "self" and parameter.kind is not parameter.VAR_KEYWORD
    ]
    return inspect.Signature([*parameters, *settings.parameters.values()])


def document(text: str | None, parameters: Sequence[str]) -> str | None:
    """Return a docstring with a section of parameters; one that has such a section stays."""
    if text is None:
        return None
    text = inspect.cleandoc(text)
    if not parameters or _PARAMETERS.search(text):
        return text
    later = _LATER.search(text)
    at = len(text) if later is None else later.start()
    section = "\n".join(("Parameters", "----------", *parameters))
    return f"{text[:at].rstrip()}\n\n{section}\n\n{text[at:]}".rstrip() + "\n"
