"""Pages of the site that are made when the site is built: models, commands, notebooks, results."""

from __future__ import annotations

import importlib
import inspect
import json
import re
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
NOTEBOOKS = ROOT / "docs" / "notebooks"
_SECTION = re.compile(r"^(\w[\w ]*)\n-{3,}\n", re.MULTILINE)


def on_files(files: Any, config: Any) -> Any:
    """Add the generated pages, and the files of results."""
    from mkdocs.structure.files import File

    for name, content in added().items():
        files.append(File.generated(config, name, content=content()))
    return files


def added() -> dict[str, Callable[[], str]]:
    """What the site has beside the files of docs: name -> what makes its content."""
    pages = {"reference/models.md": models, "reference/commands.md": commands}
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        pages[f"notebooks/{path.stem}.md"] = partial(notebook, path)
    for path in sorted((ROOT / "benchmarks" / "results").iterdir()):
        pages[f"benchmarks/results/{path.name}"] = partial(path.read_text, encoding="utf-8")
    return pages


_FOREIGN = re.compile(
    r"""<(?:script|img|iframe|source)\b[^>]*\bsrc=["']?(?:https?:)?//[^"'> ]*"""
    r"""|<link\b(?=[^>]*stylesheet)[^>]*\bhref=["']?(?:https?:)?//[^"'> ]*"""
)


def on_post_page(output: str, page: Any, config: Any) -> str:
    """Refuse a page that loads something of a foreign host: the site works offline."""
    from mkdocs.exceptions import PluginError

    found = _FOREIGN.search(output)
    if found:
        raise PluginError(f"{page.file.src_uri} loads something of a foreign host: {found[0]}")
    return output


def notebook(path: Path) -> str:
    """A notebook with its outputs as Markdown."""
    parts = []
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        text = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(text)
            continue
        parts.append(f"```python\n{text}\n```")
        parts += [_output(one) for one in cell["outputs"]]
    link = f"[This page as a notebook]({path.name}), to run it yourself."
    first, _, rest = "\n\n".join(parts).partition("\n\n")
    return f"{first}\n\n{link}\n\n{rest}\n"


def _output(one: dict[str, Any]) -> str:
    data = one.get("data", {})
    if "text/html" in data:
        # A blank line would end the block of HTML.
        markup = re.sub(r"\n\s*\n", "\n", "".join(data["text/html"])).strip()
        return f'<div class="output" markdown="0">\n{markup}\n</div>' if markup else ""
    text = "".join(one.get("text", data.get("text/plain", "")))
    return f"```text\n{text.rstrip()}\n```" if text.strip() else ""


def models() -> str:
    """A section for each model of the registry: formula, sources, settings."""
    from cofactor.models import registry

    parts = ["# Models\n"]
    for name in registry.names():
        kind = registry.get(name)
        parts.append(f"\n## {kind.__name__}\n\n`{name}`: {registry.MODELS[name].summary}\n")
        parts.append(f"\n{documentation(kind)}\n")
        parts.append("\n| Setting | Default | Meaning |\n| --- | --- | --- |\n")
        defaults = kind.Config.defaults()
        for setting, spec in kind.Config.settings().items():
            meaning = spec.doc.replace("|", "\\|")
            parts.append(f"| `{setting}` | `{defaults[setting]!r}` | {meaning} |\n")
    return "".join(parts)


def documentation(kind: type) -> str:
    """A class's docstring as Markdown, without its parameters."""
    head, *sections = _SECTION.split(inspect.getdoc(kind) or "")
    parts = [head]
    for title, body in zip(sections[::2], sections[1::2], strict=True):
        if title == "Examples":
            parts.append(f"```python\n{body.strip()}\n```")
        elif title != "Parameters":
            parts.append(f"**{title}.** {body.strip()}")
    text = "\n\n".join(part.strip() for part in parts)
    text = re.sub(r"(?<!`)``([^`]+)``(?!`)", r"`\1`", text)
    return text.replace("::\n\n    ", ":\n\n    ")


def commands() -> str:
    """The help of every command and of its actions."""
    from cofactor.cli.main import COMMANDS

    parts = ["# Commands\n"]
    for name, what in COMMANDS.items():
        parts.append(f"\n## cofactor {name}\n\n{what}\n{_help(name)}")
        module = importlib.import_module(f"cofactor.cli.{name}_command")
        for action in getattr(module, "ACTIONS", ()):
            parts.append(f"\n### cofactor {name} {action}\n{_help(name, action)}")
    return "".join(parts)


def _help(*words: str) -> str:
    command = [sys.executable, "-m", "cofactor", *words, "--help"]
    told = subprocess.run(command, capture_output=True, text=True, check=True)
    return f"\n```text\n{told.stdout.strip()}\n```\n"


def on_page_markdown(markdown: str, page: Any, config: Any = None, files: Any = None) -> str:
    """Let links to notebooks and results lead to what the site has of them; the pages of notebooks
    link to the files.
    """
    text = re.sub(r"\]\(((?:\.\./)*)\.\./benchmarks/", r"](\1benchmarks/", markdown)
    if page.file.src_uri.startswith("notebooks/"):
        return text
    return re.sub(r"\]\((\S*notebooks/\w+)\.ipynb\)", r"](\1.md)", text)
