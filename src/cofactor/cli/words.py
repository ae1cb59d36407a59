"""Messages of the library in the words of the command line: options instead of arguments."""

from __future__ import annotations

import os
import re
import shlex
import subprocess

from cofactor.base.errors import DataError

# Arguments of reading whose option is spelt like them.
_SAME = (
    *("on_bad", "time_unit", "time_format", "decimal", "kinds", "rejects", "member", "item_id"),
    *("device", "format", "delimiter", "encoding", "min_value", "repeats", "core"),
)
_ROLES = ("user", "item", "value", "time")
_FLAGS = ("header", "quote", "overwrite")
_ARGUMENT = re.compile(
    rf"\b({'|'.join((*_SAME, *_ROLES, *_FLAGS))})="
    r"(True|False|NAME|'[^']*'|\{[^}]*\}|-?\d+(?:\.\d+)?(?!\w))?(?![\w])"
)


def quoted(word: str) -> str:
    """Return a word of a command line as a shell takes it, in quotes where it needs them."""
    if os.name == "nt":
        return subprocess.list2cmdline([word])
    # Titles with an apostrophe read better so than as shlex writes them.
    readable = "'" in word and not set(word) & set('"$`\\!')
    return f'"{word}"' if readable else shlex.quote(word)


def in_options(text: str) -> str:
    """Return a sentence that names arguments (``on_bad='skip'``) with the options instead
    (``--on-bad skip``).
    """
    return _ARGUMENT.sub(_option, text).replace(" or now=)", " or this machine's clock)")


def sentence_of(error: BaseException) -> str:
    """Return an error's message in the words of the command line; what a file holds stays as it
    is.
    """
    if isinstance(error, DataError):
        return error.located(in_options)
    return in_options(str(error))


def _option(found: re.Match[str]) -> str:
    name, value = found[1], found[2] or ""
    bare = value.strip("'")
    if name in _ROLES:
        return f"--columns {name}={'' if value == 'False' else bare or 'NAME'}"
    if name in _FLAGS:
        return f"--no-{name}" if value == "False" else f"--{name}"
    option = "--" + name.replace("_", "-")
    if name == "kinds":
        return f"{option} KIND=WEIGHT,..."
    return f"{option} {bare if re.fullmatch(r'[^ ]*', bare) else value}".rstrip()
