"""Messages of the library in the words of the command line: options instead of arguments."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Collection

from cofactor.base.errors import ArgumentError, DataError

# Arguments of reading whose option is spelt like them.
_SAME = (
    *("on_bad", "time_unit", "time_format", "decimal", "kinds", "rejects", "member", "item_id"),
    *(
        "items",
        "device",
        "format",
        "delimiter",
        "encoding",
        "min_value",
        "repeats",
        "core",
        "budget",
    ),
)
ROLES = ("user", "item", "value", "time")
_FLAGS = ("header", "quote", "overwrite", "resume")
_ARGUMENT = re.compile(
    rf"(?<![+\w?&])({'|'.join((*_SAME, *ROLES, *_FLAGS))})="
    r"(True|False|NAME|'[^']*'|\{[^}]*\}|-?\d+(?:\.\d+)?(?!\w))?(?![\w])"
)
# What a sentence begins with that refuses an argument: "on_bad must be ...", "unknown on_bad 'x'".
_REFUSED = re.compile(r"^(unknown )?([a-z_]+)(?= must | ')")

# An argument of several words: no prose has such a word.
_SEVERAL = re.compile(r"(?<![\w.'`-])[a-z]+(?:_[a-z]+)+(?![\w'`=(])")


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


def sentence_of(error: BaseException, options: Collection[str] = ()) -> str:
    """Return an error's message in the words of the command line; what a file holds stays as it
    is.

    Parameters
    ----------
    error
        What was raised.
    options
        The options of the command, as they are typed (``--on-bad``): an argument that the message
        refuses is named as one.
    """

    def say(text: str) -> str:
        named = _REFUSED.sub(lambda found: _named(found, options), text)
        return in_options(_SEVERAL.sub(lambda found: _typed(found[0], options), named))

    if isinstance(error, DataError):
        return error.located(say)
    return say(str(error)) if isinstance(error, ArgumentError) else in_options(str(error))


def _named(found: re.Match[str], options: Collection[str]) -> str:
    """The option of an argument that is refused; a model is named, not an option's value."""
    if found[1] and found[2] == "model":
        return found[0]
    return f"{found[1] or ''}{_typed(found[2], options)}"


def _typed(name: str, options: Collection[str]) -> str:
    """An argument's name as its option is typed; itself if there is none."""
    typed = (f"--{name.replace('_', '-')}", f"-{name}")
    return next((option for option in typed if option in options), name)


def _option(found: re.Match[str]) -> str:
    name, value = found[1], found[2] or ""
    bare = value.strip("'")
    if name in ROLES:
        return f"--columns {name}={'' if value == 'False' else bare or 'NAME'}"
    if name in _FLAGS:
        return f"--no-{name}" if value == "False" else f"--{name}"
    option = "--" + name.replace("_", "-")
    if name == "budget" and bare.isdigit():  # in seconds
        bare = f"{int(bare) // 60}m" if int(bare) % 60 == 0 else f"{bare}s"
    if name == "kinds":
        return f"{option} KIND=WEIGHT,..."
    return f"{option} {bare if re.fullmatch(r'[^ ]*', bare) else value}".rstrip()
