"""What is wrong with a command's words, in a sentence, and what was probably meant."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import typer

from cofactor.base.names import nearest

# Options as they are called elsewhere -> how it is written here, in commands that have it.
_ELSEWHERE = {
    **dict.fromkeys(("o", "output", "save", "save-to"), "--out"),
    **dict.fromkeys(("catalogue", "catalog", "item-features"), "--items"),
    **dict.fromkeys(("sep", "separator"), "--delimiter"),
    **dict.fromkeys(("n", "top", "top-k", "topk", "top-n", "limit"), "-k"),
    **dict.fromkeys(("filter", "filters"), "--where"),
    **dict.fromkeys(("exclude", "blocked", "ignore"), "--block"),
    **dict.fromkeys(("jobs", "n-jobs", "num-threads"), "--threads"),
    **dict.fromkeys(("user", "user-col", "user-column"), "--columns user=NAME"),
    **dict.fromkeys(("item", "item-col", "item-column"), "--columns item=NAME"),
    **dict.fromkeys(("rating", "rating-col", "value"), "--columns value=NAME"),
    **dict.fromkeys(("time", "timestamp", "time-col"), "--columns time=NAME"),
    **dict.fromkeys(("test-size", "test-share"), "--test"),
    **dict.fromkeys(("force", "replace"), "--overwrite"),
}
# How much of its letters a misspelt option has in common with the one that was meant.
_ALIKE = 0.65


def sentence_of(error: Any, words: Sequence[str] = ()) -> str:
    """Return what is wrong with a command's words, what was meant, and where its help is.

    Parameters
    ----------
    error
        What the parser raised.
    words
        The command's words.
    """
    one = getattr(error, "param", None)
    if error.ctx is not None and getattr(error, "option_name", None) and "No such" in error.message:
        said = f"no such option: {error.option_name}{_meant(error, words)}"
    elif one is None or not error.message:
        said = error.message if isinstance(error, typer.BadParameter) else error.format_message()
    else:
        said = f"{written(one)} {error.message}"
    said = said or error.format_message()
    # A parser's sentences begin as a text does, ours as what follows a name.
    if said[:2].istitle():
        said = said[0].lower() + said[1:]
    help_of = f"see `{error.ctx.command_path} --help`" if error.ctx is not None else ""
    return "; ".join(filter(None, (said.rstrip("."), help_of))) + "."


def written(one: Any) -> str:
    """Return an option or an argument as its user knows it."""
    if one.param_type_name == "option":
        return str(max(one.opts, key=len))
    return str(one.metavar or one.name.upper())


def _meant(error: Any, words: Sequence[str]) -> str:
    """What an option that isn't there stands for."""
    params = error.ctx.command.get_params(error.ctx)
    known = {name for one in params for name in (*one.opts, *one.secondary_opts)}
    bare = error.option_name.lstrip("-").replace("_", "-").casefold()
    other = _ELSEWHERE.get(bare, "")
    if other.split(" ")[0] in known:
        return f" (here it is {other})"
    if setting := _setting(bare.replace("-", "_"), words):
        return f" ({setting})"
    names = {name.lstrip("-"): name for name in known if name.startswith("--")}
    close = [names[name] for name in nearest(bare, names, cutoff=_ALIKE)]
    return f" (did you mean {' or '.join(close)}?)" if close else ""


def _setting(name: str, words: Sequence[str]) -> str:
    """How a setting of the model that the words name is given; "" if it is none."""
    if "--model" not in words[:-1]:
        return ""
    from cofactor.base.errors import CofactorError
    from cofactor.models import registry

    model = words[words.index("--model") + 1]
    try:
        known = registry.get(model).Config.settings()
    except CofactorError:
        return ""
    return f"it is a setting of {model}: --set {name}=VALUE" if name in known else ""
