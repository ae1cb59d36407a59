"""A command's module as a Typer app: one command, or one for each of its actions.

A module has a function ``command``, or ``ACTIONS``: name -> (function, example). An action's
function takes its own options only, so its help shows no other's; its docstring is the help.
``DEFAULT`` names the action that runs where none is named.
"""

from __future__ import annotations

import functools
import importlib
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from cofactor.base.arrow import leave_pandas_out
from cofactor.cli.groups import expanded
from cofactor.cli.streams import Interrupted
from cofactor.cli.wrong_use import written

NOTHING_SAVED = "interrupted; nothing was saved."
_KEPT = (
    "interrupted; no model was saved; the same command goes on from the last epoch that was kept."
)
# What is raised for words that can't be read; Typer names only this kind of it.
WrongUse: Any = typer.BadParameter.__base__
_HELP = {"help_option_names": ["--help", "-h"]}


def _at_the_end(command: Any, option: Any) -> Any:
    """``--help`` among the options of output, instead of in a group of its own at the top."""
    if option is not None:
        groups = [getattr(one, "rich_help_panel", None) for one in command.params]
        option.rich_help_panel, option.metavar = "Output" if "Output" in groups else None, ""
    return option


def _refuse_empty(ctx: Any, params: Sequence[Any], values: Mapping[str, Any]) -> None:
    """Refuse a value that is an empty text: often a variable of the shell that isn't set, and the
    command would do something else than was meant.
    """
    for one in params:
        given = values.get(one.name)
        if "" in (given if isinstance(given, (list, tuple)) else [given]):
            cure = " or leave it out" if one.param_type_name == "option" else ""
            ctx.fail(f"{written(one)} is empty; give a value{cure}.")


def _refuse_both(ctx: Any, params: Sequence[Any], args: Sequence[str]) -> None:
    """Refuse an option together with its opposite, of which the last would count."""
    for one in params:
        yes, no = (set(names).intersection(args) for names in (one.opts, one.secondary_opts))
        if yes and no:
            ctx.fail(f"{written(one)} and {min(no)} contradict each other; give one of them.")


def _refuse_swallowed(ctx: Any, params: Sequence[Any], values: Mapping[str, Any]) -> None:
    """Refuse an option of the command as the value of another: a value was forgotten, and what
    follows would be taken for it.
    """
    words = {word for one in ctx.command.get_params(ctx) for word in one.opts if word[:2] == "--"}
    for one in params:
        given = values.get(one.name)
        for value in given if isinstance(given, (list, tuple)) else [given]:
            if one.param_type_name == "option" and value in words:
                ctx.fail(f"{written(one)} has no value: what follows it is the option {value}.")


def _at_home(word: str) -> str:
    """A word whose path begins with ``~/``, as shells write it; in quotes and after ``--out=`` they
    leave it as it is.
    """
    option, equals, value = word.partition("=")
    if option.startswith("--") and value.startswith("~/"):
        return f"{option}{equals}{os.path.expanduser(value)}"
    return os.path.expanduser(word) if word.startswith("~/") else word


class _Command(TyperCommand):
    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read a command's words; two values of an option that takes one are refused, since the
        last would count without a word, and so are opposites, empty values, and options in a
        value's place.
        """
        args = [_at_home(word) for word in args]
        parsed: Any = self.make_parser(ctx).parse_args(args=list(args))
        values, _, order = parsed
        for option in order:
            single = option.param_type_name == "option" and not option.multiple
            if single and not option.is_flag and order.count(option) > 1:
                ctx.fail(f"{written(option)} is given twice; it takes one value.")
        _refuse_both(ctx, order, args)
        _refuse_empty(ctx, order, values)
        _refuse_swallowed(ctx, order, values)
        return super().parse_args(ctx, args)

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        for one in self.params:
            if one.param_type_name == "argument":  # its name says it; not also "<list[str]>"
                one.display_type_rich = lambda ctx: None  # type: ignore[attr-defined]

    def get_help_option(self, ctx: Any) -> Any:
        return _at_the_end(self, super().get_help_option(ctx))


class _Group(TyperGroup):
    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        default = ctx.obj
        if default and (
            not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names)
        ):
            args = [default, *args]
        return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        known = self.list_commands(ctx)
        if args and args[0] not in known and not args[0].startswith("-"):
            ctx.fail(f"No such command {args[0]!r}; the actions are {', '.join(known)}.")
        return super().resolve_command(ctx, args)

    def get_help_option(self, ctx: Any) -> Any:
        return _at_the_end(self, super().get_help_option(ctx))


def app_of(name: str, example: str = "") -> typer.Typer:
    """Return the app of the command ``name``; its functions turn Ctrl-C into a failure."""
    module = importlib.import_module(f"cofactor.cli.{name}_command")
    # One sentence, or one for each of the actions that need another one.
    stated = getattr(module, "INTERRUPTED", {})
    said = stated if isinstance(stated, str) else NOTHING_SAVED
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="rich")
    text = _unwrapped(module.__doc__ or "")
    actions = getattr(module, "ACTIONS", None)
    if actions is None:
        app.command(cls=_Command, help=text, epilog=_epilog(example), context_settings=_HELP)(
            _interruptible(expanded(module.command), said)
        )
        return app
    settings = {**_HELP, "obj": getattr(module, "DEFAULT", None)}
    app.callback(cls=_Group, help=text, epilog=_epilog(example), context_settings=settings)(
        lambda: None
    )
    for action, (function, words) in actions.items():
        app.command(
            action,
            cls=_Command,
            context_settings=_HELP,
            help=_unwrapped(function.__doc__ or ""),
            epilog=_epilog(f"cofactor {name} {action} {words}"),
        )(_interruptible(expanded(function), stated.get(action, said)))
    return app


def call(name: str, words: Sequence[str], example: str = "") -> int:
    """Run the command ``name`` with its words, and return its exit code.

    Raises
    ------
    WrongUse
        If the words can't be read; see `cofactor.cli.wrong_use.sentence_of`.
    """
    app = app_of(name, example)
    code = app(list(words), prog_name=f"cofactor {name}", standalone_mode=False)
    return code if isinstance(code, int) else 0


def options_of(name: str) -> set[str]:
    """Return the options of the command ``name``, as they are typed; of all of its actions."""
    made: Any = typer.main.get_command(app_of(name))
    commands = [made, *getattr(made, "commands", {}).values()]
    return {word for one in commands for param in one.params for word in param.opts}


def _epilog(example: str) -> str:
    return f"Example: {example}\n\n--debug shows the traceback of a failure."


def _unwrapped(text: str) -> str:
    """A text whose paragraphs are lines: the terminal wraps them, not the source."""
    return "\n\n".join(" ".join(part.split()) for part in text.split("\n\n"))


def _interruptible(command: Callable[..., None], said: str) -> Callable[..., None]:
    """The command, with Ctrl-C as a failure like others: what was being written is gone, what
    was there stays.
    """

    @functools.wraps(command)
    def guarded(*words: Any, **options: Any) -> None:
        leave_pandas_out()
        try:
            command(*words, **options)
        except KeyboardInterrupt:
            raise Interrupted(_KEPT if options.get("resume") else said) from None

    return guarded
