"""What a release needs: one version everywhere, a recipe that follows, an sdist that is whole."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from tools import light_install, release

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = PYPROJECT["project"]
ADDRESS = "https://forge.example/owner/cofactor"
VERSION = PROJECT["version"]
RELEASE = VERSION.partition(".dev")[0]  # what main becomes
TAG, CUT = f"v{RELEASE}", f"## {RELEASE} (2026-11-28)"
CHANGED = ("README.md", "pyproject.toml", "CHANGELOG.md", "CITATION.cff")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The files that a release looks at, with a changelog that is cut."""
    for name in (*CHANGED, "conda/recipe.yaml", "src/cofactor/__init__.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        text = (ROOT / name).read_text(encoding="utf-8").replace(VERSION, RELEASE)
        if name == "CHANGELOG.md":
            text = re.sub(rf"(?m)^## (Unreleased|{re.escape(RELEASE)}.*)$", CUT, text, count=1)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def test_a_release_gets_urls_and_absolute_links(checkout: Path) -> None:
    release.main(TAG, ADDRESS, checkout)
    made = tomllib.loads((checkout / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert set(made["urls"]) == {"Homepage", "Source", "Changelog", "Documentation", "Issues"}
    assert all(url.startswith(ADDRESS) for url in made["urls"].values())
    assert made["scripts"] == {"cofactor": "cofactor.cli.main:run"}
    readme = (checkout / "README.md").read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)\s]+)\)", readme)
    assert len(links) > 20
    assert all(link.startswith(("https://", "http://", "#")) for link in links)
    assert f"]({ADDRESS}/raw/{TAG}/docs/images/explore.png)" in readme
    assert f"]({ADDRESS}/blob/{TAG}/docs/first_hour.md)" in readme


@pytest.mark.parametrize("name", ["CITATION.cff", "conda/recipe.yaml", "CHANGELOG.md"])
def test_a_version_that_differs_is_refused(checkout: Path, name: str) -> None:
    path = checkout / name
    path.write_text(path.read_text(encoding="utf-8").replace(RELEASE, "0.1.9"), encoding="utf-8")
    with pytest.raises(SystemExit, match=re.escape(name)):
        release.main(TAG, ADDRESS, checkout)
    with pytest.raises(SystemExit, match="the tag is"):
        release.main("v9.9.9", ADDRESS, checkout)


def test_main_is_a_development_version_and_none_is_released(checkout: Path) -> None:
    """What is installed from main must not call itself what was released."""
    released = re.findall(r"(?m)^## (\S+) \(", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"))
    assert VERSION not in released or "\n## Unreleased" not in (ROOT / "CHANGELOG.md").read_text()
    project = checkout / "pyproject.toml"
    project.write_text(project.read_text().replace(f'"{RELEASE}"', f'"{RELEASE}.dev0"'))
    with pytest.raises(SystemExit, match="development version"):
        release.main(f"{TAG}.dev0", ADDRESS, checkout)


def test_the_conda_recipe_asks_for_what_the_light_install_does() -> None:
    recipe = (ROOT / "conda" / "recipe.yaml").read_text(encoding="utf-8")
    run = recipe.partition("  run:\n")[2].partition("\ntests:")[0]
    found = {line.strip(" -").replace(" ", "") for line in run.splitlines() if line.strip()}
    assert found == {f"python{PROJECT['requires-python']}", *PROJECT["dependencies"]}
    assert "cofactor = cofactor.cli.main:run" in recipe


def test_the_sdist_has_what_its_tests_read() -> None:
    include = set(PYPROJECT["tool"]["hatch"]["build"]["targets"]["sdist"]["include"])
    read = set()
    for path in (ROOT / "tests").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        read |= set(re.findall(r'(?:ROOT|parents\[\d\]) / "([\w.]+)"', text))
    assert {"docs", "src", "tests"} <= read
    # pyproject.toml is always in it, and a cache is nothing to ship.
    known = {n for n in read if (ROOT / n).exists()} - {"pyproject.toml", ".mypy_cache"}
    assert known <= include
    assert {"benchmarks", "tools", "Makefile"} <= include


def test_the_light_install_copies_no_environment_and_no_cache() -> None:
    names = [
        ".venv",
        ".venv-lowest",
        ".git",
        "site",
        "src",
        "tools",
        "pyproject.toml",
        "__pycache__",
    ]
    kept = set(names) - light_install._not_source("", names)
    assert kept == {"src", "tools", "pyproject.toml"}
