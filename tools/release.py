"""Prepare a checkout for its release: what has to be true is checked, what only the forge knows is
written.

python tools/release.py TAG ADDRESS

TAG is the version's tag (v0.2.0), ADDRESS the project's page (https://forge.example/owner/name).
The links and images of the README become absolute ones at that tag, since a package index shows it
without the files beside it, and pyproject.toml gets the project's URLs."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
_LINK = re.compile(r"(!?)\[([^\]]*)\]\((?!https?:|mailto:|#)([^)\s]+)\)")


def main(tag: str, address: str, root: Path = ROOT) -> None:
    """Check the version, then write the URLs."""
    project = root / "pyproject.toml"
    text = project.read_text(encoding="utf-8")
    version = tomllib.loads(text)["project"]["version"]
    check(tag, version, root)
    readme = root / "README.md"
    readme.write_text(absolute(readme.read_text(encoding="utf-8"), address, tag), encoding="utf-8")
    project.write_text(text.replace("[project.scripts]", urls(address) + "[project.scripts]", 1))


def check(tag: str, version: str, root: Path) -> None:
    """Refuse a tag that isn't the version everywhere, and a changelog that isn't cut."""
    if tag != f"v{version}":
        raise SystemExit(f"the tag is {tag}, and pyproject.toml has the version {version}.")
    if ".dev" in version:
        raise SystemExit(f"{version} is a development version; set the one to be released.")
    for name, pattern in {
        "src/cofactor/__init__.py": rf'^__version__ = "{re.escape(version)}"$',
        "CITATION.cff": rf"^version: {re.escape(version)}$",
        "conda/recipe.yaml": rf"^  version: {re.escape(version)}$",
        "CHANGELOG.md": rf"^## {re.escape(version)} \(\d{{4}}-\d\d-\d\d\)$",
    }.items():
        if not re.search(pattern, (root / name).read_text(encoding="utf-8"), re.MULTILINE):
            raise SystemExit(f"{name} doesn't have the version {version} (and its date).")


def absolute(text: str, address: str, tag: str) -> str:
    """Return a page whose relative links and images lead to the forge."""

    def lead(found: re.Match[str]) -> str:
        mark, words, target = found.groups()
        return f"{mark}[{words}]({address}/{'raw' if mark else 'blob'}/{tag}/{target})"

    return _LINK.sub(lead, text)


def urls(address: str) -> str:
    """Return the table of the project's URLs."""
    return (
        "[project.urls]\n"
        f'Homepage = "{address}"\n'
        f'Source = "{address}"\n'
        f'Changelog = "{address}/blob/main/CHANGELOG.md"\n'
        f'Documentation = "{address}/tree/main/docs"\n'
        f'Issues = "{address}/issues"\n\n'
    )


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
