"""Print what a shell needs to complete commands, options and names on Tab.

In ~/.bashrc or ~/.zshrc: eval "$(cofactor completion bash)" (or zsh); for fish: cofactor completion
fish > ~/.config/fish/completions/cofactor.fish"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import typer

from cofactor.base import checks
from cofactor.cli import options as opt
from cofactor.cli.output import Output

_SHELLS = ("bash", "zsh", "fish")
# Options whose values are lists of names with commas.
_LISTS = ("--models", "--metrics")


def command(
    shell: Annotated[str, typer.Argument(metavar="SHELL", help="bash, zsh or fish.")],
    json: opt.Json = False,
) -> None:
    """Print the script; it is the whole output."""
    checks.choice(shell, "SHELL", _SHELLS)
    options, values = _options(), _values()
    fish = shell == "fish"
    script = _fish(options, values) if fish else _bash(options, values, zsh=shell == "zsh")
    if not json:
        print(script)
    Output(json).emit(command="completion", shell=shell, script=script)


def _options() -> dict[str, dict[str, str]]:
    """The options of each command (``train``) and action (``events import``), with their help."""
    from typer.main import get_command

    from cofactor.cli.app import app_of
    from cofactor.cli.main import COMMANDS

    found: dict[str, dict[str, str]] = {}
    for name in COMMANDS:
        made: Any = get_command(app_of(name))
        actions = getattr(made, "commands", None)
        if actions is None:
            found[name] = _options_of(made.params)
        else:
            found |= {
                f"{name} {action}": _options_of(one.params) for action, one in actions.items()
            }
    return found


def _options_of(parameters: Iterable[Any]) -> dict[str, str]:
    return {"--help": "Show this message and exit."} | {
        option: getattr(one, "help", None) or ""
        for one in parameters
        for option in [*one.opts, *one.secondary_opts]
        if option.startswith("--")
    }


def _actions(options: Iterable[str]) -> dict[str, list[str]]:
    """The actions of each command that has some."""
    found: dict[str, list[str]] = {}
    for name in options:
        command, _, action = name.partition(" ")
        if action:
            found.setdefault(command, []).append(action)
    return found


def _values() -> dict[str, list[str]]:
    """What may stand behind some options."""
    from cofactor.data.interactions import REPEATS
    from cofactor.data.splits.by_name import RULES
    from cofactor.metrics.table import METRICS
    from cofactor.models.registry import MODELS

    models = list(MODELS)
    metrics = [n if kind.cutoff == "no" else f"{n}@10" for n, kind in METRICS.items()]
    return {
        "--model": models,
        "--models": models,
        "--metrics": metrics,
        "--metric": metrics,
        "--split": list(RULES),
        "--repeats": list(REPEATS),
        "--on-bad": ["error", "skip"],
        "--device": ["auto", "cpu", "cuda", "mps"],
    }


def _bash(
    options: Mapping[str, Mapping[str, str]], values: Mapping[str, list[str]], *, zsh: bool
) -> str:
    behind = "\n".join(
        f'    {name}) words="{" ".join(words)}"{"; lists=1" if name in _LISTS else ""} ;;'
        for name, words in values.items()
    )
    of = "\n".join(
        f'    "{name}{"" if " " in name else " "}"*) words="{" ".join(opts)}" ;;'
        for name, opts in options.items()
    )
    actions = "\n".join(
        f'    {name}) words="{" ".join(found)}" ;;' for name, found in _actions(options).items()
    )
    start = "autoload -U +X bashcompinit && bashcompinit\n" if zsh else ""
    commands = " ".join(dict.fromkeys(name.partition(" ")[0] for name in options))
    return start + _BASH.format(commands=commands, behind=behind, of=of, actions=actions)


_BASH = """_cofactor() {{
  local current="${{COMP_WORDS[COMP_CWORD]}}" before="${{COMP_WORDS[COMP_CWORD-1]}}"
  local words="" lists="" head=""
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "{commands} --help --version" -- "$current"))
    return
  fi
  case "$before" in
{behind}
  esac
  if [ -n "$lists" ] && [[ "$current" == *,* ]]; then
    head="${{current%,*}},"
    current="${{current##*,}}"
  fi
  if [ -z "$words" ] && [[ "$current" == -* ]]; then
    case "${{COMP_WORDS[1]}} ${{COMP_WORDS[2]}}" in
{of}
    esac
  elif [ "$COMP_CWORD" -eq 2 ]; then
    case "${{COMP_WORDS[1]}}" in
{actions}
    esac
  fi
  if [ -n "$words" ]; then
    COMPREPLY=($(compgen -P "$head" -W "$words" -- "$current"))
  else
    COMPREPLY=($(compgen -f -- "$current"))
  fi
}}
complete -o filenames -F _cofactor cofactor"""


def _fish(options: Mapping[str, Mapping[str, str]], values: Mapping[str, list[str]]) -> str:
    from cofactor.cli.main import COMMANDS

    lines = [
        f"complete -c cofactor -n __fish_use_subcommand -f -a {name} -d {_quoted(what)}"
        for name, what in COMMANDS.items()
    ]
    for name, found in _actions(options).items():
        unseen = f"not __fish_seen_subcommand_from {' '.join(found)}"
        lines.append(
            f"complete -c cofactor -n '__fish_seen_subcommand_from {name}; and {unseen}' -f -a"
            f" '{' '.join(found)}'"
        )
    for name, opts in options.items():
        seen = "; and ".join(f"__fish_seen_subcommand_from {word}" for word in name.split())
        for option, what in opts.items():
            given = f" -x -a '{' '.join(values[option])}'" if option in values else ""
            of = f"-n '{seen}' -l {option[2:]}"
            lines.append(f"complete -c cofactor {of} -d {_quoted(what)}{given}")
    return "\n".join(lines)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
