"""Pages of the site that are made from the code when the site is built: models and commands."""

from __future__ import annotations

import subprocess
import sys
from typing import Any


def on_files(files: Any, config: Any) -> Any:
    """Add the generated pages."""
    from mkdocs.structure.files import File

    for name, text in (("reference/models.md", models()), ("reference/commands.md", commands())):
        files.append(File.generated(config, name, content=text))
    return files


def models() -> str:
    """A section for each model of the registry: what it is, its settings, its documentation."""
    from cofactor.models import registry

    parts = ["# Models\n"]
    for name in registry.names():
        kind = registry.get(name)
        parts.append(f"\n## {kind.__name__}\n\n`{name}`: {registry.MODELS[name].summary}\n")
        parts.append("\n| Setting | Default | Meaning |\n| --- | --- | --- |\n")
        defaults = kind.Config.defaults()
        for setting, spec in kind.Config.settings().items():
            meaning = spec.doc.replace("|", "\\|")
            parts.append(f"| `{setting}` | `{defaults[setting]!r}` | {meaning} |\n")
    return "".join(parts)


def commands() -> str:
    """The help of every command."""
    from cofactor.cli.main import COMMANDS

    parts = ["# Commands\n"]
    for name, what in COMMANDS.items():
        told = subprocess.run(
            [sys.executable, "-m", "cofactor", name, "--help"],
            capture_output=True,
            text=True,
            check=True,
        )
        parts.append(f"\n## cofactor {name}\n\n{what}\n\n```text\n{told.stdout.strip()}\n```\n")
    return "".join(parts)
